import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct MigratorTests {
    @Test("migrations are applied once, by however many start at the same moment, and listed")
    func concurrent() async throws {
        try await Database.with("migrate", migrated: false) { pool, _ in
            let migrator = Migrator(pool: pool, schema: Database.schema("migrate"))
            let before = try await migrator.status()
            #expect(before.allSatisfy { !$0.isApplied })
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await migrator.migrate().count } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            let total = counts.reduce(0, +)
            #expect(total == Migration.all.count)
            let after = try await migrator.status()
            #expect(after.allSatisfy { $0.isApplied })
        }
    }

    @Test("a migration that was changed after it was applied is an error that names it; so is a newer database")
    func changed() async throws {
        try await Database.with("changed", migrated: false) { pool, _ in
            let schema = Database.schema("changed")
            let first = Migration(version: 1, name: "one", sql: "CREATE TABLE one (id int);")
            _ = try await Migrator(pool: pool, schema: schema, migrations: [first]).migrate()
            let edited = Migration(version: 1, name: "one", sql: "CREATE TABLE one (id bigint);")
            let changed = await #expect(throws: MigrationError.self) {
                try await Migrator(pool: pool, schema: schema, migrations: [edited]).migrate()
            }
            #expect(changed?.description.contains("migration 1 (one) was changed") == true)
            let newer = await #expect(throws: MigrationError.self) {
                try await Migrator(pool: pool, schema: schema, migrations: []).migrate()
            }
            #expect(newer?.description.contains("knows migration 1") == true)
        }
    }

    @Test("a migration that fails leaves nothing of itself behind")
    func failing() async throws {
        try await Database.with("failing", migrated: false) { pool, _ in
            let schema = Database.schema("failing")
            let bad = Migration(version: 1, name: "bad", sql: "CREATE TABLE half (id int); SELECT broken;")
            await #expect(throws: PostgresError.self) {
                try await Migrator(pool: pool, schema: schema, migrations: [bad]).migrate()
            }
            let good = Migration(version: 1, name: "good", sql: "CREATE TABLE half (id int);")
            let applied = try await Migrator(pool: pool, schema: schema, migrations: [good]).migrate()
            #expect(applied.count == 1)
        }
    }
}
