package import Domain
import Mapping
import Money
import Postgres

/// A round of a day's documents: its summary, or an adjustment.
struct DayTurn {
    /// 0: the summary.
    var number: Int
    /// Its documents that are made anew: the ledger refused all of them.
    var refused: [DayDocument] = []
}

/// A document of a day, as it stands.
struct DayDocument {
    let id: DocumentID
    let number: DocumentNumber
    /// A credit note.
    let isOfRefunds: Bool
    let state: DocumentState
    /// Nobody does anything with it.
    let isClosed: Bool

    var isRefused: Bool { state == .refused && isClosed }
    /// The ledger may still refuse it.
    var isOnItsWay: Bool {
        switch state {
        case .ready, .claimed, .sent, .uncertain: true
        case .written, .refused: !isClosed
        case .withdrawn, .voided: false
        }
    }
}

extension [DayDocument] {
    var isAllRefused: Bool { !isEmpty && allSatisfy(\.isRefused) }
}

extension PostgresStore {
    package func repost(
        _ document: DocumentID, of key: DayKey, at moment: Instant, _ making: DayMaking
    ) async throws -> RepostedDay {
        let place: [PostgresValue] = [.text(key.company.text), .text(key.site.text), .date(key.day.description)]
        return try await pool.transaction { session in
            // Whoever closes or adjusts the day is waited for.
            let day = try session.query(
                "SELECT turn, organisation FROM venue_day WHERE company = $1 AND site = $2 AND day = $3 FOR UPDATE",
                place
            ).first
            let link = try session.query(
                "SELECT turn FROM venue_day_document WHERE document_id = $1", [.int(document.value)]
            ).first
            // It was taken back meanwhile: the day came to something else.
            guard let day, let link else { return RepostedDay() }
            let turn = Int(try link.int("turn"))
            let known = try Self.documents(ofTurn: turn, place, session)
            guard let mine = known.first(where: { $0.id == document }) else { return RepostedDay() }
            if mine.isRefused, known.isAllRefused, turn == Int(try day.int("turn")) {
                let made = try Self.make(
                    DayTurn(number: turn, refused: known), of: key, in: try day.text("organisation"), at: moment,
                    making, place, session)
                return RepostedDay(documents: made.documents, elsewhere: made.elsewhere)
            }
            if mine.state == .written, mine.isClosed {
                try Self.moveRefusedPayments(
                    of: document, turn: turn, ofRefunds: known.count > 1 ? mine.isOfRefunds : nil, key, making, place,
                    session)
            }
            try Self.makeReady([document.value], session)
            return RepostedDay(documents: [document])
        }
    }

    /// Locked: no writer takes one of them up between the look and the change.
    static func documents(
        ofTurn turn: Int, _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> [DayDocument] {
        try session.query(
            """
            SELECT d.id, d.number, d.kind, d.state, d.closed_at IS NOT NULL AS is_closed
              FROM venue_day_document AS v JOIN document AS d ON d.id = v.document_id
             WHERE v.company = $1 AND v.site = $2 AND v.day = $3 AND v.turn = $4 ORDER BY d.id FOR UPDATE OF d
            """, place + [.int(Int64(turn))]
        ).map { row in
            DayDocument(
                id: DocumentID(try row.int("id")), number: DocumentNumber(try row.text("number")),
                isOfRefunds: try row.text("kind") == LedgerDocument.Kind.creditNote.rawValue,
                state: DocumentState(rawValue: try row.text("state")) ?? .uncertain,
                isClosed: try row.bool("is_closed"))
        }
    }

    /// Documents that are made for the first time, and those that take the place of refused ones; of these what is left
    /// over is withdrawn.
    static func put(
        _ documents: [NewDocument], in refused: [DayDocument], of key: DayKey, _ session: PostgresSession
    ) throws -> [DocumentID] {
        var left = refused
        var ids: [DocumentID] = []
        for document in documents {
            let request = PostingRequest(
                source: key.source, hash: document.contentHash, body: [], firstSeen: nil,
                organisation: document.organisation, number: document.number, original: nil)
            if let index = left.firstIndex(where: { $0.number == document.number }) {
                let known = left.remove(at: index).id
                try replace(known, with: document, of: request, session)
                ids.append(known)
            } else if let id = try insert(document, of: request, session) {
                ids.append(id)
            }
        }
        let all: [PostgresValue] = [.ints(refused.map(\.id.value))]
        let gone: [PostgresValue] = [.ints(left.map(\.id.value))]
        if !refused.isEmpty {
            _ = try session.pipeline([
                (forgetUnanswered, all),
                // The listing is of what was refused.
                ("DELETE FROM attachment WHERE document_id = ANY($1::bigint[]) AND state = 'ready'", all),
            ])
        }
        if !left.isEmpty {
            _ = try session.pipeline([
                (
                    """
                    UPDATE document SET state = 'withdrawn', closed_at = now(), fencing = fencing + 1,
                           reason = 'The day comes to other documents by now.'
                     WHERE id = ANY($1::bigint[])
                    """, gone
                ),
                ("DELETE FROM venue_day_document WHERE document_id = ANY($1::bigint[])", gone),
            ])
        }
        return ids
    }

    // MARK: what a turn changed

    /// What the documents before an adjustment held of the entries that it changes. One that changed nothing in the
    /// ledger goes with the one before.
    static func keepBefore(_ turn: Int, _ place: [PostgresValue], _ session: PostgresSession) throws {
        _ = try session.execute(
            """
            DELETE FROM day_entry_before WHERE company = $1 AND site = $2 AND day = $3 AND turn < $4::bigint
            """, place + [.int(Int64(turn))])
        _ = try session.execute(
            """
            INSERT INTO day_entry_before (company, site, day, source, source_id, turn, entry)
            SELECT company, site, day, source, source_id, $4::bigint, booked FROM day_entry
             WHERE company = $1 AND site = $2 AND day = $3 AND now IS DISTINCT FROM booked
            ON CONFLICT (company, site, day, source) DO NOTHING
            """, place + [.int(Int64(turn))])
    }

    /// The day is booked as it was before its latest turn.
    static func takeBack(_ turn: Int, _ place: [PostgresValue], _ session: PostgresSession) throws {
        if turn == 0 {
            _ = try session.execute(
                "UPDATE day_entry SET booked = NULL WHERE company = $1 AND site = $2 AND day = $3", place)
        } else {
            // What went with that turn has no row any more.
            _ = try session.execute(
                """
                INSERT INTO day_entry (company, site, day, source, source_id, booked)
                SELECT company, site, day, source, source_id, entry FROM day_entry_before
                 WHERE company = $1 AND site = $2 AND day = $3 AND turn = $4::bigint
                ON CONFLICT (company, site, day, source) DO UPDATE SET booked = excluded.booked
                """, place + [.int(Int64(turn))])
        }
        _ = try session.execute(
            "DELETE FROM day_entry_before WHERE company = $1 AND site = $2 AND day = $3", place)
    }
}
