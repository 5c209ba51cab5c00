import Postgres

/// Remembers messages that were in hand when a worker died, by queue and message.
package protocol SuspectStore: Sendable {
    /// How many workers died on each while it was watched; those without a record are not in the result. A trial that
    /// goes on elsewhere is no crash.
    func crashes(of messages: [String], in queue: String) async throws -> [String: Crashes]
    /// Counts a crash ahead: it is taken back when the worker lives.
    ///
    /// - Parameter isAlone: the worker has nothing else in hand that is watched.
    func beginTrial(of messages: [String], in queue: String, isAlone: Bool) async throws
    /// The worker lived, and they are done.
    func endTrial(of messages: [String], in queue: String) async throws
    /// The worker ends in order before they are done.
    func abandonTrial(of messages: [String], in queue: String) async throws
}

/// Workers that died with a message in hand.
package struct Crashes: Sendable, Hashable {
    package var all: Int
    /// Of these, those that had nothing else.
    package var alone: Int

    package init(all: Int, alone: Int) {
        self.all = all
        self.alone = alone
    }
}

extension PostgresStore: SuspectStore {
    package func crashes(of messages: [String], in queue: String) async throws -> [String: Crashes] {
        let holder = holder
        return try await pool.withSession { session in
            // Whoever tries it lives as long as one of its connections does: they carry its name.
            let rows = try session.query(
                """
                SELECT s.message, (s.crashes - CASE WHEN t.goes_on THEN 1 ELSE 0 END)::bigint AS crashes,
                       (s.alone - CASE WHEN t.goes_on AND s.trial_alone THEN 1 ELSE 0 END)::bigint AS alone
                  FROM suspect AS s
                 CROSS JOIN LATERAL (
                       SELECT s.trial_by IS NOT NULL AND (s.trial_by = $3 OR EXISTS (
                           SELECT FROM pg_stat_activity AS a WHERE a.application_name = left(s.trial_by, 63)
                       )) AS goes_on) AS t
                 WHERE s.queue = $1 AND s.message = ANY($2::text[])
                """, [.text(queue), .texts(messages), .text(holder)])
            var crashes: [String: Crashes] = [:]
            for row in rows {
                crashes[try row.text("message")] = Crashes(
                    all: Int(try row.int("crashes")), alone: Int(try row.int("alone")))
            }
            return crashes
        }
    }

    package func beginTrial(of messages: [String], in queue: String, isAlone: Bool) async throws {
        let holder = holder
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO suspect AS s (queue, message, crashes, alone, trial_by, trial_alone)
                SELECT DISTINCT $1, u.message, 1, CASE WHEN $3 THEN 1 ELSE 0 END, $4, $3
                  FROM unnest($2::text[]) AS u (message)
                ON CONFLICT (queue, message) DO UPDATE
                   SET crashes = s.crashes + 1, alone = s.alone + excluded.alone, trial_by = excluded.trial_by,
                       trial_alone = excluded.trial_alone
                """, [.text(queue), .texts(messages), .bool(isAlone), .text(holder)])
        }
    }

    package func endTrial(of messages: [String], in queue: String) async throws {
        try await change("DELETE FROM suspect WHERE queue = $1 AND message = ANY($2::text[])", messages, queue)
    }

    package func abandonTrial(of messages: [String], in queue: String) async throws {
        try await change(
            """
            UPDATE suspect
               SET crashes = greatest(0, crashes - 1),
                   alone = greatest(0, alone - CASE WHEN trial_alone THEN 1 ELSE 0 END),
                   trial_by = NULL, trial_alone = false
             WHERE queue = $1 AND message = ANY($2::text[])
            """, messages, queue)
    }

    private func change(_ sql: String, _ messages: [String], _ queue: String) async throws {
        _ = try await pool.withSession { try $0.execute(sql, [.text(queue), .texts(messages)]) }
    }
}
