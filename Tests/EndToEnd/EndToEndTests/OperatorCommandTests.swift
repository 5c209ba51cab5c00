import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// A configuration file that tests change while the fleet runs.
struct WrittenConfiguration {
    let path: String

    init(_ name: String, rules: String) throws {
        path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbridge-\(getpid())-\(name).yaml").path
        try write(rules: rules)
    }

    /// The example with rules for its first organisation.
    func write(rules: String) throws {
        let example = RunningFleet.root.appendingPathComponent("config/example.yaml")
        let yaml = try String(contentsOf: example, encoding: .utf8)
        let place = try #require(yaml.range(of: "    # What Xero allows"))
        let changed = yaml.replacingCharacters(
            in: place.lowerBound..<place.lowerBound, with: "    rules:\n\(rules)\n")
        try changed.write(toFile: path, atomically: true, encoding: .utf8)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

@Suite(.enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(5)))
struct OperatorCommandTests {
    private static func pies(_ account: String) -> String {
        "      - {name: pies, when: {product: {contains: pie}}, set: {account: \"\(account)\"}}"
    }

    @Test("the mapping is checked against the chart, with file, line and the nearest valid value")
    func check() async throws {
        let file = try WrittenConfiguration("check", rules: Self.pies("200"))
        defer { file.remove() }
        try await RunningFleet.with("check", configuration: file.path) { running in
            let good = try await running.fleet.tillbridge(["mapping", "check"], log: "good")
            #expect(good.status == 0, "\(good.output)")
            try file.write(rules: Self.pies("206"))
            let bad = try await running.fleet.tillbridge(["mapping", "check"], log: "bad")
            #expect(bad.status == 1)
            #expect(bad.output.contains("Xero has no account 206, did you mean `200` (Sales)?"), "\(bad.output)")
            let line = try #require(bad.output.split(separator: "\n").first { $0.contains("206") })
            #expect(line.hasPrefix(file.path + ":"))
            let json = try await running.fleet.tillbridge(["mapping", "check", "--json"], log: "json")
            let parsed = try JSON(parsing: Array(json.output.utf8))
            #expect(parsed["organisations"]?.elements.count == 2)
            try file.write(rules: "      - {name: pies, when: {prodct: Pie}, park: x}")
            let broken = try await running.fleet.tillbridge(["mapping", "check"], log: "broken")
            #expect(broken.status == 1)
            #expect(broken.output.contains("did you mean `product`?"), "\(broken.output)")
        }
    }

    @Test("a changed mapping takes effect while the mapper runs, a bad one does not; what decided is kept, explained")
    func reload() async throws {
        let file = try WrittenConfiguration("reload", rules: Self.pies("200"))
        defer { file.remove() }
        try await RunningFleet.with("reload", configuration: file.path) { running in
            let schema = running.fleet.schema
            let mapper = try await running.fleet.startWorker("mapper", log: "mapper")
            try await running.fleet.startWorkers(["writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            func versions() async throws -> Int64 {
                try await running.rows("SELECT count(*) AS n FROM \(schema).mapping_version")[0].int("n")
            }
            func log() throws -> String {
                try String(contentsOfFile: "\(running.fleet.options.folder)/mapper.log", encoding: .utf8)
            }
            func settle(_ id: String, _ count: Int) async throws -> (rules: [String?], version: Int64, body: String) {
                try await running.publish([messages.order(id: id)])
                try await running.wait("invoice \(id)") { try await running.watch.counts().settled == count }
                let row = try await running.rows(
                    "SELECT rules, mapping_version, convert_from(body, 'UTF8') AS body FROM \(schema).document AS d"
                        + " JOIN \(schema).document_line_basis AS b ON b.document_id = d.id"
                        + " JOIN \(schema).document_body AS y ON y.document_id = d.id WHERE number = 'HBR-\(id)'")[0]
                return (try row.texts("rules"), try row.int("mapping_version"), try row.text("body"))
            }
            let first = try await settle("901", 1)
            #expect(first.rules == ["pies"])
            #expect(first.body.contains("\"AccountCode\":\"200\""), "\(first.body)")

            try file.write(rules: Self.pies("205"))
            try await running.wait("the second mapping") { try await versions() == 2 }
            try await running.wait("its effect") { try log().contains("mapping 2 is in effect") }
            let second = try await settle("902", 2)
            #expect(second.version != first.version)
            #expect(second.body.contains("\"AccountCode\":\"205\""), "\(second.body)")

            try file.write(rules: "      - {nme: pies}")
            try await running.wait("the refusal") { try log().contains("is not taken over, mapping 2 stays") }
            #expect(try log().contains("did you mean `name`?"))
            #expect(try await settle("903", 3).version == second.version)

            // SIGHUP reads at once and ends nothing; the old text has its old number again.
            try file.write(rules: Self.pies("200"))
            mapper.signal(SIGHUP)
            try await running.wait("the first mapping again") { try log().contains("mapping 1 is in effect") }
            #expect(try await settle("904", 4).version == first.version)
            #expect(try await versions() == 2)

            let explained = try await running.fleet.tillbridge(["mapping", "explain", "901"], log: "explain")
            #expect(explained.status == 0)
            let line = try #require(explained.output.split(separator: "\n").first { $0.hasPrefix("Pie") })
            #expect(line.contains("200") && line.hasSuffix("pies"), "\(explained.output)")
            let unknown = try await running.fleet.tillbridge(["mapping", "explain", "999999999"], log: "unknown")
            #expect(unknown.status == 1)
            #expect(unknown.output.contains("no order 999999999 is known"))
        }
    }

    @Test("products become items, only what changed is sent again, and lines carry them where that is wished")
    func items() async throws {
        let file = try WrittenConfiguration("items", rules: Self.pies("200"))
        defer { file.remove() }
        let yaml = try String(contentsOfFile: file.path, encoding: .utf8)
        let place = try #require(yaml.range(of: "    rules:\n"))
        try yaml.replacingCharacters(
            in: place.lowerBound..<place.lowerBound, with: "    items: {sync: true, on_lines: true}\n"
        ).write(toFile: file.path, atomically: true, encoding: .utf8)
        try await RunningFleet.with("items", ordersPerVenue: 3, configuration: file.path) { running in
            let schema = running.fleet.schema
            let dry = try await running.fleet.tillbridge(["items", "--dry-run"], log: "dry")
            #expect(dry.status == 0, "\(dry.output)")
            #expect(try await running.rows("SELECT 1 FROM \(schema).product").isEmpty)
            let first = try await running.fleet.tillbridge(["items"], log: "items")
            #expect(first.status == 0, "\(first.output)")
            let linked = try await running.rows("SELECT count(*) AS n FROM \(schema).item_link")[0].int("n")
            #expect(linked > 0)
            #expect(first.output.contains("organisation harbour: \(linked) items, \(linked) new or changed"))
            let second = try await running.fleet.tillbridge(["items"], log: "items-again")
            #expect(second.output.contains("organisation harbour: \(linked) items, 0 new or changed"))
            // What people set of the mapping is the items' mapping, too.
            let edit = [
                "mapping", "set", "--organisation", "harbour", "account.230", "200", "--reason", "moved", "--by", "ana",
                "--no-wait",
            ]
            let set = try await running.fleet.tillbridge(edit, log: "edit")
            #expect(set.status == 0, "\(set.output)")
            let edited = try await running.fleet.tillbridge(["items"], log: "items-edited")
            #expect(edited.output.contains("organisation harbour: \(linked) items, \(linked) new or changed"))

            try await running.fleet.startWorkers(["poller", "mapper", "writer", "dead-letter-handler"])
            try await running.waitUntilDone()
            let bodies = try await running.rows(
                "SELECT convert_from(body, 'UTF8') AS body FROM \(schema).document_body AS b"
                    + " JOIN \(schema).document AS d ON d.id = b.document_id WHERE d.organisation = 'harbour'")
            try #require(!bodies.isEmpty)
            for body in bodies { #expect(try body.text("body").contains("\"ItemCode\":\"SKU")) }
        }
    }

    @Test("a day's preview is what is then posted, to the cent, and posts nothing")
    func preview() async throws {
        try await RunningFleet.with("preview", ordersPerVenue: 4) { running in
            let schema = running.fleet.schema
            try await running.fleet.startWorkers(["poller", "mapper", "writer", "dead-letter-handler"])
            try await running.waitUntilDone()
            let days = try await running.rows(
                "SELECT trading_date, count(*) AS n, sum(total) AS total FROM \(schema).document"
                    + " WHERE venue = 'Harbour Bistro' GROUP BY trading_date")
            try #require(!days.isEmpty)
            let before = try await running.invoiceNumbers().count
            let other = try RunningFleet.configuration {
                $0.replacing("      mode: per_order\n", with: "      mode: daily_summary\n")
            }
            defer { try? FileManager.default.removeItem(at: other) }
            for row in days {
                let day = try row.date("trading_date")
                let arguments = ["preview", "--venue", "harbour bistro", "--day", day]
                let json = try await running.fleet.tillbridge(arguments + ["--json"], log: "preview")
                let parsed = try JSON(parsing: Array(json.output.utf8))
                let parked = parsed["parked"]?.elements.count ?? 0
                #expect(json.status == (parked == 0 ? 0 : 3), "\(json.output)")
                #expect(parsed["documents"]?.elements.count == Int(try row.int("n")), "\(json.output)")
                #expect(parsed["total"]?.numberText == (try row.numeric("total")))
                let table = try await running.fleet.tillbridge(arguments, log: "preview-table")
                #expect(table.output.contains("Harbour Bistro, trading day \(day), per_order"), "\(table.output)")
                // Another mode in the file is for days to come: these were agreed on.
                let changed = try await running.fleet.tillbridge(
                    arguments + ["--config", other.path], log: "preview-other")
                #expect(changed.output.contains("trading day \(day), per_order"), "\(changed.output)")
            }
            #expect(try await running.invoiceNumbers().count == before)
        }
    }
}
