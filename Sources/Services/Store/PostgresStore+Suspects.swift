import Postgres

/// Remembers messages that were in hand when a worker died, by queue and message id.
package protocol SuspectStore: Sendable {
    /// How many workers died on each while it was watched; those without a record are not in the result.
    func crashes(of messages: [String], in queue: String) async throws -> [String: Int]
    /// Counts a crash ahead: it is taken back when the worker lives.
    func beginTrial(of messages: [String], in queue: String) async throws
    /// The worker lived, and they are done.
    func endTrial(of messages: [String], in queue: String) async throws
    /// The worker ends in order before they are done.
    func abandonTrial(of messages: [String], in queue: String) async throws
}

extension PostgresStore: SuspectStore {
    package func crashes(of messages: [String], in queue: String) async throws -> [String: Int] {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT message, crashes::bigint AS crashes FROM suspect
                 WHERE queue = $1 AND message = ANY($2::text[])
                """, [.text(queue), .texts(messages)])
            var crashes: [String: Int] = [:]
            for row in rows { crashes[try row.text("message")] = Int(try row.int("crashes")) }
            return crashes
        }
    }

    package func beginTrial(of messages: [String], in queue: String) async throws {
        try await change(
            """
            INSERT INTO suspect AS s (queue, message, crashes)
            SELECT DISTINCT $1, u.message, 1 FROM unnest($2::text[]) AS u (message)
            ON CONFLICT (queue, message) DO UPDATE SET crashes = s.crashes + 1
            """, messages, queue)
    }

    package func endTrial(of messages: [String], in queue: String) async throws {
        try await change("DELETE FROM suspect WHERE queue = $1 AND message = ANY($2::text[])", messages, queue)
    }

    package func abandonTrial(of messages: [String], in queue: String) async throws {
        try await change(
            """
            UPDATE suspect SET crashes = greatest(0, crashes - 1) WHERE queue = $1 AND message = ANY($2::text[])
            """, messages, queue)
    }

    private func change(_ sql: String, _ messages: [String], _ queue: String) async throws {
        _ = try await pool.withSession { try $0.execute(sql, [.text(queue), .texts(messages)]) }
    }
}
