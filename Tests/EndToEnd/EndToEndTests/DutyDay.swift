import AMQP
import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// A fleet whose alerts come to a phone, and a person on duty who does what they say.
struct DutyDay {
    let desk: DeskRunning
    let phone: DutyPhone
    let configuration: DutyConfiguration

    var running: RunningFleet { desk.running }
    var messages: Messages { desk.messages }

    /// - Parameter probeInterval: a short one where groups are to heal by themselves.
    static func with(
        _ name: String, probeInterval: String = "1h", _ work: (DutyDay) async throws -> Void
    ) async throws {
        let configuration = try DutyConfiguration(name)
        defer { configuration.remove() }
        try await DutyPhone.with { phone, address in
            let environment = [
                "TILLBRIDGE_ALERT_DUTY_URL": address + "duty", "TILLBRIDGE_ALERT_BOSS_URL": address + "boss",
                "TILLBRIDGE_ALERTS_INTERVAL": "1s", "TILLBRIDGE_ALERTS_GROUP_AFTER": "1s",
                "TILLBRIDGE_ALERTS_RESOLVE_AFTER": "1s", "TILLBRIDGE_ALERTS_GROUP_COUNT": "3",
                "TILLBRIDGE_ALERTS_DIGEST_AFTER": "50", "TILLBRIDGE_ALERTS_DAY_LATE": "5s",
                "TILLBRIDGE_ALERTS_QUEUE_AGE": "5s", "TILLBRIDGE_ALERTS_HANDLER_DOWN": "5s",
                // A writer that ends leaves its claims to this.
                "TILLBRIDGE_WRITING_LEASE": "5s",
            ]
            try await DeskRunning.with(
                name, probeInterval: probeInterval, workers: [], limits: "x5", configuration: configuration.path,
                environment: environment
            ) { desk in try await work(DutyDay(desk: desk, phone: phone, configuration: configuration)) }
        }
    }

    /// The first message on the duty's channel whose subject has these words.
    func alert(_ words: String) async throws -> DutyPhone.Message {
        do {
            try await running.wait("an alert of \(words)", within: .seconds(120)) { find(words, isEnd: false) != nil }
        } catch {
            Issue.record("heard: \(phone.heard.map(\.subject)), letters \(try await desk.letters("class,cause,state"))")
            throw error
        }
        return try #require(find(words, isEnd: false))
    }

    func isTold(_ words: String) -> Bool { find(words, isEnd: false) != nil }

    func waitForEnd(of words: String) async throws {
        try await running.wait("the end of \(words)", within: .seconds(120)) { find(words, isEnd: true) != nil }
    }

    private func find(_ words: String, isEnd: Bool) -> DutyPhone.Message? {
        phone.heard.first { $0.channel == "duty" && $0.isEnd == isEnd && $0.subject.contains(words) }
    }

    /// Does what an alert says.
    func obey(_ alert: DutyPhone.Message) async throws -> (status: Int32, output: String) {
        try await running.fleet.command(alert.command + ["--by", "ana"])
    }

    // MARK: the other organisation

    private var lakeside: String { running.fleet.plan.organisations[1].tenant }

    func inLakeside(_ members: String) async throws {
        try await running.fleet.xero.post("/_control/organisations", "{\"tenantId\":\"\(lakeside)\",\(members)}")
    }

    func lakesideOrder(_ id: String) -> AMQPMessage { messages.lakesideOrder(id) }

    /// Whether so many orders have become documents, and none of them waits.
    func isLakesideServed(_ count: Int) async throws -> Bool {
        let row = try await running.rows(
            """
            SELECT count(*) AS n, count(closed_at) AS closed FROM \(desk.schema).document
             WHERE organisation = 'lakeside'
            """)[0]
        return try row.int("n") == count && row.int("closed") == count
    }

    func lakesideBooks() async throws -> [String] { try await desk.books(of: lakeside) }
}

/// The example with a phone for the alerts, a rule for wine, a venue that is always open, and a bound of the other
/// organisation's day; changed while the fleet runs.
struct DutyConfiguration {
    let path: String

    init(_ name: String) throws {
        path = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbridge-\(getpid())-\(name)-duty.yaml").path
        try write(taxes: ["0.1"], lakesideCallsPerDay: 1)
    }

    /// - Parameter lakesideCallsPerDay: times five, as the simulator's limits are.
    func write(taxes: [String], lakesideCallsPerDay: Int) throws {
        let example = RunningFleet.root.appendingPathComponent("config/example.yaml")
        var yaml = try String(contentsOf: example, encoding: .utf8)
        let rates = taxes.map { "      \"\($0)\": OUTPUT\n" }.joined()
        let first = try #require(yaml.range(of: "      \"0.1\": OUTPUT\n"))
        yaml.replaceSubrange(first, with: rates)
        let limits = try #require(yaml.range(of: "    # What Xero allows"))
        yaml.insert(
            contentsOf: "    rules:\n      - {name: wine, when: {product: Wine}, set: {account: \"200\"}}\n",
            at: limits.lowerBound)
        let companies = try #require(yaml.range(of: "\ncompanies:\n"))
        yaml.insert(
            contentsOf: "    limits: {calls_per_day: \(lakesideCallsPerDay)}\n", at: companies.lowerBound)
        let pier = try #require(yaml.range(of: "        tracking: Pier Cafe & Bar\n"))
        yaml.insert(contentsOf: "        trading_hours: \"00:00-24:00\"\n", at: pier.upperBound)
        yaml += """

            alerts:
              channels:
                - {name: duty, kind: slack}
                - {name: boss, kind: slack, escalations_only: true}

            """
        try yaml.write(toFile: path, atomically: true, encoding: .utf8)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}
