package import Alerting
package import Domain
import Postgres

/// The books of alerts: what stands, who was told, what is to be delivered.
///
/// Every instant comes from the caller's clock, so that quiet hours and periods can be tested to the minute.
package protocol AlertStore: LeaseStore {
    /// Open alerts, and those resolved since `since`.
    func knownAlerts(resolvedSince since: Instant) async throws -> [KnownAlert]
    func mutes(at now: Instant) async throws -> [Mute]
    /// Writes all steps and their messages in one transaction, or nothing where the lease was lost.
    func record(_ steps: [AlertStep], _ telling: AlertTelling, lease: Lease, at now: Instant) async throws
    /// Of each channel the oldest message that is due, taken for `hold`: a process that dies with it in hand leaves it
    /// to be sent again after that.
    func takeDeliveries(
        _ channels: [String], hold: Duration, at now: Instant
    ) async throws -> [AlertDelivery]
    func recordDelivered(_ id: Int64, at now: Instant) async throws
    /// - Parameter nextTry: nil: it is given up.
    func recordFailed(_ id: Int64, _ error: String, nextTry: Instant?, at now: Instant) async throws
    func alertCounts() async throws -> AlertCounts
    /// Deletes alerts that ended before a moment, with their messages: at most `limit`, the oldest first. One with a
    /// message that is still to be delivered is left.
    ///
    /// - Returns: how many it were.
    func forgetAlerts(resolvedBefore moment: Instant, limit: Int) async throws -> Int
}

/// How notices become messages.
package struct AlertTelling: Sendable {
    /// The channels a notice goes to; none where nobody is to be written to.
    package let channels: @Sendable (Notice) -> [String]
    package let clock: PlaceClock
    /// More than these for one channel at one time become one message.
    package let digestAfter: Int

    package init(channels: @escaping @Sendable (Notice) -> [String], clock: PlaceClock, digestAfter: Int) {
        self.channels = channels
        self.clock = clock
        self.digestAfter = digestAfter
    }

    /// The messages, each with its channel and with what it tells.
    func messages(_ told: [ToldAlert]) -> [AlertMessage] {
        var bundles: [Bundle: [ToldAlert]] = [:]
        for told in told {
            for channel in channels(told.notice) {
                let bundle = Bundle(
                    channel: channel, notBefore: told.notice.notBefore, isEnd: told.notice.reason == .resolved)
                bundles[bundle, default: []].append(told)
            }
        }
        return bundles.sorted { $0.key < $1.key }.flatMap { bundle, told in
            told.count > digestAfter
                ? [AlertMessage(bundle.channel, told, AlertText(digest: told, clock: clock))]
                : told.map { AlertMessage(bundle.channel, [$0], AlertText($0, clock: clock)) }
        }
    }

    /// What may go out together.
    private struct Bundle: Hashable, Comparable {
        let channel: String
        let notBefore: Instant
        let isEnd: Bool

        static func < (a: Self, b: Self) -> Bool {
            (a.channel, a.notBefore, a.isEnd ? 0 : 1) < (b.channel, b.notBefore, b.isEnd ? 0 : 1)
        }
    }
}

/// One message for one channel.
struct AlertMessage {
    let channel: String
    /// What it tells: at least one alert. It is kept under the first, and shown on all of them.
    let told: [ToldAlert]
    let text: AlertText

    init(_ channel: String, _ told: [ToldAlert], _ text: AlertText) {
        self.channel = channel
        self.told = told
        self.text = text
    }
}

package struct AlertDelivery: Sendable, Hashable {
    package let id: Int64
    package let channel: String
    package let notice: String
    package let subject: String
    package let body: String
    package let payload: String
    /// With this one.
    package let attempts: Int
    package let createdAt: Instant

    package init(
        id: Int64, channel: String, notice: String, subject: String, body: String, payload: String, attempts: Int,
        createdAt: Instant
    ) {
        self.id = id
        self.channel = channel
        self.notice = notice
        self.subject = subject
        self.body = body
        self.payload = payload
        self.attempts = attempts
        self.createdAt = createdAt
    }
}

package struct AlertCounts: Sendable, Equatable {
    package var open: [AlertKind: Int] = [:]
    /// Messages that are not delivered yet, those held for quiet hours included.
    package var waiting = 0
    package var givenUp = 0

    package init(open: [AlertKind: Int] = [:], waiting: Int = 0, givenUp: Int = 0) {
        self.open = open
        self.waiting = waiting
        self.givenUp = givenUp
    }
}

extension PostgresStore: AlertStore {
    package func knownAlerts(resolvedSince since: Instant) async throws -> [KnownAlert] {
        try await pool.withSession { session in
            let columns = """
                id, key, kind, organisation, opened_at, last_seen, resolved_at, first_told, last_told,
                notices::bigint AS notices, escalated_at
                """
            return try session.query(
                """
                SELECT \(columns) FROM alert WHERE resolved_at IS NULL
                UNION ALL SELECT \(columns) FROM alert WHERE resolved_at >= $1
                """, [since.parameter]
            ).compactMap { row in
                // A kind that an earlier or later version knows: its alerts are left alone.
                guard let kind = AlertKind(rawValue: try row.text("kind")) else { return nil }
                return KnownAlert(
                    id: try row.int("id"), key: try row.text("key"), kind: kind,
                    organisation: OrganisationKey(orNil: try row.text("organisation")),
                    openedAt: try row.instant("opened_at"), lastSeen: try row.instant("last_seen"),
                    resolvedAt: try row.instantOrNil("resolved_at"), firstTold: try row.instantOrNil("first_told"),
                    lastTold: try row.instantOrNil("last_told"), notices: Int(try row.int("notices")),
                    escalatedAt: try row.instantOrNil("escalated_at"))
            }
        }
    }

    package func record(
        _ steps: [AlertStep], _ telling: AlertTelling, lease: Lease, at now: Instant
    ) async throws {
        guard !steps.isEmpty else { return }
        try await pool.transaction { session in
            // Locks the lease's row: whoever takes it over finds these steps written, or none of them.
            let held = try session.query(
                "SELECT fence FROM lease WHERE name = $1 AND fence = $2 AND until > now() FOR SHARE",
                [.text(lease.name), .int(lease.fence)])
            guard held.count == 1 else { throw LeaseLost(count: 1) }
            var told: [ToldAlert] = []
            for step in steps {
                let (alert, concern, opened) = try Self.write(step, session, now)
                for notice in step.notices {
                    try Self.note(notice, alert, session)
                    told.append(ToldAlert(notice, alert: alert, concern, openedAt: opened))
                }
            }
            for message in telling.messages(told) { try Self.send(message, session, now) }
        }
    }

    private static func write(
        _ step: AlertStep, _ session: PostgresSession, _ now: Instant
    ) throws -> (id: Int64, concern: Concern, openedAt: Instant) {
        switch step {
        case .open(let concern, _):
            let rows = try session.query(
                """
                INSERT INTO alert (place, title, cause, remedy, command, since, count, amount, last_seen, opened_at,
                                   key, kind, organisation)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11, $12)
                RETURNING id, opened_at
                """,
                concern.parameters(now) + [
                    .text(concern.key), .text(concern.kind.rawValue), .text(concern.organisation?.text ?? ""),
                ])
            return (try rows[0].int("id"), concern, try rows[0].instant("opened_at"))
        case .reopen(let id, let concern, _), .keep(let id, let concern, _):
            // Opened again, it is as late as it has stood since then, and nobody of the second line knows of it.
            let rows = try session.query(
                """
                UPDATE alert SET place = $1, title = $2, cause = $3, remedy = $4, command = $5, since = $6, count = $7,
                                 amount = $8, last_seen = $9, resolved_at = NULL,
                                 first_told = CASE WHEN resolved_at IS NULL THEN first_told ELSE $9 END,
                                 escalated_at = CASE WHEN resolved_at IS NULL THEN escalated_at END
                 WHERE id = $10 RETURNING opened_at
                """, concern.parameters(now) + [.int(id)])
            return (id, concern, try rows.first?.instant("opened_at") ?? now)
        case .resolve(let id, _):
            let row = try session.query(
                """
                UPDATE alert SET resolved_at = $2 WHERE id = $1
                RETURNING key, kind, organisation, place, title, cause, remedy, command, since, count, amount, opened_at
                """, [.int(id), now.parameter]
            ).first
            guard let row, let concern = try Concern(row) else { throw LeaseLost(count: 1) }
            return (id, concern, try row.instant("opened_at"))
        }
    }

    private static func note(_ notice: Notice, _ alert: Int64, _ session: PostgresSession) throws {
        guard notice.reason != .resolved else { return }
        try session.execute(
            """
            UPDATE alert SET notices = $2, last_told = $3, first_told = coalesce(first_told, $3),
                             escalated_at = CASE WHEN $4 THEN $3 ELSE escalated_at END
             WHERE id = $1
            """,
            [
                .int(alert), .int(Int64(notice.ordinal)), notice.notBefore.parameter,
                .bool(notice.reason == .escalated),
            ])
    }

    /// Written once: the lease is held, and all or nothing is committed. An end may be told a second time, of an alert
    /// that was opened again without a word: its number is then one that was used, and the next free one is taken.
    private static func send(_ message: AlertMessage, _ session: PostgresSession, _ now: Instant) throws {
        let (first, text) = (message.told[0], message.text)
        let delivery = try session.query(
            """
            INSERT INTO alert_delivery
                   (alert_id, notice, ordinal, channel, subject, body, payload, created_at, next_try)
            SELECT $1, $2, CASE WHEN $2 = 'resolved'
                       THEN greatest($3::bigint, (SELECT max(ordinal) + 1 FROM alert_delivery
                                                   WHERE alert_id = $1 AND notice = $2 AND channel = $4))
                       ELSE $3::bigint END, $4, $5, $6, $7, $8, $9
            ON CONFLICT (alert_id, notice, ordinal, channel) DO NOTHING
            RETURNING id
            """,
            [
                .int(first.alert), .text(first.notice.reason.rawValue), .int(Int64(first.notice.ordinal)),
                .text(message.channel), .text(text.subject), .text(text.body), .text(text.payload), now.parameter,
                first.notice.notBefore.parameter,
            ]
        ).first
        guard let delivery, message.told.count > 1 else { return }
        try session.execute(
            "INSERT INTO alert_digest (alert_id, delivery_id) SELECT unnest($1::bigint[]), $2 ON CONFLICT DO NOTHING",
            [.ints(message.told.dropFirst().map { $0.alert }), .int(try delivery.int("id"))])
    }
}

extension Instant {
    var parameter: PostgresValue { .timestamp(microsecondsSince1970: microseconds) }
}

extension PostgresRow {
    func instant(_ column: PostgresColumn) throws -> Instant { Instant(microseconds: try timestamp(column)) }
    func instantOrNil(_ column: PostgresColumn) throws -> Instant? {
        try timestampOrNil(column).map { Instant(microseconds: $0) }
    }
}

extension OrganisationKey {
    /// Tables have '' where there is none.
    init?(orNil text: String) {
        guard !text.isEmpty else { return nil }
        self.init(text)
    }
}

extension Concern {
    /// In the order in which the statements above take them.
    fileprivate func parameters(_ now: Instant) -> [PostgresValue] {
        [
            .text(place.storable), .text(title.storable), .text(cause.storable), .text(remedy.storable),
            .text(command.storable), since.map(\.parameter) ?? .null, count.map { .int(Int64($0)) } ?? .null,
            amount.map { .text($0) } ?? .null, now.parameter,
        ]
    }

    init?(_ row: PostgresRow) throws {
        guard let kind = AlertKind(rawValue: try row.text("kind")) else { return nil }
        self.init(
            kind, subject: String(try row.text("key").dropFirst(kind.rawValue.count + 1)),
            organisation: OrganisationKey(orNil: try row.text("organisation")), place: try row.text("place"),
            title: try row.text("title"), cause: try row.text("cause"), remedy: try row.text("remedy"),
            command: try row.text("command"), since: try row.instantOrNil("since"),
            count: try row.intOrNil("count").map { Int($0) }, amount: try row.textOrNil("amount"))
    }
}

extension String {
    /// PostgreSQL has no text with NUL.
    fileprivate var storable: String { contains("\0") ? replacing("\0", with: " ") : self }
}
