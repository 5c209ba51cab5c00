package import Domain
import Mapping
import Postgres

extension PostgresStore: DayStore {
    package func takeIn(
        _ orders: [DayOrder], at moment: Instant
    ) async throws -> [SourceKey: DayOrder.Outcome] {
        if orders.isEmpty { return [:] }
        // In the order of their keys, as all that store records do.
        let orders = orders.sorted { ($0.source.company.text, $0.source.id) < ($1.source.company.text, $1.source.id) }
        return try await pool.transaction { session in
            // And the sales they give back: two refunds of one sale are added up.
            let sales = orders.compactMap { order in
                order.givesBack.map { SourceKey(company: order.source.company, kind: .order, id: $0.id.text) }
            }
            try Self.lock(orders.map(\.source) + sales, session)
            try Self.insertRecords(of: orders, session)
            let stale = try Self.stale(orders, session)
            let fresh = orders.filter { !stale.contains($0.source) }
            let apart = try Self.postedByThemselves(fresh.filter { !$0.leaves }, session)
            let beyond = try Self.beyondTheirSales(fresh.filter { !apart.contains($0.source) }, session)
            let taken = fresh.filter { !apart.contains($0.source) && beyond[$0.source] == nil }
            try Self.claim(taken.filter { !$0.leaves }, session)
            try Self.release(taken.filter(\.leaves), session)
            try Self.meetDays(of: taken, session)
            let days = try Self.lockDays(of: taken, session)
            try Self.write(taken.flatMap { order in order.entries.map { StoredEntry($0, of: order) } }, session)
            try Self.dropOthers(taken, session)
            try Self.flag(days, at: moment, session)
            try Self.noteActivity(of: taken, session)
            var outcomes: [SourceKey: DayOrder.Outcome] = [:]
            for order in orders {
                outcomes[order.source] = stale.contains(order.source)
                    ? .stale : apart.contains(order.source) ? .postedByItself : beyond[order.source] ?? .taken
            }
            return outcomes
        }
    }

    package func ordersInSummaries(among sources: [SourceKey]) async throws -> Set<SourceKey> {
        if sources.isEmpty { return [] }
        return try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT c.company, c.source_id FROM posting_claim AS c
                  JOIN unnest($1::text[], $2::text[]) AS u (company, source_id) USING (company, source_id)
                 WHERE c.route = 'summary'
                """, [.texts(sources.map(\.company.text)), .texts(sources.map(\.id))])
            return try Self.sources(rows)
        }
    }

    package func keepSkips(_ skips: [SkippedRecord]) async throws {
        var latest: [SourceKey: SkippedRecord] = [:]
        for skip in skips { latest[skip.source] = skip }
        let sorted = latest.values.sorted {
            ($0.source.company.text, $0.source.id) < ($1.source.company.text, $1.source.id)
        }
        if sorted.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO skipped_record (company, kind, id, hash, rule, reason, mapping_version)
                SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[],
                                     $7::bigint[])
                ON CONFLICT (company, kind, id) DO UPDATE
                   SET hash = excluded.hash, rule = excluded.rule, reason = excluded.reason,
                       mapping_version = excluded.mapping_version, skipped_at = now()
                 WHERE skipped_record.hash <> excluded.hash OR skipped_record.rule <> excluded.rule
                """,
                [
                    .texts(sorted.map(\.source.company.text)), .texts(sorted.map(\.source.kind.rawValue)),
                    .texts(sorted.map(\.source.id)), .bytesArray(sorted.map(\.hash.bytes)),
                    .texts(sorted.map(\.rule)), .texts(sorted.map { $0.reason.replacing("\0", with: "") }),
                    .ints(sorted.map(\.mappingVersion)),
                ])
        }
    }

    package func settle(_ replays: [SettledReplay]) async throws {
        if replays.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE dead_letter AS l
                   SET mapped_at = now(), state = 'resolved', closed_at = now(), outcome = u.outcome
                  FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS u (letter, replay, outcome)
                 WHERE l.id = u.letter AND l.replays = u.replay AND l.state = 'replaying' AND l.mapped_at IS NULL
                """,
                [
                    .ints(replays.map { $0.mark.letter }), .ints(replays.map { Int64($0.mark.replay) }),
                    .texts(replays.map(\.outcome)),
                ])
        }
    }

    // MARK: records and claims

    private static func insertRecords(of orders: [DayOrder], _ session: PostgresSession) throws {
        _ = try session.execute(
            """
            INSERT INTO source_record (company, kind, id, hash, body, first_seen)
            SELECT DISTINCT ON (c, k, i, h) c, k, i, h, b, coalesce(f, clock_timestamp())
              FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::timestamptz[])
                AS u (c, k, i, h, b, f)
             ORDER BY c, k, i, h, f DESC \(readAgain(at: "ANY($6::timestamptz[])"))
            """,
            [
                .texts(orders.map(\.source.company.text)), .texts(orders.map(\.source.kind.rawValue)),
                .texts(orders.map(\.source.id)), .bytesArray(orders.map(\.hash.bytes)),
                .bytesArray(orders.map(\.body)),
                .timestamps(microsecondsSince1970: orders.map { $0.firstSeen?.microseconds }),
            ])
    }

    /// Those of which a newer version was seen before.
    private static func stale(_ orders: [DayOrder], _ session: PostgresSession) throws -> Set<SourceKey> {
        let rows = try session.query(
            """
            SELECT u.company, u.id AS source_id
              FROM unnest($1::text[], $2::text[], $3::bytea[]) AS u (company, id, hash)
              JOIN source_record AS this ON this.company = u.company AND this.kind = 'order' AND this.id = u.id
                                        AND this.hash = u.hash
             WHERE EXISTS (
                SELECT FROM source_record AS other
                 WHERE other.company = u.company AND other.kind = 'order' AND other.id = u.id
                   AND other.first_seen > this.first_seen)
            """, keys(orders) + [.bytesArray(orders.map(\.hash.bytes))])
        return try sources(rows)
    }

    /// Those that have a document of their own. What is not committed yet is met by the trigger on the claim.
    private static func postedByThemselves(
        _ orders: [DayOrder], _ session: PostgresSession
    ) throws -> Set<SourceKey> {
        if orders.isEmpty { return [] }
        let rows = try session.query(
            """
            SELECT u.company, u.source_id
              FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
                AS u (company, source_id, organisation, number)
             WHERE EXISTS (
                SELECT FROM document AS d WHERE d.number = u.number AND d.organisation = u.organisation)
               OR EXISTS (
                SELECT FROM posting_claim AS c
                 WHERE c.company = u.company AND c.source_id = u.source_id AND c.route = 'order')
            """, keys(orders) + names(orders))
        return try sources(rows)
    }

    private static func claim(_ orders: [DayOrder], _ session: PostgresSession) throws {
        // A deleted order that was never in a summary is in none now.
        let orders = orders.filter { !$0.entries.isEmpty }
        if orders.isEmpty { return }
        _ = try session.execute(
            """
            INSERT INTO posting_claim (company, source_id, organisation, number, route)
            SELECT *, 'summary' FROM unnest($1::text[], $2::text[], $3::text[], $4::text[])
            ON CONFLICT (company, source_id) DO NOTHING
            """, keys(orders) + names(orders))
    }

    private static func release(_ orders: [DayOrder], _ session: PostgresSession) throws {
        if orders.isEmpty { return }
        _ = try session.execute(
            """
            UPDATE posting_claim AS c SET route = 'order'
              FROM unnest($1::text[], $2::text[]) AS u (company, source_id)
             WHERE c.company = u.company AND c.source_id = u.source_id AND c.route = 'summary'
            """, keys(orders))
    }

    // MARK: days and entries

    private static func meetDays(of orders: [DayOrder], _ session: PostgresSession) throws {
        var seen: Set<DayKey> = []
        var met: [(key: DayKey, order: DayOrder)] = []
        for order in orders {
            for entry in order.entries {
                let key = DayKey(company: order.source.company, site: order.site, day: entry.day)
                if seen.insert(key).inserted { met.append((key, order)) }
            }
        }
        if met.isEmpty { return }
        met.sort { $0.key < $1.key }
        _ = try session.execute(
            insertDays,
            [
                .texts(met.map(\.key.company.text)), .texts(met.map(\.key.site.text)),
                .dates(met.map(\.key.day.description)), .texts(met.map(\.order.organisation.text)),
                .texts(met.map(\.order.venue)), .texts(met.map { $0.order.plan.mode(on: $0.key.day).rawValue }),
            ])
    }

    static let insertDays = """
        INSERT INTO venue_day (company, site, day, organisation, venue, mode)
        SELECT * FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::text[], $6::text[])
        ON CONFLICT (company, site, day) DO NOTHING
        """

    /// Locks every day that an order was in or is in, always in the same order: a day that is being closed is waited
    /// for, and one that is waited for cannot be closed.
    private static func lockDays(of orders: [DayOrder], _ session: PostgresSession) throws -> [DayKey] {
        let new = Set(orders.flatMap { order in
            order.entries.map { DayKey(company: order.source.company, site: order.site, day: $0.day) }
        })
        let rows = try session.query(
            """
            SELECT company, site, day FROM venue_day
             WHERE (company, site, day) IN (
                SELECT e.company, e.site, e.day FROM day_entry AS e
                  JOIN unnest($1::text[], $2::text[]) AS u (company, source_id) USING (company, source_id)
                 UNION
                SELECT * FROM unnest($3::text[], $4::text[], $5::date[]))
             ORDER BY company, site, day FOR UPDATE
            """,
            keys(orders) + [
                .texts(new.map(\.company.text)), .texts(new.map(\.site.text)), .dates(new.map(\.day.description)),
            ])
        return try rows.map { try DayKey($0) }
    }

    static func write(_ entries: [StoredEntry], _ session: PostgresSession) throws {
        if entries.isEmpty { return }
        _ = try session.execute(
            """
            INSERT INTO day_entry (company, site, day, source, source_id, now, gives_back, made_at, register, staff,
                                   mapping_version)
            SELECT c, s, d, o, i, n, nullif(g, ''), m, nullif(r, ''), nullif(p, ''), v
              FROM unnest($1::text[], $2::text[], $3::date[], $4::text[], $5::text[], $6::bytea[], $7::text[],
                          $8::timestamptz[], $9::text[], $10::text[], $11::bigint[])
                AS u (c, s, d, o, i, n, g, m, r, p, v)
            ON CONFLICT (company, site, day, source) DO UPDATE
               SET now = excluded.now, gives_back = excluded.gives_back, made_at = excluded.made_at,
                   register = excluded.register, staff = excluded.staff, mapping_version = excluded.mapping_version
             WHERE day_entry.now IS DISTINCT FROM excluded.now OR day_entry.made_at IS DISTINCT FROM excluded.made_at
                OR day_entry.register IS DISTINCT FROM excluded.register
                OR day_entry.staff IS DISTINCT FROM excluded.staff
                OR day_entry.mapping_version IS DISTINCT FROM excluded.mapping_version
            """,
            [
                .texts(entries.map(\.key.company.text)), .texts(entries.map(\.key.site.text)),
                .dates(entries.map(\.key.day.description)), .texts(entries.map(\.source)),
                .texts(entries.map(\.sourceID)), .bytesArray(entries.map(\.body)),
                .texts(entries.map { $0.givesBack?.text ?? "" }),
                .timestamps(microsecondsSince1970: entries.map { $0.madeAt?.microseconds }),
                .texts(entries.map { $0.register ?? "" }), .texts(entries.map { $0.staff ?? "" }),
                .ints(entries.map(\.mappingVersion)),
            ])
    }

    /// What these orders had before and have no longer.
    private static func dropOthers(_ orders: [DayOrder], _ session: PostgresSession) throws {
        if orders.isEmpty { return }
        let kept = orders.flatMap { order in order.entries.map { StoredEntry($0, of: order) } }
        let others = """
            e.company = u.company AND e.source_id = u.source_id AND (e.company, e.site, e.day, e.source) NOT IN (
                SELECT * FROM unnest($3::text[], $4::text[], $5::date[], $6::text[]))
              AND (e.booked IS NULL OR NOT u.is_left_out)
            """
        let those = "unnest($1::text[], $2::text[], $7::boolean[]) AS u (company, source_id, is_left_out)"
        let parameters = keys(orders) + [
            .texts(kept.map(\.key.company.text)), .texts(kept.map(\.key.site.text)),
            .dates(kept.map(\.key.day.description)), .texts(kept.map(\.source)), .bools(orders.map(\.isLeftOut)),
        ]
        _ = try session.execute(
            """
            UPDATE day_entry AS e SET now = NULL FROM \(those) WHERE \(others) AND e.now IS NOT NULL
            """, parameters)
        // What no document holds needs not be remembered.
        _ = try session.execute(
            """
            DELETE FROM day_entry AS e USING \(those) WHERE \(others) AND e.now IS NULL AND e.booked IS NULL
            """, parameters)
    }

    /// Marks closed days whose documents no longer say what belongs to them; and takes the mark from those where they
    /// do again.
    static func flag(_ days: [DayKey], at moment: Instant, _ session: PostgresSession) throws {
        if days.isEmpty { return }
        _ = try session.execute(
            """
            UPDATE venue_day AS d
               SET changed_at = CASE WHEN differs.yes
                                     THEN coalesce(d.changed_at, $4::timestamptz) END
              FROM (SELECT k.company, k.site, k.day, EXISTS (
                        SELECT FROM day_entry AS e
                         WHERE e.company = k.company AND e.site = k.site AND e.day = k.day
                           AND e.now IS DISTINCT FROM e.booked) AS yes
                      FROM unnest($1::text[], $2::text[], $3::date[]) AS k (company, site, day)) AS differs
             WHERE d.company = differs.company AND d.site = differs.site AND d.day = differs.day
               AND d.state IN ('closed', 'posted') AND (d.changed_at IS NOT NULL) <> differs.yes
            """,
            [
                .texts(days.map(\.company.text)), .texts(days.map(\.site.text)), .dates(days.map(\.day.description)),
                .timestamp(microsecondsSince1970: moment.microseconds),
            ])
    }

    /// A venue whose orders become a document once a day is not silent all day long.
    private static func noteActivity(of orders: [DayOrder], _ session: PostgresSession) throws {
        let venues = Set(orders.map { [$0.source.company.text, $0.venue] }).sorted { $0.lexicographicallyPrecedes($1) }
        if venues.isEmpty { return }
        _ = try session.execute(
            """
            INSERT INTO venue_activity (company, venue, last_order, last_document)
            SELECT company, venue, now(), 0 FROM unnest($1::text[], $2::text[]) AS u (company, venue)
            ON CONFLICT (company, venue) DO UPDATE
               SET last_order = greatest(venue_activity.last_order, excluded.last_order)
            """, [.texts(venues.map { $0[0] }), .texts(venues.map { $0[1] })])
    }

    // MARK: parameters

    private static func keys(_ orders: [DayOrder]) -> [PostgresValue] {
        [.texts(orders.map(\.source.company.text)), .texts(orders.map(\.source.id))]
    }

    private static func names(_ orders: [DayOrder]) -> [PostgresValue] {
        [.texts(orders.map(\.organisation.text)), .texts(orders.map(\.number.text))]
    }

    private static func sources(_ rows: [PostgresRow]) throws -> Set<SourceKey> {
        Set(try rows.map { row in
            SourceKey(
                company: CompanyKey(try row.text("company")), kind: .order, id: try row.text("source_id"))
        })
    }
}

/// An entry as the table has it.
struct StoredEntry {
    let key: DayKey
    let source: String
    let sourceID: String
    let body: [UInt8]
    /// The sale that a refund order gives back.
    private(set) var givesBack: OrderID?
    private(set) var madeAt: Instant?
    private(set) var register: String?
    private(set) var staff: String?
    var mappingVersion: Int64?

    init(_ entry: DayEntry, of order: DayOrder) {
        self.init(entry, key: DayKey(company: order.source.company, site: order.site, day: entry.day), order.source.id)
        givesBack = order.givesBack?.id
        madeAt = order.madeAt[entry.day]
        register = order.register
        staff = order.staff
        mappingVersion = order.mappingVersion
    }

    init(_ entry: DayEntry, key: DayKey, _ sourceID: String) {
        self.key = key
        self.sourceID = sourceID
        source =
            switch entry.source {
            case .order(let id, let slot): "order/\(id)/\(slot)"
            case .variance(let method): "variance/\(method)"
            }
        body = entry.stored
    }
}

extension DayKey {
    init(_ row: PostgresRow) throws {
        self.init(
            company: CompanyKey(try row.text("company")), site: SiteID(try row.text("site")),
            day: CalendarDate(try row.date("day")) ?? CalendarDate(daysSince1970: 0))
    }

    static func < (one: DayKey, other: DayKey) -> Bool {
        (one.company.text, one.site.text, one.day) < (other.company.text, other.site.text, other.day)
    }
}
