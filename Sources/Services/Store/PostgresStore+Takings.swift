package import Domain
package import Mapping
import Postgres
package import Settings

extension PostgresStore {
    package func takeIn(
        _ takings: DayTakings, at moment: Instant, _ entries: @Sendable (DayKey, [[UInt8]]) throws -> [DayEntry]
    ) async throws {
        let key = takings.key
        try await pool.transaction { session in
            // Of two versions of one record the second sees where the first has put it.
            try Self.lock([SourceKey(company: key.company, kind: .takings, id: takings.id)], session)
            _ = try session.execute(
                Self.insertDays,
                [
                    .texts([key.company.text]), .texts([key.site.text]), .dates([key.day.description]),
                    .texts([takings.organisation.text]), .texts([takings.venue]), .texts([takings.mode.rawValue]),
                ])
            let before = try Self.day(ofTakings: takings, session)
            let days = before.map { $0 == key ? [key] : [$0, key] } ?? [key]
            // Before anything of them is read: two registers' takings may come at the same moment.
            try Self.lock(days, session)
            let isNews = try Self.store(takings, session)
            // What is written back waits for the day's documents, and those of single orders are not its own.
            if isNews, !takings.isProcessed, takings.mode == .dailySummary { try Self.noteTakings(takings, session) }
            // Counted on another day, say by another cut-off, they are no longer of the day they were of.
            for day in days where day == key || isNews {
                try Self.recount(day, with: takings.mappingVersion, entries, session)
            }
            try Self.flag(days, at: moment, session)
        }
    }

    /// The day that these takings are of, as far as is known.
    private static func day(ofTakings takings: DayTakings, _ session: PostgresSession) throws -> DayKey? {
        try session.query(
            "SELECT company, site, day FROM takings WHERE company = $1 AND id = $2",
            [.text(takings.key.company.text), .text(takings.id)]
        ).first.map { try DayKey($0) }
    }

    /// In the order of their keys, as whoever puts orders into days.
    private static func lock(_ days: [DayKey], _ session: PostgresSession) throws {
        _ = try session.query(
            """
            SELECT day FROM venue_day WHERE (company, site, day) IN (
                SELECT * FROM unnest($1::text[], $2::text[], $3::date[])) ORDER BY company, site, day FOR UPDATE
            """,
            [.texts(days.map(\.company.text)), .texts(days.map(\.site.text)), .dates(days.map(\.day.description))])
    }

    /// - Returns: whether they say something that was not known.
    private static func store(_ takings: DayTakings, _ session: PostgresSession) throws -> Bool {
        try session.execute(
            """
            INSERT INTO takings (company, site, day, id, hash, body, counted_at, first_seen, level, scope)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, nullif($10, ''))
            ON CONFLICT (company, id) DO UPDATE
               SET site = excluded.site, day = excluded.day, hash = excluded.hash, body = excluded.body,
                   counted_at = excluded.counted_at, first_seen = excluded.first_seen,
                   level = excluded.level, scope = excluded.scope
             WHERE takings.hash <> excluded.hash AND takings.first_seen <= excluded.first_seen
            """,
            [
                .text(takings.key.company.text), .text(takings.key.site.text), .date(takings.key.day.description),
                .text(takings.id), .bytes(takings.hash.bytes), .bytes(takings.body),
                .timestamp(microsecondsSince1970: takings.countedAt.microseconds),
                .timestamp(microsecondsSince1970: takings.firstSeen.microseconds),
                .text(takings.scope.stored.level), .text(takings.scope.stored.id),
            ]) > 0
    }

    /// What all takings of a day come to now.
    private static func recount(
        _ key: DayKey, with version: Int64?, _ entries: @Sendable (DayKey, [[UInt8]]) throws -> [DayEntry],
        _ session: PostgresSession
    ) throws {
        let place: [PostgresValue] = [.text(key.company.text), .text(key.site.text), .date(key.day.description)]
        let bodies = try session.query(
            "SELECT body FROM takings WHERE company = $1 AND site = $2 AND day = $3 ORDER BY id", place
        ).map { try $0.bytes("body") }
        let sourceID = takingsSource(of: key)
        let wanted = try entries(key, bodies).map { entry in
            var stored = StoredEntry(entry, key: key, sourceID)
            stored.mappingVersion = version
            return stored
        }
        try write(wanted, session)
        _ = try session.execute(
            """
            UPDATE day_entry SET now = NULL
             WHERE company = $1 AND site = $2 AND day = $3 AND source_id = $4 AND source <> ALL ($5::text[])
            """, place + [.text(sourceID), .texts(wanted.map(\.source))])
        _ = try session.execute(
            """
            DELETE FROM day_entry
             WHERE company = $1 AND site = $2 AND day = $3 AND source_id = $4 AND now IS NULL AND booked IS NULL
            """, place + [.text(sourceID)])
    }

    /// When all that belongs to a `venue_day AS d` had been counted; null: some of it has not. Each order by the first
    /// count that was made after it, of its site, its register or its staff. What came in without a register, say from
    /// the web, is in no till, and any count will do. A day with counts and no order has nothing left to count.
    static let countedAt = """
        CASE WHEN EXISTS (
             SELECT FROM takings AS t WHERE t.company = d.company AND t.site = d.site AND t.day = d.day)
        THEN (SELECT CASE WHEN count(*) = 0 THEN (SELECT max(t.counted_at) FROM takings AS t
                                                   WHERE t.company = d.company AND t.site = d.site AND t.day = d.day)
                          WHEN count(c.at) = count(*) THEN max(c.at) END
                FROM day_entry AS e LEFT JOIN LATERAL (
                     SELECT min(t.counted_at) AS at FROM takings AS t
                      WHERE t.company = d.company AND t.site = d.site AND t.day = d.day
                        AND (e.made_at IS NULL OR e.made_at <= t.counted_at)
                        AND CASE coalesce(t.level, 'site')
                            WHEN 'site' THEN true
                            WHEN 'register' THEN coalesce(e.register = t.scope, true)
                            WHEN 'staff_member' THEN coalesce(e.staff = t.scope, true)
                            ELSE false END) AS c ON true
               WHERE e.company = d.company AND e.site = d.site AND e.day = d.day AND e.now IS NOT NULL
                 AND e.source LIKE 'order/%') END
        """

    // MARK: modes

    package func agreed(
        _ plan: PostingPlan, of venue: VenueKey, today: CalendarDate
    ) async throws -> PostingPlan {
        let place: [PostgresValue] = [.text(venue.company.text), .text(venue.site.text)]
        return try await pool.transaction { session in
            // One mapper after the other: each builds on what the one before has agreed to.
            _ = try session.query(
                "SELECT pg_advisory_xact_lock(hashtextextended('tillbridge/mode/' || $1 || '/' || $2, 0))::text AS l",
                place)
            let known = try Self.modes(place, session)
            let agreed = plan.bound(to: known, through: today)
            let wanted = [PostingPlan.Period(from: Self.ever, mode: agreed.initial)] + agreed.periods
            guard wanted != known else { return agreed }
            _ = try session.execute("DELETE FROM venue_mode WHERE company = $1 AND site = $2", place)
            _ = try session.execute(
                """
                INSERT INTO venue_mode (company, site, from_day, mode)
                SELECT $1, $2, * FROM unnest($3::date[], $4::text[])
                """, place + [.dates(wanted.map(\.from.description)), .texts(wanted.map(\.mode.rawValue))])
            return agreed
        }
    }

    /// What ``agreed(_:of:today:)`` would come to; nothing is agreed on.
    package func plan(
        _ plan: PostingPlan, of venue: VenueKey, today: CalendarDate
    ) async throws -> PostingPlan {
        let place: [PostgresValue] = [.text(venue.company.text), .text(venue.site.text)]
        return try await pool.withSession { plan.bound(to: try Self.modes(place, $0), through: today) }
    }

    /// Orders that the fleet knows to have a part in a trading day though they may be of another: money that was paid
    /// back on it.
    package func orders(of key: DayKey, at venue: String) async throws -> [OrderID] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT source_id FROM day_entry
                 WHERE company = $1 AND site = $2 AND day = $3 AND now IS NOT NULL AND source LIKE 'order/%'
                 UNION
                SELECT source_id FROM document
                 WHERE company = $1 AND venue = $4 AND trading_date = $3 AND source_kind = 'order'
                """,
                [.text(key.company.text), .text(key.site.text), .date(key.day.description), .text(venue)]
            ).map { OrderID(try $0.text("source_id")) }
        }
    }

    private static func modes(_ place: [PostgresValue], _ session: PostgresSession) throws -> [PostingPlan.Period] {
        try session.query(
            "SELECT from_day, mode FROM venue_mode WHERE company = $1 AND site = $2 ORDER BY from_day", place
        ).map { row in
            PostingPlan.Period(
                from: CalendarDate(try row.date("from_day")) ?? CalendarDate(daysSince1970: 0),
                mode: PostingMode(rawValue: try row.text("mode")) ?? .perOrder)
        }
    }

    /// The first day of the mode that holds before any change.
    private static let ever = CalendarDate(year: 1, month: 1, day: 1)
}

extension TakingsScope {
    /// As the table has it.
    fileprivate var stored: (level: String, id: String) {
        switch self {
        case .site: ("site", "")
        case .register(let id): ("register", id)
        case .staff(let id): ("staff_member", id)
        case .unknown: ("unknown", "")
        }
    }
}
