package import Domain
import Mapping
import Postgres

extension PostgresStore: TillWriteStore {
    package func reconsider(_ kind: TillWrite.Kind, of company: CompanyKey, under rules: ContentHash) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE till_write SET due_at = now(), revision = revision + 1, attempts = 0
                 WHERE company = $1 AND kind = $2 AND due_at IS NULL AND rules_hash IS DISTINCT FROM $3
                """, [.text(company.text), .text(kind.rawValue), .bytes(rules.bytes)])
        }
    }

    package func dueCustomers(of company: CompanyKey, limit: Int) async throws -> [DueCustomer] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT w.*, l.xero_id FROM till_write AS w
                  JOIN contact_link AS l ON l.organisation = w.organisation AND l.contact_number = w.contact_number
                 WHERE w.company = $1 AND w.kind = 'customer' AND w.due_at <= now()
                 ORDER BY w.due_at, w.id LIMIT $2
                """, [.text(company.text), .int(Int64(limit))]
            ).map { row in
                DueCustomer(
                    write: try TillWrite(row),
                    contact: ContactFacts(id: try row.text("xero_id"), number: try row.text("contact_number")),
                    ours: Set([try row.textOrNil("written"), try row.textOrNil("sending")].compactMap(\.self)))
            }
        }
    }

    package func dueTakings(of company: CompanyKey, limit: Int) async throws -> [DueTakings] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT w.*, d.site, d.venue, d.day FROM till_write AS w
                  JOIN takings AS t ON t.company = w.company AND t.id = w.id
                  JOIN venue_day AS d ON d.company = t.company AND d.site = t.site AND d.day = t.day
                 WHERE w.company = $1 AND w.kind = 'takings' AND w.due_at <= now()
                   AND d.state = 'posted' AND d.changed_at IS NULL
                 ORDER BY w.due_at, w.id LIMIT $2
                """, [.text(company.text), .int(Int64(limit))]
            ).map { row in
                DueTakings(
                    write: try TillWrite(row), site: SiteID(try row.text("site")), venue: try row.text("venue"),
                    day: CalendarDate(try row.date("day")) ?? CalendarDate(daysSince1970: 0))
            }
        }
    }

    package func intend(_ value: String, over standing: String?, _ write: TillWrite) async throws -> Bool {
        try await pool.withSession { session in
            try session.execute(
                """
                UPDATE till_write SET sending = $5, written = coalesce($6, written)
                 WHERE company = $1 AND kind = $2 AND id = $3 AND revision = $4
                """, write.place + [.text(value), standing.map { .text($0) } ?? .null]) == 1
        }
    }

    package func settle(_ write: TillWrite, _ result: TillWriteResult) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE till_write
                   SET due_at = NULL, attempts = 0, outcome = $5, cause = $6, written = coalesce($7, written),
                       sending = CASE WHEN $7::text IS NULL THEN sending END, rules_hash = $8, mapping_version = $9,
                       settled_at = now()
                 WHERE company = $1 AND kind = $2 AND id = $3 AND revision = $4
                """,
                write.place + [
                    .text(result.outcome.rawValue), result.cause.map { .text($0) } ?? .null,
                    result.value.map { .text($0) } ?? .null, .bytes(result.rules.bytes), .int(result.mappingVersion),
                ])
        }
    }

    package func putOff(_ write: TillWrite, for pause: Duration, because cause: String) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE till_write
                   SET due_at = now() + $5 * interval '1 millisecond', attempts = attempts + 1, cause = $6
                 WHERE company = $1 AND kind = $2 AND id = $3 AND revision = $4
                """, write.place + [.int(pause.milliseconds), .text(cause)])
        }
    }

    package func tillWritesLeft(of company: CompanyKey) async throws -> [TillWriteResult.Outcome: Int] {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT outcome, count(*) AS rows FROM till_write
                 WHERE company = $1 AND outcome IN ('foreign', 'refused', 'failed', 'altered') AND due_at IS NULL
                 GROUP BY outcome
                """, [.text(company.text)])
            var counts: [TillWriteResult.Outcome: Int] = [:]
            for row in rows {
                guard let outcome = TillWriteResult.Outcome(rawValue: try row.text("outcome")) else { continue }
                counts[outcome] = Int(try row.int("rows"))
            }
            return counts
        }
    }

    // MARK: where the facts are stored

    /// In the transaction that stores the documents. A customer whose contact is the same is not looked at again,
    /// unless the last look came to nothing.
    static func note(_ contacts: [NotedContact], _ session: PostgresSession) throws {
        if contacts.isEmpty { return }
        var latest: [String: NotedContact] = [:]
        for noted in contacts {
            let key = "\(noted.company)/\(noted.contact.customer)"
            if let known = latest[key]?.seen, let seen = noted.seen, known > seen { continue }
            latest[key] = noted
        }
        // In the order of their keys, as all who lock several do.
        let sorted = latest.sorted { $0.key < $1.key }.map(\.value)
        _ = try session.execute(
            """
            INSERT INTO till_write (company, kind, id, organisation, contact_number, seen_at)
            SELECT c, 'customer', i, o, n, coalesce(s, clock_timestamp())
              FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::timestamptz[]) AS u (c, i, o, n, s)
            ON CONFLICT (company, kind, id) DO UPDATE
               SET organisation = excluded.organisation, contact_number = excluded.contact_number,
                   seen_at = excluded.seen_at, due_at = now(), revision = till_write.revision + 1, attempts = 0
             WHERE till_write.seen_at <= excluded.seen_at
               AND ((till_write.organisation, till_write.contact_number)
                    <> (excluded.organisation, excluded.contact_number)
                    OR till_write.outcome IN ('gone', 'failed', 'refused') AND till_write.due_at IS NULL)
            """,
            [
                .texts(sorted.map(\.company.text)), .texts(sorted.map(\.contact.customer)),
                .texts(sorted.map(\.organisation.text)), .texts(sorted.map(\.contact.number)),
                .timestamps(microsecondsSince1970: sorted.map { $0.seen?.microseconds }),
            ])
    }

    /// In the transaction that stores takings which are new, or were counted again.
    static func noteTakings(_ takings: DayTakings, _ session: PostgresSession) throws {
        _ = try session.execute(
            """
            INSERT INTO till_write (company, kind, id, organisation, seen_at) VALUES ($1, 'takings', $2, $3, $4)
            ON CONFLICT (company, kind, id) DO UPDATE
               SET organisation = excluded.organisation, seen_at = excluded.seen_at, due_at = now(),
                   revision = till_write.revision + 1, attempts = 0
            """,
            [
                .text(takings.key.company.text), .text(takings.id), .text(takings.organisation.text),
                .timestamp(microsecondsSince1970: takings.firstSeen.microseconds),
            ])
    }
}

/// A customer's contact as a record says it.
struct NotedContact {
    let company: CompanyKey
    let organisation: OrganisationKey
    let contact: CustomerContact
    let seen: Instant?
}

extension TillWrite {
    fileprivate init(_ row: PostgresRow) throws {
        self.init(
            company: CompanyKey(try row.text("company")), kind: Kind(rawValue: try row.text("kind")) ?? .customer,
            id: try row.text("id"), revision: try row.int("revision"), attempts: Int(try row.int("attempts")),
            before: try row.textOrNil("outcome").flatMap(TillWriteResult.Outcome.init))
    }

    /// The row as it was read: a newer reason to look has another revision.
    fileprivate var place: [PostgresValue] { [.text(company.text), .text(kind.rawValue), .text(id), .int(revision)] }
}
