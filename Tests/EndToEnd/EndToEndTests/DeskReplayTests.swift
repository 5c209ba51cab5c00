import AMQP
import Foundation
import Glibc
import HTTP
import JSON
import Testing

@testable import FleetHarness

/// What must not go wrong when letters are sent again.
@Suite("The desk's replays", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct DeskReplayTests {
    @Test("a refused payment is sent again: the invoice is paid once, nothing is doubled")
    func payment() async throws {
        try await DeskRunning.with("payment") { desk in
            try await desk.inXero(#""archiveAccounts":["232"]"#)
            try await desk.running.publish([desk.messages.order(id: "1001")])
            try await desk.waitForLetters(1)
            #expect(try await desk.books() == ["HBR-1001 12.30 due 12.30"])
            #expect(try await desk.letters("class,lacks,amount")[0]["lacks"] == "payment")
            try await desk.inXero(#""activateAccounts":["232"]"#)
            let replay = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-1001 12.30 due 0.00"])
        }
    }

    @Test("a refund that Xero refused, and one whose payment it refused, are sent again and settle their letters")
    func refunds() async throws {
        try await DeskRunning.with("refunds") { desk in
            try await desk.running.publish(["1071", "1073"].map { desk.messages.order(id: $0) })
            try await desk.waitForBooks(["1071", "1073"].map { "HBR-\($0) 12.30 due 0.00" })
            // The note itself is refused, then only the payment of another.
            for (account, refund, sale, name) in [
                ("230", "1072", "1071", "archived"), ("232", "1074", "1073", "mapping"),
            ] {
                try await desk.inXero("\"archiveAccounts\":[\"\(account)\"]")
                try await desk.running.publish([desk.messages.order(id: refund) { Sale.refund(of: sale, $0) }])
                try await desk.running.wait("the letter") { try await desk.unclosed() == 1 }
                let letter = try #require(try await desk.letters("class,number,cause").last)
                #expect(letter["class"] == name && letter["number"] == "HBR-\(refund)", "\(letter)")
                try await desk.inXero("\"activateAccounts\":[\"\(account)\"]")
                let replay = try await desk.desk("replay", "--number", "HBR-\(refund)", "--wait", "--by", "ana")
                #expect(replay.status == 0, "\(replay.output)")
            }
            let ledger = try await desk.running.ledger()
            #expect(ledger.creditNotes.map { "\($0.number) \($0.total) \($0.due)" }.sorted() == [
                "HBR-1072 12.30 0.00", "HBR-1074 12.30 0.00",
            ])
            #expect(ledger.payments.filter { $0.creditNote != nil }.map(\.amount) == ["12.30", "12.30"])
            try await desk.waitForBooks(["1071", "1073"].map { "HBR-\($0) 12.30 due 0.00" })
            // Sent once more by force, there is nothing left to do; the letter is settled all the same.
            let again = try await desk.desk("replay", "--number", "HBR-1072", "--again", "--wait", "--by", "ana")
            #expect(again.status == 0, "\(again.output)")
            #expect(try await desk.running.ledger().creditNotes.count == 2)
        }
    }

    @Test("a payment somebody entered by hand meanwhile is not sent a second time")
    func paymentByHand() async throws {
        try await DeskRunning.with("hand") { desk in
            try await desk.inXero(#""archiveAccounts":["232"]"#)
            try await desk.running.publish(["1011", "1012"].map { desk.messages.order(id: $0) })
            try await desk.waitForLetters(2)
            try await desk.inXero(#""activateAccounts":["232"]"#)
            try await LedgerHand.with(desk.running) { hand in
                // One as we would have entered it, one with words of their own.
                for (number, reference) in [("HBR-1011", "Card"), ("HBR-1012", "entered by hand")] {
                    try await hand.call(
                        .put, "/Payments",
                        """
                        {"Payments":[{"Invoice":{"InvoiceNumber":"\(number)"},"Account":{"Code":"232"},\
                        "Date":"2026-11-20","Amount":12.30,"Reference":"\(reference)"}]}
                        """)
                }
            }
            let replay = try await desk.desk("replay", "1", "2", "--wait", "--by", "ana")
            #expect(replay.status == 4, "\(replay.output)")
            let letters = try await desk.letters("number,state,class,remedy")
            let second = letters.first { $0["number"] == "HBR-1012" }
            #expect(second?["state"] == "open" && second?["class"] == "value", "\(letters)")
            #expect(second?["remedy"]?.contains("entered by hand, discard") == true)
            let id = letters.firstIndex { $0["number"] == "HBR-1012" }.map { String($0 + 1) } ?? "?"
            _ = try await desk.desk("discard", id, "--reason", "paid by hand", "--by", "ana")
            try await desk.waitForBooks(["HBR-1011 12.30 due 0.00", "HBR-1012 12.30 due 0.00"])
            let ledger = try await desk.running.fleet.xero.get("/_control/ledger")
            let payments = ledger["organisations"]?.elements.first?["payments"]?.elements.count ?? 2
            #expect(payments == 2)
        }
    }

    @Test("replayed twice while in flight: one message, one document; a third time when it is booked: nothing")
    func twiceInFlight() async throws {
        try await DeskRunning.with("flight") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish((1...5).map { desk.messages.order(id: "102\($0)") })
            try await desk.waitForLetters(5)
            try await desk.inXero(#""activateAccounts":["230"]"#)
            try await desk.running.stop("mapper")
            let first = try await desk.desk("replay", "--all", "--by", "ana")
            #expect(first.status == 0, "\(first.output)")
            let map = "\(desk.running.fleet.run).map"
            try await desk.running.wait("the messages") { try await desk.running.watch.queued(of: map) == 5 }
            let second = try await desk.desk("replay", "--all", "--by", "ben", "--json")
            #expect(second.status == 4)
            #expect(second.output.contains("\"letters\":0") && second.output.contains("\"passed_over\":5"))
            #expect(try await desk.running.watch.queued(of: map) == 5)
            _ = try await desk.running.fleet.startWorker("mapper", log: "mapper-2")
            try await desk.waitForBooks((1...5).map { "HBR-102\($0) 12.30 due 0.00" })
            let third = try await desk.desk("replay", "--all", "--by", "ana")
            #expect(third.status == 3, "\(third.output)")
            // By force: every message a second time; the books stay as they are.
            let again = try await desk.desk("replay", "1", "2", "3", "4", "5", "--again", "--by", "ana")
            #expect(again.status == 4 || again.status == 0, "\(again.output)")
            try await desk.waitForBooks((1...5).map { "HBR-102\($0) 12.30 due 0.00" })
        }
    }

    @Test("a dry run says how many and how much, and does nothing")
    func dryRun() async throws {
        try await DeskRunning.with("dry") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish((1...4).map { desk.messages.order(id: "103\($0)") })
            try await desk.waitForLetters(4)
            for command in [["replay"], ["discard", "--reason", "x"], ["assign", "--person", "ben"]] {
                let dry = try await desk.running.fleet.command(
                    ["dead-letters"] + command + ["--class", "archived", "--dry-run", "--by", "ana"])
                #expect(dry.status == 0 && dry.output.contains("4 letters would be"), "\(dry.output)")
                #expect(dry.output.contains("amount 49.20"))
            }
            #expect(try await desk.letters("state,assignee").allSatisfy { $0 == ["state": "open"] })
            let everything = try await desk.desk("discard", "--reason", "x", "--by", "ana")
            #expect(everything.status == 64, "nothing says which: \(everything.output)")
            let none = try await desk.desk("list", "--venue", "Nowhere")
            #expect(none.status == 3)
            _ = try await desk.desk("assign", "--class", "archived", "--person", "ben", "--by", "ana")
            let mine = try await desk.desk("export", "--csv", "--assignee", "ben")
            #expect(mine.output.split(separator: "\n").count == 5, "\(mine.output)")
        }
    }

    /// The order as it was so many seconds after it was first seen.
    private func version(
        _ desk: DeskRunning, _ id: String, after seconds: Int64 = 0, total: String = "12.30"
    ) -> AMQPMessage {
        let seen: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_000_000_000 + seconds * 1_000_000)]
        return desk.messages.order(id: id, headers: seconds == 0 ? [:] : seen) {
            $0.replacing("\"total\":12.30", with: "\"total\":\(total)")
        }
    }

    @Test("of a parked order's versions the latest alone counts, in whatever order they come; neighbours go on")
    func versions() async throws {
        try await DeskRunning.with("kounta") { desk in
            // 1041: corrected in Kounta. 1043: changed there, and wrong again. 1044: the later version comes first.
            try await desk.running.publish([
                version(desk, "1041", total: "21.30"), version(desk, "1042"), version(desk, "1043", total: "21.30"),
                version(desk, "1044", after: 5, total: "31.30"),
            ])
            try await desk.waitForLetters(3)
            try await desk.running.wait("the neighbour") { try await desk.books() == ["HBR-1042 12.30 due 0.00"] }
            try await desk.running.publish([
                version(desk, "1041", after: 1), version(desk, "1043", after: 1, total: "41.30"),
                version(desk, "1044", total: "51.30"),
            ])
            let booked = ["HBR-1041 12.30 due 0.00", "HBR-1042 12.30 due 0.00"]
            // Of each order that is wrong still one letter is left: its latest version's.
            try await desk.running.wait("one letter an order") {
                let open = try await desk.letters("source_id,amount,state").filter { $0["state"] == "open" }
                return open.map { "\($0["source_id"] ?? "") \($0["amount"] ?? "")" }.sorted() == [
                    "1043 41.30", "1044 31.30",
                ]
            }
            try await desk.running.wait("the corrected one") { try await desk.books() == booked }
            // What was superseded can do no harm any more, by force neither.
            _ = try await desk.desk("replay", "--order", "1041", "--again", "--wait", "--by", "ana")
            let outcomes = try await desk.letters("source_id,outcome").filter { $0["source_id"] == "1041" }
            #expect(outcomes.allSatisfy { $0["outcome"]?.contains("later version") == true }, "\(outcomes)")
            #expect(try await desk.books() == booked)
            // A correction made at the desk counts as its version's, and a later one from Kounta as newer than that.
            let open = try await desk.letters("id,source_id,state").filter { $0["state"] == "open" }
            let id = open.first { $0["source_id"] == "1043" }?["id"] ?? "?"
            _ = try await desk.desk("edit", id, "--set", "total=12.30", "--replay", "--by", "ana")
            try await desk.running.publish([version(desk, "1044", after: 9)])
            try await desk.waitForBooks(booked + ["HBR-1043 12.30 due 0.00", "HBR-1044 12.30 due 0.00"])
        }
    }

    @Test("handlers killed with -9 while letters arrive and are sent again: none lost, none doubled, one group")
    func killed() async throws {
        try await DeskRunning.with("killed", workers: ["mapper", "writer"]) { desk in
            let count = 1500
            let ids = (1...count).map { "2\(1000 + $0)" }
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish(ids.map { desk.messages.order(id: $0) })
            func handlers(_ round: String) async throws -> [ChildProcess] {
                var children: [ChildProcess] = []
                for index in 1...2 {
                    children.append(
                        try await desk.running.fleet.startWorker("dead-letter-handler", log: "desk-\(round)-\(index)"))
                }
                return children
            }
            for round in 1...3 {
                let children = try await handlers("in-\(round)")
                let before = try await desk.running.watch.counts().dead
                try await desk.running.wait("some letters") {
                    try await desk.running.watch.counts().dead >= min(before + 200, count)
                }
                for child in children { await desk.running.kill(child) }
            }
            var children = try await handlers("out")
            try await desk.waitForLetters(count)
            let group = try await desk.group()
            try await desk.inXero(#""activateAccounts":["230"]"#)
            // Without a writer what is sent stays on its way, so that it is seen there.
            try await desk.running.stop("writer")
            let replay = try await desk.desk("replay", "--group", group, "--by", "ana")
            #expect(replay.output.contains("\(count) letters will be sent again"), "\(replay.output)")
            try await desk.running.wait("some are sent") {
                try await desk.letters("state").contains { $0["state"] == "replaying" }
            }
            for child in children { await desk.running.kill(child) }
            children = try await handlers("last")
            _ = try await desk.running.fleet.startWorker("writer", log: "writer-again")
            // Letters that were taken and not confirmed are taken again after a minute.
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" }, within: .seconds(180))
        }
    }

    @Test("while the handler is down the letters stay readable in the broker, cause and all")
    func readableInTheBroker() async throws {
        try await DeskRunning.with("readable", workers: ["mapper"]) { desk in
            try await desk.running.publish([
                desk.messages.order(id: "1061") { $0.replacing("\"total\":12.30", with: "\"total\":-1.00") }
            ])
            let dead = "\(desk.running.fleet.run).dead"
            try await desk.running.wait("the letter") { try await desk.running.watch.queued(of: dead) == 1 }
            let message = try await desk.running.look(dead)
            #expect(message.contentType == "application/json")
            #expect(message.headers["tb-class"] == .string("value"))
            #expect(message.headers["tb-cause"]?.stringValue?.contains("negative") == true)
            #expect(message.headers["tb-origin"] == .string("\(desk.running.fleet.run).map"))
            #expect(String(decoding: message.body, as: UTF8.self).contains("\"id\":1061"))
            // However long it was down: it takes up what lies there, with the time at which it was first seen.
            _ = try await desk.running.fleet.startWorker("dead-letter-handler", log: "handler-at-last")
            try await desk.waitForLetters(1)
            #expect(try await desk.letters("first_seen").first?["first_seen"]?.hasPrefix("2025-10-09") == true)
            try await desk.running.wait("an empty queue") { try await desk.running.watch.queued(of: dead) == 0 }
        }
    }
}
