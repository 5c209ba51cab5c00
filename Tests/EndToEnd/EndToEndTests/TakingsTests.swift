import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Trading days that end when their till is counted, by real processes and the simulated till.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct TakingsTests {
    /// The harbour's venues close by takings, but for the pier, which closes at its cut-off.
    private static func configuration() throws -> URL {
        try RunningFleet.configuration { text in
            text.bookingVariance
                .replacing("      mode: per_order\n      cut_off: \"04:00\"\n", with: """
                          mode: daily_summary
                          close_on: takings
                          takings_within: 30d

                    """)
                .replacing("        tracking: Pier Cafe & Bar\n", with: """
                            tracking: Pier Cafe & Bar
                            posting: {close_on: cut_off}

                    """)
        }
    }

    @Test("a day is closed when its till was counted, not before; a later count adjusts it; none at all is told")
    func counted() async throws {
        let file = try Self.configuration()
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "takings", ordersPerVenue: 12, configuration: file.path,
            tillArguments: ["--days", "2", "--hold-takings"],
            environment: [
                "TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s", "TILLBRIDGE_ALERTS_INTERVAL": "1s",
                "TILLBRIDGE_ALERTS_DAY_LATE": "2s", "TILLBRIDGE_ALERTS_RESOLVE_AFTER": "1s",
            ]
        ) { running in
            let till = try await running.till().days
            let bistro = till.keys.filter { $0.site == "923" }.sorted()
            try #require(bistro.count == 2)
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            // One look goes over all venues, the bistro's before the pier's.
            try await running.wait("the pier's days") {
                try await running.rows(
                    """
                    SELECT day FROM \(running.fleet.schema).venue_day
                     WHERE site = '985' AND state = 'posted' AND orders > 0
                    """).count == till.keys.count { $0.site == "985" }
            }
            #expect(try await running.documents(of: "HBR").isEmpty)
            try await short(running, bistro[1], of: till)
            #expect(try await running.documents(of: "HBR").allSatisfy { $0.number.contains("-a") == false })
            try await again(running, bistro[1], of: till)
            // To the cent: there is nothing to tell.
            try await running.count(bistro[0], cents: 0)
            let even = try await running.document(running.number(bistro[0]))
            #expect(even.total == till[bistro[0]]?.cents && even.variances.isEmpty)
            try await uncounted(running, till.keys.filter { $0.site == "2301" })
            #expect(try await running.letters().isEmpty)
        }
    }

    @Test("where each order is an invoice, the till's variance of a day is one beside them, with its adjustments")
    func perOrder() async throws {
        let file = try RunningFleet.configuration { $0.bookingVariance }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "variance", ordersPerVenue: 12, configuration: file.path,
            tillArguments: ["--days", "2", "--hold-takings"], environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s"]
        ) { running in
            let till = try await running.till().days
            let bistro = till.keys.filter { $0.site == "923" }.sorted()
            try #require(bistro.count == 2)
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.count(bistro[0], cents: -150)
            let number = running.number(bistro[0])
            func shown(_ documents: [LedgerView.Document]) -> [String] {
                documents.filter { $0.number.hasPrefix(number) }.map { "\($0.number) \($0.total) due \($0.due)" }
            }
            try await running.wait("what is missing, given back out of the till's account") {
                shown(try await running.ledger().creditNotes) == ["\(number) 1.50 due 0.00"]
            }
            // Somebody finds two dollars.
            try await running.count(bistro[0], cents: 50)
            try await running.wait("what was found") {
                shown(try await running.ledger().invoices) == ["\(number)-a1 2.00 due 0.00"]
            }
            try await running.count(bistro[1], cents: 0)
            try await running.wait("the day whose till was right") {
                try await running.rows(
                    """
                    SELECT day FROM \(running.fleet.schema).venue_day
                     WHERE site = '923' AND day = '\(bistro[1].day)' AND state = 'posted' AND mode = 'per_order'
                    """).count == 1
            }
            let ledger = try await running.ledger()
            #expect(shown(ledger.creditNotes).count == 1 && shown(ledger.invoices).count == 1)
            let right = running.number(bistro[1])
            #expect((ledger.creditNotes + ledger.invoices).allSatisfy { !$0.number.hasPrefix(right) })
            #expect(try await running.letters().isEmpty)
        }
    }

    /// 1.50 is missing in the till.
    private func short(
        _ running: RunningFleet, _ day: TillDay, of till: [TillDay: DayProof.Day]
    ) async throws {
        try await running.count(day, cents: -150)
        let invoice = try await running.document(running.number(day))
        #expect(invoice.total.value == (till[day]?.cents.value ?? 0) - 150)
        #expect(invoice.variances.map(\.value) == [-150])
        let preview = try await running.fleet.tillbridge(
            ["preview", "--venue", day.site, "--day", day.day, "--json"], log: "preview")
        let told = try JSON(parsing: Array(preview.output.utf8))
        #expect(told["total"].flatMap { Cents($0.numberText) } == invoice.total, "\(preview.output)")
        #expect(told["variance"]?.elements.first { $0["method"]?.string == "Cash" }?["variance"]?.numberText == "-1.50")
        // What was counted is what was banked.
        let record = try await running.rows(
            """
            SELECT body FROM \(running.fleet.schema).takings WHERE site = '\(day.site)' AND day = '\(day.day)'
            """)
        let tenders = try JSON(parsing: try #require(record.first).bytes("body"))["reconciliations"]?.elements
        let cash = tenders?.first { $0["payment_method"]?["name"]?.string == "Cash" }
        // As many decimals as it needs: 310.5.
        let counted = try #require(cash?["takings"]?["counted"]?.numberText).split(separator: ".")
        let fraction = counted.count > 1 ? String((counted[1] + "00").prefix(2)) : "00"
        #expect(invoice.cash == Cents("\(counted[0]).\(fraction)") && invoice.cash != nil)
    }

    /// Somebody finds thirty cents of it.
    private func again(
        _ running: RunningFleet, _ day: TillDay, of till: [TillDay: DayProof.Day]
    ) async throws {
        try await running.count(day, cents: -120)
        let adjustment = try await running.document(running.number(day) + "-a1")
        #expect(adjustment.total.value == 30)
        let documents = try await running.documents(of: "HBR")
        #expect(documents.flatMap(\.variances).reduce(Cents()) { $0 + $1 }.value == -120)
        #expect(documents.reduce(Cents()) { $0 + $1.total }.value == (till[day]?.cents.value ?? 0) - 120)
    }

    /// A till that nobody counts is told, until somebody does.
    private func uncounted(_ running: RunningFleet, _ days: [TillDay]) async throws {
        func alerts(_ condition: String) async throws -> Int {
            try await running.rows(
                """
                SELECT id FROM \(running.fleet.schema).alert
                 WHERE kind = 'day_not_posted' AND title LIKE 'the till of Wharf Kitchen was not counted on %'
                   AND \(condition)
                """).count
        }
        try await running.wait("the alert") { try await alerts("resolved_at IS NULL") == days.count }
        #expect(try await running.documents(of: "WHF").isEmpty)
        for day in days { try await running.count(day, cents: 0) }
        try await running.wait("the days") { try await running.documents(of: "WHF").count == days.count }
        try await running.wait("the end of the alert") { try await alerts("resolved_at IS NULL") == 0 }
    }
}

/// A summary or adjustment as the ledger has it.
private struct BookedDay {
    let number: String
    let total: Cents
    /// Lines on the variance account.
    let variances: [Cents]
    /// What was paid into the cash account; nil: nothing.
    let cash: Cents?
    let isPaid: Bool
}

extension RunningFleet {
    /// The till of a day is counted: so much more than it recorded.
    fileprivate func count(_ day: TillDay, cents: Int) async throws {
        try await fleet.kounta.post(
            "/_control/takings",
            #"{"site":\#(day.site),"day":"\#(day.day)","method":"Cash","difference_cents":\#(cents)}"#)
    }

    fileprivate func number(_ day: TillDay) -> String {
        let prefix = fleet.plan.venues.first { $0.site == day.site }?.prefix ?? ""
        return "\(prefix)-D\(day.day.replacing("-", with: ""))"
    }

    /// Waits until it is in the ledger and paid.
    fileprivate func document(_ number: String) async throws -> BookedDay {
        try await wait(number) {
            try await documents(of: String(number.prefix { $0 != "-" })).contains { $0.number == number && $0.isPaid }
        }
        return try #require(
            try await documents(of: String(number.prefix { $0 != "-" })).first { $0.number == number })
    }

    fileprivate func documents(of prefix: String) async throws -> [BookedDay] {
        let ledger = try await fleet.xero.get("/_control/ledger")
        var found: [BookedDay] = []
        for books in ledger["organisations"]?.elements ?? [] {
            let payments = books["payments"]?.elements ?? []
            for invoice in books["invoices"]?.elements ?? [] {
                let number = invoice["InvoiceNumber"]?.string ?? ""
                guard number.hasPrefix(prefix + "-") else { continue }
                let lines = invoice["lines"]?.elements ?? []
                let cash = payments.first {
                    $0["InvoiceNumber"]?.string == number && $0["AccountCode"]?.string == "231"
                }
                found.append(
                    BookedDay(
                        number: number, total: try #require(Cents(invoice["Total"]?.numberText)),
                        variances: lines.filter { $0["AccountCode"]?.string == "870" }
                            .compactMap { Cents($0["LineAmount"]?.numberText) },
                        cash: cash.flatMap { Cents($0["Amount"]?.numberText) },
                        isPaid: invoice["AmountDue"]?.numberText == "0.00"))
            }
        }
        return found
    }
}
