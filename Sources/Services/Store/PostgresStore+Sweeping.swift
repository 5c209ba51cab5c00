package import Domain
import Postgres

/// What the sweeper needs: the documents whose message may have been lost.
package protocol SweepingStore: LeaseStore {
    /// Documents that wait since before `age`, oldest first, at most `limit`. They count as published now.
    func takeForgotten(
        of organisation: OrganisationKey, olderThan age: Duration, limit: Int
    ) async throws -> [DocumentID]
    /// How many documents of each organisation are not finished.
    func openCounts() async throws -> [OrganisationKey: Int]
}

extension PostgresStore: SweepingStore {
    package func takeForgotten(
        of organisation: OrganisationKey, olderThan age: Duration, limit: Int
    ) async throws -> [DocumentID] {
        try await pool.transaction { session in
            try session.query(
                """
                WITH forgotten AS (
                    SELECT id FROM document
                     WHERE organisation = $1 AND closed_at IS NULL
                       AND published_at < now() - $2 * interval '1 millisecond'
                       AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY published_at LIMIT $3 FOR UPDATE SKIP LOCKED
                )
                UPDATE document AS d SET published_at = now() FROM forgotten WHERE d.id = forgotten.id RETURNING d.id
                """, [.text(organisation.text), .int(age.milliseconds), .int(Int64(limit))]
            ).map { DocumentID(try $0.int("id")) }
        }
    }

    package func openCounts() async throws -> [OrganisationKey: Int] {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT organisation, count(*) AS open FROM document
                 WHERE closed_at IS NULL GROUP BY organisation
                """)
            return try rows.reduce(into: [:]) { counts, row in
                counts[OrganisationKey(try row.text("organisation"))] = Int(try row.int("open"))
            }
        }
    }
}
