import AMQP
import Foundation
import Testing

@testable import FleetHarness

/// "A parked order holds back its own later revisions, nobody else": what the ledger has of an order is one version at
/// a time, and never an earlier one after a later one.
@Suite("The desk's order", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct DeskOrderTests {
    /// The order as it was so many seconds after it was first seen, over so much.
    private func version(
        _ desk: DeskRunning, _ id: Int, _ cents: Int, after seconds: Int64, product: String = "Pie"
    ) -> AMQPMessage {
        let order = TillOrder(id, cents).with { $0.product = product }
        let seen: [String: AMQPField] = ["tb-first-seen": .int(1_760_000_000_000_000 + seconds * 1_000_000)]
        return desk.messages.order(id: "\(id)", body: order.json, headers: seen)
    }

    /// Every invoice there ever was, with its status, and every payment.
    private func ledger(_ desk: DeskRunning) async throws -> (invoices: [String], payments: [String]) {
        let ledger = try await desk.running.ledger()
        return (ledger.lines, ledger.payments.filter { !$0.isDeleted }.map(\.amount).sorted())
    }

    private func with(_ name: String, _ work: (DeskRunning) async throws -> Void) async throws {
        // Wine goes to account 200; pies to 230.
        let configuration = try DutyConfiguration(name)
        defer { configuration.remove() }
        try await DeskRunning.with(name, configuration: configuration.path) { try await work($0) }
    }

    @Test("Xero refused an order: its later version takes its place, also where the earlier comes last; others go on")
    func refused() async throws {
        try await with("order-refused") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            // 1201: the earlier version comes first. 1202: it comes last. 1203, 1204: neighbours of the same venue.
            // 1205: it comes last, and when nothing would hinder it any more.
            try await desk.running.publish([
                version(desk, 1201, 1230, after: 0), version(desk, 1203, 900, after: 0, product: "Wine"),
                version(desk, 1202, 2460, after: 5), version(desk, 1205, 2460, after: 5),
            ])
            try await desk.waitForLetters(3)
            try await desk.running.publish([
                version(desk, 1201, 2460, after: 5), version(desk, 1202, 1230, after: 0),
                version(desk, 1204, 900, after: 0, product: "Wine"),
            ])
            // While both are parked the neighbours are booked and paid; of the parked ones nothing stands anywhere.
            try await desk.running.wait("the neighbours") {
                try await ledger(desk).invoices == ["HBR-1203 PAID 9.00 due 0.00", "HBR-1204 PAID 9.00 due 0.00"]
            }
            // One letter an order, over its latest version.
            try await desk.running.wait("the letters to settle") {
                guard try await desk.running.watch.queued() == 0 else { return false }
                let open = try await desk.letters("number,state").filter { $0["state"] == "open" }
                return open.compactMap { $0["number"] }.sorted() == ["HBR-1201", "HBR-1202", "HBR-1205"]
            }
            try await desk.inXero(#""activateAccounts":["230"]"#)
            // A neighbour behind it in the queue tells when it was dealt with.
            try await desk.running.publish([
                version(desk, 1205, 1230, after: 0), version(desk, 1206, 900, after: 0, product: "Wine"),
            ])
            try await desk.running.wait("the neighbour behind it") {
                try await desk.books().contains("HBR-1206 9.00 due 0.00")
            }
            let replay = try await desk.desk("replay", "--all", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks([
                "HBR-1201 24.60 due 0.00", "HBR-1202 24.60 due 0.00", "HBR-1203 9.00 due 0.00",
                "HBR-1204 9.00 due 0.00", "HBR-1205 24.60 due 0.00", "HBR-1206 9.00 due 0.00",
            ])
            // The earlier figures were never booked: no void, no second document, no payment of 12.30.
            let stands = try await ledger(desk)
            #expect(stands.invoices.count == 6, "\(stands)")
            #expect(stands.payments == ["24.60", "24.60", "24.60", "9.00", "9.00", "9.00"])
            // By force, whatever the desk still has of them: nothing moves.
            _ = try await desk.desk(
                "replay", "--order", "1201", "--again", "--wait", "--by", "ana")
            let after = try await ledger(desk)
            #expect(after.invoices == stands.invoices && after.payments == stands.payments)
        }
    }

    @Test("of an order that lacks its payment the later version comes after the earlier, in either order of arrival")
    func unpaid() async throws {
        try await with("order-unpaid") { desk in
            try await desk.inXero(#""archiveAccounts":["232"]"#)
            try await desk.running.publish([
                version(desk, 1211, 1230, after: 0), version(desk, 1212, 2460, after: 5),
            ])
            try await desk.waitForLetters(2)
            #expect(try await desk.letters("lacks").allSatisfy { $0["lacks"] == "payment" })
            try await desk.running.publish([
                version(desk, 1211, 2460, after: 5), version(desk, 1212, 1230, after: 0),
                desk.messages.order(id: "1213") { $0.replacing("\"name\":\"Card\"", with: "\"name\":\"Cash\"") },
            ])
            // The neighbour, paid in cash, is not held back.
            try await desk.running.wait("the neighbour") {
                try await desk.books().contains("HBR-1213 12.30 due 0.00")
            }
            try await desk.inXero(#""activateAccounts":["232"]"#)
            _ = try await desk.desk("replay", "--all", "--wait", "--by", "ana")
            try await desk.running.wait("the books") {
                let books = try await desk.books()
                return books.count == 3 && books.allSatisfy { $0.hasSuffix("due 0.00") }
                    && books.filter { $0.contains(" 24.60 ") }.count == 2
            }
            try await desk.running.wait("an empty desk") { try await desk.unclosed() == 0 }
            let stands = try await ledger(desk)
            #expect(stands.payments == ["12.30", "24.60", "24.60"], "\(stands)")
        }
    }

    @Test("while it is not known whether the earlier version was booked the later waits; then one of them stands")
    func uncertain() async throws {
        try await with("order-uncertain") { desk in
            let time = try ChaosMessages(desk.running.fleet)
            try await time.hurry()
            // Booked, and the answer says it failed: a writer must look before it does anything else.
            try await desk.running.fleet.xero.post(
                "/_control/faults",
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices","text":"HBR-1221"},"count":1,"#
                    + #""action":{"status":500,"commit":true}}"#)
            try await desk.running.publish([version(desk, 1221, 1230, after: 0)])
            try await desk.running.wait("the first to be sent") {
                try await !desk.running.rows("SELECT 1 AS one FROM \(desk.schema).attempt").isEmpty
            }
            try await desk.running.publish([version(desk, 1221, 2460, after: 5), version(desk, 1222, 900, after: 0)])
            try await desk.waitForBooks(
                ["HBR-1222 9.00 due 0.00"] + [try await latest(desk)], within: .seconds(120))
            let stands = try await ledger(desk)
            #expect(stands.payments == ["24.60", "9.00"], "\(stands)")
            await time.close()
        }
    }

    /// The later version's line, under the number it came to stand under: changed in place, or void and posted again.
    private func latest(_ desk: DeskRunning) async throws -> String {
        var found: String?
        try await desk.running.wait("the later version", within: .seconds(120)) {
            found = try await desk.books().first { $0.hasPrefix("HBR-1221") && $0.hasSuffix("24.60 due 0.00") }
            return found != nil
        }
        return try #require(found)
    }
}
