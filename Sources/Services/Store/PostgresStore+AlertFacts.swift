package import Alerting
package import Domain
import Postgres

/// What the database knows about whether a person is needed.
package protocol AlertFactStore: Sendable {
    /// Groups of the desk that have letters which are not closed.
    func groupFacts() async throws -> [AlertFacts.Group]
    /// Unfinished documents made before `made`, by venue and trading day.
    func openDays(madeBefore made: Instant) async throws -> [AlertFacts.OpenDay]
    /// Days with sales before `day` that are not closed, of which the fleet knows since before `met`.
    func unclosedDays(before day: CalendarDate, metBefore met: Instant) async throws -> [StoredOpenDay]
    func connectionFacts() async throws -> (connections: [StoredGrant], lost: [LostTenant])
    /// Organisations with a credential of their own that Xero does not let us into.
    func closedOrganisations() async throws -> [ClosedOrganisation]
    /// Calls of today (UTC), by organisation.
    func callsToday(_ today: CalendarDate) async throws -> [OrganisationKey: Int]
    /// Organisations whose calls are held back at `now`: by a pause that Xero asked for, or by the breaker.
    func restingOrganisations(at now: Instant) async throws -> Set<OrganisationKey>
    /// When each venue was last read.
    func venueReadings() async throws -> [CompanyKey: [SiteID: VenueReadings]]
    /// When each venue's last order became a document or a letter, by company and venue's name.
    func lastOrders(of companies: [CompanyKey]) async throws -> [CompanyKey: [String: Instant]]
    /// Until when a dead-letter handler had said that it works; nil where none ever did.
    func handlerSeen() async throws -> Instant?
}

package struct VenueReadings: Sendable {
    /// When its cursor moved last.
    package let polled: Instant
    package let rescanned: Instant?
    package let sideLists: Instant?
}

package struct StoredOpenDay: Sendable {
    package let company: CompanyKey
    package let site: SiteID
    package let day: CalendarDate
    package let metAt: Instant
    package let isCounted: Bool
}

/// A grant of access, without its tokens.
package struct StoredGrant: Sendable {
    package let name: String
    package let service: String
    package let tenants: [String]
    package let renewedAt: Instant
    package let refreshEnds: Instant?
    package let deadSince: Instant?
    package let deadWhy: String?
}

package struct LostTenant: Sendable {
    package let tenant: String
    package let since: Instant
    package let why: String
}

extension PostgresStore: AlertFactStore {
    /// More causes at once than a person reads: one of them is enough to look at the desk.
    private static let groupsMax = 300

    package func groupFacts() async throws -> [AlertFacts.Group] {
        try await pool.withSession { session in
            // By the indexes dead_letter_group_open and dead_letter_by_group. What is on its way counts: a letter sent
            // ahead to see whether the cause is gone is not the end of it. Those of which somebody was told come first:
            // one that fell out of the look would be told as resolved.
            try session.query(
                """
                SELECT g.id, g.class, g.remedy, g.organisation, g.assignee, g.opened_at, l.open, l.amount, l.venues,
                       f.cause, f.id AS first_letter
                  FROM dead_letter_group AS g
                 CROSS JOIN LATERAL (
                    SELECT count(*) AS open, sum(amount) AS amount, string_agg(DISTINCT venue, ', ') AS venues
                      FROM dead_letter WHERE group_id = g.id AND state IN ('open', 'queued', 'replaying')) AS l
                 CROSS JOIN LATERAL (
                    SELECT id, cause FROM dead_letter
                     WHERE group_id = g.id AND state IN ('open', 'queued', 'replaying') ORDER BY id LIMIT 1) AS f
                 WHERE g.closed_at IS NULL
                 ORDER BY EXISTS (SELECT FROM alert AS a WHERE a.key = $2 || g.id AND a.resolved_at IS NULL) DESC, g.id
                 LIMIT $1
                """, [.int(Int64(Self.groupsMax)), .text("\(AlertKind.deadLetterGroup.rawValue):")]
            ).map { row in
                AlertFacts.Group(
                    id: try row.int("id"), deadLetterClass: try row.text("class"), cause: try row.text("cause"),
                    remedy: try row.text("remedy"), organisation: OrganisationKey(orNil: try row.text("organisation")),
                    venues: String((try row.textOrNil("venues") ?? "").prefix(200)), open: Int(try row.int("open")),
                    amount: try row.numericOrNil("amount"), openedAt: try row.instant("opened_at"),
                    assignee: try row.textOrNil("assignee"), firstLetter: try row.int("first_letter"))
            }
        }
    }

    package func openDays(madeBefore made: Instant) async throws -> [AlertFacts.OpenDay] {
        try await pool.withSession { session in
            // By document_open, which holds only what is not finished.
            try session.query(
                """
                SELECT organisation, venue, trading_date, count(*) AS open, sum(total) AS amount,
                       min(created_at) AS oldest
                  FROM document WHERE closed_at IS NULL AND created_at < $1
                 GROUP BY organisation, venue, trading_date ORDER BY trading_date, organisation, venue LIMIT 500
                """, [made.parameter]
            ).compactMap { row in
                guard let day = CalendarDate(try row.date("trading_date")) else { return nil }
                return AlertFacts.OpenDay(
                    organisation: OrganisationKey(try row.text("organisation")), venue: try row.text("venue"),
                    day: day, count: Int(try row.int("open")), amount: try row.numeric("amount"),
                    oldest: try row.instant("oldest"))
            }
        }
    }

    package func unclosedDays(before day: CalendarDate, metBefore met: Instant) async throws -> [StoredOpenDay] {
        try await pool.withSession { session in
            // By venue_day_open, which holds the days that are not closed.
            try session.query(
                """
                SELECT d.company, d.site, d.day, d.met_at,
                       (\(Self.countedAt)) IS NOT NULL AS counted
                  FROM venue_day AS d
                 WHERE d.state IN ('open', 'closing') AND d.mode = 'daily_summary' AND d.day < $1 AND d.met_at < $2
                   AND EXISTS (SELECT FROM day_entry AS e
                                WHERE e.company = d.company AND e.site = d.site AND e.day = d.day)
                 ORDER BY d.day, d.company, d.site LIMIT 500
                """, [.date(day.description), met.parameter]
            ).compactMap { row in
                guard let day = CalendarDate(try row.date("day")) else { return nil }
                return StoredOpenDay(
                    company: CompanyKey(try row.text("company")), site: SiteID(try row.text("site")), day: day,
                    metAt: try row.instant("met_at"), isCounted: try row.bool("counted"))
            }
        }
    }

    package func connectionFacts() async throws -> (connections: [StoredGrant], lost: [LostTenant]) {
        try await pool.withSession { session in
            let grants = try session.query(
                """
                SELECT c.name, c.service, c.renewed_at, c.refresh_ends, c.dead_since, c.dead_why,
                       array(SELECT tenant FROM credential_tenant WHERE credential = c.name ORDER BY tenant) AS tenants
                  FROM credential AS c ORDER BY c.name
                """)
            let lost = try session.query(
                """
                SELECT tenant, disconnected_since, disconnected_why FROM credential_tenant
                 WHERE disconnected_since IS NOT NULL ORDER BY tenant
                """)
            return (
                try grants.map { row in
                    StoredGrant(
                        name: try row.text("name"), service: try row.text("service"),
                        tenants: try row.texts("tenants").compactMap { $0 }, renewedAt: try row.instant("renewed_at"),
                        refreshEnds: try row.instantOrNil("refresh_ends"),
                        deadSince: try row.instantOrNil("dead_since"), deadWhy: try row.textOrNil("dead_why"))
                },
                try lost.map { row in
                    LostTenant(
                        tenant: try row.text("tenant"), since: try row.instant("disconnected_since"),
                        why: try row.textOrNil("disconnected_why") ?? "")
                }
            )
        }
    }

    package func callsToday(_ today: CalendarDate) async throws -> [OrganisationKey: Int] {
        try await pool.withSession { session in
            try session.query("SELECT organisation, day_calls FROM budget WHERE day = $1", [.date(today.description)])
                .reduce(into: [:]) { counts, row in
                    counts[OrganisationKey(try row.text("organisation"))] = Int(try row.int("day_calls"))
                }
        }
    }

    package func restingOrganisations(at now: Instant) async throws -> Set<OrganisationKey> {
        try await pool.withSession { session in
            // Where a writer is at work, an open breaker is tried again each minute at least: one that nobody has
            // tried for longer tells of no rest.
            let rows = try session.query(
                """
                SELECT organisation FROM budget
                 WHERE parked_until > $1 OR breaker <> 'closed' AND breaker_until > $1 - interval '2 minutes'
                """, [now.parameter])
            return Set(try rows.map { OrganisationKey(try $0.text("organisation")) })
        }
    }

    package func venueReadings() async throws -> [CompanyKey: [SiteID: VenueReadings]] {
        try await pool.withSession { session in
            try session.query(
                "SELECT company, site, updated_at, rescanned, side_lists_read FROM poll_cursor"
            ).reduce(into: [:]) { readings, row in
                let company = CompanyKey(try row.text("company"))
                readings[company, default: [:]][SiteID(try row.text("site"))] = VenueReadings(
                    polled: try row.instant("updated_at"), rescanned: try row.instantOrNil("rescanned"),
                    sideLists: try row.instantOrNil("side_lists_read"))
            }
        }
    }

    package func lastOrders(of companies: [CompanyKey]) async throws -> [CompanyKey: [String: Instant]] {
        try await pool.transaction { session in
            // Only what came since the last look, by the primary key; a little more, because a number is given out
            // before its row is seen. The first look reads the last 100,000 and no more.
            try session.execute(
                """
                INSERT INTO venue_activity (company, venue, last_order, last_document)
                SELECT company, venue, max(created_at), max(id) FROM document
                 WHERE id > greatest((SELECT coalesce(max(last_document), 0) - 1000 FROM venue_activity),
                                     (SELECT coalesce(max(id), 0) - 100000 FROM document))
                 GROUP BY company, venue
                ON CONFLICT (company, venue) DO UPDATE
                   SET last_order = greatest(venue_activity.last_order, excluded.last_order),
                       last_document = greatest(venue_activity.last_document, excluded.last_document)
                """)
            // A venue whose orders all lie on the desk is not silent.
            let rows = try session.query(
                """
                SELECT company, venue, last_order FROM venue_activity WHERE company = ANY ($1::text[])
                UNION ALL
                SELECT company, venue, max(first_seen) FROM dead_letter
                 WHERE state = 'open' AND company = ANY ($1::text[]) AND venue IS NOT NULL GROUP BY company, venue
                """, [.texts(companies.map(\.text))])
            return try rows.reduce(into: [:]) { orders, row in
                let (company, venue) = (CompanyKey(try row.text("company")), try row.text("venue"))
                let at = try row.instant("last_order")
                orders[company, default: [:]][venue] = max(at, orders[company]?[venue] ?? at)
            }
        }
    }

    package func handlerSeen() async throws -> Instant? {
        try await pool.withSession { session in
            try session.query("SELECT until FROM lease WHERE name = $1", [.text(deskLease)]).first?.instant("until")
        }
    }
}
