package import Domain
import Postgres

/// Requests of payments on their way out.
extension PostgresStore {
    package func recordSending(
        _ payments: PaymentAttempt, of claims: [Claim], insteadOf key: String?
    ) async throws {
        let sending = Self.attempt(payments, of: claims, holder)
        guard let key else {
            let rows = try await pool.withSession { try $0.query(sending.sql, sending.parameters) }
            return try Self.requireStored([rows], of: [claims])
        }
        try await pool.transaction { session in
            let rows = try session.pipeline([
                (Self.finishAttempt, [.text(key), .text("not taken"), .null]), sending,
            ])
            try Self.requireStored(rows[1...], of: [claims])
        }
    }

    static func attempt(
        _ attempt: PaymentAttempt, of claims: [Claim], _ holder: String
    ) -> (sql: String, parameters: [PostgresValue]) {
        (
            insertPayments,
            [
                .text(attempt.organisation.text), .text(attempt.kind.rawValue), .text(attempt.key),
                .bytes(attempt.bytes), .ints(attempt.documents.map { $0.value }), .text(holder),
            ] + fences(claims)
        )
    }

    /// Stored only where every one of these documents is the caller's. Their rows are locked: who claims one after that
    /// finds this request among the unanswered ones. By id, so that two who lock the same do it in the same order.
    private static let insertPayments = """
        WITH held AS (
            SELECT d.id FROM unnest($7::bigint[], $8::bigint[]) AS u (id, fencing)
              JOIN document AS d ON d.id = u.id AND d.fencing = u.fencing
             ORDER BY d.id FOR UPDATE OF d
        )
        INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by)
        SELECT $1, $2, $3, $4, $5::bigint[], $6
         WHERE (SELECT count(*) FROM held) = cardinality($7::bigint[])
        ON CONFLICT (idempotency_key) DO UPDATE SET sent_by = excluded.sent_by
        RETURNING id
        """

    /// - Throws: ``LeaseLost`` where one of the requests was not stored.
    static func requireStored(_ results: some Sequence<[PostgresRow]>, of claims: [[Claim]]) throws {
        for (rows, claims) in zip(results, claims) where rows.isEmpty { throw LeaseLost(count: claims.count) }
    }

    package func standingPayments(of documents: [DocumentID]) async throws -> Set<String> {
        try await pool.withSession { session in
            Set(try session.query(
                """
                SELECT xero_id FROM payment
                 WHERE document_id = ANY($1::bigint[]) AND xero_id IS NOT NULL AND state = 'written'
                """, [.ints(documents.map(\.value))]
            ).map { try $0.text("xero_id") })
        }
    }
}
