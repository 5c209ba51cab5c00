package import Domain
import Postgres

/// One letter with everything that is known of it. What may be much (arrivals, events, calls) is counted here, and read
/// page by page.
package struct LetterFile: Sendable {
    package struct Arrival: Sendable {
        package let at: Instant
        package let replay: Int
        package let cause: String
        package let attempts: Int
        package let headers: String
        fileprivate let occurrence: [UInt8]
    }

    package struct Event: Sendable {
        package let at: Instant
        package let action: String
        package let author: String
        package let note: String?
        fileprivate let id: Int64
    }

    package struct Call: Sendable {
        package let at: Instant
        package let kind: String
        package let key: String
        package let outcome: String?
        fileprivate let id: Int64
    }

    package let letter: Letter
    package let editedBody: [UInt8]?
    /// The till has sent a later version of the order than the one that was corrected: that one is sent.
    package let isEditSuperseded: Bool
    /// How many there are.
    package let arrivals: Int
    package let events: Int
    /// Calls to Xero that held its document.
    package let calls: Int
}

extension PostgresStore {
    package func arrivals(
        of letter: Int64, after: LetterFile.Arrival?, limit: Int
    ) async throws -> [LetterFile.Arrival] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT arrived_at, replay::bigint AS replay, cause, attempts::bigint AS attempts,
                       headers::text AS headers, occurrence
                  FROM dead_letter_arrival
                 WHERE letter_id = $1 AND ($2::timestamptz IS NULL OR (arrived_at, occurrence) < ($2, $3))
                 ORDER BY arrived_at DESC, occurrence DESC LIMIT $4
                """,
                [
                    .int(letter), after.map { $0.at.parameter } ?? .null,
                    after.map { .bytes($0.occurrence) } ?? .null, .int(Int64(limit)),
                ]
            ).map { row in
                LetterFile.Arrival(
                    at: try row.instant("arrived_at"), replay: Int(try row.int("replay")),
                    cause: try row.text("cause"), attempts: Int(try row.int("attempts")),
                    headers: try row.text("headers"), occurrence: try row.bytes("occurrence"))
            }
        }
    }

    package func events(of letter: Int64, after: LetterFile.Event?, limit: Int) async throws -> [LetterFile.Event] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT id, at, action, author, note FROM dead_letter_event
                 WHERE letter_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3
                """, [.int(letter), .int(after?.id ?? .max), .int(Int64(limit))]
            ).map { row in
                LetterFile.Event(
                    at: try row.instant("at"), action: try row.text("action"), author: try row.text("author"),
                    note: try row.textOrNil("note"), id: try row.int("id"))
            }
        }
    }

    /// By age, for which there is an index: the calls between the document's making and now.
    ///
    /// - Parameter document: SQL for a document's id.
    static func callsOf(_ document: String) -> String {
        """
        FROM document AS d JOIN attempt AS a ON a.sent_at >= d.created_at
         WHERE d.id = \(document) AND a.organisation = d.organisation AND a.ids @> ARRAY[d.id]
        """
    }

    package func calls(about document: Int64, after: LetterFile.Call?, limit: Int) async throws -> [LetterFile.Call] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT a.id, a.sent_at, a.kind, a.idempotency_key, a.outcome \(Self.callsOf("$1"))
                   AND ($2::timestamptz IS NULL OR (a.sent_at, a.id) < ($2, $3))
                 ORDER BY a.sent_at DESC, a.id DESC LIMIT $4
                """,
                [
                    .int(document), after.map { $0.at.parameter } ?? .null, after.map { .int($0.id) } ?? .null,
                    .int(Int64(limit)),
                ]
            ).map { row in
                LetterFile.Call(
                    at: try row.instant("sent_at"), kind: try row.text("kind"), key: try row.text("idempotency_key"),
                    outcome: try row.textOrNil("outcome"), id: try row.int("id"))
            }
        }
    }
}
