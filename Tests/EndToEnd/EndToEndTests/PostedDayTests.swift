import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// What a trading day comes to, from the simulated till to the simulated ledger: counted register by register, with a
/// listing or without, refunded after its close, and as its preview had said.
@Suite("Posted days", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct PostedDayTests {
    private static let day = "2025-11-20"

    private func with(
        _ name: String, posting: String, environment: [String: String] = [:],
        _ work: (RunningFleet) async throws -> Void
    ) async throws {
        try await RunningFleet.withTradingDays("posted-\(name)", posting: posting, environment: environment, work)
    }

    @Test("a day of two registers ends when both are counted; of each shift's count the variance is in the invoice")
    func registers() async throws {
        try await with("registers", posting: "close_on: takings, takings_within: 30d") { running in
            let till = running.fleet.kounta
            func cash(_ id: Int, _ cents: Int) -> TillOrder {
                TillOrder(id, cents, on: Self.day).with { $0.payments = [.cash(cents, on: Self.day)] }
            }
            try await till.sell(cash(1, 1230), at: "10:00:00")
            try await till.sell(cash(2, 500), at: "18:00:00")
            try await till.sell(cash(3, 900), at: "13:00:00", register: 9092)
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            // The first shift of one register, and its last: the other was not counted.
            try await till.count(11, register: 9091, at: "15:00:00", recorded: "12.30", counted: "11.30")
            try await running.lookAtDays(without: "HBR", counts: 1)
            try await till.count(12, register: 9091, at: "23:00:00", recorded: "5.00", counted: "5.30")
            try await running.lookAtDays(without: "HBR", counts: 2)
            try await till.count(13, register: 9092, at: "23:30:00", recorded: "9.00", counted: "8.50")
            try await running.wait("the day") {
                try await running.ledger().line("HBR-D20251120")?.hasPrefix("PAID ") == true
            }
            // 26.30 sold; 1.00 and 0.50 are missing, 0.30 too much.
            #expect(try await running.ledger().line("HBR-D20251120") == "PAID 25.10 due 0.00")
            let posted = try await running.posted("HBR-D20251120")
            #expect(posted.lines.filter { $0.hasPrefix("870 ") } == ["870 BASEXCLUDED -1.20 0.00"], "\(posted)")
            #expect(posted.payments == ["231 25.10 2025-11-20"])
            // What the tills recorded is what was sold.
            let mapper = "\(running.fleet.options.folder)/mapper-2.log"
            #expect(try !String(contentsOfFile: mapper, encoding: .utf8).contains("till and orders disagree"))
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test("a venue that attaches its orders has one listing on its day's invoice, and one that does not has none")
    func listing() async throws {
        try await with("listing", posting: "attach_orders: true") { running in
            let till = running.fleet.kounta
            try await till.sell(TillOrder(4, 700, on: Self.day), at: "10:00:00", site: 985)
            try await till.sell(TillOrder(5, 1230, on: Self.day), at: "10:00:00")
            try await till.sell(TillOrder(6, 500, on: Self.day), at: "11:00:00")
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.wait("both days") {
                try await running.ledger().lines == [
                    "HBR-D20251120 PAID 17.30 due 0.00", "PIER-D20251120 PAID 7.00 due 0.00",
                ]
            }
            try await running.wait("the listing") { try await !running.attachments().isEmpty }
            try await running.wait("it to be noted") {
                try await running.rows(
                    "SELECT name FROM \(running.fleet.schema).attachment WHERE state <> 'written'").isEmpty
            }
            let files = try await running.attachments()
            #expect(files.map(\.number) == ["HBR-D20251120"], "\(files)")
            let file = try #require(files.first)
            #expect(file.name.hasSuffix(".csv"))
            let rows = file.text.split(separator: "\r\n")
            #expect(rows.count == 3 && rows[1].contains("12.30") && rows[2].contains("5.00"), "\(file.text)")
            // Nor does one wait to be attached: what is to be is stored with the day's close.
            let stored = try await running.rows("SELECT name FROM \(running.fleet.schema).attachment")
            #expect(stored.count == 1)
        }
    }

    @Test("a refund that is read after its day's close adjusts that day; the next day's is of the next day")
    func lateRefund() async throws {
        try await with("refund", posting: "mode: daily_summary") { running in
            let till = running.fleet.kounta
            let (sale, other) = (TillOrder(7, 1230, on: Self.day), TillOrder(8, 2000, on: Self.day))
            try await till.sell(sale, at: "10:00:00")
            try await till.sell(other, at: "11:00:00")
            // By another tender, the day after.
            try await till.sell(
                other.refund(18, 300, [.cash(300, on: "2025-11-21")], on: "2025-11-21"), at: "10:00:00")
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.wait("both days") {
                try await running.ledger().lines == [
                    "HBR-D20251120 PAID 32.30 due 0.00", "HBR-D20251121 PAID 3.00 due 0.00",
                ]
            }
            let before = try await running.posted("HBR-D20251120")
            // Entered on the day itself, at a till that was offline until now.
            let late = sale.refund(17, 500, [.card(500, on: Self.day)], on: Self.day)
            try await till.sell(late, at: "21:00:00")
            try await running.wait("the adjustment") {
                try await running.ledger().lines == [
                    "HBR-D20251120 PAID 32.30 due 0.00", "HBR-D20251120-a1 PAID 5.00 due 0.00",
                    "HBR-D20251121 PAID 3.00 due 0.00",
                ]
            }
            let ledger = try await running.ledger()
            #expect(ledger.creditNotes.map(\.number).sorted() == ["HBR-D20251120-a1", "HBR-D20251121"])
            #expect(ledger.dates["HBR-D20251120-a1"] == Self.day && ledger.dates["HBR-D20251121"] == "2025-11-21")
            let adjustment = try await running.posted("HBR-D20251120-a1")
            #expect(adjustment.lines == ["230 OUTPUT 5.00 0.45"])
            #expect(adjustment.payments == ["232 5.00 2025-11-20"])
            #expect(try await running.posted("HBR-D20251121").payments == ["231 3.00 2025-11-21"])
            // Never a silent change: the day's own invoice stands as it was posted.
            #expect(try await running.posted("HBR-D20251120") == before)
            try await running.wait("every day posted") {
                try await running.rows(
                    """
                    SELECT day FROM \(running.fleet.schema).venue_day
                     WHERE site = '923' AND day < '2025-11-22' AND (state <> 'posted' OR changed_at IS NOT NULL)
                    """
                ).isEmpty
            }
            let row = try await running.rows(
                "SELECT total, turn FROM \(running.fleet.schema).venue_day WHERE day = '2025-11-20' AND site = '923'")
            #expect(try row[0].numeric("total") == "27.30" && row[0].int("turn") == 1)
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test(
        "the preview of a day with sales paid back and one on an open account is what is posted then, line by line",
        arguments: ["daily_summary", "per_order"])
    func preview(mode: String) async throws {
        try await with("preview-\(mode)", posting: "mode: \(mode)") { running in
            let till = running.fleet.kounta
            // By another tender, which gives more than it took that day; and by the same.
            let back = TillOrder(9, 1230, on: Self.day).with {
                $0.payments = [.card(1230, on: Self.day), .cash(-230, on: Self.day)]
            }
            let netted = TillOrder(12, 1000, on: Self.day).with {
                $0.payments = [.card(1000, on: Self.day), .card(-300, on: Self.day)]
            }
            let owed = TillOrder(10, 3300, on: Self.day).onAccount(of: 5501, "Ada", "Byron")
            try await till.sell(back, at: "10:00:00")
            try await till.sell(netted, at: "10:30:00")
            try await till.sell(owed, at: "11:00:00", isOpen: true)
            try await till.sell(TillOrder(11, 2000, on: Self.day), at: "12:00:00")
            let arguments = ["preview", "--venue", "Harbour Bistro", "--day", Self.day, "--json"]
            let told = try await running.fleet.tillbridge(arguments, log: "preview")
            #expect(told.status == 0, "\(told.output)")
            let preview = try JSON(parsing: Array(told.output.utf8))
            #expect(try await running.ledger().lines.isEmpty)

            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            let previewed = (preview["documents"]?.elements ?? []).map(PostedDocument.init(previewed:))
            let numbers = previewed.map(\.number).sorted()
            #expect(numbers.contains("HBR-10") && previewed.contains { $0.kind == "credit note" }, "\(told.output)")
            try await running.wait("the day") {
                try await running.rows(
                    "SELECT number FROM \(running.fleet.schema).document WHERE closed_at IS NOT NULL ORDER BY number"
                ).map { try $0.text("number") } == numbers
            }
            for document in previewed {
                let posted = try await running.posted(document.number)
                #expect(posted == document)
            }
            #expect(try await running.ledger().lines.count == numbers.count)
            // Once it is posted the preview says the same.
            let again = try await running.fleet.tillbridge(arguments, log: "preview-again")
            #expect(again.output == told.output)
            #expect(try await running.letters().isEmpty)
        }
    }
}

extension RunningFleet {
    /// Waits until so many counts are known, and every venue's days were looked at once more; what was not closed then
    /// is not to be closed by them. The pier's days are looked at after the bistro's.
    fileprivate func lookAtDays(without prefix: String, counts: Int) async throws {
        try await wait("count \(counts)") { try await rows("SELECT id FROM \(fleet.schema).takings").count == counts }
        let order = TillOrder(100 + counts, 700, on: "2025-11-\(21 + counts)")
        try await fleet.kounta.sell(order, at: "10:00:00", site: 985)
        // Its own invoice, or an adjustment where the day was closed without sales by then.
        try await wait("the pier's day") {
            try await ledger().lines.contains { $0.hasPrefix("PIER-D202511\(21 + counts)") && $0.contains("PAID 7.00") }
        }
        let documents = try await rows("SELECT number FROM \(fleet.schema).document").map { try $0.text("number") }
        #expect(documents.allSatisfy { !$0.hasPrefix(prefix) }, "\(documents)")
    }
}
