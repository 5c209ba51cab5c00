package import Domain
import Postgres

/// Which days wait for a look at Xero's chart before they are closed.
package protocol DayCheckStore: Sendable {
    func hasUncheckedDays(_ organisation: OrganisationKey) async throws -> Bool
    func noteChecked(_ organisation: OrganisationKey, problems: Int, at moment: Instant) async throws
}

extension PostgresStore: DayCheckStore {
    package func hasUncheckedDays(_ organisation: OrganisationKey) async throws -> Bool {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT EXISTS (SELECT FROM venue_day
                                WHERE state = 'closing' AND checked_at IS NULL AND organisation = $1) AS found
                """, [.text(organisation.text)]
            ).first?.bool("found") ?? false
        }
    }

    package func noteChecked(_ organisation: OrganisationKey, problems: Int, at moment: Instant) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE venue_day SET checked_at = $2, problems = $3::bigint
                 WHERE state = 'closing' AND checked_at IS NULL AND organisation = $1
                """,
                [
                    .text(organisation.text), .timestamp(microsecondsSince1970: moment.microseconds),
                    .int(Int64(problems)),
                ])
        }
    }
}
