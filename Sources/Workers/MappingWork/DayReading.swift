import Domain
import Kounta
import Mapping
import Messaging
import Money
import Settings
import Store

/// Where an order belongs, at a venue that posts summaries.
struct DayReading: Sendable {
    let route: PostingRoute
    /// A customer's own invoice in either mode.
    let standsAlone: Bool
    /// What the order adds to its days, one entry a document; none where it was deleted.
    let entries: [DayEntry]
    /// The sale that a refund order gives back.
    let givesBack: OrderID?
    /// When it last added something to each of its days.
    let madeAt: [CalendarDate: Instant]
    let register: String?
    let staff: String?

    /// - Parameter posted: nothing is known here of how it was posted before; the store decides that.
    init(of order: Order, _ documents: [LedgerDocument], _ mapping: OrderMapping, _ version: OrderVersion) {
        // What belongs to a sale that stands alone goes with it.
        standsAlone = documents.first.map(mapping.standsAlone) ?? false
        givesBack = order.refundedOrder
        (register, staff) = (order.register, order.staff)
        madeAt = ([order.createdAt] + order.payments.compactMap(\.paidAt)).reduce(into: [:]) { moments, moment in
            let day = mapping.calendar.day(at: moment)
            moments[day] = max(moments[day] ?? moment, moment)
        }
        // A rule leaves it out: decided where single documents are, which leaves alone what was booked before. What a
        // day has of it that no document holds is taken out.
        if case .skipped = version {
            (route, entries) = (.order, [])
            return
        }
        route = PostingRoute.route(
            on: mapping.calendar.day(at: order.createdAt), standsAlone: standsAlone, posted: nil,
            plan: mapping.books.posting)
        entries = standsAlone ? [] : mapping.entries(of: documents, for: order)
    }
}

extension MappedMessage {
    /// As its day takes it in.
    func dayOrder(leaves: Bool) -> DayOrder {
        var order = DayOrder(
            source: posting.request.source, hash: posting.request.hash, body: posting.request.body,
            firstSeen: posting.request.firstSeen, organisation: organisation, venue: posting.books.name,
            site: posting.books.site, plan: posting.books.posting, number: posting.number,
            entries: leaves ? [] : day?.entries ?? [], givesBack: sale, leaves: leaves)
        order.madeAt = day?.madeAt ?? [:]
        order.register = day?.register
        order.staff = day?.staff
        return order
    }

    /// The sale that this refund order gives back.
    private var sale: DayOrder.Sale? {
        guard let id = day?.givesBack, let number = posting.request.original else { return nil }
        return DayOrder.Sale(id: id, number: number, otherNumbers: posting.request.otherOriginals)
    }

    /// Why its day does not take it; nil where it does.
    func park(_ outcome: DayOrder.Outcome?) -> Park? {
        guard case .beyondSale(let sold, let left) = outcome, let sale else { return nil }
        let amount = (day?.entries ?? []).lazy.filter(\.isRefund).map(\.total).sum()
        return Park.beyondSale(posting.number, amount, of: sale.number, over: sold, left: left)
    }
}

/// Takings of one till or venue, as they came.
struct TakingsMessage: Sendable {
    let takings: DayTakings
    let venue: VenueKey
    let subject: Envelope.Subject
    let mark: LetterMark?
    /// Of what the fallback account took.
    let warnings: [RecordWarning]
}

extension RecordReader {
    /// Takings belong to the trading day in which they were counted.
    func readTakings(_ message: IncomingMessage, _ envelope: Envelope, _ company: CompanyKey) -> Reading {
        do throws(Park) {
            let record = try TakingsRecord(from: message.body)
            let venue = VenueKey(company: company, site: record.site)
            guard let mapping = mappings[venue], let books = books[venue] else {
                throw Park(
                    .mapping,
                    "Takings \(record.id) are of site \(record.site), which company \(company) does not list.",
                    remedy: "Add the site under `venues` of company \(company), then replay.")
            }
            let day = mapping.calendar.day(at: record.createdAt)
            let mode = books.posting.mode(on: day)
            func warnings(_ sentence: (Takings) -> String?) -> [RecordWarning] {
                record.takings.filter { !$0.variance.isZero }.compactMap(sentence).map {
                    RecordWarning(organisation: books.organisation, venue: books.name, sentence: $0)
                }
            }
            guard books.booksTakings(of: day) else {
                return .needless(envelope.mark, warnings { taking in
                    "takings \(record.id): the variance of \(taking.variance) by \"\(taking.method)\" on \(day) is "
                        + "not booked, since the day is posted order by order and `accounts.variance` is not set"
                })
            }
            var subject = envelope.subject
            subject.organisation = books.organisation
            subject.venue = books.name
            var takings = DayTakings(
                key: DayKey(company: company, site: record.site, day: day), id: record.id,
                hash: Self.hash(message.body), body: message.body, countedAt: record.createdAt,
                firstSeen: envelope.firstSeen, organisation: books.organisation, venue: books.name, mode: mode)
            takings.isProcessed = record.isProcessed
            takings.scope = record.scope
            // Says now what could not be booked, while there is a message to lay on the desk.
            _ = try entries(of: [message.body], on: takings.key)
            return .takings(TakingsMessage(takings: takings, venue: venue, subject: subject, mark: envelope.mark,
                warnings: warnings { taking in
                    if books.clearingAccounts[taking.method.lowercased()] != nil { return nil }
                    return "takings \(record.id): the variance of \(taking.variance) by \"\(taking.method)\" goes to "
                        + "the fallback account"
                }))
        } catch { return .parked(error, envelope.subject) }
    }

    /// The variances of all takings of a day.
    func entries(of bodies: [[UInt8]], on key: DayKey) throws(Park) -> [DayEntry] {
        guard let mapping = mappings[VenueKey(company: key.company, site: key.site)] else { return [] }
        var takings: [Takings] = []
        for body in bodies { takings += try TakingsRecord(from: body).takings }
        return try SummaryMapping(books: mapping.books).entries(of: Takings.sums(of: takings), on: key.day)
    }
}
