package import Domain
import Postgres

/// Which organisations with a credential of their own Xero does not let us into.
extension PostgresStore {
    /// - Parameter why: nil: it lets us in again. The first moment is kept.
    /// - Returns: whether that is news.
    package func setClosed(_ organisation: OrganisationKey, why: String?) async throws -> Bool {
        try await pool.withSession { session in
            guard let why else {
                let gone = try session.execute(
                    "DELETE FROM organisation_closed WHERE organisation = $1", [.text(organisation.text)])
                return gone > 0
            }
            let rows = try session.query(
                """
                INSERT INTO organisation_closed (organisation, why) VALUES ($1, $2)
                ON CONFLICT (organisation) DO UPDATE SET why = excluded.why RETURNING xmax = 0 AS is_new
                """,
                [.text(organisation.text), .text(String(why.prefix(500)).replacing("\0", with: " "))])
            return try rows.first?.bool("is_new") ?? false
        }
    }

    /// A person wants to know now: the pause of an open breaker is over, and the next call finds out for all writers.
    package func endBreakerPause(of organisation: OrganisationKey) async throws {
        _ = try await pool.withSession {
            try $0.execute(
                """
                UPDATE budget SET breaker_until = clock_timestamp()
                 WHERE organisation = $1 AND breaker = 'open' AND breaker_until > clock_timestamp()
                """, [.text(organisation.text)])
        }
    }

    package func closedOrganisations() async throws -> [ClosedOrganisation] {
        try await pool.withSession { session in
            try session.query("SELECT organisation, since, why FROM organisation_closed ORDER BY organisation").map {
                ClosedOrganisation(
                    organisation: OrganisationKey(try $0.text("organisation")), since: try $0.instant("since"),
                    why: try $0.text("why"))
            }
        }
    }
}

package struct ClosedOrganisation: Sendable, Hashable {
    package let organisation: OrganisationKey
    package let since: Instant
    package let why: String
}
