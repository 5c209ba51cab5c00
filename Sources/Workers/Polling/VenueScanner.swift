import Domain
package import Kounta
package import Messaging
package import Settings
package import Store
package import Telemetry

/// Reads one venue's orders, page by page: what is new or changed is fetched whole and published; the cursor moves only
/// when every page of the span is confirmed.
///
/// Four readings go on beside each other, so that none waits for another: the look for what is new spends of the whole
/// allowance and stops where it meets what is known; what is left of the overlap, what lies further back and the lists
/// beside get what new orders leave.
package struct VenueScanner: Sendable {
    let client: KountaClient
    /// Nil where nobody asks for customers' records.
    let customers: CustomerReading?
    let store: any PollingStore
    let outbox: any Outbox
    let settings: PollingSettings
    let clock: WorkClock
    let metrics: Metrics
    private let remainders = Remainders()

    /// A venue whose cursor is no further back is read by the look for new orders, however short the overlap.
    private static let reachMin = Duration.seconds(600)
    /// So often at least it is looked whether anything lies further back.
    private static let olderRest = Duration.seconds(60)

    package init(
        client: KountaClient, customers: CustomerReading? = nil, store: any PollingStore, outbox: any Outbox,
        settings: PollingSettings, clock: WorkClock, metrics: Metrics
    ) {
        self.client = client
        self.customers = customers
        self.store = store
        self.outbox = outbox
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
    }

    /// What one look is about.
    private struct Span: Sendable {
        let start: Instant
        let from: Instant
        let until: Instant
        var position: PollPosition
        /// Whether what is read reaches back to where the cursor is, so that it may move.
        let isCaughtUp: Bool
    }

    private func span(of venue: VenueSettings, _ company: CompanySettings) async throws -> Span {
        let start = clock.now()
        let position =
            try await store.position(company: company.key, site: venue.site)
            ?? PollPosition(readUntil: company.startFrom, rescanned: start)
        let isCaughtUp = start.since(position.readUntil) <= max(settings.overlap, Self.reachMin)
        let from = (isCaughtUp ? position.readUntil : start).adding(.zero - settings.overlap)
        return Span(
            start: start, from: max(company.startFrom, from), until: start.adding(seconds: 1), position: position,
            isCaughtUp: isCaughtUp)
    }

    /// The newest orders, down to a page on which everything is known; what is left of the span is for
    /// ``readOverlap(of:in:lease:)``.
    ///
    /// - Throws: why some orders must wait, after all others are published. The cursor stays then, so that the next
    ///   look meets them again.
    package func lookForNew(_ venue: VenueSettings, of company: CompanySettings, lease: Lease) async throws {
        let span = try await span(of: venue, company)
        let path = client.firstPagePath(.complete, site: venue.site, from: span.from, until: span.until)
        let reading = try await read(
            .complete, venue, of: company, path: path, priority: .newOrders, stopsAtKnown: true, lease)
        guard let next = reading.next else {
            await remainders.leave(nil, at: venue.site)
            try await move(span, late: reading.late, venue, company, lease)
            return
        }
        await remainders.leave(Remainder(span: span, path: next, late: reading.late), at: venue.site)
        if let late = reading.late { throw late }
    }

    /// What the last look for new orders left of its span: an order completed late stands where it was opened.
    package func readOverlap(of venue: VenueSettings, in company: CompanySettings, lease: Lease) async throws {
        guard let left = await remainders.take(at: venue.site) else { return }
        let reading = try await read(.complete, venue, of: company, path: left.path, priority: .rescan, lease)
        try await move(left.span, late: left.late ?? reading.late, venue, company, lease)
    }

    private func move(
        _ span: Span, late: (any Error)?, _ venue: VenueSettings, _ company: CompanySettings, _ lease: Lease
    ) async throws {
        var position = span.position
        if late == nil, span.isCaughtUp { position.readUntil = span.start }
        try await store.move(position, company: company.key, site: venue.site, lease: lease)
        pass(.pollerMoved)
        if let late { throw late }
    }

    /// What lies between the cursor and what is read for new orders, where nobody read for long or ever; else, from
    /// time to time, the last days once more.
    ///
    /// - Returns: when to look again.
    package func readOlder(
        of venue: VenueSettings, in company: CompanySettings, lease: Lease
    ) async throws -> Duration {
        var span = try await span(of: venue, company)
        guard span.isCaughtUp else {
            // Half of what is read for new orders as well, so that the cursor ends up within its reach.
            let reached = span.start.adding(.zero - settings.overlap / 2)
            try await readWhole(
                venue, of: company,
                from: max(company.startFrom, span.position.readUntil.adding(.zero - settings.overlap)),
                until: reached.adding(seconds: 1), lease)
            span.position.readUntil = reached
            try await store.note(span.position, company: company.key, site: venue.site, lease: lease)
            return .zero
        }
        let left = span.position.rescanned.map { settings.rescanInterval - span.start.since($0) } ?? .zero
        guard left <= .zero else { return min(left, Self.olderRest) }
        let lastDays = max(company.startFrom, span.start.adding(.zero - settings.rescanWindow))
        let path = client.firstPagePath(.complete, site: venue.site, from: lastDays, until: span.start)
        let reading = try await read(.complete, venue, of: company, path: path, priority: .rescan, lease)
        if let late = reading.late { throw late }
        span.position.rescanned = span.start
        try await store.note(span.position, company: company.key, site: venue.site, lease: lease)
        return min(settings.rescanInterval, Self.olderRest)
    }

    /// What was deleted, or left on an account, or paid of what was. Short lists: mostly a call each. Neither waits for
    /// the other's trouble.
    ///
    /// - Returns: when to look again.
    /// - Throws: the first trouble, when all is read that can be.
    package func readSideLists(
        of venue: VenueSettings, in company: CompanySettings, lease: Lease
    ) async throws -> Duration {
        var span = try await span(of: venue, company)
        let left = span.position.sideListsRead.map { settings.correctionsInterval - span.start.since($0) } ?? .zero
        guard left <= .zero else { return left }
        let lastDays = max(company.startFrom, span.start.adding(.zero - settings.rescanWindow))
        let deleted = try await outcome {
            _ = try await readIfThere(.deleted, venue, of: company, from: lastDays, until: span.start, lease)
        }
        let accounts = try await outcome {
            try await followAccounts(venue, of: company, until: span.start, lease)
        }
        try deleted.get()
        try accounts.get()
        span.position.sideListsRead = span.start
        try await store.note(span.position, company: company.key, site: venue.site, lease: lease)
        return settings.correctionsInterval
    }

    /// - Throws: only where this task is to end.
    private func outcome(_ reading: () async throws -> Void) async throws -> Result<Void, any Error> {
        do { return .success(try await reading()) } catch {
            try Task.checkCancellation()
            return .failure(error)
        }
    }

    /// What is left of a look for new orders that stopped where it met what is known.
    private struct Remainder: Sendable {
        let span: Span
        let path: String
        /// Why some of the orders before it must wait.
        let late: (any Error)?
    }

    /// Of each venue the remainder of its last look: one that nobody came to is part of the next.
    private actor Remainders {
        private var waiting: [SiteID: Remainder] = [:]

        func leave(_ remainder: Remainder?, at site: SiteID) { waiting[site] = remainder }
        func take(at site: SiteID) -> Remainder? { waiting.removeValue(forKey: site) }
    }
}
