package import Domain
import Postgres

/// What a person looks at.
package protocol DeskReading: Sendable {
    /// In the order of their ids, so that a page begins `after` the last one of the page before.
    func letters(_ filter: LetterFilter, after: Int64, limit: Int, withBodies: Bool) async throws -> [Letter]
    func groups(_ filter: LetterFilter, closedToo: Bool) async throws -> [LetterGroup]
    func letter(_ id: Int64) async throws -> LetterFile?
    /// What arrived about a letter, what was done with it, and the calls to Xero that held its document: each the
    /// latest first, at most `limit` of them, those that come `after` the last one of the page before.
    func arrivals(of letter: Int64, after: LetterFile.Arrival?, limit: Int) async throws -> [LetterFile.Arrival]
    func events(of letter: Int64, after: LetterFile.Event?, limit: Int) async throws -> [LetterFile.Event]
    func calls(about document: Int64, after: LetterFile.Call?, limit: Int) async throws -> [LetterFile.Call]
    /// Whether a handler is at work that sends what is queued.
    func isSending() async throws -> Bool
}

package struct Letter: Sendable {
    package let id: Int64
    package let group: Int64
    package let state: LetterState
    package let deadLetterClass: String
    package let cause: String
    package let remedy: String
    package let organisation: String?
    package let company: String?
    package let venue: String?
    package let sourceID: String?
    package let number: String?
    /// Exact digits.
    package let amount: String?
    package let businessDate: String?
    package let origin: String?
    package let document: Int64?
    package let lacks: String?
    package let attempts: Int
    package let replays: Int
    package let edits: Int
    package let assignee: String?
    package let outcome: String?
    package let firstSeen: Instant
    package let lastSeen: Instant
    /// Empty where it was not asked for.
    package let body: [UInt8]
    package let isTruncated: Bool
}

package struct LetterGroup: Sendable {
    package let id: Int64
    package let deadLetterClass: String
    package let fingerprint: String
    /// The whole sentence, where all letters have the same.
    package let cause: String?
    package let firstOpen: Int64?
    package let organisation: String
    package let remedy: String
    package let assignee: String?
    package let open: Int
    package let inFlight: Int
    package let amount: String
    package let venues: Int
    package let openedAt: Instant
    package let lastSeen: Instant
    package let closedAt: Instant?
    /// When one letter is sent ahead again; nil where the class does not heal or the group is closed.
    package let nextProbe: Instant?
}

extension PostgresStore: DeskReading {
    private static let columns = """
        l.id, l.group_id, l.state, l.class, l.cause, l.remedy, l.organisation, l.company, l.venue, l.source_id,
        l.number, l.amount, l.business_date, l.origin, l.document_id, l.lacks, l.attempts, l.replays, l.edits,
        l.assignee,
        l.outcome, l.first_seen, l.last_seen, l.is_truncated
        """

    package func letters(
        _ filter: LetterFilter, after: Int64, limit: Int, withBodies: Bool
    ) async throws -> [Letter] {
        try await pool.withSession { session in
            let condition = LetterCondition(filter, after: [.int(after), .int(Int64(limit))])
            return try session.query(
                """
                SELECT \(Self.columns), \(withBodies ? "coalesce(e.body, l.body)" : "''::bytea") AS body
                  FROM dead_letter AS l LEFT JOIN LATERAL (\(Self.usableEdit("l"))) AS e ON true
                 WHERE l.id > $1 AND \(condition.sql)
                 ORDER BY l.id LIMIT $2
                """, condition.parameters
            ).map { try Letter($0) }
        }
    }

    package func groups(_ filter: LetterFilter, closedToo: Bool) async throws -> [LetterGroup] {
        try await pool.withSession { session in
            let condition = LetterCondition(filter)
            return try session.query(
                """
                SELECT g.id, g.class, g.fingerprint, g.organisation, g.remedy, g.assignee, g.opened_at, g.last_seen,
                       g.closed_at, g.next_probe, coalesce(c.open, 0) AS open, coalesce(c.moving, 0) AS moving,
                       coalesce(c.amount, 0) AS amount, coalesce(c.venues, 0) AS venues, c.cause, c.first_open
                  FROM dead_letter_group AS g
                  \(closedToo ? "LEFT " : "")JOIN (
                       SELECT l.group_id, count(*) FILTER (WHERE l.state = 'open') AS open,
                              count(*) FILTER (WHERE l.state <> 'open') AS moving,
                              sum(l.amount) AS amount, count(DISTINCT l.venue) AS venues,
                              CASE WHEN min(l.cause) = max(l.cause) THEN min(l.cause) END AS cause,
                              min(l.id) FILTER (WHERE l.state = 'open') AS first_open
                         FROM dead_letter AS l WHERE \(condition.sql) GROUP BY l.group_id) AS c ON c.group_id = g.id
                 ORDER BY coalesce(c.amount, 0) DESC, g.id LIMIT 1000
                """, condition.parameters
            ).map { try LetterGroup($0) }
        }
    }

    package func letter(_ id: Int64) async throws -> LetterFile? {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT \(Self.columns), l.body, l.edited_body, \(Self.isEditSuperseded("l")) AS is_superseded,
                       (SELECT count(*) FROM dead_letter_arrival AS a WHERE a.letter_id = l.id) AS arrivals,
                       (SELECT count(*) FROM dead_letter_event AS e WHERE e.letter_id = l.id) AS events,
                       (SELECT count(*) \(Self.callsOf("l.document_id"))) AS calls
                  FROM dead_letter AS l WHERE l.id = $1
                """, [.int(id)])
            guard let row = rows.first else { return nil }
            return LetterFile(
                letter: try Letter(row), editedBody: try row.bytesOrNil("edited_body"),
                isEditSuperseded: try row.bool("is_superseded"),
                arrivals: Int(try row.int("arrivals")), events: Int(try row.int("events")),
                calls: Int(try row.int("calls")))
        }
    }

    package func isSending() async throws -> Bool {
        try await pool.withSession { session in
            try session.query(
                "SELECT until > now() AS held FROM lease WHERE name = $1", [.text(deskLease)]
            ).first?.bool("held") ?? false
        }
    }
}

/// The right to send letters again: one handler at a time has it, so that their pace is one pace.
package let deskLease = "desk"

extension Letter {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.int("id")
        group = try row.int("group_id")
        state = LetterState(rawValue: try row.text("state")) ?? .open
        deadLetterClass = try row.text("class")
        cause = try row.text("cause")
        remedy = try row.text("remedy")
        organisation = try row.textOrNil("organisation")
        company = try row.textOrNil("company")
        venue = try row.textOrNil("venue")
        sourceID = try row.textOrNil("source_id")
        number = try row.textOrNil("number")
        amount = try row.numericOrNil("amount")
        businessDate = try row.dateOrNil("business_date")
        origin = try row.textOrNil("origin")
        document = try row.intOrNil("document_id")
        lacks = try row.textOrNil("lacks")
        attempts = Int(try row.int("attempts"))
        replays = Int(try row.int("replays"))
        edits = Int(try row.int("edits"))
        assignee = try row.textOrNil("assignee")
        outcome = try row.textOrNil("outcome")
        firstSeen = Instant(microseconds: try row.timestamp("first_seen"))
        lastSeen = Instant(microseconds: try row.timestamp("last_seen"))
        body = try row.bytes("body")
        isTruncated = try row.bool("is_truncated")
    }
}

extension LetterGroup {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.int("id")
        deadLetterClass = try row.text("class")
        fingerprint = try row.text("fingerprint")
        cause = try row.textOrNil("cause")
        firstOpen = try row.intOrNil("first_open")
        organisation = try row.text("organisation")
        remedy = try row.text("remedy")
        assignee = try row.textOrNil("assignee")
        open = Int(try row.int("open"))
        inFlight = Int(try row.int("moving"))
        amount = try row.numeric("amount")
        venues = Int(try row.int("venues"))
        openedAt = Instant(microseconds: try row.timestamp("opened_at"))
        lastSeen = Instant(microseconds: try row.timestamp("last_seen"))
        closedAt = try row.timestampOrNil("closed_at").map { Instant(microseconds: $0) }
        let heals = DeadLetterClass(rawValue: deadLetterClass)?.canHeal == true
        nextProbe =
            try heals && closedAt == nil ? Instant(microseconds: row.timestamp("next_probe")) : nil
    }
}
