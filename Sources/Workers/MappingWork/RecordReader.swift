import Crypto
import Domain
import Kounta
import Mapping
import Messaging
import Money
import Settings
import Store
import Xero

/// What became of one message: a record with its document, or why there is none.
enum Reading {
    case mapped(MappedMessage)
    /// What was counted in a till.
    case takings(TakingsMessage)
    /// A day's document that was sent from the desk.
    case day(DayMessage)
    /// Nothing is to be done about it: what it says has no place in the books.
    case needless(LetterMark?, [RecordWarning])
    case parked(Park, Envelope.Subject)
    case unreadable(String)

    var hasWarnings: Bool {
        switch self {
        case .mapped(let mapped): !mapped.warnings.isEmpty
        case .takings(let takings): !takings.warnings.isEmpty
        case .needless(_, let warnings): !warnings.isEmpty
        case .day, .parked, .unreadable: false
        }
    }

    /// What a person is told of it although it is dealt with.
    var warnings: [RecordWarning] {
        switch self {
        case .mapped(let mapped):
            mapped.warnings.map { sentence in
                RecordWarning(
                    organisation: mapped.organisation, venue: mapped.subject.venue ?? "?",
                    order: mapped.subject.id ?? "?", sentence: sentence)
            }
        case .takings(let takings): takings.warnings
        case .needless(_, let warnings): warnings
        case .day, .parked, .unreadable: []
        }
    }

    var verdict: Verdict {
        switch self {
        case .mapped, .takings, .day, .needless: .done
        case .parked(let park, let subject): .park(park, about: subject)
        case .unreadable(let reason): .unreadable(reason)
        }
    }
}

struct DocumentKey: Hashable {
    let organisation: OrganisationKey
    let number: DocumentNumber
}

/// A class, since it is large and handed on from step to step: a copy would retain some fifty strings.
final class MappedMessage: Sendable {
    /// Its document is there where the order is one ordinary invoice: nearly always.
    let record: MappedRecord
    let posting: OrderPosting
    let organisation: OrganisationKey
    let subject: Envelope.Subject
    let traceparent: String?
    let mark: LetterMark?
    let key: DocumentKey
    /// Nil where there is nothing worth keeping.
    let basis: Basis?
    let warnings: [String]
    /// Only where the venue posts, or has ever posted, summaries.
    let day: DayReading?

    init(
        record: MappedRecord, posting: OrderPosting, organisation: OrganisationKey, subject: Envelope.Subject,
        traceparent: String?, mark: LetterMark?, key: DocumentKey, basis: Basis?, warnings: [String], day: DayReading?
    ) {
        self.record = record
        self.posting = posting
        self.organisation = organisation
        self.subject = subject
        self.traceparent = traceparent
        self.mark = mark
        self.key = key
        self.basis = basis
        self.warnings = warnings
        self.day = day
    }
}

/// Reads and maps one message: pure, so that a batch can be read again after any failure.
struct RecordReader: Sendable {
    let mappings: [VenueKey: OrderMapping]
    let books: [VenueKey: VenueBooks]
    /// Of all venues of a company.
    private let prefixes: [CompanyKey: [String]]
    private let recordBytesMax: Int
    private let basisKeeping: MappingSettings.Basis

    init(books: [VenueKey: VenueBooks], recordBytesMax: Int, basis: MappingSettings.Basis = .rules) {
        basisKeeping = basis
        self.books = books
        mappings = books.mapValues { OrderMapping(books: $0) }
        prefixes = Dictionary(grouping: books, by: \.key.company).mapValues { $0.map(\.value.numberPrefix).sorted() }
        self.recordBytesMax = recordBytesMax
    }

    func read(_ message: IncomingMessage) -> Reading {
        let envelope: Envelope
        switch message.envelope {
        case .failure(let unreadable): return .unreadable(unreadable.reason)
        case .success(let value): envelope = value
        }
        guard let company = envelope.subject.company else { return .unreadable("the header tb-company is missing") }
        guard let kind = envelope.subject.kind.flatMap(SourceKind.init(rawValue:)) else {
            return .unreadable("records of kind \(envelope.subject.kind ?? "none") are not known to this version")
        }
        guard !message.isTruncated, message.body.count <= recordBytesMax else {
            let park = Park(
                .tooLarge, "The record of order \(envelope.subject.id ?? "?") has \(message.bodyBytes) bytes; at most "
                    + "\(recordBytesMax) are taken.",
                remedy: "Look at the order in Kounta; raise `mapping.record_bytes_max` if it really is that large.")
            return .parked(park, envelope.subject)
        }
        switch kind {
        case .day: return readDay(envelope, company)
        case .takings: return readTakings(message, envelope, company)
        case .order: break
        }
        do { return .mapped(try map(message, envelope, company)) } catch { return .parked(error, envelope.subject) }
    }

    private func map(
        _ message: IncomingMessage, _ envelope: Envelope, _ company: CompanyKey
    ) throws(Park) -> MappedMessage {
        let order = try OrderRecord.order(from: message.body)
        let venue = VenueKey(company: company, site: order.site)
        guard let mapping = mappings[venue], let books = books[venue] else {
            throw Park(
                .mapping, "Order \(order.id) is of site \(order.site), which company \(company) does not list.",
                remedy: "Add the site under `venues` of company \(company), then replay.")
        }
        let version = try version(of: order, mapping)
        var subject = envelope.subject
        subject.organisation = books.organisation
        subject.venue = books.name
        subject.id = order.id.text
        let number = DocumentNumber(prefix: books.numberPrefix, order: order.id)
        var request = PostingRequest(
            source: SourceKey(company: company, kind: .order, id: order.id.text),
            hash: Self.hash(of: order, message.body),
            body: message.body, firstSeen: envelope.firstSeen, organisation: books.organisation, number: number,
            original: order.refundedOrder.map { DocumentNumber(prefix: books.numberPrefix, order: $0) })
        if let sale = order.refundedOrder {
            request.sale = SourceKey(company: company, kind: .order, id: sale.text)
            request.otherOriginals = (prefixes[company] ?? []).filter { $0 != books.numberPrefix }
                .map { DocumentNumber(prefix: $0, order: sale) }
        }
        var documents: [LedgerDocument] = []
        if case .documents(let made) = version { documents = made }
        request.contact = Self.contact(of: order, documents, books)
        let posting = OrderPosting(request: request, version: version, books: books, number: number)
        let only = documents.count == 1 ? documents.first : nil
        let ordinary = only.flatMap { $0.isOrdinary(in: books) ? NewDocument($0, of: books) : nil }
        var record = MappedRecord(
            source: request.source, hash: request.hash, body: message.body, document: ordinary,
            firstSeen: envelope.firstSeen)
        record.contact = request.contact
        return MappedMessage(
            record: record, posting: posting, organisation: books.organisation, subject: subject,
            traceparent: envelope.traceparent, mark: envelope.mark,
            key: DocumentKey(organisation: books.organisation, number: number),
            basis: only.flatMap { Basis(of: $0, basisKeeping) }, warnings: documents.flatMap(\.warnings),
            day: books.posting.knowsSummaries ? DayReading(of: order, documents, mapping, version) : nil)
    }

    /// Whom a named customer's documents are made out to; nil where they went to the venue's walk-in contact.
    private static func contact(
        of order: Order, _ documents: [LedgerDocument], _ books: VenueBooks
    ) -> CustomerContact? {
        guard let customer = order.customer?.id,
            let document = documents.first(where: { $0.contactNumber != books.contactNumber })
        else { return nil }
        return CustomerContact(customer: customer, number: document.contactNumber)
    }

    /// - Throws: ``Park`` where nothing can be decided about this version.
    private func version(of order: Order, _ mapping: OrderMapping) throws(Park) -> OrderVersion {
        if order.isDeleted { return .deleted }
        switch try mapping.outcome(for: order) {
        case .documents(let documents): return .documents(documents)
        case .skipped(let rule, let reason): return .skipped(rule: rule, reason: reason)
        }
    }

    /// Over the record as Kounta sent it: a customer whose tags have changed is no other version of the order.
    private static func hash(of order: Order, _ record: [UInt8]) -> ContentHash {
        hash(order.customerKnowledge == .notAsked ? record : CustomerAddition.removed(from: record))
    }

    /// Computed here, not taken from the header: the header may come from anywhere.
    static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: bytes))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}
