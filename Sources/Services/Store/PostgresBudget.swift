package import Domain
package import HTTP
import Postgres
package import Settings
package import Xero

/// Shares each organisation's allowance of Xero calls among all writers, through rows in PostgreSQL.
package struct PostgresBudget: CallBudget {
    private let store: PostgresStore
    private let limits: [OrganisationKey: OrganisationLimits]
    private let sleep: @Sendable (Duration) async throws -> Void

    /// A call takes at most so long (the HTTP time-out and a little): a permit not given back by then is free again.
    private static let callMax = "75 seconds"
    /// Looks again at least this often: another writer may have given a permit back, or a person lifted a limit.
    private static let waitMax = Duration.seconds(5)

    package init(
        store: PostgresStore, limits: [OrganisationKey: OrganisationLimits],
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.store = store
        self.limits = limits
        self.sleep = sleep
    }

    package func take(for organisation: OrganisationKey) async throws -> CallPermit {
        guard let limits = limits[organisation], limits.isLimited else {
            return CallPermit(organisation: organisation, id: nil)
        }
        while true {
            let answer = try await store.pool.transaction { session in
                try session.query(
                    "SELECT permit, wait_ms FROM take_permit($1, $2::integer, $3::integer, $4::integer, $5::interval)",
                    [
                        .text(organisation.text), .int(Int64(limits.callsPerMinute)), .int(Int64(limits.callsInFlight)),
                        .int(Int64(limits.callsPerDay)), .text(Self.callMax),
                    ]
                ).map { (try $0.intOrNil("permit"), try $0.int("wait_ms")) }
            }
            if let permit = answer.first?.0 { return CallPermit(organisation: organisation, id: permit) }
            try await sleep(min(.milliseconds(answer.first?.1 ?? 1000), Self.waitMax))
        }
    }

    package func giveBack(_ permit: CallPermit, headers: HTTPHeaders?) async {
        guard let id = permit.id else { return }
        // A permit that cannot be given back comes free by itself after `callMax`.
        _ = try? await store.pool.withSession { session in
            try session.execute("UPDATE budget_call SET finished_at = clock_timestamp() WHERE id = $1", [.int(id)])
        }
    }

    package func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {
        _ = try? await store.pool.withSession { session in
            try session.execute(
                """
                INSERT INTO budget (organisation, parked_until, parked_why)
                VALUES ($1, now() + $2 * interval '1 millisecond', $3)
                ON CONFLICT (organisation) DO UPDATE
                   SET parked_until = greatest(budget.parked_until, excluded.parked_until),
                       parked_why = excluded.parked_why
                """, [.text(organisation.text), .int(duration.milliseconds), .text(reason)])
        }
    }
}

extension OrganisationLimits {
    fileprivate var isLimited: Bool { callsPerMinute > 0 || callsInFlight > 0 || callsPerDay > 0 }
}
