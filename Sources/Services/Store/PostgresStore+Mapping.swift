package import Domain
package import Money
import Postgres

/// What the mapper stores.
package protocol MappingStore: ReplayNotes {
    /// Stores records and the documents made of them in one transaction. Doing it again changes nothing.
    ///
    /// - Returns: what became of each document, in the order of `records` that have one.
    func accept(_ records: [MappedRecord]) async throws -> [AcceptedDocument]
}

/// A record of Kounta's and, where it could be mapped, its document.
package struct MappedRecord: Sendable {
    package var source: SourceKey
    package var hash: ContentHash
    package var body: [UInt8]
    package var document: NewDocument?
    /// When the till was asked for it, not when it was mapped: a version that lay on the desk is older than one
    /// that came later and went through, and must not win over it.
    package var firstSeen: Instant?
    /// Of a named customer: whom the document is made out to.
    package var contact: CustomerContact?

    package init(
        source: SourceKey, hash: ContentHash, body: [UInt8], document: NewDocument?, firstSeen: Instant? = nil
    ) {
        self.source = source
        self.hash = hash
        self.body = body
        self.document = document
        self.firstSeen = firstSeen
    }
}

package struct NewDocument: Sendable {
    package var organisation: OrganisationKey
    package var number: DocumentNumber
    package var venue: String
    package var contactNumber: String
    package var tradingDate: CalendarDate
    package var currency: String
    package var total: Money
    package var body: [UInt8]
    /// Over the body and the payments: two documents with one hash are the same to the ledger.
    package var contentHash: ContentHash
    package var payments: [InvoicePayment]
    package var kind = LedgerDocument.Kind.invoice
    package var slot = DocumentSlot.sale
    package var revision = 0
    /// Of a refund order: the sale it gives back.
    package var original: DocumentNumber?
    package var allocations: [LedgerAllocation] = []
    /// Why it is made; nil for a sale that was complete.
    package var reason: String?
    /// The document as the books keep it, where body and payments do not say all.
    package var form: [UInt8]?

    package init(
        organisation: OrganisationKey, number: DocumentNumber, venue: String, contactNumber: String,
        tradingDate: CalendarDate, currency: String, total: Money, body: [UInt8], contentHash: ContentHash,
        payments: [InvoicePayment]
    ) {
        self.organisation = organisation
        self.number = number
        self.venue = venue
        self.contactNumber = contactNumber
        self.tradingDate = tradingDate
        self.currency = currency
        self.total = total
        self.body = body
        self.contentHash = contentHash
        self.payments = payments
    }
}

package struct AcceptedDocument: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        case created
        /// The same document was there already.
        case known(DocumentState)
        /// It was there with other content and had not been sent, or had been refused: it now has the new content and
        /// is ready.
        case replaced
        /// It was there with other content and may have been sent; nothing was changed.
        case conflict(DocumentState, total: String)
        /// The record is older than the one the document was made of.
        case stale
    }

    package let id: DocumentID
    package let organisation: OrganisationKey
    package let number: DocumentNumber
    package let outcome: Outcome
}

extension PostgresStore: MappingStore {
    package func accept(_ records: [MappedRecord]) async throws -> [AcceptedDocument] {
        guard !records.isEmpty else { return [] }
        // In the order of their keys, so that two mappers with the same orders never wait for each other in a ring.
        let sorted = records.sorted { ($0.source.company.text, $0.source.id) < ($1.source.company.text, $1.source.id) }
        // Nearly always nothing of a batch is known, and an INSERT that expects no conflict costs a fifth less. A batch
        // that meets something known fails whole and is done again with an eye on each row.
        do { return try await accept(records, sorted: sorted, .expectNew) } catch let error as PostgresError {
            guard error.code == .uniqueViolation else { throw error }
            return try await accept(records, sorted: sorted, .meetKnown)
        }
    }

    private enum Meeting { case expectNew, meetKnown }

    private func accept(
        _ records: [MappedRecord], sorted: [MappedRecord], _ meeting: Meeting
    ) async throws -> [AcceptedDocument] {
        let withDocuments = sorted.filter { $0.document != nil }
        return try await pool.transaction { session in
            // What is new to everybody needs no lock: of two that believe so, one fails and comes again.
            if meeting == .meetKnown { try Self.lock(sorted.map(\.source), session) }
            let results = try session.pipeline([
                (Self.insertSources(meeting), Self.sourceParameters(sorted)),
                (Self.insertDocuments(meeting), Self.documentParameters(withDocuments)),
            ])
            var accepted: [DocumentKey: AcceptedDocument] = [:]
            for row in results[1] {
                let key = DocumentKey(organisation: try row.text("organisation"), number: try row.text("number"))
                accepted[key] = AcceptedDocument(
                    id: DocumentID(try row.int("id")), organisation: OrganisationKey(key.organisation),
                    number: DocumentNumber(key.number), outcome: .created)
            }
            for record in withDocuments {
                guard let document = record.document, accepted[document.key] == nil else { continue }
                accepted[document.key] = try Self.meetKnown(record, document, session)
            }
            try Self.note(withDocuments.compactMap(NotedContact.init), session)
            return records.compactMap { record in record.document.flatMap { accepted[$0.key] } }
        }
    }

    private static func insertSources(_ meeting: Meeting) -> String {
        """
        INSERT INTO source_record (company, kind, id, hash, body, first_seen)
        SELECT\(meeting == .meetKnown ? " DISTINCT ON (c, k, i, h)" : "") c, k, i, h, b, coalesce(f, clock_timestamp())
          FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::timestamptz[])
            AS u (c, k, i, h, b, f)
        \(meeting == .meetKnown ? "ORDER BY c, k, i, h, f DESC \(readAgain(at: "ANY($6::timestamptz[])"))" : "")
        """
    }

    private static func sourceParameters(_ records: [MappedRecord]) -> [PostgresValue] {
        [
            .texts(records.map { $0.source.company.text }), .texts(records.map { $0.source.kind.rawValue }),
            .texts(records.map { $0.source.id }), .bytesArray(records.map { $0.hash.bytes }),
            .bytesArray(records.map { $0.body }),
            .timestamps(microsecondsSince1970: records.map { $0.firstSeen?.microseconds }),
        ]
    }

    /// Documents, bodies and payments in one statement: none can ever be there without the others.
    private static func insertDocuments(_ meeting: Meeting) -> String {
        """
        WITH made AS (
            INSERT INTO document (organisation, number, company, source_kind, source_id, source_hash, venue,
                                  contact_number, trading_date, currency, total, content_hash)
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::text[],
                                 $8::text[], $9::date[], $10::text[], $11::numeric[], $13::bytea[])
            \(meeting == .meetKnown ? "ON CONFLICT (organisation, number) DO NOTHING" : "")
            RETURNING id, organisation, number
        ), bodies AS (
            INSERT INTO document_body (document_id, body)
            SELECT made.id, b.body FROM unnest($1::text[], $2::text[], $12::bytea[]) AS b (organisation, number, body)
              JOIN made USING (organisation, number)
        ), paid AS (
            INSERT INTO payment (document_id, ordinal, account, amount, paid_on, reference)
            SELECT made.id, p.ordinal, p.account, p.amount, p.paid_on, p.reference
              FROM unnest($14::text[], $15::text[], $16::bigint[], $17::text[], $18::numeric[], $19::date[],
                          $20::text[])
                AS p (organisation, number, ordinal, account, amount, paid_on, reference)
              JOIN made USING (organisation, number)
        )
        SELECT id, organisation, number FROM made
        """
    }

    private static func documentParameters(_ records: [MappedRecord]) -> [PostgresValue] {
        let pairs = records.compactMap { record in record.document.map { (record, $0) } }
        let documents = pairs.map(\.1)
        let payments = documents.flatMap { document in
            document.payments.enumerated().map { (document, $0.offset, $0.element) }
        }
        return [
            .texts(documents.map { $0.organisation.text }), .texts(documents.map { $0.number.text }),
            .texts(pairs.map { $0.0.source.company.text }), .texts(pairs.map { $0.0.source.kind.rawValue }),
            .texts(pairs.map { $0.0.source.id }), .bytesArray(pairs.map { $0.0.hash.bytes }),
            .texts(documents.map { $0.venue }), .texts(documents.map { $0.contactNumber }),
            .dates(documents.map { $0.tradingDate.description }), .texts(documents.map { $0.currency }),
            .numerics(documents.map { $0.total.description }), .bytesArray(documents.map { $0.body }),
            .bytesArray(documents.map { $0.contentHash.bytes }), .texts(payments.map { $0.0.organisation.text }),
            .texts(payments.map { $0.0.number.text }), .ints(payments.map { Int64($0.1) }),
            .texts(payments.map { $0.2.account }), .numerics(payments.map { $0.2.amount.description }),
            .dates(payments.map { $0.2.date.description }), .texts(payments.map { $0.2.reference }),
        ]
    }

    // MARK: a number that is there already

    private static func meetKnown(
        _ record: MappedRecord, _ document: NewDocument, _ session: PostgresSession
    ) throws -> AcceptedDocument? {
        // Locked: a writer must not claim it between the look and the change.
        let rows = try session.query(
            """
            SELECT id, state, content_hash = $3 AS same, total, task IS NOT NULL OR EXISTS (
                SELECT FROM document AS f
                 WHERE f.company = $4 AND f.source_id = $6 AND (f.slot <> 'sale' OR f.revision > 0)) OR EXISTS (
                SELECT FROM document_body AS b WHERE b.document_id = document.id AND b.form IS NOT NULL
                ) AS is_one_of_many, NOT EXISTS (
                SELECT FROM source_record AS this JOIN source_record AS other USING (company, kind, id)
                 WHERE this.company = $4 AND this.kind = $5 AND this.id = $6 AND this.hash = $7
                   AND other.first_seen > this.first_seen) AS newest
              FROM document WHERE organisation = $1 AND number = $2 FOR UPDATE
            """,
            [
                .text(document.organisation.text), .text(document.number.text), .bytes(document.contentHash.bytes),
                .text(record.source.company.text), .text(record.source.kind.rawValue), .text(record.source.id),
                .bytes(record.hash.bytes),
            ])
        guard let row = rows.first else { return nil }
        let id = DocumentID(try row.int("id"))
        let state = DocumentState(rawValue: try row.text("state")) ?? .refused
        func accepted(_ outcome: AcceptedDocument.Outcome) -> AcceptedDocument {
            AcceptedDocument(
                id: id, organisation: document.organisation, number: document.number, outcome: outcome)
        }
        // What has more documents than this one, or was taken away, is decided upon as a whole.
        let isOneOfMany = try row.bool("is_one_of_many") || state == .voided || state == .withdrawn
        let isSame = try row.bool("same")
        if state == .written, !isOneOfMany,
            try resendRefusedPayments(of: id, as: document, hash: record.hash, session)
        {
            return accepted(.replaced)
        }
        if isSame && state != .refused && !isOneOfMany { return accepted(.known(state)) }
        guard try row.bool("newest") else { return accepted(.stale) }
        if isOneOfMany { return accepted(.conflict(state, total: try row.numeric("total"))) }
        // What Xero refused is tried again when its record comes again: that is what a replay is.
        guard state == .ready || state == .refused else {
            return accepted(.conflict(state, total: try row.numeric("total")))
        }
        try replace(id, with: document, of: record, session)
        return accepted(.replaced)
    }

    /// The fencing number rises: a writer that has read the old content can no longer send it.
    private static func replace(
        _ id: DocumentID, with document: NewDocument, of record: MappedRecord, _ session: PostgresSession
    ) throws {
        let payments = document.payments
        _ = try session.pipeline([
            (
                """
                UPDATE document SET source_hash = $2, venue = $3, contact_number = $4, trading_date = $5, currency = $6,
                       total = $7, content_hash = $8, state = 'ready', cause = NULL, lease_until = NULL,
                       closed_at = NULL, published_at = now(), fencing = fencing + 1
                 WHERE id = $1
                """,
                [
                    .int(id.value), .bytes(record.hash.bytes), .text(document.venue), .text(document.contactNumber),
                    .date(document.tradingDate.description), .text(document.currency),
                    .numeric(document.total.description), .bytes(document.contentHash.bytes),
                ]
            ),
            ("UPDATE document_body SET body = $2 WHERE document_id = $1", [.int(id.value), .bytes(document.body)]),
            ("DELETE FROM payment WHERE document_id = $1", [.int(id.value)]),
            (
                """
                INSERT INTO payment (document_id, ordinal, account, amount, paid_on, reference)
                SELECT $1, * FROM unnest($2::bigint[], $3::text[], $4::numeric[], $5::date[], $6::text[])
                """,
                [
                    .int(id.value), .ints(payments.indices.map { Int64($0) }), .texts(payments.map(\.account)),
                    .numerics(payments.map(\.amount.description)), .dates(payments.map(\.date.description)),
                    .texts(payments.map(\.reference)),
                ]
            ),
        ])
    }
}

private struct DocumentKey: Hashable {
    let organisation: String
    let number: String
}

extension NotedContact {
    fileprivate init?(_ record: MappedRecord) {
        guard let contact = record.contact, let document = record.document else { return nil }
        self.init(
            company: record.source.company, organisation: document.organisation, contact: contact,
            seen: record.firstSeen)
    }
}

extension NewDocument {
    fileprivate var key: DocumentKey { DocumentKey(organisation: organisation.text, number: number.text) }
}
