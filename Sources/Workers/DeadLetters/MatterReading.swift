import Domain
import JSON
import Mapping
import Messaging
import Money
import Settings

/// What a letter is about, in the words a person searches by: read from the record itself as far as it can be, because
/// what could not be mapped has no document to say it.
struct MatterReading: Sendable {
    struct Matter: Sendable, Equatable {
        var organisation: OrganisationKey?
        var venue: String?
        var number: String?
        /// Exact digits.
        var amount: String?
        var date: CalendarDate?
    }

    private let books: [VenueKey: VenueBooks]
    private let organisations: [CompanyKey: OrganisationKey]

    init(books: [VenueKey: VenueBooks]) {
        self.books = books
        organisations = books.reduce(into: [:]) { $0[$1.key.company] = $1.value.organisation }
    }

    /// A record is small; what is larger is not looked into.
    private static let bytesMax = 1 << 20

    func matter(of subject: Envelope.Subject, body: [UInt8]) -> Matter {
        var matter = Matter()
        matter.organisation = subject.organisation ?? subject.company.flatMap { organisations[$0] }
        guard subject.document == nil, body.count <= Self.bytesMax, let json = try? JSON(parsing: body),
            json.kind == .object
        else { return matter }
        if let text = json["total"]?.text, let total = ExactDecimal(text).flatMap({ Money(rounding: $0) }) {
            matter.amount = total.description
        }
        let moment = json["created_at"]?.string.flatMap { Instant(iso8601: $0) }
        if let company = subject.company, let site = json["site_id"]?.text,
            let books = books[VenueKey(company: company, site: SiteID(site))]
        {
            matter.organisation = books.organisation
            matter.venue = books.name
            matter.date = moment.map { books.timeZone.date(at: $0) }.flatMap {
                CalendarDate.years.contains($0.year) ? $0 : nil
            }
            matter.number = subject.id.map { DocumentNumber(prefix: books.numberPrefix, order: OrderID($0)).text }
        } else {
            // The day as the till wrote it: whose venue it is, nobody knows.
            matter.date = json["created_at"]?.string.flatMap { CalendarDate($0.prefix(10)) }
        }
        return matter
    }
}

extension JSON {
    /// A string's text or a number's digits: Kounta sends ids and amounts either way.
    fileprivate var text: String? { string ?? numberText }
}
