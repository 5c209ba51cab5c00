package import Domain
import Postgres

/// Where dead letters come to rest.
package protocol DeadLetterStore: Sendable {
    /// Stores letters. Each message has its effect once, however often it is delivered: a second delivery is only noted
    /// as seen again.
    ///
    /// - Returns: how many were new, and how many came back after a replay.
    func keep(_ letters: [DeadLetter]) async throws -> (new: Int, returned: Int)
}

/// A letter as it arrives.
package struct DeadLetter: Sendable {
    /// The matter: one version of a record, or one document. Two letters of one matter are one letter.
    package var identity: ContentHash
    /// The message: a second delivery of it has the same.
    package var occurrence: ContentHash
    package var mark: LetterMark?
    package var queue: String
    package var origin: String?
    package var deadLetterClass: DeadLetterClass
    package var cause: String
    package var remedy: String
    /// The cause without what differs from letter to letter.
    package var fingerprint: String
    package var organisation: OrganisationKey?
    package var company: CompanyKey?
    package var venue: String?
    package var sourceKind: String?
    package var sourceID: String?
    package var document: Int64?
    package var number: String?
    /// Exact digits.
    package var amount: String?
    package var businessDate: CalendarDate?
    package var attempts: Int
    /// Every header of the original message as it came, as a JSON object.
    package var headers: [UInt8]
    package var body: [UInt8]
    package var isTruncated = false
    package var firstSeen: Instant

    package init(
        identity: ContentHash, occurrence: ContentHash, queue: String, deadLetterClass: DeadLetterClass, cause: String,
        remedy: String, fingerprint: String, attempts: Int, headers: [UInt8], body: [UInt8], firstSeen: Instant
    ) {
        self.identity = identity
        self.occurrence = occurrence
        self.queue = queue
        self.deadLetterClass = deadLetterClass
        self.cause = cause
        self.remedy = remedy
        self.fingerprint = fingerprint
        self.attempts = attempts
        self.headers = headers
        self.body = body
        self.firstSeen = firstSeen
    }
}

extension PostgresStore: DeadLetterStore {
    package func keep(_ letters: [DeadLetter]) async throws -> (new: Int, returned: Int) {
        guard !letters.isEmpty else { return (0, 0) }
        return try await pool.transaction { session in
            // What arrived before has had its effect. Of two messages about one matter in a batch the later one counts.
            let known = Set(
                try session.query(
                    "SELECT occurrence FROM dead_letter_arrival WHERE occurrence = ANY($1::bytea[])",
                    [.bytesArray(letters.map { $0.occurrence.bytes })]
                ).map { try $0.bytes("occurrence") })
            var latest: [ContentHash: DeadLetter] = [:]
            for letter in letters where !known.contains(letter.occurrence.bytes) { latest[letter.identity] = letter }
            guard !latest.isEmpty else { return (0, 0) }
            // In the order of their keys, so that two handlers with the same letters never wait for each other in a
            // ring.
            let sorted = latest.values.sorted { $0.identity.bytes.lexicographicallyPrecedes($1.identity.bytes) }
            let groups = try Self.groups(of: sorted, session)
            let marked = sorted.filter { $0.mark != nil }
            let (returned, strangers) = try Self.takeBack(marked, groups, session)
            let fresh = sorted.filter { $0.mark == nil } + strangers
            let new = try Self.insert(fresh, groups, session)
            return (new, returned)
        }
    }

    /// The groups the letters belong to; one that was closed is open again.
    private static func groups(of letters: [DeadLetter], _ session: PostgresSession) throws -> [GroupKey: Int64] {
        var remedies: [GroupKey: String] = [:]
        for letter in letters { remedies[GroupKey(letter)] = letter.remedy }
        let keys = remedies.keys.sorted()
        let rows = try session.query(
            """
            INSERT INTO dead_letter_group AS g (class, fingerprint, organisation, remedy)
            SELECT c, f, o, r
              FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS u (c, f, o, r)
            ON CONFLICT (class, fingerprint, organisation) DO UPDATE
               SET last_seen = now(), remedy = excluded.remedy, closed_at = NULL,
                   opened_at = CASE WHEN g.closed_at IS NULL THEN g.opened_at ELSE now() END,
                   probes = CASE WHEN g.closed_at IS NULL THEN g.probes ELSE 0 END,
                   assignee = CASE WHEN g.closed_at IS NULL THEN g.assignee END
            RETURNING id, class, fingerprint, organisation
            """,
            [
                .texts(keys.map(\.deadLetterClass)), .texts(keys.map(\.fingerprint)), .texts(keys.map(\.organisation)),
                .texts(keys.map { clean(remedies[$0] ?? "") }),
            ])
        return try rows.reduce(into: [:]) { groups, row in
            let key = GroupKey(
                deadLetterClass: try row.text("class"), fingerprint: try row.text("fingerprint"),
                organisation: try row.text("organisation"))
            groups[key] = try row.int("id")
        }
    }

    /// Letters that were sent from the desk and failed again. One that answers an earlier replay than the latest is
    /// kept as an arrival and changes nothing; neither does one whose letter a person discarded meanwhile.
    ///
    /// - Returns: how many came back; and those whose letter is not here, which are letters like any other.
    private static func takeBack(
        _ letters: [DeadLetter], _ groups: [GroupKey: Int64], _ session: PostgresSession
    ) throws -> (returned: Int, strangers: [DeadLetter]) {
        guard !letters.isEmpty else { return (0, []) }
        let rows = try session.query(
            """
            SELECT l.id, l.replays, l.state FROM dead_letter AS l
             WHERE l.id = ANY($1::bigint[]) ORDER BY l.id FOR UPDATE
            """, [.ints(letters.compactMap { $0.mark?.letter })])
        var known: [Int64: (replays: Int, state: LetterState)] = [:]
        for row in rows {
            known[try row.int("id")] =
                (Int(try row.int("replays")), LetterState(rawValue: try row.text("state")) ?? .open)
        }
        var back: [DeadLetter] = []
        var strangers: [DeadLetter] = []
        var arrived: [(letter: DeadLetter, id: Int64)] = []
        for letter in letters {
            guard let mark = letter.mark, let row = known[mark.letter] else {
                strangers.append(letter)
                continue
            }
            arrived.append((letter, mark.letter))
            if mark.replay == row.replays, row.state != .discarded { back.append(letter) }
        }
        try note(arrived, session)
        guard !back.isEmpty else { return (0, strangers) }
        let ids = back.map { $0.mark?.letter }
        _ = try session.pipeline([
            (
                """
                INSERT INTO dead_letter_event (letter_id, action, author, note)
                SELECT u.id, 'came back', 'desk', u.cause FROM unnest($1::bigint[], $2::text[]) AS u (id, cause)
                """, [.ints(ids), .texts(back.map { clean($0.cause) })]
            ),
            (
                """
                UPDATE dead_letter AS l
                   SET state = 'open', class = u.class, cause = u.cause, remedy = u.remedy, group_id = u.group_id,
                       attempts = u.attempts, document_id = coalesce(u.document, l.document_id), last_seen = now(),
                       lacks = coalesce((\(lacking("u.document"))), l.lacks), closed_at = NULL, outcome = NULL
                  FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                              $7::bigint[]) AS u (id, class, cause, remedy, group_id, attempts, document)
                 WHERE l.id = u.id
                """,
                [
                    .ints(ids), .texts(back.map { $0.deadLetterClass.rawValue }), .texts(back.map { clean($0.cause) }),
                    .texts(back.map { clean($0.remedy) }), .ints(back.map { groups[GroupKey($0)] }),
                    .ints(back.map { Int64($0.attempts) }), .ints(back.map { $0.document }),
                ]
            ),
        ])
        return (back.count, strangers)
    }

    /// A letter that is here already: an open one has its latest cause, a resolved one is open again, one in flight is
    /// left to its replay. A discarded one stays discarded, but for one thing: a document that was sent again after
    /// that (the till has another version of its order) was refused anew, and of that nobody has been told.
    private static func insert(
        _ letters: [DeadLetter], _ groups: [GroupKey: Int64], _ session: PostgresSession
    ) throws -> Int {
        guard !letters.isEmpty else { return 0 }
        let rows = try session.query(
            """
            INSERT INTO dead_letter AS l
                   (identity, queue, origin, class, cause, remedy, organisation, company, venue, source_kind, source_id,
                    document_id, attempts, headers, body, first_seen, group_id, is_truncated, number, amount,
                    business_date, lacks)
            SELECT u.i, u.q, u.o, u.c, u.ca, u.r, coalesce(u.og, d.organisation), coalesce(u.co, d.company),
                   coalesce(u.v, d.venue), coalesce(u.k, d.source_kind), coalesce(u.s, d.source_id), u.d, u.a,
                   u.h::jsonb, u.b, u.f, u.g, u.t, coalesce(d.number, u.n),
                   CASE WHEN \(lacking("u.d")) = 'payment'
                        THEN (SELECT sum(p.amount) FROM payment AS p
                               WHERE p.document_id = u.d AND p.state = 'refused')
                        ELSE coalesce(d.total, u.m) END,
                   coalesce(d.trading_date, u.da), \(lacking("u.d"))
              FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                          $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
                          $14::text[], $15::bytea[], $16::timestamptz[], $17::bigint[], $18::boolean[], $19::text[],
                          $20::numeric[], $21::date[])
                AS u (i, q, o, c, ca, r, og, co, v, k, s, d, a, h, b, f, g, t, n, m, da)
              LEFT JOIN document AS d ON d.id = u.d
            ON CONFLICT (identity) DO UPDATE
               SET last_seen = now(),
                   class = CASE WHEN \(opens) THEN excluded.class ELSE l.class END,
                   cause = CASE WHEN \(opens) THEN excluded.cause ELSE l.cause END,
                   remedy = CASE WHEN \(opens) THEN excluded.remedy ELSE l.remedy END,
                   group_id = CASE WHEN \(opens) THEN excluded.group_id ELSE l.group_id END,
                   lacks = CASE WHEN \(opens) THEN excluded.lacks ELSE l.lacks END,
                   amount = CASE WHEN \(opens) THEN excluded.amount ELSE l.amount END,
                   state = CASE WHEN \(opens) THEN 'open' ELSE l.state END,
                   closed_at = CASE WHEN \(opens) THEN NULL ELSE l.closed_at END,
                   outcome = CASE WHEN \(opens) THEN NULL ELSE l.outcome END
            RETURNING id, identity, xmax = 0 AS is_new
            """, parameters(letters, groups))
        var ids: [[UInt8]: Int64] = [:]
        var new = 0
        for row in rows {
            ids[try row.bytes("identity")] = try row.int("id")
            if try row.bool("is_new") { new += 1 }
        }
        try note(letters.compactMap { letter in ids[letter.identity.bytes].map { (letter, $0) } }, session)
        return new
    }

    private static let opens = """
        (l.state IN ('open', 'resolved') OR (l.state = 'discarded' AND EXISTS (
            SELECT FROM document AS x WHERE x.id = excluded.document_id AND x.published_at > l.closed_at)))
        """

    /// What the ledger lacks of a document: SQL for a document's id.
    private static func lacking(_ id: String) -> String {
        """
        (SELECT CASE WHEN x.state = 'written' AND EXISTS (
                          SELECT FROM payment AS p WHERE p.document_id = x.id AND p.state = 'refused') THEN 'payment'
                     WHEN x.state = 'written' THEN 'nothing' ELSE 'invoice' END
           FROM document AS x WHERE x.id = \(id))
        """
    }

    private static func note(_ arrived: [(letter: DeadLetter, id: Int64)], _ session: PostgresSession) throws {
        _ = try session.execute(
            """
            INSERT INTO dead_letter_arrival (occurrence, letter_id, replay, class, cause, attempts, headers)
            SELECT o, i, r, c, ca, a, h::jsonb
              FROM unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[])
                AS u (o, i, r, c, ca, a, h)
            ON CONFLICT DO NOTHING
            """,
            [
                .bytesArray(arrived.map { $0.letter.occurrence.bytes }), .ints(arrived.map { $0.id }),
                .ints(arrived.map { Int64($0.letter.mark?.replay ?? 0) }),
                .texts(arrived.map { $0.letter.deadLetterClass.rawValue }),
                .texts(arrived.map { clean($0.letter.cause) }), .ints(arrived.map { Int64($0.letter.attempts) }),
                .texts(arrived.map { headers($0.letter) }),
            ])
    }

    private static func parameters(_ letters: [DeadLetter], _ groups: [GroupKey: Int64]) -> [PostgresValue] {
        [
            .bytesArray(letters.map { $0.identity.bytes }), .texts(letters.map { clean($0.queue) }),
            .texts(letters.map { clean($0.origin) }), .texts(letters.map { $0.deadLetterClass.rawValue }),
            .texts(letters.map { clean($0.cause) }), .texts(letters.map { clean($0.remedy) }),
            .texts(letters.map { clean($0.organisation?.text) }), .texts(letters.map { clean($0.company?.text) }),
            .texts(letters.map { clean($0.venue) }), .texts(letters.map { clean($0.sourceKind) }),
            .texts(letters.map { clean($0.sourceID) }), .ints(letters.map { $0.document }),
            .ints(letters.map { Int64($0.attempts) }), .texts(letters.map { headers($0) }),
            .bytesArray(letters.map { $0.body }),
            .timestamps(microsecondsSince1970: letters.map { $0.firstSeen.microseconds }),
            .ints(letters.map { groups[GroupKey($0)] }), .bools(letters.map { $0.isTruncated }),
            .texts(letters.map { clean($0.number) }), .numerics(letters.map { $0.amount }),
            .dates(letters.map { $0.businessDate?.description }),
        ]
    }

    private static func headers(_ letter: DeadLetter) -> String {
        String(decoding: letter.headers, as: UTF8.self).replacing("\\u0000", with: "\\ufffd")
    }

    /// PostgreSQL's text holds no NUL; a hostile header may.
    static func clean(_ text: String?) -> String? { text?.replacing("\0", with: "\u{FFFD}") }
}

private struct GroupKey: Hashable, Comparable {
    let deadLetterClass: String
    let fingerprint: String
    let organisation: String

    init(deadLetterClass: String, fingerprint: String, organisation: String) {
        self.deadLetterClass = deadLetterClass
        self.fingerprint = fingerprint
        self.organisation = organisation
    }

    init(_ letter: DeadLetter) {
        self.init(
            deadLetterClass: letter.deadLetterClass.rawValue,
            fingerprint: PostgresStore.clean(letter.fingerprint) ?? "",
            organisation: PostgresStore.clean(letter.organisation?.text) ?? "")
    }

    static func < (a: GroupKey, b: GroupKey) -> Bool {
        (a.deadLetterClass, a.fingerprint, a.organisation) < (b.deadLetterClass, b.fingerprint, b.organisation)
    }
}
