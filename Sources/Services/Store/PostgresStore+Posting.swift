import Domain
import JSON
import Mapping
import Money
import Postgres
import Xero

extension PostgresStore: PostingStore {
    func postOnce<Ending: Sendable>(
        _ request: PostingRequest, _ decide: @Sendable (StandingOrder) -> (moves: [PostingMove], ending: Ending)
    ) async throws -> (announced: [DocumentID], ending: Ending)? {
        try await pool.transaction { session in
            let source = request.source
            // And the sale that it gives back: two refunds of one sale are added up.
            try Self.lock([source] + [request.sale].compactMap(\.self), session)
            let key: [PostgresValue] = [.text(source.company.text), .text(source.kind.rawValue), .text(source.id)]
            _ = try session.query(
                "INSERT INTO source_record (company, kind, id, hash, body, first_seen) "
                    + "VALUES ($1, $2, $3, $4, $5, coalesce($6::timestamptz, clock_timestamp())) "
                    + Self.readAgain(at: "$6::timestamptz"),
                key + [
                    .bytes(request.hash.bytes), .bytes(request.body),
                    request.firstSeen.map { .timestamp(microsecondsSince1970: $0.microseconds) } ?? .null,
                ])
            // With a column: a result without any has no rows for us.
            let newer = try session.query(
                """
                SELECT true AS newer FROM source_record AS this JOIN source_record AS other USING (company, kind, id)
                 WHERE this.company = $1 AND this.kind = $2 AND this.id = $3 AND this.hash = $4
                   AND other.first_seen > this.first_seen
                """, key + [.bytes(request.hash.bytes)])
            guard newer.isEmpty else { return nil }
            let rows = try Self.rows(of: request, session)
            let order = try Self.standing(request, rows, session)
            let (moves, ending) = decide(order)
            var announced: [DocumentID] = []
            for move in moves {
                announced += try Self.apply(move, request, rows, session)
            }
            if let contact = request.contact {
                let noted = NotedContact(
                    company: source.company, organisation: request.organisation, contact: contact,
                    seen: request.firstSeen)
                try Self.note([noted], session)
            }
            // What was stored the last time and may have lost its message is announced again.
            announced += rows.filter { $0.standing.standing == .waiting }.map(\.id)
            // Said once: the next time it is asked for again.
            if !order.refusals.isEmpty {
                _ = try session.query(
                    "UPDATE document SET obstacle = NULL WHERE id = ANY($1)", [.ints(rows.map(\.id.value))])
            }
            return (announced, ending)
        }
    }

    // MARK: what stands

    /// A document's row with the document it was made from.
    struct Row {
        let id: DocumentID
        var standing: StandingDocument
        let obstacle: String?
    }

    /// By number, and by the index of the few that are not their order's first. Locked: nobody may claim one of them
    /// between the look and the change.
    static let rowsSQL = """
        SELECT d.id, d.number, d.kind, d.slot, d.revision, d.state, d.closed_at IS NULL AS is_open, d.contact_number,
               d.trading_date, d.obstacle, d.is_reconciled, b.body, b.form
          FROM document AS d JOIN document_body AS b ON b.document_id = d.id
         WHERE d.id IN (
            SELECT id FROM document WHERE number = $1 AND organisation = $2
             UNION ALL
            SELECT id FROM document WHERE company = $3 AND source_id = $4 AND (slot <> 'sale' OR revision > 0))
         ORDER BY d.revision, d.id FOR UPDATE OF d
        """

    static func rows(of request: PostingRequest, _ session: PostgresSession) throws -> [Row] {
        try rows(
            session.query(
                rowsSQL,
                [
                    .text(request.number.text), .text(request.organisation.text), .text(request.source.company.text),
                    .text(request.source.id),
                ]), session)
    }

    static func rows(_ found: [PostgresRow], _ session: PostgresSession) throws -> [Row] {
        let ids = try found.map { try $0.int("id") }
        let payments = try session.query(
            """
            SELECT document_id, account, amount, paid_on, reference, state, allocates FROM payment
             WHERE document_id = ANY($1) ORDER BY document_id, ordinal
            """, [.ints(ids)])
        return try found.map { row in
            let id = try row.int("id")
            let own = try payments.filter { try $0.int("document_id") == id }
            var standing = try self.standing(row)
            // Of what stands in the ledger, the payments that stand there; else those that are to be sent.
            let counted = try own.filter { row in
                let state = try row.text("state")
                return standing.standing == .written ? state == "written" : state != "removed"
            }
            let wanted = standing.document.payments
            standing.document.payments = try counted.filter { try $0.textOrNil("allocates") == nil }.map { row in
                let payment = try LedgerPayment(stored: row)
                // The form knows on which day the money changed hands, whatever it had to be dated.
                return wanted.first {
                    $0.account == payment.account && $0.amount == payment.amount && $0.date == payment.date
                        && $0.reference == payment.reference
                } ?? payment
            }
            standing.document.allocations = try counted.compactMap { row in
                guard let number = try row.textOrNil("allocates") else { return nil }
                let payment = try LedgerPayment(stored: row)
                return LedgerAllocation(invoice: DocumentNumber(number), amount: payment.amount, date: payment.date)
            }
            return Row(id: DocumentID(id), standing: standing, obstacle: try row.textOrNil("obstacle"))
        }
    }

    private static func standing(_ row: PostgresRow) throws -> StandingDocument {
        let state = DocumentState(rawValue: try row.text("state")) ?? .uncertain
        let document: LedgerDocument
        if let form = try row.bytesOrNil("form") {
            document = try LedgerDocument(stored: form)
        } else {
            document = try InvoiceBody.document(from: row.bytes("body"), contact: row.text("contact_number"))
        }
        // What is written but not closed is in a writer's hands: a task or payments are under way.
        let isUnderWay = try state == .written && row.bool("is_open")
        return StandingDocument(
            isUnderWay ? .inHand : StandingDocument.Standing(state), document, revision: Int(try row.int("revision")),
            isReconciled: try row.bool("is_reconciled"))
    }

    private static func standing(
        _ request: PostingRequest, _ rows: [Row], _ session: PostgresSession
    ) throws -> StandingOrder {
        var order = StandingOrder()
        order.documents = withReversals(rows.map(\.standing))
        for row in rows where row.standing.standing == .written {
            if let obstacle = row.obstacle { order.refusals[row.standing.number] = obstacle }
        }
        let lock = try session.query(
            "SELECT locked_through FROM ledger_lock WHERE organisation = $1 AND read_at > now() - interval '1 day'",
            [.text(request.organisation.text)])
        order.locks = LedgerLocks(
            lockedThrough: try lock.first?.dateOrNil("locked_through").flatMap { CalendarDate($0) })
        for index in order.documents.indices {
            order.documents[index].credited = try credited(order.documents[index].number, request, session)
        }
        if let number = request.original {
            if let found = try original(number, request.otherOriginals, request, session) {
                (order.originalNumber, order.original) = found
            } else {
                order.summarised = try summarised(number, request, session)
            }
        }
        return order
    }

    /// A document that one of the other kind takes back is gone, and so is the one that takes it back.
    static func withReversals(_ documents: [StandingDocument]) -> [StandingDocument] {
        var documents = documents
        for reversal in documents.indices {
            guard case .reversal(let revision) = documents[reversal].document.slot,
                documents[reversal].standing != .gone, documents[reversal].standing != .refused,
                let taken = documents.firstIndex(where: {
                    documents[reversal].number.text == "\($0.number)-x" && $0.revision == revision
                })
            else { continue }
            let isDone = documents[reversal].standing == .written
            documents[taken].standing = isDone ? .gone : .inHand
            documents[reversal].standing = .gone
        }
        return documents
    }

    // MARK: what is done

    /// - Returns: the documents that a writer must hear of.
    private static func apply(
        _ move: PostingMove, _ request: PostingRequest, _ rows: [Row], _ session: PostgresSession
    ) throws -> [DocumentID] {
        func id(_ number: DocumentNumber) -> DocumentID? { rows.first { $0.standing.number == number }?.id }
        switch move {
        case .create(let document):
            if let known = id(document.number) {
                try replace(known, with: document, of: request, session)
                return [known]
            }
            let made = try insert(document, of: request, session)
            return try made.map { [$0] + (try settleAgain(by: document, of: request, session)) } ?? []
        case .replace(let document):
            guard let known = id(document.number) else { return [] }
            try replace(known, with: document, of: request, session)
            return [known]
        case .withdraw(let number, let reason):
            guard let known = id(number) else { return [] }
            _ = try session.query(
                """
                UPDATE document SET state = 'withdrawn', reason = $2, closed_at = now(), fencing = fencing + 1
                 WHERE id = $1
                """, [.int(known.value), .text(reason)])
            return []
        case .update(let document, let reason):
            guard let known = id(document.number) else { return [] }
            try change(known, to: document, of: request, session)
            try begin("update", known, reason, session)
            return [known]
        case .pay(let number, let payments, let reason):
            guard let known = id(number) else { return [] }
            try insert(try revive(payments, of: known, session), [], of: known, session)
            try begin(nil, known, reason, session)
            return [known]
        case .void(let number, let reason):
            guard let known = id(number) else { return [] }
            try begin("void", known, reason, session)
            return [known]
        }
    }

    /// Opens a document that stands: a writer is to do something with it.
    private static func begin(
        _ task: String?, _ id: DocumentID, _ reason: String, _ session: PostgresSession
    ) throws {
        _ = try session.query(
            """
            UPDATE document SET task = coalesce($2, task), reason = $3, obstacle = NULL, closed_at = NULL,
                   published_at = now(), fencing = fencing + 1
             WHERE id = $1
            """, [.int(id.value), task.map { .text($0) } ?? .null, .text(reason)])
    }

    static func insert(
        _ document: NewDocument, of request: PostingRequest, _ session: PostgresSession
    ) throws -> DocumentID? {
        let rows = try session.query(
            """
            INSERT INTO document (organisation, number, company, source_kind, source_id, source_hash, venue,
                                  contact_number, trading_date, currency, total, content_hash, kind, slot, revision,
                                  original, reason)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15::bigint, $16, $17) RETURNING id
            """,
            [
                .text(document.organisation.text), .text(document.number.text), .text(request.source.company.text),
                .text(request.source.kind.rawValue), .text(request.source.id), .bytes(request.hash.bytes),
                .text(document.venue), .text(document.contactNumber), .date(document.tradingDate.description),
                .text(document.currency), .numeric(document.total.description), .bytes(document.contentHash.bytes),
                .text(document.kind.rawValue), .text(document.slot.description), .int(Int64(document.revision)),
                document.original.map { .text($0.text) } ?? .null, document.reason.map { .text($0) } ?? .null,
            ])
        guard let id = try rows.first.map({ DocumentID(try $0.int("id")) }) else { return nil }
        _ = try session.query(
            "INSERT INTO document_body (document_id, body, form) VALUES ($1, $2, $3)",
            [.int(id.value), .bytes(document.body), document.form.map { .bytes($0) } ?? .null])
        try insert(document.payments, document.allocations, of: id, session)
        return id
    }

    /// Ordinals go on after those that are there.
    private static func insert(
        _ payments: [LedgerPayment], _ allocations: [LedgerAllocation], of id: DocumentID, _ session: PostgresSession
    ) throws {
        let count = payments.count + allocations.count
        if count == 0 { return }
        let none: [String?] = payments.map { _ in nil }
        _ = try session.query(
            """
            INSERT INTO payment (document_id, ordinal, account, amount, paid_on, reference, allocates)
            SELECT $1, u.turn + coalesce((SELECT max(ordinal) + 1 FROM payment WHERE document_id = $1), 0),
                   u.account, u.amount, u.paid_on, u.reference, u.allocates
              FROM unnest($2::bigint[], $3::text[], $4::numeric[], $5::date[], $6::text[], $7::text[])
                AS u (turn, account, amount, paid_on, reference, allocates)
            """,
            [
                .int(id.value), .ints((0..<count).map { Int64($0) }),
                .texts(payments.map(\.account) + allocations.map { _ in "" }),
                .numerics(payments.map(\.amount.description) + allocations.map(\.amount.description)),
                .dates(payments.map(\.date.description) + allocations.map(\.date.description)),
                .texts(payments.map(\.reference) + allocations.map { _ in "" }),
                .texts(none + allocations.map(\.invoice.text)),
            ])
    }

    /// The fencing number rises: a writer that has read the old content can no longer send it.
    static func replace(
        _ id: DocumentID, with document: NewDocument, of request: PostingRequest, _ session: PostgresSession
    ) throws {
        _ = try session.query(
            """
            UPDATE document SET source_hash = $2, venue = $3, contact_number = $4, trading_date = $5, currency = $6,
                   total = $7, content_hash = $8, kind = $9, original = $10, reason = $11, state = 'ready',
                   cause = NULL, lease_until = NULL, closed_at = NULL, published_at = now(), fencing = fencing + 1
             WHERE id = $1
            """,
            [
                .int(id.value), .bytes(request.hash.bytes), .text(document.venue), .text(document.contactNumber),
                .date(document.tradingDate.description), .text(document.currency),
                .numeric(document.total.description), .bytes(document.contentHash.bytes),
                .text(document.kind.rawValue), document.original.map { .text($0.text) } ?? .null,
                document.reason.map { .text($0) } ?? .null,
            ])
        _ = try session.query(
            "UPDATE document_body SET body = $2, form = $3 WHERE document_id = $1",
            [.int(id.value), .bytes(document.body), document.form.map { .bytes($0) } ?? .null])
        _ = try session.query("DELETE FROM payment WHERE document_id = $1", [.int(id.value)])
        try insert(document.payments, document.allocations, of: id, session)
    }

    private static func change(
        _ id: DocumentID, to document: NewDocument, of request: PostingRequest, _ session: PostgresSession
    ) throws {
        _ = try session.query(
            """
            INSERT INTO document_change (document_id, body, form, contact_number, trading_date, total, content_hash,
                                         source_hash)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
            ON CONFLICT (document_id) DO UPDATE
               SET body = excluded.body, form = excluded.form, contact_number = excluded.contact_number,
                   trading_date = excluded.trading_date, total = excluded.total,
                   content_hash = excluded.content_hash, source_hash = excluded.source_hash
            """,
            [
                .int(id.value), .bytes(document.body), document.form.map { .bytes($0) } ?? .null,
                .text(document.contactNumber), .date(document.tradingDate.description),
                .numeric(document.total.description), .bytes(document.contentHash.bytes), .bytes(request.hash.bytes),
            ])
    }
}

extension LedgerPayment {
    fileprivate init(stored row: PostgresRow) throws {
        self.init(
            account: try row.text("account"), amount: try Money(stored: row.numeric("amount")),
            date: CalendarDate(try row.date("paid_on")) ?? CalendarDate(daysSince1970: 0),
            reference: try row.text("reference"))
    }
}

extension Money {
    /// An amount of a table that only amounts of ours are put into.
    init(stored digits: String) throws {
        guard let decimal = ExactDecimal(digits), let money = Money(exactly: decimal) else {
            throw UnreadableAmount(digits: digits)
        }
        self = money
    }
}

private struct UnreadableAmount: Error, CustomStringConvertible {
    let digits: String
    var description: String { "the stored amount \(digits) is no sum of money" }
}
