package import Postgres

/// Every SQL statement of the fleet, grouped by who needs it: see the extensions.
package struct PostgresStore: Sendable {
    let pool: PostgresPool
    /// Names this process in claims, leases and attempts.
    let holder: String

    package init(pool: PostgresPool, holder: String) {
        self.pool = pool
        self.holder = holder
    }
}

extension Duration {
    /// Whole milliseconds, as the statements take durations.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }
}
