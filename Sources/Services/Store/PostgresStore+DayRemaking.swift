import Domain
import Mapping
import Postgres

/// What other mappings made of a day's orders and takings, made again before it is booked.
extension PostgresStore {
    /// Sources looked at together.
    private static let remadeTogether = 500

    /// Which entries of a day are meant.
    enum EntryChoice {
        /// Those that differ from what the day's documents hold, and were not made with this mapping.
        case unbooked(madeOtherwiseThan: Int64)
        /// Those that a turn's documents hold.
        case booked(turn: Int)

        /// The column that is looked at.
        var column: String { if case .unbooked = self { "now" } else { "booked" } }

        /// For `$4`.
        fileprivate var condition: String {
            switch self {
            case .unbooked: "now IS NOT NULL AND now IS DISTINCT FROM booked AND mapping_version IS DISTINCT FROM $4"
            case .booked: "booked IS NOT NULL AND coalesce(turn, 0) = $4"
            }
        }

        fileprivate var parameter: PostgresValue {
            switch self {
            case .unbooked(let version): .int(version)
            case .booked(let turn): .int(Int64(turn))
            }
        }
    }

    /// Makes unbooked entries again. Where all were made with the mapping in effect, that is one look. The day's row is
    /// locked by the caller, so that nothing comes in meanwhile.
    ///
    /// - Returns: what the mapping makes more of than another entry; it has what it had.
    static func remake(
        _ key: DayKey, _ making: DayMaking, _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> [OutdatedEntries] {
        var elsewhere: [OutdatedEntries] = []
        try eachSource(of: key, .unbooked(madeOtherwiseThan: making.mappingVersion), place, session) { page in
            var (made, kept): ([StoredEntry], [String]) = ([], [])
            for outdated in page {
                switch making.again(outdated) {
                case .entries(let entries): made += entries.map { StoredEntry($0, key: key, outdated.sourceID) }
                case .elsewhere: elsewhere.append(outdated)
                case .kept: kept.append(outdated.sourceID)
                }
            }
            _ = try session.execute(
                """
                UPDATE day_entry AS e SET now = u.entry, mapping_version = $4
                  FROM unnest($5::text[], $6::bytea[]) AS u (source, entry)
                 WHERE e.company = $1 AND e.site = $2 AND e.day = $3 AND e.source = u.source
                   AND e.now IS DISTINCT FROM e.booked
                """,
                place + [
                    .int(making.mappingVersion), .texts(made.map(\.source)), .bytesArray(made.map(\.body)),
                ])
            try noteTried(kept, with: making.mappingVersion, place, session)
        }
        return elsewhere
    }

    /// Pages of sources with such entries, in the order of their ids: what the work leaves outdated comes once.
    static func eachSource(
        of key: DayKey, _ choice: EntryChoice, _ place: [PostgresValue], _ session: PostgresSession,
        _ work: ([OutdatedEntries]) throws -> Void
    ) throws {
        var last = ""
        while true {
            let ids = try session.query(
                """
                SELECT DISTINCT source_id FROM day_entry
                 WHERE company = $1 AND site = $2 AND day = $3 AND \(choice.condition) AND source_id > $5
                 ORDER BY source_id LIMIT $6
                """, place + [choice.parameter, .text(last), .int(Int64(remadeTogether))]
            ).map { try $0.text("source_id") }
            guard let end = ids.last else { return }
            last = end
            try work(try outdated(ids, of: key, choice, place, session))
        }
    }

    private static func outdated(
        _ ids: [String], of key: DayKey, _ choice: EntryChoice, _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> [OutdatedEntries] {
        var entries: [String: [DayEntry]] = [:]
        let rows = try session.query(
            """
            SELECT source_id, \(choice.column) AS entry FROM day_entry
             WHERE company = $1 AND site = $2 AND day = $3 AND source_id = ANY($4::text[])
               AND \(choice.column) IS NOT NULL
             ORDER BY source
            """, place + [.texts(ids)])
        for row in rows {
            entries[try row.text("source_id"), default: []].append(try DayEntry(stored: row.bytes("entry")))
        }
        var records: [String: [DayRecord]] = [:]
        for row in try session.query(
            """
            SELECT DISTINCT ON (id) id, body, first_seen FROM source_record
             WHERE company = $1 AND kind = 'order' AND id = ANY($2::text[]) ORDER BY id, first_seen DESC
            """, [place[0], .texts(ids)])
        {
            let record = try DayRecord(row, .order, key.company)
            records[record.source.id] = [record]
        }
        let takings = takingsSource(of: key)
        if ids.contains(takings) {
            records[takings] = try session.query(
                "SELECT id, body, first_seen FROM takings WHERE company = $1 AND site = $2 AND day = $3 ORDER BY id",
                place
            ).map { try DayRecord($0, .takings, key.company) }
        }
        return ids.map { id in
            OutdatedEntries(key: key, sourceID: id, records: records[id] ?? [], entries: entries[id] ?? [])
        }
    }

    /// What stands for a day's takings among the sources of its entries.
    static func takingsSource(of key: DayKey) -> String { "takings/\(key.site)/\(key.day)" }

    package func noteTried(_ outdated: [OutdatedEntries], of key: DayKey, with version: Int64) async throws {
        _ = try await pool.withSession { session in
            try Self.noteTried(
                outdated.map(\.sourceID), with: version,
                [.text(key.company.text), .text(key.site.text), .date(key.day.description)], session)
        }
    }

    private static func noteTried(
        _ ids: [String], with version: Int64, _ place: [PostgresValue], _ session: PostgresSession
    ) throws {
        if ids.isEmpty { return }
        _ = try session.execute(
            """
            UPDATE day_entry SET mapping_version = $4
             WHERE company = $1 AND site = $2 AND day = $3 AND source_id = ANY($5::text[])
               AND mapping_version IS DISTINCT FROM $4
            """, place + [.int(version), .texts(ids)])
    }
}

extension DayRecord {
    fileprivate init(_ row: PostgresRow, _ kind: SourceKind, _ company: CompanyKey) throws {
        source = SourceKey(company: company, kind: kind, id: try row.text("id"))
        body = try row.bytes("body")
        firstSeen = Instant(microseconds: try row.timestamp("first_seen"))
    }
}
