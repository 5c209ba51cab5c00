import Postgres

/// Rights that one process at a time may hold.
package protocol LeaseStore: Sendable {
    /// Takes the lease, or nil while another holds it.
    func acquire(_ name: String, for duration: Duration) async throws -> Lease?
    /// Makes it last; false when it was lost.
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool
    /// Gives it back at once, so that the next need not wait for its end.
    func giveBack(_ lease: Lease) async throws
}

package struct Lease: Sendable, Hashable {
    package let name: String
    /// Rises with each new holder: what an earlier holder still does can be told from what is current.
    package let fence: Int64

    package init(name: String, fence: Int64) {
        self.name = name
        self.fence = fence
    }
}

extension PostgresStore: LeaseStore {
    package func acquire(_ name: String, for duration: Duration) async throws -> Lease? {
        let holder = holder
        return try await pool.withSession { session in
            try session.query(
                """
                INSERT INTO lease (name, holder, fence, until) VALUES ($1, $2, 1, now() + $3 * interval '1 millisecond')
                ON CONFLICT (name) DO UPDATE
                   SET holder = excluded.holder, fence = lease.fence + 1, until = excluded.until
                 WHERE lease.until < now()
                RETURNING fence
                """, [.text(name), .text(holder), .int(duration.milliseconds)]
            ).first.map { Lease(name: name, fence: try $0.int("fence")) }
        }
    }

    package func renew(_ lease: Lease, for duration: Duration) async throws -> Bool {
        try await pool.withSession { session in
            try session.execute(
                """
                UPDATE lease SET until = now() + $3 * interval '1 millisecond'
                 WHERE name = $1 AND fence = $2 AND until > now()
                """, [.text(lease.name), .int(lease.fence), .int(duration.milliseconds)]) == 1
        }
    }

    package func giveBack(_ lease: Lease) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE lease SET until = now() - interval '1 second' WHERE name = $1 AND fence = $2",
                [.text(lease.name), .int(lease.fence)])
        }
    }
}
