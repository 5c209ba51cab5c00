import Domain
import Mapping
import Messaging
import Settings
import Store

/// A day's document that was sent from the desk.
struct DayMessage: Sendable {
    let key: DayKey
    let document: DocumentID
    let organisation: OrganisationKey
    let mark: LetterMark?
    let traceparent: String?
}

extension RecordReader {
    func readDay(_ envelope: Envelope, _ company: CompanyKey) -> Reading {
        let parts = envelope.subject.id?.split(separator: "/") ?? []
        guard let document = envelope.subject.document, parts.count == 2, let day = CalendarDate(parts[1]) else {
            return .unreadable("a trading day is named `<site>/<day>`, with a document of it")
        }
        let key = DayKey(company: company, site: SiteID(String(parts[0])), day: day)
        guard let books = books[VenueKey(company: company, site: key.site)] else {
            let park = Park(
                .mapping, "The document is of site \(key.site), which company \(company) does not list.",
                remedy: "Add the site under `venues` of company \(company), then replay.")
            return .parked(park, envelope.subject)
        }
        return .day(
            DayMessage(
                key: key, document: DocumentID(document), organisation: books.organisation, mark: envelope.mark,
                traceparent: envelope.traceparent))
    }

    /// What this mapping makes of entries that another one made. Pure.
    func again(_ outdated: OutdatedEntries) -> Remade {
        if outdated.records.isEmpty { return .kept }
        guard let made = entries(of: outdated), Self.isSame(made, outdated.entries) else { return .elsewhere }
        return .entries(made)
    }

    /// Nil where they are not the day's, or cannot be made.
    private func entries(of outdated: OutdatedEntries) -> [DayEntry]? {
        guard let record = outdated.records.first else { return nil }
        if record.source.kind == .takings {
            return try? entries(of: outdated.records.map(\.body), on: outdated.key)
        }
        let message = IncomingMessage(body: record.body, envelope: .success(record.envelope), queue: "day")
        guard case .mapped(let mapped) = read(message), !mapped.isSkipped, let day = mapped.day, !day.standsAlone
        else { return nil }
        return day.entries.filter { $0.day == outdated.key.day }
    }

    /// The same documents of the order, of the same amounts: only where they are booked to may differ.
    private static func isSame(_ made: [DayEntry], _ known: [DayEntry]) -> Bool {
        guard made.count == known.count else { return false }
        let known = Dictionary(known.map { ($0.source, $0) }) { $1 }
        return made.allSatisfy { entry in
            guard let other = known[entry.source] else { return false }
            return other.total == entry.total && other.isRefund == entry.isRefund
        }
    }
}

extension DayMaking {
    /// With a mapping that a mapper has in effect.
    init(of mapping: SummaryMapping, _ current: MappingInEffect.Current) {
        self.init(
            mappingVersion: current.version, withOrders: mapping.orders.books.posting.attachesOrders,
            again: current.reader.again, decide: { DayDecision(of: $0, mapping) })
    }
}

extension DayRecord {
    fileprivate var envelope: Envelope {
        Envelope(
            firstSeen: firstSeen,
            subject: Envelope.Subject(company: source.company, kind: source.kind.rawValue, id: source.id))
    }
}

extension OutdatedEntries {
    /// Through the mapper again, as they came.
    var messages: [OutgoingMessage] {
        records.map { record in
            OutgoingMessage(
                queue: .map, envelope: record.envelope, body: record.body,
                messageID: "\(record.source.kind.rawValue)/\(record.source.id)/again")
        }
    }
}

extension MapperService {
    /// Has a day's document made anew that was sent from the desk.
    ///
    /// - Returns: what follows: a message for the writers of each document, and records that go through the mapper
    ///   again.
    func repost(_ message: DayMessage, _ current: MappingInEffect.Current) async throws -> [OutgoingMessage] {
        guard let books = current.reader.books[VenueKey(company: message.key.company, site: message.key.site)]
        else { return [] }
        let reposted = try await store.repost(
            message.document, of: message.key, at: clock.now(), DayMaking(of: SummaryMapping(books: books), current))
        if let mark = message.mark {
            try await store.noteMapped([MappedReplay(mark: mark, document: message.document)])
        }
        return reposted.elsewhere.flatMap(\.messages) + reposted.documents.map { document in
            let subject = Envelope.Subject(organisation: message.organisation, document: document.value)
            var envelope = Envelope(firstSeen: clock.now(), subject: subject)
            envelope.traceparent = message.traceparent
            // Each is its own letter's, where it has one.
            if document == message.document { envelope.mark = message.mark }
            return OutgoingMessage(
                queue: .write(message.organisation), envelope: envelope,
                body: Array("{\"document\":\(document)}".utf8))
        }
    }
}
