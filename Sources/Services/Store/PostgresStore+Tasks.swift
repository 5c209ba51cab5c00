package import Domain
import Postgres
package import Xero

/// What becomes of a task: the document changes as the ledger did, or stays as it stands.
extension PostgresStore {
    package func change(of claim: Claim) async throws -> [UInt8]? {
        try await pool.withSession { session in
            try session.query(
                "SELECT body FROM document_change WHERE document_id = $1", [.int(claim.id.value)]
            ).first?.bytes("body")
        }
    }

    package func recordChange(_ claim: Claim, _ attempt: PaymentAttempt) async throws {
        let holder = holder
        try await pool.withSession { session in
            let rows = try session.query(
                """
                WITH held AS (SELECT id FROM document WHERE id = $1 AND fencing = $2 FOR UPDATE)
                INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by)
                SELECT $3, $4, $5, $6, ARRAY[id], $7 FROM held RETURNING id
                """,
                [
                    .int(claim.id.value), .int(claim.fencing), .text(attempt.organisation.text),
                    .text(attempt.kind.rawValue), .text(attempt.key), .bytes(attempt.bytes), .text(holder),
                ])
            try Self.require(1, rows.count)
        }
    }

    package func recordAnswer(_ call: AnsweredCall, _ outcome: String) async throws {
        try await pool.transaction { _ = try $0.pipeline(Self.finish(call, String(outcome.prefix(500)))) }
    }

    package func recordTask(_ claim: Claim, _ outcome: TaskOutcome, of call: AnsweredCall?) async throws {
        let fence: [PostgresValue] = [.int(claim.id.value), .int(claim.fencing)]
        try await pool.transaction { session in
            if let name = call?.correlationID {
                _ = try session.query(
                    "SELECT set_config('tillbridge.correlation', $1, true)", [.text(String(name.prefix(100)))])
            }
            if case .refused(let sentence, _) = outcome {
                // For the audit: `cause` is of the document itself.
                _ = try session.query(
                    "SELECT set_config('tillbridge.why', $1, true)", [.text(String(sentence.prefix(500)))])
            }
            let rows: [PostgresRow]
            switch outcome {
            case .voided: rows = try session.query(Self.voidedSQL, fence)
            case .updated: rows = try session.query(Self.updatedSQL, fence + [.bool(claim.hasOpenPayments)])
            case .refused(let sentence, let obstacle):
                rows = try session.query(
                    Self.refusedSQL, fence + [.text(sentence), .bool(obstacle == .reconciled)])
            }
            try Self.require(1, rows.count)
            switch outcome {
            case .voided: try Self.remove(claim, leaving: [], settledBy: [], session)
            case .updated: break
            case .refused:
                // What was to be paid on the document as it would have become.
                _ = try session.query(
                    "DELETE FROM payment WHERE document_id = $1 AND state = 'ready'", [.int(claim.id.value)])
            }
            _ = try session.query("DELETE FROM document_change WHERE document_id = $1", [.int(claim.id.value)])
        }
    }

    private static let voidedSQL = """
        UPDATE document SET state = 'voided', task = NULL, cause = NULL, obstacle = NULL, closed_at = now(),
               lease_until = NULL
         WHERE id = $1 AND fencing = $2 AND state = 'written' RETURNING id
        """

    private static let updatedSQL = """
        WITH changed AS (
            UPDATE document AS d
               SET task = NULL, cause = NULL, obstacle = NULL, contact_number = c.contact_number,
                   trading_date = c.trading_date, total = c.total, content_hash = c.content_hash,
                   source_hash = c.source_hash, closed_at = CASE WHEN $3 THEN NULL ELSE now() END,
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

    /// The sentence stays until the order is decided upon again.
    private static let refusedSQL = """
        UPDATE document SET task = NULL, obstacle = $3, is_reconciled = is_reconciled OR $4, closed_at = now(),
               lease_until = NULL
         WHERE id = $1 AND fencing = $2 AND state = 'written' RETURNING id
        """

    package func recordRemoved(
        _ claim: Claim, leaving payments: [String], settledBy allocations: [StandingAllocation]
    ) async throws {
        try await pool.transaction { session in
            try Self.remove(claim, leaving: payments, settledBy: allocations, session)
        }
    }

    /// Its own payments and allocations that no longer stand, and those of credit notes that were set against it.
    private static func remove(
        _ claim: Claim, leaving payments: [String], settledBy allocations: [StandingAllocation],
        _ session: PostgresSession
    ) throws {
        let id = PostgresValue.int(claim.id.value)
        _ = try session.query(
            """
            UPDATE payment SET state = 'removed'
             WHERE document_id = $1 AND state = 'written' AND allocates IS NULL AND NOT xero_id = ANY($2::text[])
            """, [id, .texts(payments)])
        if claim.kind == .creditNote {
            _ = try session.query(
                """
                UPDATE payment AS p SET state = 'removed' FROM document AS d
                 WHERE d.id = $1 AND p.document_id = d.id AND p.state = 'written' AND p.allocates IS NOT NULL
                   AND NOT EXISTS (SELECT FROM document AS i
                                    WHERE i.organisation = d.organisation AND i.number = p.allocates
                                      AND i.xero_id = ANY($2::text[]))
                """, [id, .texts(allocations.compactMap(\.invoiceID))])
        } else {
            // A refund names the first revision of the sale it gives back, and settles the one that stands.
            _ = try session.query(
                """
                UPDATE payment AS p SET state = 'removed' FROM document AS d JOIN document AS i ON i.id = $1
                 WHERE d.original = regexp_replace(i.number, '-r[0-9]+$', '') AND d.organisation = i.organisation
                   AND p.document_id = d.id AND p.allocates = i.number AND p.state = 'written'
                   AND NOT d.xero_id = ANY($2::text[])
                """, [id, .texts(allocations.compactMap(\.creditNoteID))])
        }
    }

    package func isOnItsWay(_ number: String, in organisation: OrganisationKey) async throws -> Bool {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT 1 AS found FROM document
                 WHERE organisation = $1 AND number = $2 AND state IN ('ready', 'claimed', 'sent', 'uncertain')
                """, [.text(organisation.text), .text(number)]
            ).isEmpty == false
        }
    }

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
