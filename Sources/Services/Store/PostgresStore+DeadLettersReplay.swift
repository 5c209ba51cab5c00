package import Domain
import Money
import Postgres

/// What the mapper tells the desk.
package protocol ReplayNotes: Sendable {
    /// Notes that records sent from the desk were mapped. To be called before their messages are acknowledged: a second
    /// call changes nothing.
    func noteMapped(_ replays: [MappedReplay]) async throws
}

/// A letter's record that went through the mapper.
package struct MappedReplay: Sendable, Hashable {
    package enum Ending: String, Sendable, Hashable {
        /// A later version of the order had gone through before: this one is not booked.
        case outdated = "a later version of the order was booked"
        /// What the order says stands in the ledger, or needs no document of its own there.
        case nothingLeft = "dealt with: the order needs nothing more"
        /// What it says has no place in the books as they are kept now.
        case needless = "it needs nothing in the books"
    }

    package let mark: LetterMark
    /// What a writer is to see to; nil where it is not known.
    package let document: DocumentID?
    /// Nil: the letter is settled by what becomes of its document.
    package let ending: Ending?

    package init(mark: LetterMark, document: DocumentID?, ending: Ending? = nil) {
        self.mark = mark
        self.document = document
        self.ending = ending
    }
}

/// What the handler needs to send letters again.
package protocol ReplayStore: Sendable {
    /// Takes letters whose turn it is, at most `limit`. They are in flight from now on; one whose handler died before
    /// the broker confirmed is taken again.
    func takeQueued(_ limit: Int) async throws -> [Replay]
    /// The broker has confirmed these.
    func recordPublished(_ letters: [Int64]) async throws
    /// Those that cannot be sent go back with the reason.
    func putBack(_ letters: [(id: Int64, reason: String)]) async throws
}

/// One letter on its way out.
package struct Replay: Sendable {
    package enum Route: Sendable, Hashable {
        /// A record: to the mapper, with this body.
        case map(company: CompanyKey, kind: String, id: String)
        /// A document of a trading day: to the mapper, which knows what the day is made of.
        case day(company: CompanyKey, id: String, document: Int64)
        /// A document that is ready again: to its writers.
        case write(OrganisationKey, document: Int64)
        /// A message nobody understood: as it came.
        case raw
    }

    package let mark: LetterMark
    package let route: Route
    package let origin: String?
    package let organisation: OrganisationKey?
    package let venue: String?
    package let body: [UInt8]
    /// As JSON; needed for ``Route/raw`` only.
    package let headers: [UInt8]
    /// What the version counts as, against others of the same order.
    package let firstSeen: Instant

    package init(
        mark: LetterMark, route: Route, origin: String?, organisation: OrganisationKey?, venue: String?, body: [UInt8],
        headers: [UInt8], firstSeen: Instant
    ) {
        self.mark = mark
        self.route = route
        self.origin = origin
        self.organisation = organisation
        self.venue = venue
        self.body = body
        self.headers = headers
        self.firstSeen = firstSeen
    }
}

extension PostgresStore: ReplayNotes {
    package func noteMapped(_ replays: [MappedReplay]) async throws {
        guard !replays.isEmpty else { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE dead_letter AS l
                   SET mapped_at = now(), document_id = coalesce(u.document, l.document_id),
                       lacks = coalesce(l.lacks, 'invoice'), organisation = coalesce(d.organisation, l.organisation),
                       number = coalesce(d.number, l.number), amount = coalesce(l.amount, d.total),
                       state = CASE WHEN u.ending IS NOT NULL THEN 'resolved' ELSE l.state END,
                       closed_at = CASE WHEN u.ending IS NOT NULL THEN now() END, outcome = u.ending
                  FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
                         AS u (letter, replay, document, ending)
                  LEFT JOIN document AS d ON d.id = u.document
                 WHERE l.id = u.letter AND l.replays = u.replay AND l.state = 'replaying' AND l.mapped_at IS NULL
                """,
                [
                    .ints(replays.map { $0.mark.letter }), .ints(replays.map { Int64($0.mark.replay) }),
                    .ints(replays.map { $0.document?.value }), .texts(replays.map { $0.ending?.rawValue }),
                ])
        }
    }
}

extension PostgresStore: ReplayStore {
    /// A handler that took letters and did not say that they were published within this time is dead.
    private static let takenMax = "interval '60 seconds'"

    package func takeQueued(_ limit: Int) async throws -> [Replay] {
        try await pool.transaction { session in
            let most: [PostgresValue] = [.int(Int64(limit))]
            let due = try session.pipeline([
                ("SELECT id FROM dead_letter WHERE state = 'queued' ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED", most),
                (
                    """
                    SELECT id FROM dead_letter
                     WHERE state = 'replaying' AND published_at IS NULL AND taken_at < now() - \(Self.takenMax)
                     ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED
                    """, most
                ),
            ]).flatMap { try $0.map { try $0.int("id") } }
            guard !due.isEmpty else { return [] }
            let outdated = Set(try Self.closeOutdated(due, session))
            let left = due.filter { !outdated.contains($0) }
            let rows = try session.query(Self.take, [.ints(left.map { $0 })])
            let replays = try rows.map { try Replay($0) }
            try Self.makeReady(replays, session)
            return replays
        }
    }

    /// A letter of a record of which a later version was accepted, or lies on the desk itself, is not sent: the later
    /// version says all that this one does, and sent in the wrong order the older figures would be booked.
    private static func closeOutdated(_ letters: [Int64], _ session: PostgresSession) throws -> [Int64] {
        try session.query(
            """
            UPDATE dead_letter AS l
               SET state = 'resolved', closed_at = now(), outcome = \(outdatedOutcome)
             WHERE l.id = ANY($1::bigint[]) AND \(isOutdated) RETURNING l.id
            """, [.ints(letters.map { $0 })]
        ).map { try $0.int("id") }
    }

    /// As which age a person's correction counts: just newer than the version it was made of, and older than whatever
    /// the till sends after that. SQL for a letter called `name`.
    private static func correctedAt(_ name: String) -> String {
        "(\(name).edited_from + \(name).edits * interval '1 microsecond')"
    }

    /// Whether a version of the order was accepted that is later than the one a person corrected: the correction knows
    /// nothing of what has changed since, and is not sent.
    static func isEditSuperseded(_ name: String) -> String {
        """
        (\(name).edited_body IS NOT NULL AND EXISTS (
            SELECT FROM source_record AS r
             WHERE r.company = \(name).company AND r.kind = \(name).source_kind AND r.id = \(name).source_id
               AND r.first_seen > \(correctedAt(name))))
        """
    }

    /// The correction with the age it counts as, where it is to be sent.
    static func usableEdit(_ name: String) -> String {
        """
        SELECT \(name).edited_body AS body, \(correctedAt(name)) AS seen
         WHERE \(name).edited_body IS NOT NULL AND NOT \(isEditSuperseded(name))
        """
    }

    private static let age = "coalesce(CASE WHEN l.edits > 0 THEN \(correctedAt("l")) END, l.first_seen)"

    /// Of a record only: a document's letter is about the version that the document was made of.
    static let isOutdated = """
        (l.document_id IS NULL AND l.source_id IS NOT NULL AND l.company IS NOT NULL AND (
            EXISTS (SELECT FROM source_record AS s
                     WHERE s.company = l.company AND s.kind = l.source_kind AND s.id = l.source_id
                       AND s.first_seen > \(age) AND s.hash <> sha256(l.body))
            OR EXISTS (SELECT FROM takings AS t
                        WHERE l.source_kind = 'takings' AND t.company = l.company AND t.id = l.source_id
                          AND t.first_seen > \(age) AND t.hash <> sha256(l.body))
            OR EXISTS (SELECT FROM dead_letter AS n
                        WHERE n.source_id = l.source_id AND n.company = l.company AND n.source_kind = l.source_kind
                          AND n.id <> l.id AND n.document_id IS NULL AND n.state <> 'discarded'
                          AND n.first_seen > \(age))))
        """

    /// Begins with ``laterVersion``.
    static let outdatedOutcome = """
        'a later version of the ' || CASE l.source_kind WHEN 'takings' THEN 'takings' ELSE 'order' END
        || ' takes its place'
        """

    /// A document's letter sends the latest record of its order, so that today's mapping is applied, or what a person
    /// made of that; where the record is gone, the document as it is.
    private static let take = """
        UPDATE dead_letter AS l SET state = 'replaying', taken_at = now(), published_at = NULL, mapped_at = NULL
          FROM dead_letter AS o
          LEFT JOIN document AS d ON d.id = o.document_id
          LEFT JOIN LATERAL (
              SELECT hash, body, first_seen FROM source_record AS r
               WHERE r.company = d.company AND r.kind = d.source_kind AND r.id = d.source_id
               ORDER BY r.first_seen DESC LIMIT 1) AS s ON true
          LEFT JOIN LATERAL (\(usableEdit("o"))) AS e ON true
         WHERE l.id = o.id AND o.id = ANY($1::bigint[])
        RETURNING l.id, l.replays, l.origin, l.queue, l.organisation, l.venue, l.source_kind, l.company, l.source_id,
                  l.document_id, e.body IS NOT NULL AS is_edited, s.hash IS NOT NULL AS has_record,
                  coalesce(e.body, s.body, l.body) AS body, l.headers::text AS headers,
                  coalesce(e.seen, s.first_seen, l.first_seen) AS seen, l.lacks,
                  coalesce(d.source_kind = 'day', false) AS is_day
        """

    /// Documents that go straight to their writers are ready again; refused payments are looked for in the ledger
    /// before they are sent, because a person may have entered them there.
    private static func makeReady(_ replays: [Replay], _ session: PostgresSession) throws {
        let pairs = replays.compactMap { replay -> (letter: Int64, document: Int64)? in
            guard case .write(_, let document) = replay.route else { return nil }
            return (replay.mark.letter, document)
        }
        guard !pairs.isEmpty else { return }
        try makeReady(pairs.map { $0.document }, session)
        _ = try session.execute(
            "UPDATE dead_letter SET mapped_at = now() WHERE id = ANY($1::bigint[])", [.ints(pairs.map { $0.letter })])
    }

    static func makeReady(_ documents: [Int64], _ session: PostgresSession) throws {
        let documents: [PostgresValue] = [.ints(documents.map { $0 })]
        _ = try session.pipeline([
            (forgetUnanswered, documents),
            (
                """
                UPDATE payment AS p SET state = 'uncertain', cause = NULL FROM document AS d
                 WHERE d.id = ANY($1::bigint[]) AND p.document_id = d.id AND p.state = 'refused'
                   AND d.state = 'written'
                """, documents
            ),
            (
                """
                UPDATE document SET state = CASE WHEN state = 'refused' THEN 'ready' ELSE state END, cause = NULL,
                                    closed_at = NULL, lease_until = NULL, published_at = now(),
                                    fencing = fencing + 1
                 WHERE id = ANY($1::bigint[]) AND closed_at IS NOT NULL AND state IN ('refused', 'written')
                """, documents
            ),
        ])
    }

    package func recordPublished(_ letters: [Int64]) async throws {
        guard !letters.isEmpty else { return }
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE dead_letter SET published_at = now() WHERE id = ANY($1::bigint[]) AND state = 'replaying'",
                [.ints(letters.map { $0 })])
        }
    }

    package func putBack(_ letters: [(id: Int64, reason: String)]) async throws {
        guard !letters.isEmpty else { return }
        try await pool.transaction { session in
            let parameters: [PostgresValue] = [.ints(letters.map { $0.id }), .texts(letters.map { $0.reason })]
            _ = try session.pipeline([
                (
                    """
                    UPDATE dead_letter AS l SET state = 'open' FROM unnest($1::bigint[], $2::text[]) AS u (id, reason)
                     WHERE l.id = u.id AND l.state = 'replaying'
                    """, parameters
                ),
                (
                    """
                    INSERT INTO dead_letter_event (letter_id, action, author, note)
                    SELECT u.id, 'not sent', 'desk', u.reason FROM unnest($1::bigint[], $2::text[]) AS u (id, reason)
                    """, parameters
                ),
            ])
        }
    }

    // MARK: refused payments

    /// The record of a written invoice came again: payments that Xero refused are sent again, into the accounts the
    /// mapping names today. Only where the record is the one the invoice was made of, or the invoice would be the same,
    /// and tender by tender; anything else is a change after posting, which is not the desk's to make.
    ///
    /// - Returns: whether there is something for a writer to do.
    static func resendRefusedPayments(
        of id: DocumentID, as document: NewDocument, hash: ContentHash, _ session: PostgresSession
    ) throws -> Bool {
        let rows = try session.query(
            """
            SELECT p.ordinal, p.amount, p.state, b.body = $2 OR d.source_hash = $3 AS same,
                   d.closed_at IS NOT NULL AS closed
              FROM payment AS p JOIN document AS d ON d.id = p.document_id
              JOIN document_body AS b ON b.document_id = d.id
             WHERE p.document_id = $1 ORDER BY p.ordinal
            """, [.int(id.value), .bytes(document.body), .bytes(hash.bytes)])
        let refused = try rows.filter { try $0.text("state") == "refused" }
        guard !refused.isEmpty, rows.count == document.payments.count else { return false }
        for (row, payment) in zip(rows, document.payments) {
            guard try row.bool("same"), try row.bool("closed"),
                try row.numeric("amount") == payment.amount.description
            else { return false }
        }
        let payments = try refused.map { row in
            let ordinal = try row.int("ordinal")
            return (ordinal: ordinal, payment: document.payments[Int(ordinal)])
        }
        _ = try session.pipeline([
            (forgetUnanswered, [.ints([id.value])]),
            (
                """
                UPDATE payment AS p
                   SET state = 'uncertain', cause = NULL, account = u.account, paid_on = u.paid_on,
                       reference = u.reference
                  FROM unnest($2::bigint[], $3::text[], $4::date[], $5::text[])
                         AS u (ordinal, account, paid_on, reference)
                 WHERE p.document_id = $1 AND p.ordinal = u.ordinal AND p.state = 'refused'
                """,
                [
                    .int(id.value), .ints(payments.map { $0.ordinal }), .texts(payments.map(\.payment.account)),
                    .dates(payments.map(\.payment.date.description)), .texts(payments.map(\.payment.reference)),
                ]
            ),
            (
                """
                UPDATE document SET closed_at = NULL, cause = NULL, lease_until = NULL, published_at = now(),
                       content_hash = $2, fencing = fencing + 1
                 WHERE id = $1
                """, [.int(id.value), .bytes(document.contentHash.bytes)]
            ),
        ])
        return true
    }
}

extension Replay {
    fileprivate init(_ row: PostgresRow) throws {
        mark = LetterMark(letter: try row.int("id"), replay: Int(try row.int("replays")))
        origin = try row.textOrNil("origin")
        organisation = try row.textOrNil("organisation").map { OrganisationKey($0) }
        venue = try row.textOrNil("venue")
        body = try row.bytes("body")
        headers = Array(try row.text("headers").utf8)
        firstSeen = Instant(microseconds: try row.timestamp("seen"))
        let record = (
            company: try row.textOrNil("company"), kind: try row.textOrNil("source_kind"),
            id: try row.textOrNil("source_id")
        )
        let document = try row.intOrNil("document_id")
        let hasRecord = try row.bool("has_record") || row.bool("is_edited")
        if let document, let company = record.company, let id = record.id, try row.bool("is_day") {
            route = .day(company: CompanyKey(company), id: id, document: document)
        } else if let company = record.company, let kind = record.kind, let id = record.id,
            document == nil || hasRecord
        {
            // A record that nobody understood goes as it came: perhaps a newer version of the fleet knows its form.
            let isUnreadable = try document == nil && row.text("queue").hasSuffix(".unreadable")
            route = isUnreadable ? .raw : .map(company: CompanyKey(company), kind: kind, id: id)
        } else if let document, let organisation, try row.textOrNil("lacks") != nil {
            route = .write(organisation, document: document)
        } else {
            route = .raw
        }
    }
}
