import AMQP
import Foundation
import Testing

@testable import FleetHarness

/// A person's correction against what the till says later, and against what is booked already.
@Suite(
    "A correction at the desk, and the till", .serialized, .enabled(if: Servers.areThere, Servers.absence),
    .timeLimit(.minutes(6)))
struct DeskCorrectionTests {
    /// The order as it was so many seconds after it was first seen.
    private func publish(_ desk: DeskRunning, _ order: TillOrder, after seconds: Int64) async throws {
        let seen: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_000_000_000 + seconds * 1_000_000)]
        try await desk.running.publish([desk.messages.order(id: "\(order.id)", body: order.json, headers: seen)])
    }

    private func edit(_ desk: DeskRunning, _ letter: String, to order: TillOrder, _ more: String...) async throws {
        let file = "\(desk.running.fleet.options.folder)/\(order.id).json"
        try order.json.write(toFile: file, atomically: true, encoding: .utf8)
        let edit = try await desk.running.fleet.command(
            ["dead-letters", "edit", letter, "--file", file, "--by", "ana"] + more)
        #expect(edit.status == 0, "\(edit.output)")
    }

    @Test("the till corrects an order after a person did: what is booked is the till's latest, never the correction")
    func tillIsLater() async throws {
        try await DeskRunning.with("edit-later") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            let order = TillOrder(1231, 1230)
            try await publish(desk, order, after: 0)
            try await desk.waitForLetters(1)
            try await edit(desk, "1", to: order.with { ($0.cents, $0.payments) = (1100, [.card(1100, on: $0.day)]) })
            let later = TillOrder(1231, 2000)
            try await publish(desk, later, after: 5)
            // Xero refuses that too: the same letter stays open.
            try await desk.running.wait("the later version to be refused") {
                try await !desk.running.rows(
                    """
                    SELECT 1 AS one FROM \(desk.schema).document AS d JOIN \(desk.schema).dead_letter AS l
                        ON l.document_id = d.id
                     WHERE d.total = 20.00 AND d.state = 'refused' AND l.state = 'open'
                       AND (SELECT count(*) FROM \(desk.schema).dead_letter_arrival) = 2
                    """).isEmpty
            }
            let show = try await desk.desk("show", "1")
            #expect(show.output.contains("a later version since, which is sent instead"), "\(show.output)")
            try await desk.inXero(#""activateAccounts":["230"]"#)
            let replay = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-1231 20.00 due 0.00"])
            #expect(try await desk.running.ledger().payments.map(\.amount) == ["20.00"])
        }
    }

    @Test("an account sale was booked by a correction; its payment, refused at first, is not lost for that")
    func paymentIsLater() async throws {
        try await DeskRunning.with("edit-paid") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            let sale = TillOrder(1232, 1230).onAccount(of: 77, "Nora", "Lind")
            try await publish(desk, sale, after: 0)
            try await desk.waitForLetters(1)
            let corrected = sale.with { $0.saleNumber = "T1-1232B" }
            try await desk.inXero(#""activateAccounts":["230"]"#)
            try await edit(desk, "1", to: corrected, "--replay")
            try await desk.waitForBooks(["HBR-1232 12.30 due 12.30"])
            // It is paid by card, whose clearing account is archived.
            try await desk.inXero(#""archiveAccounts":["232"]"#)
            try await publish(desk, corrected.with { $0.payments = [.card(1230, on: "2026-11-21")] }, after: 5)
            try await desk.waitForLetters(1)
            #expect(try await desk.letters("state,lacks") == [["state": "open", "lacks": "payment"]])
            let early = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(early.status == 4 && early.output.contains("1 came back"), "\(early.output)")
            try await desk.inXero(#""activateAccounts":["232"]"#)
            let replay = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-1232 12.30 due 0.00"])
        }
    }

    @Test("an order that is booked cannot be given another site by correcting a later version of it")
    func anotherSite() async throws {
        try await DeskRunning.with("edit-site") { desk in
            let order = TillOrder(1041, 1230)
            try await publish(desk, order, after: 0)
            try await desk.running.wait("the invoice") { try await desk.books() == ["HBR-1041 12.30 due 0.00"] }
            // A later version that does not add up is parked before it has a document.
            let wrong = order.json.replacing("\"total\":12.30", with: "\"total\":21.30")
            let seen: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_005_000_000)]
            try await desk.running.publish([desk.messages.order(id: "1041", body: wrong, headers: seen)])
            try await desk.waitForLetters(1)
            #expect(try await desk.letters("document_id") == [[:]])
            let moved = try await desk.desk(
                "edit", "1", "--set", "site_id=985", "--set", "total=12.30", "--by", "ana", "--replay")
            #expect(moved.status == 1 && moved.output.contains("in the books of site 923"), "\(moved.output)")
            #expect(try await desk.letters("state,edits") == [["state": "open", "edits": "0"]])
            let put = try await desk.desk("edit", "1", "--set", "total=12.30", "--by", "ana", "--replay")
            #expect(put.status == 0, "\(put.output)")
            try await desk.waitForBooks(["HBR-1041 12.30 due 0.00"])
        }
    }
}
