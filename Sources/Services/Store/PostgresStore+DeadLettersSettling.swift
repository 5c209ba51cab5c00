package import Domain
import Postgres

/// What the desk does by itself: it sees what became of letters that were sent again, closes groups, and sends one
/// letter of a group ahead to learn whether its cause is gone.
package protocol SettlingStore: Sendable {
    /// Closes letters whose document stands in the ledger, paid; opens again those whose document was refused again.
    func settleReplays() async throws -> Settlement
    /// Closes letters that were dealt with by another way: the document was booked, or a later version of the order.
    func settleOpen() async throws -> Int
    /// Closes groups whose letters are all dealt with. Who looked after one looked after this occurrence of its cause:
    /// the next is nobody's again.
    func closeGroups() async throws -> [ClosedGroup]
    /// Sends probes ahead, and after a probe that went through the rest of its group.
    ///
    /// - Parameter interval: from a group's opening to its first probe, and doubled with each that comes back.
    func probe(_ interval: Duration) async throws -> [Probing]
    /// All open groups are probed soon: the configuration may have changed.
    func probeSoon() async throws
    func openLetters() async throws -> OpenLetters
}

package struct Settlement: Sendable, Equatable {
    package var resolved = 0
    package var returned = 0
    /// Letters still on their way.
    package var isAnythingLeft = false
    package init() {}
}

package struct ClosedGroup: Sendable {
    package let id: Int64
    package let deadLetterClass: String
    package let fingerprint: String
}

package struct Probing: Sendable {
    package enum Outcome: Sendable { case sent, cameBack, healed(Int) }
    package let group: Int64
    package let outcome: Outcome
}

package struct OpenLetters: Sendable {
    package var counts: [DeadLetterClass: Int] = [:]
    /// When the oldest of them was first seen.
    package var oldest: Instant?
    package var inFlight = 0
    package init() {}
}

extension PostgresStore: SettlingStore {
    /// Of a document that was taken back, because the order was deleted or changed at the till.
    private static let isGone = "(d.state IN ('withdrawn', 'voided') AND d.closed_at IS NOT NULL)"
    private static let goneOutcome = "the order says something else now, and its document was taken back"

    private static let isUnpaid =
        "EXISTS (SELECT FROM payment AS p WHERE p.document_id = d.id AND p.state = 'refused')"

    package func settleReplays() async throws -> Settlement {
        try await pool.transaction { session in
            var settlement = Settlement()
            settlement.resolved = try session.query(
                """
                UPDATE dead_letter AS l SET state = 'resolved', closed_at = now(), outcome = 'booked'
                  FROM document AS d
                 WHERE l.state = 'replaying' AND l.mapped_at IS NOT NULL AND d.id = l.document_id
                   AND d.state = 'written' AND d.closed_at IS NOT NULL AND NOT \(Self.isUnpaid)
                RETURNING l.id
                """
            ).count
            settlement.resolved += try session.query(
                """
                UPDATE dead_letter AS l SET state = 'resolved', closed_at = now(), outcome = $1
                  FROM document AS d
                 WHERE l.state = 'replaying' AND l.mapped_at IS NOT NULL AND d.id = l.document_id AND \(Self.isGone)
                RETURNING l.id
                """, [.text(Self.goneOutcome)]
            ).count
            // A refusal comes back as a letter within moments. Where it does not (its writer was killed between the
            // two), the document says it.
            let back = try session.query(
                """
                UPDATE dead_letter AS l SET state = 'open', cause = coalesce(d.cause, l.cause)
                  FROM document AS d
                 WHERE l.state = 'replaying' AND l.mapped_at IS NOT NULL AND d.id = l.document_id
                   AND d.closed_at < now() - interval '30 seconds' AND (d.state = 'refused' OR \(Self.isUnpaid))
                RETURNING l.id
                """
            ).map { try $0.int("id") }
            settlement.returned = back.count
            if !back.isEmpty {
                _ = try session.execute(
                    """
                    INSERT INTO dead_letter_event (letter_id, action, author)
                    SELECT id, 'came back', 'desk' FROM unnest($1::bigint[]) AS u (id)
                    """, [.ints(back.map { $0 })])
            }
            settlement.isAnythingLeft =
                try session.query(
                    """
                    SELECT EXISTS (SELECT FROM dead_letter WHERE state = 'replaying')
                        OR EXISTS (SELECT FROM dead_letter WHERE state = 'queued') AS found
                    """
                ).first?.bool("found") ?? false
            return settlement
        }
    }

    package func settleOpen() async throws -> Int {
        try await pool.transaction { session in
            let booked = try session.query(
                """
                UPDATE dead_letter AS l SET state = 'resolved', closed_at = now(), outcome = 'booked by another way'
                  FROM document AS d
                 WHERE l.state = 'open' AND l.lacks IN ('invoice', 'payment') AND d.id = l.document_id
                   AND d.state = 'written' AND d.closed_at IS NOT NULL AND NOT \(Self.isUnpaid)
                RETURNING l.id
                """)
            let outdated = try session.query(
                """
                UPDATE dead_letter AS l
                   SET state = 'resolved', closed_at = now(), outcome = \(Self.outdatedOutcome)
                 WHERE l.state = 'open' AND \(Self.isOutdated) RETURNING l.id
                """)
            let gone = try session.query(
                """
                UPDATE dead_letter AS l SET state = 'resolved', closed_at = now(), outcome = $1
                  FROM document AS d
                 WHERE l.state = 'open' AND l.lacks IN ('invoice', 'payment') AND d.id = l.document_id
                   AND \(Self.isGone)
                RETURNING l.id
                """, [.text(Self.goneOutcome)])
            return booked.count + outdated.count + gone.count
        }
    }

    package func closeGroups() async throws -> [ClosedGroup] {
        try await pool.transaction { session in
            // Locked first and looked at afterwards: a letter that arrives meanwhile holds its group's row until it is
            // committed, so the look sees it.
            let open = try session.query(
                "SELECT id FROM dead_letter_group WHERE closed_at IS NULL ORDER BY id FOR UPDATE SKIP LOCKED"
            ).map { try $0.int("id") }
            return try session.query(
                """
                UPDATE dead_letter_group AS g SET closed_at = now(), probe = NULL, probes = 0, assignee = NULL
                 WHERE g.id = ANY($1::bigint[]) AND NOT EXISTS (
                       SELECT FROM dead_letter AS l
                        WHERE l.group_id = g.id AND l.state IN ('open', 'queued', 'replaying'))
                RETURNING g.id, g.class, g.fingerprint
                """, [.ints(open.map { $0 })]
            ).map {
                ClosedGroup(
                    id: try $0.int("id"), deadLetterClass: try $0.text("class"),
                    fingerprint: try $0.text("fingerprint"))
            }
        }
    }

    package func probeSoon() async throws {
        _ = try await pool.withSession {
            try $0.execute("UPDATE dead_letter_group SET next_probe = now(), probes = 0 WHERE closed_at IS NULL")
        }
    }

    private static let healing = DeadLetterClass.allCases.filter(\.canHeal).map { "'\($0.rawValue)'" }
        .joined(separator: ", ")

    /// Of each group the letter that was sent least often goes ahead: where the cause is gone for some of its letters
    /// only (a lock date that was moved by a month), those are found.
    package func probe(_ interval: Duration) async throws -> [Probing] {
        try await pool.transaction { session in
            var probings = try Self.judgeProbes(interval, session)
            let due = try session.query(
                """
                SELECT g.id, l.id AS letter
                  FROM dead_letter_group AS g
                 CROSS JOIN LATERAL (
                       SELECT o.id FROM dead_letter AS o
                        WHERE o.group_id = g.id AND o.state = 'open' AND \(Self.isReplayable("o"))
                        ORDER BY o.replays, o.id LIMIT 1) AS l
                 WHERE g.closed_at IS NULL AND g.probe IS NULL AND g.class IN (\(Self.healing))
                   AND greatest(g.next_probe, g.opened_at + $1 * interval '1 millisecond') <= now()
                 ORDER BY g.id LIMIT 100 FOR UPDATE OF g SKIP LOCKED
                """, [.int(interval.milliseconds)])
            for row in due {
                var filter = LetterFilter()
                filter.ids = [try row.int("letter")]
                filter.states = [.open]
                guard try Self.queue(filter, by: "desk", note: "probe", session).count == 1 else { continue }
                _ = try session.execute(
                    """
                    UPDATE dead_letter_group SET probe = $2,
                           probe_replay = (SELECT replays FROM dead_letter WHERE id = $2) WHERE id = $1
                    """, [.int(try row.int("id")), .int(try row.int("letter"))])
                probings.append(Probing(group: try row.int("id"), outcome: .sent))
            }
            return probings
        }
    }

    /// So begin the outcomes of letters in whose place a later version of their order was sent.
    static let laterVersion = "a later version"

    private static let longestWait = "interval '1 hour'"

    /// A probe that went through brings the rest of its group after it; one that came back waits twice as long. So does
    /// a group whose probe went through and whose rest came back: it is not sent round and round. One whose order said
    /// something else by then was not sent, and tells nothing of the cause: the next one goes ahead at once.
    private static func judgeProbes(_ interval: Duration, _ session: PostgresSession) throws -> [Probing] {
        let rows = try session.query(
            """
            SELECT g.id, l.state = 'resolved' AS through,
                   l.state = 'resolved' AND starts_with(l.outcome, '\(Self.laterVersion)') AS superseded
              FROM dead_letter_group AS g JOIN dead_letter AS l ON l.id = g.probe
             WHERE g.closed_at IS NULL AND g.probe IS NOT NULL
               AND (l.state NOT IN ('queued', 'replaying') OR l.replays <> g.probe_replay)
             ORDER BY g.id FOR UPDATE OF g SKIP LOCKED
            """)
        var probings: [Probing] = []
        for row in rows {
            let group = try row.int("id")
            if try row.boolOrNil("superseded") == true {
                _ = try session.execute(
                    "UPDATE dead_letter_group SET probe = NULL, next_probe = now() WHERE id = $1", [.int(group)])
                continue
            }
            _ = try session.execute(
                """
                UPDATE dead_letter_group
                   SET probe = NULL, probes = probes + 1, next_probe = now() + least(
                       \(longestWait), $2 * interval '1 millisecond' * power(2, least(probes, 20)))
                 WHERE id = $1
                """, [.int(group), .int(interval.milliseconds)])
            guard try row.bool("through") else {
                probings.append(Probing(group: group, outcome: .cameBack))
                continue
            }
            var rest = LetterFilter()
            rest.group = group
            rest.states = [.open]
            let count = try queue(rest, by: "desk", note: "the cause is gone", session).count
            probings.append(Probing(group: group, outcome: .healed(count)))
        }
        return probings
    }

    package func openLetters() async throws -> OpenLetters {
        try await pool.withSession { session in
            var result = OpenLetters()
            let rows = try session.query(
                """
                SELECT class, count(*) AS letters, min(first_seen) AS oldest,
                       count(*) FILTER (WHERE state <> 'open') AS moving
                  FROM dead_letter WHERE state IN ('open', 'queued', 'replaying') GROUP BY class
                """)
            for row in rows {
                let deadLetterClass = DeadLetterClass(rawValue: try row.text("class")) ?? .unknown
                result.counts[deadLetterClass, default: 0] += Int(try row.int("letters"))
                result.inFlight += Int(try row.int("moving"))
                let oldest = Instant(microseconds: try row.timestamp("oldest"))
                result.oldest = min(result.oldest ?? oldest, oldest)
            }
            return result
        }
    }
}
