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
    case parked(Park, Envelope.Subject)
    case unreadable(String)

    var verdict: Verdict {
        switch self {
        case .mapped: .done
        case .parked(let park, let subject): .park(park, about: subject)
        case .unreadable(let reason): .unreadable(reason)
        }
    }
}

struct DocumentKey: Hashable {
    let organisation: OrganisationKey
    let number: DocumentNumber
}

struct MappedMessage {
    let record: MappedRecord
    let organisation: OrganisationKey
    let subject: Envelope.Subject
    let traceparent: String?
    let mark: LetterMark?
    let key: DocumentKey
    /// Nil where there is nothing worth keeping.
    let basis: Basis?
    let warnings: [String]
}

/// Reads and maps one message: pure, so that a batch can be read again after any failure.
struct RecordReader: Sendable {
    private let mappings: [VenueKey: OrderMapping]
    let books: [VenueKey: VenueBooks]
    private let recordBytesMax: Int
    private let basisKeeping: MappingSettings.Basis

    init(books: [VenueKey: VenueBooks], recordBytesMax: Int, basis: MappingSettings.Basis = .rules) {
        basisKeeping = basis
        self.books = books
        mappings = books.mapValues { OrderMapping(books: $0) }
        self.recordBytesMax = recordBytesMax
    }

    func read(_ message: IncomingMessage) -> Reading {
        let envelope: Envelope
        switch message.envelope {
        case .failure(let unreadable): return .unreadable(unreadable.reason)
        case .success(let value): envelope = value
        }
        guard let company = envelope.subject.company else { return .unreadable("the header tb-company is missing") }
        guard envelope.subject.kind == SourceKind.order.rawValue else {
            return .unreadable("records of kind \(envelope.subject.kind ?? "none") are not known to this version")
        }
        guard !message.isTruncated, message.body.count <= recordBytesMax else {
            let park = Park(
                .tooLarge, "The record of order \(envelope.subject.id ?? "?") has \(message.bodyBytes) bytes; at most "
                    + "\(recordBytesMax) are taken.",
                remedy: "Look at the order in Kounta; raise `mapping.record_bytes_max` if it really is that large.")
            return .parked(park, envelope.subject)
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
        let invoice = try mapping.invoice(for: order)
        var subject = envelope.subject
        subject.organisation = books.organisation
        subject.venue = books.name
        subject.id = order.id.text
        let record = MappedRecord(
            source: SourceKey(company: company, kind: .order, id: order.id.text), hash: hash(message, envelope),
            body: message.body, document: document(invoice, books), firstSeen: envelope.firstSeen)
        return MappedMessage(
            record: record, organisation: books.organisation, subject: subject, traceparent: envelope.traceparent,
            mark: envelope.mark, key: DocumentKey(organisation: books.organisation, number: invoice.number),
            basis: Basis(of: invoice, basisKeeping), warnings: invoice.warnings)
    }

    private func document(_ invoice: Invoice, _ books: VenueBooks) -> NewDocument {
        let body = InvoiceBody.element(invoice)
        var hasher = SHA256()
        hasher.update(data: body)
        for payment in invoice.payments {
            let line = "\(payment.account)|\(payment.amount)|\(payment.date)|\(payment.reference)\n"
            hasher.update(data: Array(line.utf8))
        }
        return NewDocument(
            organisation: books.organisation, number: invoice.number, venue: books.name,
            contactNumber: invoice.contactNumber, tradingDate: invoice.date, currency: invoice.currency,
            total: invoice.total, body: body, contentHash: Self.contentHash(Array(hasher.finalize())),
            payments: invoice.payments)
    }

    /// Computed here, not taken from the header: the header may come from anywhere.
    private func hash(_ message: IncomingMessage, _ envelope: Envelope) -> ContentHash {
        Self.contentHash(Array(SHA256.hash(data: message.body)))
    }

    private static func contentHash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: bytes) else { preconditionFailure("SHA-256 has 32 bytes") }
        return hash
    }
}
