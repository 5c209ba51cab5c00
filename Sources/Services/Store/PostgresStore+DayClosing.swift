package import Domain
import Mapping
import Money
import Postgres
package import Settings

extension PostgresStore: DayClosingStore {
    package func unfinishedDays(
        of venue: VenueKey, through day: CalendarDate
    ) async throws -> [UnfinishedDay] {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT d.company, d.site, d.day, d.state, d.closing_since, d.changed_at, d.met_at,
                       EXISTS (SELECT FROM day_entry AS e
                                WHERE e.company = d.company AND e.site = d.site AND e.day = d.day
                                  AND e.now IS NOT NULL) AS has_sales,
                       \(Self.countedAt) AS counted_at
                  FROM (SELECT * FROM venue_day
                         WHERE company = $1 AND site = $2 AND day <= $3 AND state IN ('open', 'closing')
                         UNION ALL
                        SELECT * FROM venue_day
                         WHERE company = $1 AND site = $2 AND changed_at IS NOT NULL) AS d
                 ORDER BY d.day
                """, Self.place(venue) + [.date(day.description)])
            return try rows.map { row in
                UnfinishedDay(
                    key: try DayKey(row),
                    state: UnfinishedDay.State(rawValue: try row.text("state")) ?? .open,
                    closingSince: try row.timestampOrNil("closing_since").map { Instant(microseconds: $0) },
                    changedAt: try row.timestampOrNil("changed_at").map { Instant(microseconds: $0) },
                    hasSales: try row.bool("has_sales"),
                    countedAt: try row.timestampOrNil("counted_at").map { Instant(microseconds: $0) },
                    metAt: Instant(microseconds: try row.timestamp("met_at")))
            }
        }
    }

    package func meet(
        _ days: [CalendarDate], of venue: VenueKey, in organisation: OrganisationKey, named name: String
    ) async throws {
        if days.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO venue_day (company, site, organisation, venue, mode, day)
                SELECT $1, $2, $3, $4, 'daily_summary', * FROM unnest($5::date[])
                ON CONFLICT (company, site, day) DO NOTHING
                """,
                Self.place(venue) + [
                    .text(organisation.text), .text(name), .dates(days.map(\.description)),
                ])
        }
    }

    package func closeQuietDays(
        of venue: VenueKey, through day: CalendarDate, metBy known: Instant, at moment: Instant
    ) async throws -> Int {
        try await pool.transaction { session in
            // Locked first and looked at afterwards: whoever put an order into one of them a moment ago had it locked,
            // and a query sees what was committed before it began. A day that somebody is putting an order into now is
            // skipped, not waited for: the next look sees it.
            let quiet = try session.query(
                """
                SELECT day::text AS day FROM venue_day AS d
                 WHERE company = $1 AND site = $2 AND day <= $3 AND state IN ('open', 'closing') AND met_at <= $4
                   AND NOT EXISTS (SELECT FROM day_entry AS e
                                    WHERE e.company = d.company AND e.site = d.site AND e.day = d.day)
                 ORDER BY day FOR UPDATE SKIP LOCKED
                """,
                Self.place(venue) + [
                    .date(day.description), .timestamp(microsecondsSince1970: known.microseconds),
                ])
            if quiet.isEmpty { return 0 }
            let closed = try session.query(
                """
                UPDATE venue_day AS d SET state = 'posted', closed_at = $4, posted_at = $4
                 WHERE company = $1 AND site = $2 AND day = ANY($3::date[]) AND NOT EXISTS (
                       SELECT FROM day_entry AS e WHERE e.company = d.company AND e.site = d.site AND e.day = d.day)
                RETURNING mode
                """,
                Self.place(venue) + [
                    .dates(try quiet.map { try $0.text("day") }),
                    .timestamp(microsecondsSince1970: moment.microseconds),
                ])
            // One that is posted order by order had sales, and a till that was right.
            return try closed.count { try $0.text("mode") == PostingMode.dailySummary.rawValue }
        }
    }

    package func beginClosing(_ days: [DayKey], at moment: Instant) async throws {
        if days.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE venue_day AS d SET state = 'closing', closing_since = $4
                  FROM unnest($1::text[], $2::text[], $3::date[]) AS k (company, site, day)
                 WHERE d.company = k.company AND d.site = k.site AND d.day = k.day AND d.state = 'open'
                """,
                [
                    .texts(days.map(\.company.text)), .texts(days.map(\.site.text)),
                    .dates(days.map(\.day.description)), .timestamp(microsecondsSince1970: moment.microseconds),
                ])
        }
    }

    package func close(_ key: DayKey, at moment: Instant, _ making: DayMaking) async throws -> DayClose? {
        let place: [PostgresValue] = [.text(key.company.text), .text(key.site.text), .date(key.day.description)]
        return try await pool.transaction { session in
            // Whoever comes second skips it, or finds it done.
            let days = try session.query(
                """
                SELECT state, turn, organisation FROM venue_day
                 WHERE company = $1 AND site = $2 AND day = $3
                   AND (state = 'closing' OR changed_at IS NOT NULL) FOR UPDATE SKIP LOCKED
                """, place)
            guard let day = days.first else { return nil }
            var turn = DayTurn(number: 0)
            if try day.text("state") != UnfinishedDay.State.closing.rawValue {
                turn.number = Int(try day.int("turn"))
                let known = try Self.documents(ofTurn: turn.number, place, session)
                // What an adjustment changed is known until the next is made: should the ledger refuse it, it is made
                // anew. So there is no next one before it has an outcome.
                if turn.number > 0, known.contains(where: \.isOnItsWay) { return nil }
                // One more document over those that the ledger refused would wait for them for ever.
                if known.isAllRefused { turn.refused = known } else { turn.number += 1 }
            }
            if turn.refused.isEmpty {
                let elsewhere = try Self.remake(key, making, place, session)
                if !elsewhere.isEmpty { return .waits(for: elsewhere) }
            }
            return .made(
                try Self.make(turn, of: key, in: try day.text("organisation"), at: moment, making, place, session))
        }
    }

    /// Makes the documents of a turn. Those that the ledger refused are made anew, under their numbers, of all that the
    /// day has now.
    static func make(
        _ turn: DayTurn, of key: DayKey, in organisation: String, at moment: Instant, _ making: DayMaking,
        _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> ClosedDay {
        var elsewhere: [OutdatedEntries] = []
        if !turn.refused.isEmpty {
            try takeBack(turn.number, place, session)
            elsewhere = try remake(key, making, place, session)
        }
        var contents = try contents(key, turn: turn.number, place, session)
        contents.locks = try locks(of: organisation, session)
        contents.takings = try takings(place, session)
        if making.withOrders { contents.orders = try orders(place, session) }
        let decision = making.decide(contents)
        let ids = try put(decision.documents, in: turn.refused, of: key, session)
        try link(ids, to: place, turn: turn.number, session)
        if let listing = decision.listing, let id = ids.first { try attach(listing, to: id, organisation, session) }
        // A change that comes to nothing uses no number up.
        let last = ids.isEmpty ? max(turn.number - 1, 0) : turn.number
        try finish(decision, turn: last, place, making.mappingVersion, moment, session)
        var closed = ClosedDay(
            warnings: decision.warnings, turn: turn.number, documents: ids, orders: decision.orders,
            total: decision.total)
        closed.elsewhere = elsewhere
        return closed
    }

    package func notePosted(of venue: VenueKey, at moment: Instant) async throws -> Int {
        try await pool.withSession { session in
            Int(try session.execute(
                """
                UPDATE venue_day AS d SET state = 'posted', posted_at = $3
                 WHERE company = $1 AND site = $2 AND state = 'closed' AND NOT EXISTS (
                    SELECT FROM venue_day_document AS v JOIN document AS o ON o.id = v.document_id
                     WHERE v.company = d.company AND v.site = d.site AND v.day = d.day
                       AND (o.closed_at IS NULL OR o.state <> 'written'))
                """, Self.place(venue) + [.timestamp(microsecondsSince1970: moment.microseconds)]))
        }
    }

    package func waitingDayDocuments(of organisation: OrganisationKey) async throws -> [DocumentID] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT id FROM document
                 WHERE organisation = $1 AND closed_at IS NULL AND state = 'ready' AND source_kind = 'day' ORDER BY id
                """, [.text(organisation.text)]
            ).map { DocumentID(try $0.int("id")) }
        }
    }

    package func readUntil(of venue: VenueKey) async throws -> Instant? {
        try await position(company: venue.company, site: venue.site)?.readUntil
    }

    private static func place(_ venue: VenueKey) -> [PostgresValue] {
        [.text(venue.company.text), .text(venue.site.text)]
    }

    // MARK: parts of a close

    private static func contents(
        _ key: DayKey, turn: Int, _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> DayContents {
        let rows = try session.query(
            """
            SELECT now, booked FROM day_entry WHERE company = $1 AND site = $2 AND day = $3 ORDER BY source
            """, place)
        return DayContents(
            key: key, turn: turn,
            booked: try rows.compactMap { try $0.bytesOrNil("booked").map { try DayEntry(stored: $0) } },
            now: try rows.compactMap { try $0.bytesOrNil("now").map { try DayEntry(stored: $0) } }, locks: .none,
            orders: [])
    }

    private static func locks(of organisation: String, _ session: PostgresSession) throws -> LedgerLocks {
        let rows = try session.query(
            "SELECT locked_through FROM ledger_lock WHERE organisation = $1 AND read_at > now() - interval '1 day'",
            [.text(organisation)])
        return LedgerLocks(lockedThrough: try rows.first?.dateOrNil("locked_through").flatMap { CalendarDate($0) })
    }

    /// None where something that was sold is not counted yet: then recorded takings are those of a part of the day.
    private static func takings(_ place: [PostgresValue], _ session: PostgresSession) throws -> [[UInt8]] {
        try session.query(
            """
            SELECT t.body FROM takings AS t JOIN venue_day AS d USING (company, site, day)
             WHERE d.company = $1 AND d.site = $2 AND d.day = $3 AND (\(countedAt)) IS NOT NULL
             ORDER BY t.id
            """, place
        ).map { try $0.bytes("body") }
    }

    /// The newest version of each order that is not in the day's documents as it is.
    private static func orders(_ place: [PostgresValue], _ session: PostgresSession) throws -> [[UInt8]] {
        try session.query(
            """
            SELECT DISTINCT ON (r.id) r.body FROM day_entry AS e
              JOIN source_record AS r ON r.company = e.company AND r.kind = 'order' AND r.id = e.source_id
             WHERE e.company = $1 AND e.site = $2 AND e.day = $3 AND e.now IS DISTINCT FROM e.booked
             ORDER BY r.id, r.first_seen DESC
            """, place
        ).map { try $0.bytes("body") }
    }

    private static func link(
        _ ids: [DocumentID], to place: [PostgresValue], turn: Int, _ session: PostgresSession
    ) throws {
        if ids.isEmpty { return }
        _ = try session.execute(
            """
            INSERT INTO venue_day_document (company, site, day, turn, document_id)
            SELECT $1, $2, $3, $4, * FROM unnest($5::bigint[])
            ON CONFLICT (document_id) DO NOTHING
            """, place + [.int(Int64(turn)), .ints(ids.map(\.value))])
    }

    private static func finish(
        _ decision: DayDecision, turn: Int, _ place: [PostgresValue], _ version: Int64, _ moment: Instant,
        _ session: PostgresSession
    ) throws {
        if turn > 0 { try keepBefore(turn, place, session) }
        _ = try session.execute(
            "DELETE FROM day_entry WHERE company = $1 AND site = $2 AND day = $3 AND now IS NULL", place)
        _ = try session.execute(
            """
            UPDATE day_entry SET booked = now, turn = $4::bigint
             WHERE company = $1 AND site = $2 AND day = $3 AND now IS DISTINCT FROM booked
            """, place + [.int(Int64(turn))])
        _ = try session.execute(
            """
            UPDATE venue_day
               SET state = 'closed', closed_at = coalesce(closed_at, $4), posted_at = NULL, changed_at = NULL,
                   turn = $5::bigint, mapping_version = $6, orders = $7::bigint, total = $8
             WHERE company = $1 AND site = $2 AND day = $3
            """,
            place + [
                .timestamp(microsecondsSince1970: moment.microseconds), .int(Int64(turn)), .int(version),
                .int(Int64(decision.orders)), .numeric(decision.total.description),
            ])
    }
}
