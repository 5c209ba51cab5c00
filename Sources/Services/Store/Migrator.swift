import Crypto
package import Postgres

/// One numbered file of SQL.
package struct Migration: Sendable {
    package let version: Int
    package let name: String
    package let sql: String

    package init(version: Int, name: String, sql: String) {
        self.version = version
        self.name = name
        self.sql = sql
    }

    /// Changes with any byte of the file: an applied migration is never edited.
    var checksum: String {
        SHA256.hash(data: Array(sql.utf8)).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    /// All of them, in order. A new one is a new file and a new line here; an old one never changes.
    package static let all: [Migration] = [
        Migration(version: 1, name: "fleet", sql: text(PackageResources._001_fleet_sql)),
        Migration(version: 2, name: "budget", sql: text(PackageResources._002_budget_sql)),
        Migration(version: 3, name: "fewer_writes", sql: text(PackageResources._003_fewer_writes_sql)),
        Migration(version: 4, name: "credential", sql: text(PackageResources._004_credential_sql)),
        Migration(version: 5, name: "desk", sql: text(PackageResources._005_desk_sql)),
        Migration(version: 6, name: "mapping", sql: text(PackageResources._006_mapping_sql)),
        Migration(version: 7, name: "audit", sql: text(PackageResources._007_audit_sql)),
        Migration(version: 8, name: "governor", sql: text(PackageResources._008_governor_sql)),
        Migration(version: 9, name: "kinds", sql: text(PackageResources._009_kinds_sql)),
        Migration(version: 10, name: "alerts", sql: text(PackageResources._010_alerts_sql)),
        Migration(version: 11, name: "days", sql: text(PackageResources._011_days_sql)),
        Migration(version: 12, name: "corrections", sql: text(PackageResources._012_corrections_sql)),
        Migration(version: 14, name: "own_calls", sql: text(PackageResources._014_own_calls_sql)),
        Migration(version: 15, name: "closed_organisations", sql: text(PackageResources._015_closed_organisations_sql)),
        Migration(version: 16, name: "day_sources", sql: text(PackageResources._016_day_sources_sql)),
        Migration(version: 17, name: "till_writes", sql: text(PackageResources._017_till_writes_sql)),
        Migration(version: 18, name: "breaker_pause", sql: text(PackageResources._018_breaker_pause_sql)),
        Migration(version: 19, name: "takings_scope", sql: text(PackageResources._019_takings_scope_sql)),
        Migration(version: 20, name: "audit_reasons", sql: text(PackageResources._020_audit_reasons_sql)),
        Migration(version: 21, name: "alert_digests", sql: text(PackageResources._021_alert_digests_sql)),
        Migration(version: 22, name: "mapping_edits", sql: text(PackageResources._022_mapping_edits_sql)),
        Migration(version: 23, name: "room_for_updates", sql: text(PackageResources._023_room_for_updates_sql)),
        Migration(version: 24, name: "till_customers", sql: text(PackageResources._024_till_customers_sql)),
        Migration(version: 25, name: "unread_orders", sql: text(PackageResources._025_unread_orders_sql)),
        Migration(version: 26, name: "reads_before_waiters", sql: text(PackageResources._026_reads_before_waiters_sql)),
        Migration(version: 27, name: "day_mappings", sql: text(PackageResources._027_day_mappings_sql)),
        Migration(
            version: 28, name: "corrections_at_the_desk",
            sql: text(PackageResources._028_corrections_at_the_desk_sql)),
    ]

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// Brings a database forward. Forward only: what is applied stays, and a file that was changed afterwards is an error.
package struct Migrator: Sendable {
    private let pool: PostgresPool
    private let schema: String
    private let migrations: [Migration]

    package init(pool: PostgresPool, schema: String, migrations: [Migration] = Migration.all) {
        self.pool = pool
        self.schema = schema
        self.migrations = migrations
    }

    package struct Status: Sendable, Equatable {
        package let version: Int
        package let name: String
        package let isApplied: Bool
    }

    /// Applies what is missing, each file in a transaction of its own. Runs alone: others wait on an advisory lock.
    ///
    /// - Returns: what was applied now.
    package func migrate() async throws -> [Status] {
        let (schema, migrations) = (schema, migrations)
        return try await pool.withSession { session in
            try session.execute(
                "SELECT pg_advisory_lock(hashtextextended('tillbridge migrate ' || $1, 0))", [.text(schema)])
            defer {
                // Freed by the server too when the connection ends; here so that the next in the pool does not hold it.
                _ = try? session.execute(
                    "SELECT pg_advisory_unlock(hashtextextended('tillbridge migrate ' || $1, 0))", [.text(schema)])
            }
            try session.script("CREATE SCHEMA IF NOT EXISTS \(Self.quoted(schema))")
            try session.script(
                """
                CREATE TABLE IF NOT EXISTS schema_migration (
                    version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
                    applied_at timestamptz NOT NULL DEFAULT now())
                """)
            let missing = try Self.missing(session, migrations)
            for migration in missing {
                // The name comes from this program and the checksum is hexadecimal: nothing of it is input.
                try session.script(
                    """
                    BEGIN;
                    \(migration.sql)
                    INSERT INTO schema_migration (version, name, checksum)
                    VALUES (\(migration.version), '\(migration.name)', '\(migration.checksum)');
                    COMMIT;
                    """)
            }
            return missing.map { Status(version: $0.version, name: $0.name, isApplied: true) }
        }
    }

    package func status() async throws -> [Status] {
        let migrations = migrations
        return try await pool.withSession { session in
            let exists = try session.query("SELECT to_regclass('schema_migration') IS NOT NULL AS found")
            guard try exists.first?.bool("found") == true else {
                return migrations.map { Status(version: $0.version, name: $0.name, isApplied: false) }
            }
            let missing = Set(try Self.missing(session, migrations).map(\.version))
            return migrations.map {
                Status(version: $0.version, name: $0.name, isApplied: !missing.contains($0.version))
            }
        }
    }

    private static func missing(_ session: PostgresSession, _ migrations: [Migration]) throws -> [Migration] {
        var applied: [Int: String] = [:]
        for row in try session.query("SELECT version::bigint AS version, checksum FROM schema_migration") {
            applied[Int(try row.int("version"))] = try row.text("checksum")
        }
        if let unknown = applied.keys.filter({ version in !migrations.contains { $0.version == version } }).min() {
            throw MigrationError.newerDatabase(version: unknown)
        }
        for migration in migrations {
            if let checksum = applied[migration.version], checksum != migration.checksum {
                throw MigrationError.changed(version: migration.version, name: migration.name)
            }
        }
        return migrations.filter { applied[$0.version] == nil }
    }

    private static func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}

package enum MigrationError: Error, Sendable, CustomStringConvertible {
    case changed(version: Int, name: String)
    case newerDatabase(version: Int)
    case pending([Int])

    package var description: String {
        switch self {
        case .changed(let version, let name):
            "migration \(version) (\(name)) was changed after it was applied: restore the file, add a new one instead"
        case .newerDatabase(let version):
            "the database knows migration \(version), this program does not: run the newer version of the fleet"
        case .pending(let versions):
            "the database lacks migration \(versions.map { String($0) }.joined(separator: ", ")): "
                + "run `tillbridge migrate`"
        }
    }
}
