import Bootstrap
import Foundation
import Logging
import Peers
import Postgres
import Settings
import Telemetry
import Testing

@Suite(
    "The fleet's connections to its database", .enabled(if: ExampleFleet.databaseURL != nil, ExampleFleet.absence),
    .timeLimit(.minutes(1)))
struct LiveDatabaseTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test("an outage stands at /ready while it lasts and not a moment longer, and hides nothing else that is missing")
    func outage() async throws {
        let url = try #require(ExampleFleet.databaseURL)
        var parts = try #require(URLComponents(string: url))
        let host = try #require(parts.host, "this test needs a server that is reached by TCP")
        let proxy = try FaultyProxy(host: host, port: parts.port ?? 5432)
        (parts.host, parts.port) = ("127.0.0.1", Int(proxy.port))
        let settings = try ExampleFleet.settings(
            environment: ["TILLBRIDGE_DATABASE_URL": try #require(parts.string)])
        let health = Health()
        let pool = try LiveDatabase.pool(settings, name: "test", size: 1, logger: logger, health: health)
        try await pool.waitUntilReady()
        #expect(health.whyNotReady == nil)
        proxy.shut()
        async let answered: Void = pool.waitUntilReady()
        while health.whyNotReady == nil { try await Task.sleep(for: .milliseconds(2)) }
        #expect(health.whyNotReady?.contains("database") == true)
        health.set("database", waitingFor: "migration 7")
        proxy.resume()
        try await answered
        #expect(health.whyNotReady == "database: migration 7")
        health.set("database", waitingFor: nil)
        #expect(health.whyNotReady == nil)
        await pool.close()
        proxy.stop()
    }

    @Test("a migration's statements have no time limit and the planner's freedom; a worker's have neither")
    func limits() async throws {
        let settings = try ExampleFleet.settings(environment: [
            "TILLBRIDGE_DATABASE_URL": try #require(ExampleFleet.databaseURL),
            "TILLBRIDGE_DATABASE_SCHEMA": "some_schema",
        ])
        let migrating = try LiveDatabase.migrationPool(settings, logger: logger)
        let working = try LiveDatabase.pool(settings, name: "test", size: 1, logger: logger, health: nil)
        let planning = ["enable_seqscan", "plan_cache_mode"]
        #expect(try await Self.show(planning, migrating) == ["0", "some_schema", "on", "auto"])
        #expect(
            try await Self.show(planning + ["jit"], working)
                == ["30s", "some_schema", "off", "force_generic_plan", "off"])
        await migrating.close()
        await working.close()
    }

    private static func show(_ planning: [String], _ pool: PostgresPool) async throws -> [String] {
        try await pool.withSession { session in
            try (["statement_timeout", "search_path"] + planning).map { name in
                try session.query("SHOW \(name)")[0].text(0)
            }
        }
    }
}
