package import Domain
import Postgres

/// What a person does at the desk. Every action leaves an event with its author, which is never changed.
package protocol DeskActions: Sendable {
    /// Marks letters to be sent again. One that is on its way already is left alone.
    ///
    /// - Parameter again: also those in flight, resolved or discarded: for a message that was lost by hand.
    func queueReplay(_ filter: LetterFilter, by author: String, again: Bool) async throws -> Touched
    func discard(_ filter: LetterFilter, by author: String, reason: String) async throws -> Touched
    func assign(_ filter: LetterFilter, to person: String?, by author: String) async throws -> Touched
    /// Which of these letters are still on their way, and how many of them are resolved.
    func outcome(of letters: [Int64]) async throws -> (inFlight: [Int64], resolved: Int)
    /// The record a replay of this letter would send, as it stands now.
    func payload(of letter: Int64) async throws -> LetterPayload?
    /// Keeps the corrected record beside the original. A replay sends it.
    ///
    /// - Throws: ``DeskRefusal`` where the letter changed since it was read, or is in flight.
    func edit(_ payload: LetterPayload, to body: [UInt8], by author: String, reason: String?) async throws
    /// What the action would do, without doing it.
    func preview(_ filter: LetterFilter, forReplay: Bool) async throws -> Touched
}

/// How many letters an action meant, and what they come to.
package struct Touched: Sendable, Equatable {
    /// Done with these.
    package var count: Int
    /// Exact digits per currency-less sum: letters of one organisation have one currency.
    package var amount: String
    /// Meant by the filter, but on their way, closed, or with nothing to send.
    package var passedOver: Int
    /// Which those are, where letters were marked to be sent again: others may be on their way as well.
    package var letters: [Int64] = []
}

package struct LetterPayload: Sendable {
    package let letter: Int64
    package let body: [UInt8]
    package let edits: Int
    package let isRecord: Bool
    /// The order is in the books, by a document of its own or in its day's summary: another site would give it a second
    /// number.
    package let isBooked: Bool
    /// A version of the order that was accepted; nil where there is none.
    package let accepted: [UInt8]?
    /// When the fleet first saw the version that `body` is or was made of.
    package let firstSeen: Instant
}

package struct DeskRefusal: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}

extension PostgresStore: DeskActions {
    /// Whether there is anything to send: SQL for a row called `name`.
    static func isReplayable(_ name: String) -> String {
        "(NOT \(name).is_truncated AND coalesce(\(name).lacks, '') <> 'nothing')"
    }

    package func queueReplay(_ filter: LetterFilter, by author: String, again: Bool) async throws -> Touched {
        try await pool.transaction { session in
            var filter = filter
            if again { filter.states = LetterState.allCases }
            let meant = try Self.count(filter, session)
            if !again { filter.states = [.open] }
            var touched = try Self.queue(filter, by: author, note: again ? "again" : nil, session)
            touched.passedOver = meant - touched.count
            return touched
        }
    }

    /// The in-flight mark: only what is in the filter's states is marked, under the row's lock, so that two people who
    /// replay the same letters at the same moment send each of them once.
    static func queue(
        _ filter: LetterFilter, by author: String, note: String?, _ session: PostgresSession
    ) throws -> Touched {
        // A hundred thousand rows take longer than a statement usually may.
        try session.limitStatements(to: .seconds(300))
        let condition = LetterCondition(filter, after: [.text(author), note.map { .text($0) } ?? .null])
        let rows = try session.query(
            """
            WITH chosen AS (
                SELECT l.id FROM dead_letter AS l WHERE \(condition.sql) AND \(isReplayable("l"))
                 ORDER BY l.id FOR UPDATE
            ), marked AS (
                UPDATE dead_letter AS l
                   SET state = 'queued', replays = l.replays + 1, replayed_by = $1, taken_at = NULL,
                       published_at = NULL, mapped_at = NULL, closed_at = NULL, outcome = NULL
                  FROM chosen WHERE l.id = chosen.id RETURNING l.id, l.amount
            ), told AS (
                INSERT INTO dead_letter_event (letter_id, action, author, note)
                SELECT id, 'replayed', $1, $2::text FROM marked
            )
            SELECT coalesce(array_agg(id), '{}') AS letters, coalesce(sum(amount), 0) AS amount FROM marked
            """, condition.parameters)
        let letters = try rows.first?.ints("letters").compactMap(\.self) ?? []
        return Touched(
            count: letters.count, amount: try rows.first?.numeric("amount") ?? "0", passedOver: 0, letters: letters)
    }

    package func outcome(of letters: [Int64]) async throws -> (inFlight: [Int64], resolved: Int) {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT coalesce(array_agg(id) FILTER (WHERE state IN ('queued', 'replaying')), '{}') AS moving,
                       count(*) FILTER (WHERE state = 'resolved') AS resolved
                  FROM dead_letter WHERE id = ANY($1::bigint[])
                """, [.ints(letters.map { $0 })])
            guard let row = rows.first else { return ([], 0) }
            return (try row.ints("moving").compactMap(\.self), Int(try row.int("resolved")))
        }
    }

    private static func count(_ filter: LetterFilter, _ session: PostgresSession) throws -> Int {
        let condition = LetterCondition(filter)
        return Int(
            try session.query(
                "SELECT count(*) AS letters FROM dead_letter AS l WHERE \(condition.sql)", condition.parameters
            ).first?.int("letters") ?? 0)
    }

    package func preview(_ filter: LetterFilter, forReplay: Bool) async throws -> Touched {
        try await pool.withSession { session in
            let condition = LetterCondition(filter)
            let usable = forReplay ? "l.state = 'open' AND \(Self.isReplayable("l"))" : "true"
            let rows = try session.query(
                """
                SELECT count(*) AS meant, count(*) FILTER (WHERE \(usable)) AS letters,
                       coalesce(sum(l.amount) FILTER (WHERE \(usable)), 0) AS amount
                  FROM dead_letter AS l WHERE \(condition.sql)
                """, condition.parameters)
            guard let row = rows.first else { return Touched(count: 0, amount: "0", passedOver: 0) }
            let count = Int(try row.int("letters"))
            return Touched(
                count: count, amount: try row.numeric("amount"), passedOver: Int(try row.int("meant")) - count)
        }
    }

    package func discard(_ filter: LetterFilter, by author: String, reason: String) async throws -> Touched {
        // What is in flight is not taken out of the air: it comes down as resolved or open first.
        try await change(
            filter, only: [.open], by: author, action: "discarded", note: reason,
            set: "state = 'discarded', closed_at = now(), outcome = 'discarded'")
    }

    package func assign(_ filter: LetterFilter, to person: String?, by author: String) async throws -> Touched {
        let touched = try await change(
            filter, only: LetterState.unclosed, by: author, action: "assigned", note: person, set: "assignee = $2")
        if let group = filter.group {
            _ = try await pool.withSession {
                try $0.execute(
                    "UPDATE dead_letter_group SET assignee = $2 WHERE id = $1",
                    [.int(group), person.map { .text($0) } ?? .null])
            }
        }
        return touched
    }

    private func change(
        _ filter: LetterFilter, only states: [LetterState], by author: String, action: String, note: String?,
        set: String
    ) async throws -> Touched {
        try await pool.transaction { session in
            try session.limitStatements(to: .seconds(300))
            let meant = try Self.count(filter, session)
            var filter = filter
            filter.states = filter.states.filter { states.contains($0) }
            let condition = LetterCondition(
                filter, after: [.text(author), note.map { .text($0) } ?? .null, .text(action)])
            let rows = try session.query(
                """
                WITH chosen AS (
                    SELECT l.id FROM dead_letter AS l WHERE \(condition.sql) ORDER BY l.id FOR UPDATE
                ), changed AS (
                    UPDATE dead_letter AS l SET \(set) FROM chosen WHERE l.id = chosen.id RETURNING l.id, l.amount
                ), told AS (
                    INSERT INTO dead_letter_event (letter_id, action, author, note)
                    SELECT id, $3, $1, $2::text FROM changed
                )
                SELECT count(*) AS letters, coalesce(sum(amount), 0) AS amount FROM changed
                """, condition.parameters)
            let count = Int(try rows.first?.int("letters") ?? 0)
            return Touched(
                count: count, amount: try rows.first?.numeric("amount") ?? "0", passedOver: meant - count)
        }
    }

    package func payload(of letter: Int64) async throws -> LetterPayload? {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT l.id, l.edits,
                       s.hash IS NOT NULL OR (l.document_id IS NULL AND l.source_id IS NOT NULL) AS is_record,
                       coalesce(e.body, s.body, l.body) AS body, coalesce(e.seen, s.first_seen, l.first_seen) AS seen,
                       l.document_id IS NOT NULL OR a.body IS NOT NULL
                           OR EXISTS (SELECT FROM posting_claim AS c
                                       WHERE c.company = l.company AND c.source_id = l.source_id)
                           OR EXISTS (SELECT FROM document AS x
                                       WHERE x.organisation = l.organisation AND x.number = l.number) AS is_booked,
                       a.body AS accepted
                  FROM dead_letter AS l
                  LEFT JOIN document AS d ON d.id = l.document_id
                  LEFT JOIN LATERAL (
                      SELECT hash, body, first_seen FROM source_record AS r
                       WHERE r.company = d.company AND r.kind = d.source_kind AND r.id = d.source_id
                       ORDER BY r.first_seen DESC LIMIT 1) AS s ON true
                  LEFT JOIN LATERAL (\(Self.usableEdit("l"))) AS e ON true
                  LEFT JOIN LATERAL (
                      SELECT r.body FROM source_record AS r
                       WHERE r.company = l.company AND r.kind = l.source_kind AND r.id = l.source_id
                       UNION ALL
                      SELECT t.body FROM takings AS t
                       WHERE l.source_kind = 'takings' AND t.company = l.company AND t.id = l.source_id
                       LIMIT 1) AS a ON true
                 WHERE l.id = $1
                """, [.int(letter)]
            ).first.map { row in
                LetterPayload(
                    letter: try row.int("id"), body: try row.bytes("body"), edits: Int(try row.int("edits")),
                    isRecord: try row.bool("is_record"), isBooked: try row.bool("is_booked"),
                    accepted: try row.bytesOrNil("accepted"), firstSeen: try row.instant("seen"))
            }
        }
    }

    package func edit(
        _ payload: LetterPayload, to body: [UInt8], by author: String, reason: String?
    ) async throws {
        try await pool.transaction { session in
            let changed = try session.execute(
                """
                UPDATE dead_letter
                   SET edited_body = $3, edited_from = $4, edits = edits + 1, is_truncated = false
                 WHERE id = $1 AND edits = $2 AND state = 'open'
                """, [.int(payload.letter), .int(Int64(payload.edits)), .bytes(body), payload.firstSeen.parameter])
            guard changed == 1 else {
                throw DeskRefusal(
                    "letter \(payload.letter) was changed or sent by somebody else meanwhile; look at it again")
            }
            _ = try session.execute(
                """
                INSERT INTO dead_letter_event (letter_id, action, author, note, before, after)
                VALUES ($1, 'edited', $2, $3, $4, $5)
                """,
                [
                    .int(payload.letter), .text(author), reason.map { .text($0) } ?? .null, .bytes(payload.body),
                    .bytes(body),
                ])
        }
    }
}
