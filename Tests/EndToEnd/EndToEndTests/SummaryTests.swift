import AMQP
import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Trading days that are posted as one invoice, by real processes.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(15)))
struct SummaryTests {
    /// The example with all of the group's venues posting summaries from a day on.
    private static func configuration(_ posting: String, startFrom: String = "2015-01-01") throws -> URL {
        try RunningFleet.configuration { text in
            text.bookingVariance
                .replacing("start_from: 2015-01-01", with: "start_from: \(startFrom)")
                .replacing("    posting:\n      mode: per_order\n      cut_off: \"04:00\"\n", with: "")
                .replacing(
                    "    tracking_category: Venue\n", with: "    tracking_category: Venue\n    posting:\n\(posting)\n")
        }
    }

    @Test(
        "all real orders as daily summaries: on every day the ledger holds what the till took, to the cent",
        .enabled(if: RealOrders.areThere, "the real orders are not here"))
    func realOrders() async throws {
        let file = try Self.configuration("      mode: daily_summary")
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "days", ordersFile: RealOrders.path, configuration: file.path, postsDays: true,
            environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s"]
        ) { running in
            let till = try await running.till().days
            let first = try #require(till.keys.min())
            // One till lacks 1.50 in cash; that day is closed with the difference in it.
            try await running.fleet.kounta.post(
                "/_control/takings",
                #"{"site":\#(first.site),"day":"\#(first.day)","method":"Cash","difference_cents":-150}"#)
            try await running.fleet.startWorkers([
                "poller", "mapper", "mapper", "writer", "writer", "dead-letter-handler",
            ])
            try await running.wait("every day posted", within: .seconds(600)) {
                guard try await running.fleet.progress(running.watch).isDone else { return false }
                return try await running.rows(
                    """
                    SELECT source FROM \(running.fleet.schema).day_entry
                     WHERE source LIKE 'variance/%' AND booked IS NOT NULL
                    """).count == 1
            }
            #expect(till.count > 5000 && till.values.map(\.orders).reduce(0, +) == 13_397)
            var wanted = till.mapValues(\.cents.value)
            wanted[first, default: 0] -= 150
            let booked = try await running.booked().days
            #expect(booked.mapValues(\.cents.value) == wanted)
            #expect(booked.values.allSatisfy { $0.due.value == 0 })
            // The proof knows of no till's variance: it names this day, and this day only.
            let proof = try await running.dayProof()
            #expect(proof.different.count == 1 && proof.different[0].contains(first.day), "\(proof.different)")
            #expect(!proof.holds && (proof.till - proof.ledger).value == 150)
            #expect(proof.missing.isEmpty && proof.doubled.isEmpty && proof.strangers.isEmpty && proof.dead == 0)
            // Days without sales are recorded as such, and have no document.
            let quiet = try await running.rows(
                """
                SELECT count(*) AS days, count(v.document_id) AS documents FROM \(running.fleet.schema).venue_day AS d
                  LEFT JOIN \(running.fleet.schema).venue_day_document AS v USING (company, site, day)
                 WHERE d.orders = 0 AND d.total = 0
                """)
            #expect(try quiet[0].int("days") > 10_000 && quiet[0].int("documents") == 0)
        }
    }

    @Test("a service posted by days comes out even; the proof notices a day that is missing, doubled or a cent out")
    func proof() async throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("daily-\(UUID()).yaml")
        try DailyConfiguration.write(
            from: RunningFleet.root.appendingPathComponent("config/example.yaml").path, to: file.path)
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "day-proof", ordersPerVenue: 40, configuration: file.path, postsDays: true,
            environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "3s"]
        ) { running in
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.waitUntilDone()
            let till = try await running.fleet.kounta.get("/_control/ledger?orders=1")
            let ledger = try await running.fleet.xero.get("/_control/ledger")
            func proof(_ edit: (String) -> String) throws -> DayProof {
                let text = edit(String(decoding: ledger.raw, as: UTF8.self))
                return try DayProof(
                    plan: running.fleet.plan, till: till, ledger: try .init(parsing: text), dead: 0, queued: 0)
            }
            let whole = try proof { $0 }
            #expect(whole.holds, "\(whole.lines.joined(separator: "\n"))")
            #expect(whole.orders == 200 && whole.days > 20 && whole.documents == whole.days)
            let invoices = (ledger["organisations"]?.elements ?? []).flatMap { $0["invoices"]?.elements ?? [] }
            let numbers = invoices.compactMap { $0["InvoiceNumber"]?.string }
            // In order: a venue's earlier days were closed before its later ones.
            let closed = try await running.rows("SELECT number FROM \(running.fleet.schema).document ORDER BY id")
                .map { try $0.text("number") }
            for venue in running.fleet.plan.venues {
                let own = closed.filter { $0.hasPrefix("\(venue.prefix)-") }
                #expect(own == own.sorted() && own.count > 4)
            }
            let missing = try proof { $0.replacing("\"\(numbers[0])\"", with: "\"\(numbers[0])-x\"") }
            #expect(!missing.holds)
            let doubled = try proof { $0.replacing("\"\(numbers[1])\"", with: "\"\(numbers[0])\"") }
            #expect(!doubled.holds && doubled.doubled.count == 1 && !doubled.missing.isEmpty)
            let total = try #require(invoices[0]["Total"]?.numberText)
            let other = "\(total.dropLast())\(total.last == "9" ? "8" : "9")"
            let shifted = try proof { $0.replacing("\"Total\":\(total)", with: "\"Total\":\(other)") }
            #expect(!shifted.holds && !shifted.different.isEmpty)
        }
    }

    @Test("one day's invoice, however its mappers die or race; late, edited, deleted orders adjust it")
    func oneDay() async throws {
        let file = try Self.configuration(
            """
                  mode: per_order
                  attach_orders: true
                  changes:
                    - {from: 2025-11-20, mode: daily_summary}
            """, startFrom: "2025-11-15")
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "one-day", configuration: file.path, environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "2s"]
        ) { running in
            try await running.fleet.startWorkers(["writer", "writer", "dead-letter-handler"])
            try await closeOnce(running)
            try await adjust(running)
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test("inside of a summary too, giving a sale back twice lays the second refund on the desk, with both figures")
    func refundedTwice() async throws {
        let file = try Self.configuration("      mode: daily_summary", startFrom: "2025-11-15")
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "day-refunds", configuration: file.path, environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s"]
        ) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            for id in ["1", "2"] {
                try await running.publish([order(running, id)])
            }
            try await running.wait("the sales in their day") {
                try await running.rows("SELECT day FROM \(running.fleet.schema).day_entry").count == 2
            }
            try await running.publish([order(running, "7") { Sale.refund(of: "1", $0) }])
            try await running.wait("the refund in its day") {
                try await running.rows("SELECT day FROM \(running.fleet.schema).day_entry").count == 3
            }
            try await running.publish([order(running, "8") { Sale.refund(of: "1", $0) }])
            try await running.wait("the letter") { try await running.letters().count == 1 }
            let letter = try #require(try await running.letters().first)
            #expect(letter.contains("The refund HBR-8 comes to 12.30"), "\(letter)")
            #expect(letter.contains("of the sale HBR-1 over 12.30 only 0.00 is left to give back"), "\(letter)")
            // The day holds what is right: two sales, one of them given back.
            try await running.moveCursor(site: "923")
            try await running.wait("the day") { try await running.netOfDay("HBR-D20251120") == 1230 }
            #expect(try await running.letters().count == 1)
        }
    }

    /// One product of 12.30 on a day that is over.
    private func order(
        _ running: RunningFleet, _ id: String, at time: String = "10:00:00", _ edit: (String) -> String = { $0 }
    ) -> AMQPMessage {
        Messages(run: running.fleet.run).order(id: id) {
            edit($0).replacing("2026-11-20", with: "2025-11-20").replacing("T10:00:00", with: "T\(time)")
                .replacing("T10:00:05", with: "T\(time)")
        }
    }

    private func closeOnce(_ running: RunningFleet) async throws {
        let fleet = running.fleet
        let doomed = try await fleet.startWorker(
            "mapper", log: "mapper-doomed", environment: ["TILLBRIDGE_CRASH_AT": "mapper.day-closed"])
        // It is meant to end by itself.
        await fleet.children.remove(doomed)
        defer { doomed.signal(SIGKILL) }
        try await running.wait("the workers") { await fleet.isReady() && doomed.isReady }
        try await running.publish([
            order(running, "1"), order(running, "2"), order(running, "3", at: "04:00:00"),
            order(running, "4", Sale.onAccount),
            // A second before the boundary: the day before, which is posted order by order.
            order(running, "5", at: "03:59:59"),
        ])
        try await running.wait("the orders in their day") {
            try await running.rows("SELECT day FROM \(fleet.schema).day_entry").count == 3
        }
        // Nobody has read the venue to the day's end so far, so the day is open.
        try await running.moveCursor(site: "923")
        try await running.wait("the mapper's end between close and word") { !doomed.isRunning }
        try await fleet.startWorkers(["mapper", "mapper"])
        try await running.wait("the day in the ledger") {
            try await running.ledger().invoices.map { "\($0.number) \($0.total) \($0.due)" }.sorted() == [
                "HBR-4 12.30 12.30", "HBR-5 12.30 0.00", "HBR-D20251120 36.90 0.00",
            ]
        }
        try await running.wait("the listing") { try await running.listings()["HBR-D20251120"]?.count == 1 }
        let listing = try await running.listings()["HBR-D20251120"]?.first ?? ""
        #expect(listing.split(separator: "\r\n").count == 4, "\(listing)")
    }

    private func adjust(_ running: RunningFleet) async throws {
        let schema = running.fleet.schema
        try await running.publish([order(running, "6")])
        try await running.wait("the adjustment") {
            try await running.ledger().invoices.contains { $0.number == "HBR-D20251120-a1" && $0.due == "0.00" }
        }
        try await running.publish([
            order(running, "1", Sale.dearer), order(running, "2", Sale.deleted), order(running, "6"),
        ])
        try await running.wait("what changed, adjusted") { try await running.netOfDay("HBR-D20251120") == 3780 }
        try await running.wait("every day posted") {
            try await running.rows(
                """
                SELECT day FROM \(schema).venue_day
                 WHERE site = '923' AND (state <> 'posted' OR changed_at IS NOT NULL)
                """
            ).isEmpty
        }
        let ledger = try await running.ledger()
        // However the changes fell into adjustments, the day's own invoice stands as it was.
        #expect(ledger.invoices.map { "\($0.number) \($0.total)" }.sorted().prefix(4) == [
            "HBR-4 12.30", "HBR-5 12.30", "HBR-D20251120 36.90", "HBR-D20251120-a1 12.30",
        ])
        #expect(ledger.creditNotes.contains { $0.number.hasPrefix("HBR-D20251120-a") })
        let row = try await running.rows(
            "SELECT orders, total, turn FROM \(schema).venue_day WHERE day = '2025-11-20' AND site = '923'")[0]
        #expect(try row.int("orders") == 3 && row.numeric("total") == "37.80" && row.int("turn") >= 2)
    }
}

extension RunningFleet {
    /// What customers paid by trading day, worked out without the fleet.
    func till() async throws -> TillDays {
        try TillDays(plan: fleet.plan, till: try await fleet.kounta.get("/_control/ledger?orders=1"))
    }

    /// What the ledger holds of each venue's day.
    func booked() async throws -> LedgerDays {
        try LedgerDays(
            plan: fleet.plan, ledger: try await fleet.xero.get("/_control/ledger"),
            orders: try await till().dayOfOrder)
    }

    func dayProof() async throws -> DayProof {
        let progress = try await fleet.progress(watch)
        return try DayProof(
            plan: fleet.plan, till: try await fleet.kounta.get("/_control/ledger?orders=1"),
            ledger: try await fleet.xero.get("/_control/ledger"), dead: progress.dead, queued: progress.queued)
    }

    /// What a day's documents come to, in cents; nil while one of them is not paid.
    fileprivate func netOfDay(_ number: String) async throws -> Int64? {
        let view = try await ledger()
        var net: Int64 = 0
        for (documents, sign) in [(view.invoices, Int64(1)), (view.creditNotes, -1)] {
            for document in documents where document.number.hasPrefix(number) {
                guard document.due == "0.00", let cents = Cents(document.total)?.value else { return nil }
                net += sign * cents
            }
        }
        return net
    }

    /// The poller has read a venue up to now, as far as anybody can tell.
    fileprivate func moveCursor(site: String) async throws {
        _ = try await rows(
            """
            INSERT INTO \(fleet.schema).poll_cursor (company, site, position, fence)
            VALUES ('harbour', '\(site)', now(), 1) RETURNING site
            """)
    }

    /// The files attached to each invoice, by its number.
    fileprivate func listings() async throws -> [String: [String]] {
        var found: [String: [String]] = [:]
        let ledger = try await fleet.xero.get("/_control/ledger")
        for invoice in (ledger["organisations"]?.elements ?? []).flatMap({ $0["invoices"]?.elements ?? [] }) {
            guard let files = invoice["attachments"]?.elements, let number = invoice["InvoiceNumber"]?.string else {
                continue
            }
            found[number] = files.map { $0["Text"]?.string ?? "" }
        }
        return found
    }
}
