import Bootstrap
import Logging
import Postgres
import Settings
import Store
import Testing

@Suite(
    "tillbridge migrate", .enabled(if: ExampleFleet.databaseURL != nil, ExampleFleet.absence), .timeLimit(.minutes(2)))
struct MigrateCommandTests {
    @Test("lists what is applied and what is not, applies the rest, and names a migration that was changed")
    func status() async throws {
        let schema = "migrate_\(UInt32.random(in: 0...UInt32.max))"
        let environment = [
            "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
            "TILLBRIDGE_DATABASE_URL": try #require(ExampleFleet.databaseURL), "TILLBRIDGE_DATABASE_SCHEMA": schema,
        ]
        func migrate(_ arguments: String...) async throws -> Program.Ended {
            try await Program.run(
                "tillbridge", ["migrate", "--config", ExampleFleet.file] + arguments, environment: environment)
        }
        let pool = try LiveDatabase.migrationPool(
            try ExampleFleet.settings(environment: environment),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let result: Result<Void, any Error>
        do {
            let untouched = try await migrate("--status")
            #expect(untouched.status == 0)
            #expect(untouched.lines == Self.listed(applied: 0))
            let some = Array(Migration.all.prefix(3))
            _ = try await Migrator(pool: pool, schema: schema, migrations: some).migrate()
            #expect(try await migrate("--status").lines == Self.listed(applied: 3))
            let names = Migration.all.dropFirst(3).map(\.name).joined(separator: ", ")
            #expect(try await migrate().lines == ["applied: \(names)"])
            #expect(try await migrate().lines == ["the database is up to date"])
            #expect(try await migrate("--status").lines == Self.listed(applied: Migration.all.count))
            try await pool.withSession { session in
                _ = try session.execute("UPDATE schema_migration SET checksum = 'other' WHERE version = 2")
            }
            for changed in [try await migrate("--status"), try await migrate()] {
                #expect(changed.status != 0)
                #expect(changed.errors.contains("migration 2 (budget) was changed"), "\(changed.errors)")
            }
            result = .success(())
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        try result.get()
    }

    private static func listed(applied count: Int) -> [String] {
        Migration.all.enumerated().map { index, migration in
            "\(migration.version)  \(migration.name)  \(index < count ? "applied" : "missing")"
        }
    }
}
