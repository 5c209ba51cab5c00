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

    @Test("an order corrected in Kounta takes the place of its parked version, which can do no harm any more")
    func correctedInKounta() async throws {
        try await DeskRunning.with("kounta") { desk in
            try await desk.running.publish([
                desk.messages.order(id: "1041") { $0.replacing("\"total\":12.30", with: "\"total\":21.30") },
                desk.messages.order(id: "1042"),
            ])
            try await desk.waitForLetters(1)
            let later: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_001_000_000)]
            try await desk.running.publish([desk.messages.order(id: "1041", headers: later)])
            let books = ["HBR-1041 12.30 due 0.00", "HBR-1042 12.30 due 0.00"]
            try await desk.waitForBooks(books)
            _ = try await desk.desk("replay", "1", "--again", "--wait", "--by", "ana")
            try await desk.waitForBooks(books)
            #expect(try await desk.letters("outcome")[0]["outcome"]?.contains("later version") == true)
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
            let replay = try await desk.desk("replay", "--group", group, "--by", "ana")
            #expect(replay.output.contains("\(count) letters will be sent again"), "\(replay.output)")
            try await desk.running.wait("some are sent") {
                try await desk.letters("state").contains { $0["state"] == "replaying" }
            }
            for child in children { await desk.running.kill(child) }
            children = try await handlers("last")
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
        }
    }
}
