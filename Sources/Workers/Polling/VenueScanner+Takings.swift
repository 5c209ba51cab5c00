package import Domain
import Kounta
import Messaging
package import Settings
package import Store
import Telemetry

extension VenueScanner {
    /// Publishes takings that are new or were counted again.
    ///
    /// - Parameter since: nil: from the company's first day on.
    package func readTakings(
        of venue: VenueSettings, in company: CompanySettings, since: Instant?, lease: Lease
    ) async throws {
        // By UTC, a day early: the site's own calendar may be ahead of it or behind.
        let start = max(since ?? company.startFrom, company.startFrom)
        let day = CalendarDate(daysSince1970: Int(start.secondsSince1970 / 86_400)).adding(days: -1)
        let readAt = clock.now()
        let takings = try await client.takings(site: venue.site, since: day)
        // Beside the orders' ids, which have no slash.
        let rows = takings.map { (id: OrderID("takings/\($0.id)"), hash: Self.hash($0.body)) }
        let unseen = try await store.unseen(company: company.key, rows: rows, at: readAt)
        let new = zip(takings, rows).filter { unseen.contains($0.1.id) }
        if new.isEmpty { return }
        let messages = new.map { takings, row in
            let subject = Envelope.Subject(
                organisation: company.organisation, company: company.key, venue: venue.name,
                kind: SourceKind.takings.rawValue, id: takings.id, hash: row.hash.description)
            return OutgoingMessage(
                queue: .map, envelope: Envelope(firstSeen: readAt, subject: subject), body: takings.body,
                messageID: "\(company.key)/takings/\(takings.id)/\(row.hash.description.prefix(16))")
        }
        try await publish(messages, lease)
        try await store.markSeen(company: company.key, rows: new.map(\.1), lease: lease)
        metrics.count("tillbridge_takings_published_total", ["company": company.key.text], by: new.count)
    }
}
