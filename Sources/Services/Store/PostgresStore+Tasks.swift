package import Domain
import Postgres

/// What becomes of a task: the document changes as the ledger did, or stays as it stands.
extension PostgresStore {
    package func change(of claim: Claim) async throws -> [UInt8]? {
        try await pool.withSession { session in
            try session.query(
                "SELECT body FROM document_change WHERE document_id = $1", [.int(claim.id.value)]
            ).first?.bytes("body")
        }
    }

    package func recordTask(_ claim: Claim, _ outcome: TaskOutcome) async throws {
        let fence: [PostgresValue] = [.int(claim.id.value), .int(claim.fencing)]
        try await pool.transaction { session in
            let rows: [PostgresRow]
            switch outcome {
            case .voided: rows = try session.query(Self.voidedSQL, fence)
            case .updated: rows = try session.query(Self.updatedSQL, fence + [.bool(claim.hasOpenPayments)])
            case .refused(let sentence, let obstacle):
                rows = try session.query(
                    Self.refusedSQL, fence + [.text(sentence), .bool(obstacle == .reconciled)])
            }
            try Self.require(1, rows.count)
            if case .voided = outcome {
                // What was paid on it is gone from the ledger.
                _ = try session.query("DELETE FROM payment WHERE document_id = $1", [.int(claim.id.value)])
            }
            _ = try session.query("DELETE FROM document_change WHERE document_id = $1", [.int(claim.id.value)])
        }
    }

    private static let voidedSQL = """
        UPDATE document SET state = 'voided', task = NULL, cause = NULL, closed_at = now(), lease_until = NULL
         WHERE id = $1 AND fencing = $2 AND state = 'written' RETURNING id
        """

    private static let updatedSQL = """
        WITH changed AS (
            UPDATE document AS d
               SET task = NULL, cause = NULL, contact_number = c.contact_number, trading_date = c.trading_date,
                   total = c.total, content_hash = c.content_hash, source_hash = c.source_hash,
                   closed_at = CASE WHEN $3 THEN NULL ELSE now() END,
                   lease_until = CASE WHEN $3 THEN d.lease_until END
              FROM document_change AS c
             WHERE d.id = $1 AND d.fencing = $2 AND d.state = 'written' AND c.document_id = d.id
            RETURNING d.id, c.body, c.form
        ), bodies AS (
            UPDATE document_body AS b SET body = changed.body, form = changed.form
              FROM changed WHERE b.document_id = changed.id
        )
        SELECT id FROM changed
        """

    /// The sentence stays in `cause` until the order is decided upon again.
    private static let refusedSQL = """
        UPDATE document SET task = NULL, cause = $3, is_reconciled = is_reconciled OR $4, closed_at = now(),
               lease_until = NULL
         WHERE id = $1 AND fencing = $2 AND state = 'written' RETURNING id
        """

    package func recordLock(_ organisation: OrganisationKey, through day: CalendarDate?) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO ledger_lock (organisation, locked_through) VALUES ($1, $2)
                ON CONFLICT (organisation) DO UPDATE
                   SET locked_through = excluded.locked_through, read_at = now()
                """, [.text(organisation.text), day.map { .date($0.description) } ?? .null])
        }
    }
}
