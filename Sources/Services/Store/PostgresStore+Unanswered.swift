package import Domain
import Postgres

extension PostgresStore {
    package func unanswered(_ documents: [DocumentID], ageMax: Duration) async throws -> [UnansweredAttempt] {
        try await pool.withSession { session in
            // By attempt_by_age: a few hundred rows of the last minutes.
            try session.query(
                """
                SELECT idempotency_key, bytes, ids,
                       greatest(0, extract(epoch FROM clock_timestamp() - sent_at) * 1000)::bigint AS age
                  FROM attempt
                 WHERE sent_at > clock_timestamp() - $2 * interval '1 millisecond' AND finished_at IS NULL
                   AND kind = 'payments' AND ids && $1::bigint[]
                 ORDER BY id
                """, [.ints(documents.map(\.value)), .int(ageMax.milliseconds)]
            ).map { row in
                UnansweredAttempt(
                    key: try row.text("idempotency_key"), bytes: try row.bytes("bytes"),
                    documents: try row.ints("ids").compactMap { $0 }.map { DocumentID($0) },
                    age: .milliseconds(try row.int("age")))
            }
        }
    }

    /// So many are looked at: each is a version that a person or a till corrected.
    private static let sentBodiesMax: Int64 = 20

    package func sentBodies(of document: DocumentID) async throws -> [[UInt8]] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT a.bytes \(Self.callsOf("$1"))
                   AND a.kind IN ('invoices', 'credit_notes')
                   AND coalesce(a.outcome, '') NOT LIKE 'not taken%'
                 ORDER BY a.sent_at DESC, a.id DESC LIMIT $2
                """, [.int(document.value), .int(Self.sentBodiesMax)]
            ).map { try $0.bytes("bytes") }
        }
    }

    /// Nobody sends again what was to be sent of these documents: what becomes of them is decided anew. SQL for ids $1.
    static let forgetUnanswered = """
        UPDATE attempt SET finished_at = clock_timestamp(), outcome = 'given up'
         WHERE sent_at > clock_timestamp() - interval '10 minutes' AND finished_at IS NULL AND ids && $1::bigint[]
        """
}
