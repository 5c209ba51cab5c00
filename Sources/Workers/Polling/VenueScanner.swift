import Crypto
import Domain
package import Kounta
package import Messaging
package import Settings
package import Store
package import Telemetry

/// Reads one venue's orders of a span of time, page by page: what is new or changed is fetched whole and published; the
/// cursor moves only when every page of the span is confirmed.
package struct VenueScanner: Sendable {
    let client: KountaClient
    let store: any PollingStore
    let outbox: any Outbox
    let settings: PollingSettings
    let clock: WorkClock
    let metrics: Metrics

    /// A list longer than this is cut short by an error: a page that leads to itself would never end.
    private static let pagesMax = 200_000
    /// So often a list is read again that loses orders while it is read, before the scan begins anew.
    private static let rereadingsMax = 5

    package init(
        client: KountaClient, store: any PollingStore, outbox: any Outbox, settings: PollingSettings, clock: WorkClock,
        metrics: Metrics
    ) {
        self.client = client
        self.store = store
        self.outbox = outbox
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
    }

    /// New orders first; when it is time, also what was deleted or left on an account, and the last days once more,
    /// from what is left of the budget.
    package func scan(_ venue: VenueSettings, of company: CompanySettings, lease: Lease) async throws {
        let start = clock.now()
        var position =
            try await store.position(company: company.key, site: venue.site)
            ?? PollPosition(readUntil: company.startFrom, rescanned: start)
        let from = max(company.startFrom, position.readUntil.adding(.zero - settings.overlap))
        let until = start.adding(seconds: 1)
        // The next poll reads the overlap again; what lies before it nobody would see again for days, or ever.
        if start.since(position.readUntil) <= settings.overlap {
            try await read(.complete, venue, of: company, from: from, until: until, priority: .newOrders)
        } else {
            try await readWhole(venue, of: company, from: from, until: until)
        }
        position.readUntil = start
        let isRescanDue = start.since(position.rescanned ?? start.adding(.zero - settings.rescanInterval))
            >= settings.rescanInterval
        try await store.move(position, company: company.key, site: venue.site, lease: lease)
        pass(.pollerMoved)
        let lastDays = max(company.startFrom, start.adding(.zero - settings.rescanWindow))
        if position.sideListsRead.map({ start.since($0) >= settings.correctionsInterval }) ?? true {
            // Short lists: mostly a call each.
            _ = try await readIfThere(.deleted, venue, of: company, from: lastDays, until: start)
            try await followAccounts(venue, of: company, until: start)
            position.sideListsRead = start
            try await store.move(position, company: company.key, site: venue.site, lease: lease)
        }
        guard isRescanDue else { return }
        try await read(.complete, venue, of: company, from: lastDays, until: start, priority: .rescan)
        position.rescanned = start
        try await store.move(position, company: company.key, site: venue.site, lease: lease)
    }

    /// Reads a span until it is certain that no order fell between two pages.
    ///
    /// Pages are counted from the newest order: where one of those already read is deleted, the rest moves up, and the
    /// first of the next page is now the last of the page before. Such a list lacks in the next reading what it had in
    /// this one. So a reading whose every order is in the next one was whole. What was published is not asked for
    /// again: another reading costs a call for each 25 orders, from what new orders leave.
    ///
    /// - Throws: ``UnsteadyList`` after so many readings: the cursor stays, and the next scan begins anew.
    private func readWhole(
        _ venue: VenueSettings, of company: CompanySettings, from: Instant, until: Instant
    ) async throws {
        var last = try await read(.complete, venue, of: company, from: from, until: until, priority: .newOrders)
        guard last.pages > 1 else { return }
        for _ in 0..<Self.rereadingsMax {
            let again = try await read(.complete, venue, of: company, from: from, until: until, priority: .rescan)
            if last.ids.isSubset(of: again.ids) { return }
            last = again
        }
        throw UnsteadyList(readings: Self.rereadingsMax + 1)
    }

    /// A list that Kounta does not have stops no venue: sales go on.
    ///
    /// - Returns: nil where it does not have it.
    private func readIfThere(
        _ list: KountaClient.OrderList, _ venue: VenueSettings, of company: CompanySettings, from: Instant,
        until: Instant
    ) async throws -> Set<OrderID>? {
        do {
            return try await read(list, venue, of: company, from: from, until: until, priority: .rescan).ids
        } catch KountaError.notFound {
            metrics.count(
                "tillbridge_poll_lists_missing_total", ["company": company.key.text, "list": list.rawValue])
            return nil
        }
    }

    /// What no longer stands among the open accounts was paid meanwhile; it may be weeks old, and keeps the time of its
    /// creation, so that no poll for new orders would see it.
    private func followAccounts(
        _ venue: VenueSettings, of company: CompanySettings, until: Instant
    ) async throws {
        guard let open = try await readIfThere(
            .openAccounts, venue, of: company, from: company.startFrom, until: until)
        else { return }
        let known = try await store.openAccounts(company: company.key, site: venue.site)
        var messages: [OutgoingMessage] = []
        for id in known.subtracting(open).sorted() {
            guard let body = try await client.order(id, priority: .rescan), OpenAccountOrder.isSale(body) else {
                continue
            }
            messages.append(message(body, id, venue, company))
        }
        try await outbox.publish(messages)
        // Only now: a crash before publishes them once more, which the mapper recognises by the hash.
        try await store.setOpenAccounts(open, company: company.key, site: venue.site)
        metrics.count("tillbridge_orders_published_total", ["company": company.key.text], by: messages.count)
    }

    /// - Returns: the orders of the list, and on how many pages they were.
    @discardableResult
    private func read(
        _ list: KountaClient.OrderList, _ venue: VenueSettings, of company: CompanySettings, from: Instant,
        until: Instant, priority: KountaBudget.Priority
    ) async throws -> (ids: Set<OrderID>, pages: Int) {
        var ids: Set<OrderID> = []
        var path: String? = client.firstPagePath(list, site: venue.site, from: from, until: until)
        var pages = 0
        while let current = path {
            try Task.checkCancellation()
            let page = try await client.page(current, priority: priority)
            pages += 1
            guard pages <= Self.pagesMax else {
                throw KountaError.unexpectedShape(path: current, "the list has more than \(Self.pagesMax) pages")
            }
            metrics.count("tillbridge_poll_rows_total", ["company": company.key.text], by: page.rows.count)
            try await take(page.rows, of: list, venue, company, priority)
            ids.formUnion(page.rows.map(\.id))
            path = page.next
        }
        return (ids, pages)
    }

    private func take(
        _ rows: [KountaClient.Row], of list: KountaClient.OrderList, _ venue: VenueSettings,
        _ company: CompanySettings, _ priority: KountaBudget.Priority
    ) async throws {
        let hashes = rows.map { (id: $0.id, hash: Self.hash($0.bytes)) }
        let unseen = try await store.unseen(company: company.key, rows: hashes)
        guard !unseen.isEmpty else { return }
        let wanted = hashes.filter { unseen.contains($0.id) }
        let messages = try await details(
            of: rows.filter { unseen.contains($0.id) }, in: list, venue, company, priority)
        pass(.pollerFetched)
        try await outbox.publish(messages)
        pass(.pollerPublished)
        // Only now: a crash before publishes them once more, which the mapper recognises by the hash.
        try await store.markSeen(company: company.key, rows: wanted)
        pass(.pollerNoted)
        metrics.count("tillbridge_orders_published_total", ["company": company.key.text], by: messages.count)
    }

    /// The whole records, some at a time, in the order of the rows. One that is gone meanwhile is left out.
    private func details(
        of rows: [KountaClient.Row], in list: KountaClient.OrderList, _ venue: VenueSettings,
        _ company: CompanySettings, _ priority: KountaBudget.Priority
    ) async throws -> [OutgoingMessage] {
        try await withThrowingTaskGroup(of: (Int, OutgoingMessage?).self) { group in
            var waiting = rows.enumerated().makeIterator()
            var results: [(Int, OutgoingMessage?)] = []
            func addNext() {
                guard let (index, row) = waiting.next() else { return }
                group.addTask {
                    var body = try await client.order(row.id, priority: priority)
                    switch list {
                    case .complete: break
                    case .deleted: body = DeletedOrder.record(body, row: row.bytes)
                    case .openAccounts: body = body.flatMap { OpenAccountOrder.isSale($0) ? $0 : nil }
                    }
                    return (index, body.map { message($0, row.id, venue, company) })
                }
            }
            for _ in 0..<settings.concurrency { addNext() }
            while let result = try await group.next() {
                results.append(result)
                addNext()
            }
            return results.sorted { $0.0 < $1.0 }.compactMap(\.1)
        }
    }

    private func message(
        _ body: [UInt8], _ id: OrderID, _ venue: VenueSettings, _ company: CompanySettings
    ) -> OutgoingMessage {
        let hash = Self.hash(body).description
        let subject = Envelope.Subject(
            organisation: company.organisation, company: company.key, venue: venue.name,
            kind: SourceKind.order.rawValue, id: id.text, hash: hash)
        return OutgoingMessage(
            queue: .map, envelope: Envelope(firstSeen: clock.now(), subject: subject), body: body,
            messageID: "\(company.key)/order/\(id)/\(hash.prefix(16))")
    }

    static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: bytes))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}

/// Whenever it was read, a list had lost some of its orders since.
struct UnsteadyList: Error, CustomStringConvertible {
    let readings: Int
    var description: String {
        "orders were deleted from the list during each of \(readings) readings, so that some may not have been seen"
    }
}
