package import Alerting
package import Domain
import Postgres

extension PostgresStore {
    package func takeDeliveries(
        _ channels: [String], hold: Duration, at now: Instant
    ) async throws -> [AlertDelivery] {
        guard !channels.isEmpty else { return [] }
        return try await pool.transaction { session in
            // One a channel: a channel that fails delays no other, and none is flooded. Oldest first.
            let rows = try session.query(
                """
                WITH due AS (
                    SELECT d.id FROM unnest($1::text[]) AS c (channel)
                     CROSS JOIN LATERAL (
                        SELECT id FROM alert_delivery
                         WHERE channel = c.channel AND next_try <= $2 AND delivered_at IS NULL AND given_up_at IS NULL
                         ORDER BY next_try, id LIMIT 1 FOR UPDATE SKIP LOCKED) AS d
                )
                UPDATE alert_delivery AS a SET attempts = a.attempts + 1, next_try = $3 FROM due WHERE a.id = due.id
                RETURNING a.id, a.channel, a.notice, a.subject, a.body, a.payload, a.attempts::bigint AS attempts,
                          a.created_at
                """, [.texts(channels), now.parameter, now.adding(hold).parameter])
            return try rows.map { row in
                AlertDelivery(
                    id: try row.int("id"), channel: try row.text("channel"), notice: try row.text("notice"),
                    subject: try row.text("subject"), body: try row.text("body"), payload: try row.text("payload"),
                    attempts: Int(try row.int("attempts")), createdAt: try row.instant("created_at"))
            }
        }
    }

    package func recordDelivered(_ id: Int64, at now: Instant) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE alert_delivery SET delivered_at = $2, error = NULL WHERE id = $1", [.int(id), now.parameter])
        }
    }

    package func recordFailed(_ id: Int64, _ error: String, nextTry: Instant?, at now: Instant) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE alert_delivery
                   SET error = $2, next_try = coalesce($3::timestamptz, next_try),
                       given_up_at = CASE WHEN $3::timestamptz IS NULL THEN $4::timestamptz END
                 WHERE id = $1 AND delivered_at IS NULL
                """,
                [
                    .int(id), .text(String(error.prefix(500)).replacing("\0", with: " ")),
                    nextTry.map(\.parameter) ?? .null, now.parameter,
                ])
        }
    }

    package func alertCounts() async throws -> AlertCounts {
        try await pool.withSession { session in
            var counts = AlertCounts()
            let open = try session.query(
                "SELECT kind, count(*) AS open FROM alert WHERE resolved_at IS NULL GROUP BY kind")
            for row in open {
                if let kind = AlertKind(rawValue: try row.text("kind")) { counts.open[kind] = Int(try row.int("open")) }
            }
            let messages = try session.query(
                """
                SELECT (SELECT count(*) FROM alert_delivery
                         WHERE delivered_at IS NULL AND given_up_at IS NULL) AS waiting,
                       (SELECT count(*) FROM alert_delivery WHERE given_up_at IS NOT NULL) AS given_up
                """)
            if let row = messages.first {
                counts.waiting = Int(try row.int("waiting"))
                counts.givenUp = Int(try row.int("given_up"))
            }
            return counts
        }
    }

    package func forgetAlerts(resolvedBefore moment: Instant, limit: Int) async throws -> Int {
        try await pool.transaction { session in
            // By the index of ended alerts; of each its own messages by theirs.
            let old = try session.query(
                """
                SELECT a.id FROM alert AS a
                 WHERE a.resolved_at < $1 AND NOT EXISTS (
                       SELECT FROM alert_delivery AS d
                        WHERE d.alert_id = a.id AND d.delivered_at IS NULL AND d.given_up_at IS NULL)
                 ORDER BY a.resolved_at LIMIT $2 FOR UPDATE OF a SKIP LOCKED
                """, [moment.parameter, .int(Int64(limit))]
            ).map { try $0.int("id") }
            guard !old.isEmpty else { return 0 }
            let ids: [PostgresValue] = [.ints(old.map { $0 })]
            _ = try session.pipeline([
                (
                    """
                    DELETE FROM alert_digest
                     WHERE delivery_id IN (SELECT id FROM alert_delivery WHERE alert_id = ANY($1::bigint[]))
                    """, ids
                ),
                ("DELETE FROM alert_digest WHERE alert_id = ANY($1::bigint[])", ids),
                ("DELETE FROM alert_delivery WHERE alert_id = ANY($1::bigint[])", ids),
                ("DELETE FROM alert WHERE id = ANY($1::bigint[])", ids),
            ])
            return old.count
        }
    }

    // MARK: mutes

    package func mutes(at now: Instant) async throws -> [Mute] {
        try await keptMutes(at: now).map(\.mute)
    }

    package struct KeptMute: Sendable {
        package let id: Int64
        package let mute: Mute
        package let author: String
        package let reason: String
    }

    package func keptMutes(at now: Instant) async throws -> [KeptMute] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT id, kind, organisation, key, until, author, reason FROM alert_mute
                 WHERE until > $1 ORDER BY id
                """,
                [now.parameter]
            ).compactMap { row in
                let text = try row.text("kind")
                let kind = AlertKind(rawValue: text)
                // A kind that this version does not know must not become a mute of everything.
                guard kind != nil || text.isEmpty else { return nil }
                let key = try row.text("key")
                return KeptMute(
                    id: try row.int("id"),
                    mute: Mute(
                        kind: kind, organisation: OrganisationKey(orNil: try row.text("organisation")),
                        key: key.isEmpty ? nil : key, until: try row.instant("until")),
                    author: try row.text("author"), reason: try row.text("reason"))
            }
        }
    }

    package func mute(_ mute: Mute, author: String, reason: String) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO alert_mute (kind, organisation, key, until, author, reason) VALUES ($1, $2, $3, $4, $5, $6)
                """,
                [
                    .text(mute.kind?.rawValue ?? ""), .text(mute.organisation?.text ?? ""), .text(mute.key ?? ""),
                    mute.until.parameter, .text(author), .text(reason),
                ])
        }
    }

    /// - Returns: how many mutes ended.
    package func unmute(_ id: Int64?, at now: Instant) async throws -> Int {
        try await pool.withSession { session in
            try session.execute(
                "UPDATE alert_mute SET until = $2 WHERE until > $2 AND ($1::bigint IS NULL OR id = $1)",
                [id.map { .int($0) } ?? .null, now.parameter])
        }
    }

    // MARK: for people

    /// An alert as `tillbridge alerts list` shows it.
    package struct ListedAlert: Sendable {
        package let id: Int64
        package let concern: Concern
        package let openedAt: Instant
        package let resolvedAt: Instant?
        package let lastTold: Instant?
        package let escalatedAt: Instant?
        /// Messages that did not arrive yet, those that tell other alerts as well among them.
        package let undelivered: Int
        /// Of these the ones that are not tried any more.
        package let givenUp: Int
        /// What went wrong with the latest attempt that failed.
        package let error: String?
    }

    /// Open ones, oldest first; with `closedToo` the latest resolved ones as well.
    package func listedAlerts(closedToo: Bool) async throws -> [ListedAlert] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT a.*, d.undelivered, d.given_up, d.error
                  FROM ((SELECT * FROM alert WHERE resolved_at IS NULL ORDER BY id LIMIT 1000)
                        UNION ALL
                        (SELECT * FROM alert WHERE $1 AND resolved_at IS NOT NULL ORDER BY resolved_at DESC LIMIT 200))
                       AS a
                 CROSS JOIN LATERAL (
                    SELECT count(*) FILTER (WHERE delivered_at IS NULL) AS undelivered,
                           count(*) FILTER (WHERE given_up_at IS NOT NULL) AS given_up, max(error) AS error
                      FROM (SELECT * FROM alert_delivery WHERE alert_id = a.id
                            UNION ALL
                            SELECT m.* FROM alert_digest AS g JOIN alert_delivery AS m ON m.id = g.delivery_id
                             WHERE g.alert_id = a.id) AS told) AS d
                 ORDER BY a.id
                """, [.bool(closedToo)]
            ).compactMap { row in
                guard let concern = try Concern(row) else { return nil }
                return ListedAlert(
                    id: try row.int("id"), concern: concern, openedAt: try row.instant("opened_at"),
                    resolvedAt: try row.instantOrNil("resolved_at"), lastTold: try row.instantOrNil("last_told"),
                    escalatedAt: try row.instantOrNil("escalated_at"), undelivered: Int(try row.int("undelivered")),
                    givenUp: Int(try row.int("given_up")), error: try row.textOrNil("error"))
            }
        }
    }
}
