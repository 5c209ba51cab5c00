import Foundation
import HTTP
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Rules about customers' tags, which no order of Kounta's brings: from the till through all workers into the ledger.
@Suite("Customers' tags", .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(6)))
struct CustomerTagTests {
    private static let rules = """
              - {name: staff meals, when: {customer_tag: staff}, set: {account: "205"}}
              - name: wholesale
                for: order
                when: {customer_tag: Wholesale}
                set: {contact: WHOLESALE, contact_name: Wholesale buyers}
        """
    private static let others = "      - {name: ours, when: {product: Cake}, set: {account: \"200\"}}"
    private static let environment = [
        // The orders of this suite are some days old.
        "TILLBRIDGE_POLLING_OVERLAP": "3650d", "TILLBRIDGE_POLLING_CORRECTIONS_INTERVAL": "1h",
    ]
    private static let staff = (id: 162_003, first: "Ana", last: "Lee")

    private func order(_ id: Int, _ cents: Int, by customer: Int = Self.staff.id) -> TillOrder {
        TillOrder(id, cents).paid(by: customer, Self.staff.first, Self.staff.last)
    }

    @Test("a tagged customer's order goes where a rule says, others do not; each is read once, only where a rule asks")
    func tags() async throws {
        let file = try WrittenConfiguration("tags", rules: Self.others)
        defer { file.remove() }
        try await RunningFleet.with("tags", configuration: file.path, environment: Self.environment) { running in
            try await running.tag(Self.staff.id, #""Staff","Gold""#)
            try await running.tag(162_005, #""Wholesale""#)
            _ = try await running.fleet.startWorker("mapper", log: "mapper")
            try await running.fleet.startWorkers(["poller", "writer", "dead-letter-handler"])
            try await running.sell(order(1, 1100), settled: 1)
            #expect(try await running.account("HBR-1") == "230")
            #expect(try await running.customerCalls() == 0)

            // No restart, neither of the poller nor of the mapper.
            try file.write(rules: Self.rules)
            try await running.wait("the rules in effect") {
                try String(contentsOfFile: "\(running.fleet.options.folder)/mapper.log", encoding: .utf8)
                    .contains("is in effect")
            }
            try await running.sell(
                order(2, 1200), order(3, 1300, by: 162_004), order(4, 1400, by: 162_005), order(5, 1500),
                order(6, 1600, by: 162_999), TillOrder(7, 1700), settled: 7)
            let accounts = try await running.accounts()
            #expect(
                accounts == [
                    "HBR-1": "230", "HBR-2": "205", "HBR-3": "230", "HBR-4": "230", "HBR-5": "205", "HBR-6": "230",
                    "HBR-7": "230",
                ])
            let contacts = try await running.ledger().invoices.reduce(into: [:]) { $0[$1.number] = $1.contact }
            #expect(contacts["HBR-4"] == "WHOLESALE" && contacts["HBR-2"] == contacts["HBR-7"])
            // Ana twice in one page; one is gone; nobody is asked for who bought without a name.
            #expect(try await running.customerCalls() == 4)

            // The other company has no rules.
            let elsewhere = order(8, 1800, by: 163_001).json
                .replacing(#""company_id":162,"site_id":923"#, with: #""company_id":163,"site_id":3101"#)
            try await running.fleet.kounta.post("/_control/orders", elsewhere)
            try await running.wait("the tavern's") { try await running.watch.counts().settled == 8 }
            // A file that is not in order changes nothing.
            try file.write(rules: "      - {nme: staff meals}")
            try await running.sell(order(9, 1900), settled: 9)
            #expect(try await running.account("HBR-9") == "205")
            try file.write(rules: Self.rules)
            #expect(try await running.customerCalls() == 4)
            #expect(try await running.letters().isEmpty)
            try await told(running)
            try await corrected(running)
        }
    }

    /// Explained and previewed as it was booked, also when the customer has other tags by now.
    private func told(_ running: RunningFleet) async throws {
        try await running.tag(Self.staff.id, "")
        let calls = try await running.customerCalls()
        let explained = try await running.fleet.tillbridge(["mapping", "explain", "2", "--json"], log: "explain")
        #expect(explained.status == 0, "\(explained.output)")
        let document = try JSON(parsing: Array(explained.output.utf8))["documents"]?.elements.first
        let line = document?["lines"]?.elements.first
        #expect(line?["account"]?.string == "205" && line?["rule"]?.string == "staff meals", "\(explained.output)")
        let preview = try await running.fleet.tillbridge(
            ["preview", "--venue", "923", "--day", "2026-11-20", "--json"], log: "preview")
        #expect(preview.status == 0, "\(preview.output)")
        var accounts: [String: String] = [:]
        for document in try JSON(parsing: Array(preview.output.utf8))["documents"]?.elements ?? [] {
            accounts[document["number"]?.string ?? ""] = document["lines"]?.elements.first?["account"]?.string
        }
        #expect(accounts == (try await running.accounts()).filter { $0.key.hasPrefix("HBR") }, "\(preview.output)")
        #expect(try await running.customerCalls() == calls)
        // Who asks for the till's own view is told what the poller knows of the customer.
        let fresh = try await running.fleet.tillbridge(["mapping", "explain", "1", "--fresh"], log: "fresh")
        #expect(fresh.output.contains("staff meals"), "\(fresh.output)")
    }

    /// A correction is booked by the tags known then; what was not corrected stays as it is.
    private func corrected(_ running: RunningFleet) async throws {
        try await running.stop("poller")
        _ = try await running.fleet.startWorker(
            "poller", log: "poller-again", environment: ["TILLBRIDGE_POLLING_CUSTOMERS_MAX_AGE": "0s"])
        try await running.fleet.kounta.post("/_control/orders", order(2, 2200).json)
        // It was paid: made void, and posted again.
        try await running.wait("the correction") { try await running.account("HBR-2-r1") == "230" }
        try await running.wait("all of it written") { try await running.unfinished().isEmpty }
        #expect(try await running.ledger().invoices.first { $0.number == "HBR-2-r1" }?.total == "22.00")
        let accounts = try await running.accounts()
        #expect(accounts["HBR-5"] == "205" && accounts["HBR-9"] == "205")
        let versions = try await running.rows(
            "SELECT count(*) AS n FROM \(running.fleet.schema).source_record WHERE id IN ('1', '5', '9')")
        #expect(try versions[0].int("n") == 3)
    }

    @Test("an order whose customer Kounta does not show waits, and then goes to the desk instead of to a wrong account")
    func unread() async throws {
        let file = try WrittenConfiguration("untold", rules: Self.rules)
        defer { file.remove() }
        let environment = Self.environment.merging(["TILLBRIDGE_POLLING_CUSTOMERS_WAIT_MAX": "4s"]) { $1 }
        try await RunningFleet.with("untold", configuration: file.path, environment: environment) { running in
            let desk = DeskRunning(running: running, messages: Messages(run: running.fleet.run))
            let match = #"{"method":"GET","path":"/companies/162/customers/162003"}"#
            try await running.fleet.kounta.post("/_control/faults", #"{"match":\#(match),"action":{"status":500}}"#)
            try await running.fleet.startWorkers(["poller", "mapper", "writer", "dead-letter-handler"])
            try await running.sell(order(1, 1100), TillOrder(2, 1200), settled: 1)
            #expect(try await running.accounts() == ["HBR-2": "230"])
            try await running.wait("the letter") { try await running.letters().count == 1 }
            let cause = try #require(try await running.letters().first)
            #expect(cause.contains("customer 162003") && cause.contains("answered 500"), "\(cause)")
            #expect(try await running.accounts() == ["HBR-2": "230"])
            // A person knows the tags.
            let edit = try await desk.desk(
                "edit", "1", "--set", #"tillbridge_customer={"tags":["Staff"]}"#, "--by", "ana", "--replay")
            #expect(edit.status == 0, "\(edit.output)")
            try await running.wait("it is booked") { try await running.account("HBR-1") == "205" }
        }
    }
}

extension RunningFleet {
    /// - Parameter tags: JSON texts.
    fileprivate func tag(_ customer: Int, _ tags: String) async throws {
        let http = HTTPClient(name: "tb-till-hand")
        let request = HTTPRequest(
            method: .put, url: "\(fleet.kounta.base)/v1/companies/162/customers/\(customer).json",
            headers: [("Content-Type", "application/json"), ("Authorization", "Basic YTpi")],
            body: Array(#"{"tags":[\#(tags)]}"#.utf8))
        let outcome = await http.send(request)
        await http.close()
        guard case .answered(let response) = outcome, response.status == 200 else {
            throw HarnessError("the till does not take tags")
        }
    }

    /// Enters orders into the till, and waits until so many are paid in the ledger.
    fileprivate func sell(_ orders: TillOrder..., settled: Int) async throws {
        for order in orders { try await fleet.kounta.post("/_control/orders", order.json) }
        try await wait("\(settled) invoices") { try await watch.counts().settled == settled }
    }

    /// Single customers that were asked for so far.
    fileprivate func customerCalls() async throws -> Int64 {
        let calls = try await fleet.kounta.get("/_control/counters")["calls"]
        return calls?[key: "GET /v1/companies/{id}/customers/{id}"]?.integer ?? 0
    }

    /// Of each document's line.
    fileprivate func accounts() async throws -> [String: String] {
        let rows = try await rows(
            """
            SELECT number, substring(convert_from(body, 'UTF8') FROM '"AccountCode":"([0-9]+)"') AS account
              FROM \(fleet.schema).document AS d JOIN \(fleet.schema).document_body AS b ON b.document_id = d.id
             WHERE venue = 'Harbour Bistro'
            """)
        return try Dictionary(rows.map { (try $0.text("number"), try $0.text("account")) }) { $1 }
    }

    fileprivate func account(_ number: String) async throws -> String? { try await accounts()[number] }
}
