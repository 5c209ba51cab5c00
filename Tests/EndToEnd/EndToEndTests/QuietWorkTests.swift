import Foundation
import HTTP
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// What the writers do besides writing, by real processes: items, listings, the look at the chart.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(10)))
struct QuietWorkTests {
    @Test("products become items in one call; again, nothing is sent; one that was edited is set right, alone")
    func items() async throws {
        let file = try WritingBackFleetTests.configuration("    items: {sync: true, code: sku}")
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with("item-comparison", configuration: file.path) { running in
            try await running.fleet.startWorkers(["poller"])
            let catalogue = "product WHERE company = 'harbour'"
            try await running.wait("the catalogue") { try await running.count(catalogue) > 20 }
            let products = try await running.count(catalogue)
            try await running.fleet.startWorkers(["writer"])
            try await running.wait("the items") { try await running.count("item_link") == products }
            #expect(try await running.itemsSent() == 1)
            #expect(try await running.items().count == Int(products))

            // The next day: the same is found, and nothing is sent.
            try await running.compareItemsAgain("second")
            try await running.wait("the second comparison") {
                try await running.log("writer-second").contains("\(products) items, 0 new or changed")
            }
            #expect(try await running.itemsSent() == 1)

            // Somebody edits one in Xero: that one is sent, and no other.
            try await LedgerHand.with(running) { hand in
                try await hand.call(.post, "/Items", #"{"Items":[{"Code":"SKU7302","Name":"Renamed by hand"}]}"#)
            }
            #expect(try await running.items()["SKU7302"] == "Renamed by hand")
            try await running.compareItemsAgain("third")
            try await running.wait("the item set right") {
                try await running.items()["SKU7302"] == "Caffé Latte"
            }
            // Said when it is stored, after Xero has it.
            try await running.wait("the third comparison") {
                try await running.log("writer-third").contains("1 new or changed, 1 of them edited in Xero")
            }
            // The bookkeeper's own call, and one of ours.
            #expect(try await running.itemsSent() == 3)
        }
    }

    @Test("a listing whose answer was lost is looked for before it is sent again: one attachment, not two")
    func attachment() async throws {
        let file = try WritingBackFleetTests.configuration("") { text in
            text.replacing("      mode: per_order\n", with: "      mode: daily_summary\n      attach_orders: true\n")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "listing", configuration: file.path, environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s"]
        ) { running in
            let schema = running.fleet.schema
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.wait("the workers") { await running.fleet.isReady() }
            // The file is attached, and nobody is told.
            try await running.fleet.xero.post(
                "/_control/faults",
                #"{"match":{"method":"PUT","text":"Sale number"},"action":{"drop":"after"},"count":1}"#)
            try await running.publish(TillOrder(1, 1230, on: "2025-11-20"))
            try await running.wait("the order in its day") { try await running.count("day_entry") == 1 }
            try await running.readUntilNow(site: "923")
            try await running.wait("the listing sent, its answer lost") {
                let sent = try await running.count("attachment WHERE state = 'sent'")
                let attached = try await running.listings("HBR-D20251120")
                return sent == 1 && attached == 1
            }
            // What the end of the claim would do in two minutes.
            _ = try await running.rows(
                "UPDATE \(schema).attachment SET lease_until = now() - interval '1 second' RETURNING name")
            try await running.wait("the listing noted") {
                try await running.count("attachment WHERE state = 'written'") == 1
            }
            #expect(try await running.listings("HBR-D20251120") == 1)
        }
    }

    @Test("where each order is an invoice, the mapping is held against the chart shortly before the cut-off")
    func beforeCutOff() async throws {
        // The venues' day ends in a quarter of an hour; where they are it is before noon then, as a cut-off must be.
        let ends = ["Australia/Sydney", "Europe/London", "America/New_York"].map { zone in
            let clock = DateFormatter()
            clock.timeZone = TimeZone(identifier: zone)
            clock.locale = Locale(identifier: "en_US_POSIX")
            clock.dateFormat = "HH:mm"
            return (zone: zone, time: clock.string(from: Date().addingTimeInterval(900)))
        }
        let end = try #require(ends.first { $0.time < "12:00" })
        let file = try WritingBackFleetTests.configuration("") { text in
            text.replacing("      cut_off: \"04:00\"\n", with: "      cut_off: \"\(end.time)\"\n")
                .replacing("timezone: Australia/Sydney\n", with: "timezone: \(end.zone)\n")
                .replacing("      Gift card: \"233\"\n", with: "      Gift card: \"9233\"\n")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with("cutoff", configuration: file.path) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.wait("the look") {
                try await running.count("lease WHERE name = 'mapping-check/cut-off/harbour'") == 1
            }
            try await running.wait("what it found") {
                let log = try await running.log("writer-2")
                return log.contains("mapping check: ") && log.contains("9233")
            }
        }
    }

    @Test("the mapping is held against the chart before a day is closed and after the start; what is wrong is told")
    func mappingWatch() async throws {
        let file = try WritingBackFleetTests.configuration("") { text in
            text.replacing("      mode: per_order\n", with: "      mode: daily_summary\n")
                .replacing("      Gift card: \"233\"\n", with: "      Gift card: \"9233\"\n")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "watch", configuration: file.path, environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "25s"]
        ) { running in
            let schema = running.fleet.schema
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.wait("the workers") { await running.fleet.isReady() }
            try await running.publish(TillOrder(1, 1230, on: "2025-11-20"))
            try await running.wait("the order in its day") { try await running.count("day_entry") == 1 }
            try await running.readUntilNow(site: "923")
            try await running.wait("the look before the close") {
                try await running.count("venue_day WHERE checked_at IS NOT NULL") == 1
            }
            let day = try await running.rows("SELECT problems FROM \(schema).venue_day WHERE checked_at IS NOT NULL")
            #expect(try day[0].int("problems") > 0)
            #expect(try await running.log("writer-2").contains("mapping check: "))
            #expect(try await running.log("writer-2").contains("9233"))
            // It hinders nothing: the day is closed all the same.
            try await running.wait("the day in the ledger") {
                try await running.invoiceNumbers().contains("HBR-D20251120")
            }
            #expect(try await running.count("venue_day WHERE checked_at < closed_at") == 1)
            // The other organisation has no day to close: its look comes in the first quiet minute after the start.
            try await running.wait("the look after the start", within: .seconds(150)) {
                try await running.count("lease WHERE name = 'mapping-check/start/lakeside'") == 1
            }
            // What is mended is taken up without a restart, at the next look.
            let text = try String(contentsOf: file, encoding: .utf8)
            try text.replacing("9233", with: "233").write(to: file, atomically: true, encoding: .utf8)
            let order = TillOrder(2, 500, on: "2025-11-20").json.replacing("\"site_id\":923", with: "\"site_id\":985")
            try await running.publish([Messages(run: running.fleet.run).order(id: "2", body: order)])
            try await running.wait("the other venue's order") { try await running.count("day_entry") == 2 }
            try await running.readUntilNow(site: "985")
            try await running.wait("its day looked at") {
                try await running.count("venue_day WHERE problems = 0 AND site = '985'") == 1
            }
        }
    }
}

extension RunningFleet {
    fileprivate func count(_ what: String) async throws -> Int64 {
        try await rows("SELECT count(*) AS n FROM \(fleet.schema).\(what)")[0].int("n")
    }

    fileprivate func log(_ name: String) async throws -> String {
        try String(contentsOfFile: "\(fleet.options.folder)/\(name).log", encoding: .utf8)
    }

    /// Calls to Xero that send items, whoever made them.
    fileprivate func itemsSent() async throws -> Int64 {
        let counters = try await fleet.xero.get("/_control/counters")
        return (counters["calls"]?.members ?? []).filter { ["POST /Items", "PUT /Items"].contains($0.key) }
            .reduce(0) { $0 + ($1.value.integer ?? 0) }
    }

    /// Code → name.
    fileprivate func items() async throws -> [String: String] {
        var items: [String: String] = [:]
        try await LedgerHand.with(self) { hand in
            for item in try await hand.call(.get, "/Items")["Items"]?.elements ?? [] {
                items[item["Code"]?.string ?? ""] = item["Name"]?.string
            }
        }
        return items
    }

    /// What a day later would be: the claim on the comparison has ended, and a writer looks.
    fileprivate func compareItemsAgain(_ name: String) async throws {
        try await stop("writer")
        _ = try await rows(
            """
            UPDATE \(fleet.schema).lease SET until = now() - interval '1 second'
             WHERE name LIKE 'items/%' RETURNING name
            """)
        _ = try await fleet.startWorker("writer", log: "writer-\(name)")
    }

    /// The poller has read a venue up to now, as far as anybody can tell.
    fileprivate func readUntilNow(site: String) async throws {
        _ = try await rows(
            """
            INSERT INTO \(fleet.schema).poll_cursor (company, site, position, fence)
            VALUES ('harbour', '\(site)', now(), 1) RETURNING site
            """)
    }

    /// How many files are attached to an invoice.
    fileprivate func listings(_ number: String) async throws -> Int {
        let ledger = try await fleet.xero.get("/_control/ledger")
        return (ledger["organisations"]?.elements ?? []).flatMap { $0["invoices"]?.elements ?? [] }
            .first { $0["InvoiceNumber"]?.string == number }?["attachments"]?.elements.count ?? 0
    }
}
