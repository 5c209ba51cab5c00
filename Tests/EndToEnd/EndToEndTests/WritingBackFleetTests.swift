import Foundation
import HTTP
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// What the ledger's side knows, written back into the till by real processes.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(10)))
struct WritingBackFleetTests {
    /// The example with more keys for the first organisation, in a file that may be changed.
    static func configuration(_ more: String, _ edit: (String) -> String = { $0 }) throws -> URL {
        try RunningFleet.configuration { example in
            let text = edit(example)
            let mark = "    tracking_category: Venue\n"
            let place = try #require(text.range(of: mark))
            return text.replacingCharacters(in: place, with: mark + more + "\n")
        }
    }

    private static let environment = ["TILLBRIDGE_POLLING_LEASE": "2s"]
    private static let byID = "    write_back: [{set: {reference_id: \"{contact_id}\"}}]"

    @Test("a customer's contact id comes into the till once, however the poller dies; what others wrote is left")
    func customers() async throws {
        let file = try Self.configuration(Self.byID)
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "back", configuration: file.path, environment: Self.environment
        ) { running in
            let fleet = running.fleet
            try await running.setReference("POS-7", of: 162_004)
            try await fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.wait("the workers") { await fleet.isReady() }
            try await running.publish(TillOrder(1, 1230).onAccount(of: 162_003, "Ana", "Lee"))
            try await running.wait("the invoice") { try await running.ledger().invoices.count == 1 }

            // Before it is sent, and after the till has taken it.
            for (point, puts) in [("poller.write-stored", 0), ("poller.write-answered", 1)] {
                try await running.letPollerDie(at: point)
                #expect(try await running.customer(162_003)?["puts"]?.integer ?? 0 == puts, "after \(point)")
            }
            try await fleet.startWorkers(["poller"])
            try await running.wait("the customer settled") {
                try await running.outcomes() == ["162003": "stands"]
            }
            let contact = try await running.contactID("162003")
            #expect(contact?.count == 36)
            #expect(try await running.customer(162_003)?["reference_id"]?.string == contact)
            #expect(try await running.customer(162_003)?["puts"]?.integer == 1)

            try await running.publish(
                TillOrder(2, 500).onAccount(of: 162_004, "Ben", "Ray"),
                TillOrder(3, 700).onAccount(of: 162_999, "Nobody", "There"),
                TillOrder(4, 800).onAccount(of: 162_005, "Cy", "Dee"), TillOrder(5, 900))
            try await running.wait("all settled") {
                try await running.outcomes() == [
                    "162003": "stands", "162004": "foreign", "162999": "gone", "162005": "written",
                ]
            }
            #expect(try await running.customer(162_004)?["reference_id"]?.string == "POS-7")
            #expect(try await running.customer(162_004)?["puts"]?.integer == 1)

            try await changeRules(running, file)
            #expect(try await running.letters().isEmpty)
        }
    }

    /// Another rule takes effect without a restart, and decides about everybody anew; a bad file changes nothing.
    private func changeRules(_ running: RunningFleet, _ file: URL) async throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        try text.replacing(Self.byID, with: Self.byID.replacing("reference_id", with: "reference_ids"))
            .write(to: file, atomically: true, encoding: .utf8)
        let mapper = "\(running.fleet.options.folder)/mapper-1.log"
        try await running.wait("the bad file to be read") {
            try String(contentsOfFile: mapper, encoding: .utf8).contains("the configuration is not taken over")
        }
        try await running.publish(TillOrder(6, 600).onAccount(of: 162_006, "Di", "Fox"))
        try await running.wait("a customer by the rules before") {
            try await running.outcomes()["162006"] == "written"
        }
        #expect(try await running.customer(162_004)?["reference_id"]?.string == "POS-7")
        try text.replacing(Self.byID, with: Self.byID.replacing("}}]", with: "}, overwrite: true}]"))
            .write(to: file, atomically: true, encoding: .utf8)
        try await running.wait("the value of others overwritten") {
            try await running.outcomes()["162004"] == "written"
        }
        #expect(try await running.customer(162_004)?["reference_id"]?.string == running.contactID("162004"))
        // Who had the right value was looked at and not written.
        #expect(try await running.customer(162_003)?["puts"]?.integer == 1)
        #expect(try await running.customer(162_005)?["puts"]?.integer == 1)
        let rows = try await running.rows("SELECT count(*) AS v FROM \(running.fleet.schema).mapping_version")
        #expect(try rows[0].int("v") == 2)
    }

    @Test("takings are marked as processed once their day stands in the ledger, each once, and no sooner")
    func takings() async throws {
        let file = try Self.configuration(
            "    write_back: [{for: takings, set: {processed: true}}]"
        ) { text in
            text.bookingVariance.replacing("      mode: per_order\n", with: "      mode: daily_summary\n")
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "processed", ordersPerVenue: 15, configuration: file.path,
            environment: Self.environment.merging(["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s"]) { $1 }
        ) { running in
            try await running.fleet.startWorkers(["mapper", "dead-letter-handler"])
            let first = try await running.fleet.startWorker("poller", log: "poller-first")
            try await running.wait("takings, and a day that is closed") {
                try await running.rows(
                    """
                    SELECT id FROM \(running.fleet.schema).till_write WHERE EXISTS (
                        SELECT FROM \(running.fleet.schema).venue_day WHERE state = 'closed')
                    """
                ).count > 3
            }
            // Nothing stands in the ledger yet, so nothing is processed, however long the poller looks.
            try await running.wait("several looks") {
                try await running.reads(of: "/orders/complete") > 20
            }
            #expect(try await running.processed().isEmpty)
            await running.kill(first)
            try await running.fleet.startWorkers(["writer"])
            try await running.letPollerDie(at: "poller.write-answered:2")
            try await running.fleet.startWorkers(["poller"])
            try await running.wait("the takings of every posted day processed", within: .seconds(180)) {
                let wanted = try await running.postedTakings()
                let marked = try await running.processed()
                return wanted.count > 3 && Set(marked.keys) == wanted
            }
            #expect(try await running.processed().values.allSatisfy { $0 == 1 })
            let outcomes = try await running.outcomes()
            #expect(Set(outcomes.values).isSubset(of: ["written", "stands", "due"]), "\(outcomes)")
        }
    }
}

extension RunningFleet {
    /// A poller that ends with SIGKILL at a point, waited for.
    fileprivate func letPollerDie(at point: String) async throws {
        let doomed = try await fleet.startWorker(
            "poller", log: "poller-\(point)", environment: ["TILLBRIDGE_CRASH_AT": point])
        // It is meant to end by itself.
        await fleet.children.remove(doomed)
        defer { doomed.signal(SIGKILL) }
        try await wait("the poller's end at \(point)", within: .seconds(150)) { !doomed.isRunning }
    }

    fileprivate func setReference(_ reference: String, of customer: Int) async throws {
        let http = HTTPClient(name: "tb-other-app")
        let request = HTTPRequest(
            method: .put, url: "\(fleet.kounta.base)/v1/companies/162/customers/\(customer).json",
            headers: [("Content-Type", "application/json"), ("Authorization", "Basic YTpi")],
            body: Array(#"{"reference_id":"\#(reference)"}"#.utf8))
        let outcome = await http.send(request)
        await http.close()
        guard case .answered(let response) = outcome, response.status == 200 else {
            throw HarnessError("the till does not take a reference_id")
        }
    }

    /// What was written of a customer, as the till has it.
    fileprivate func customer(_ id: Int64) async throws -> JSON? {
        try await fleet.kounta.get("/_control/written")["customers"]?.elements.first { $0["id"]?.integer == id }
    }

    /// The ids of takings that somebody has marked, and how often.
    fileprivate func processed() async throws -> [Int64: Int64] {
        let written = try await fleet.kounta.get("/_control/written")
        return Dictionary(
            (written["takings"]?.elements ?? []).map { ($0["id"]?.integer ?? 0, $0["puts"]?.integer ?? 0) },
            uniquingKeysWith: +)
    }

    /// Takings of days all of whose documents stand in the ledger.
    fileprivate func postedTakings() async throws -> Set<Int64> {
        let rows = try await rows(
            """
            SELECT t.id FROM \(fleet.schema).takings AS t JOIN \(fleet.schema).venue_day AS d USING (company, site, day)
             WHERE d.state = 'posted' AND d.changed_at IS NULL AND d.mode = 'daily_summary'
            """)
        return Set(try rows.compactMap { Int64(try $0.text("id")) })
    }

    fileprivate func outcomes() async throws -> [String: String] {
        let rows = try await rows(
            """
            SELECT id, CASE WHEN due_at IS NULL THEN outcome ELSE 'due' END AS outcome
              FROM \(fleet.schema).till_write
            """)
        return try Dictionary(rows.map { (try $0.text("id"), try $0.text("outcome")) }) { $1 }
    }

    /// Xero's id of the contact with a number.
    fileprivate func contactID(_ number: String) async throws -> String? {
        let ledger = try await fleet.xero.get("/_control/ledger")
        return (ledger["organisations"]?.elements ?? []).flatMap { $0["contacts"]?.elements ?? [] }
            .first { $0["ContactNumber"]?.string == number }?["ContactID"]?.string
    }

    /// How often a list of the till's was read.
    fileprivate func reads(of list: String) async throws -> Int64 {
        let calls = try await fleet.kounta.get("/_control/counters")["calls"]
        return (calls?.members ?? []).filter { $0.key.contains(list) }.reduce(0) { $0 + ($1.value.integer ?? 0) }
    }
}
