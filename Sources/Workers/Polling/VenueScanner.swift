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
    /// Nil where nobody asks for customers' records.
    let customers: CustomerReading?
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

    /// New orders first; when it is time, also what was deleted or left on an account, and the last days once more,
    /// from what is left of the budget.
    package func scan(_ venue: VenueSettings, of company: CompanySettings, lease: Lease) async throws {
        let start = clock.now()
        var position =
            try await store.position(company: company.key, site: venue.site)
            ?? PollPosition(readUntil: company.startFrom, rescanned: start)
        let from = max(company.startFrom, position.readUntil.adding(.zero - settings.overlap))
        let until = start.adding(seconds: 1)
        var late = try await lateness {
            // The next poll reads the overlap again; what lies before it nobody would see again for days, or ever.
            if start.since(position.readUntil) <= settings.overlap {
                try await read(
                    .complete, venue, of: company, from: from, until: until, priority: .newOrders, lease)
            } else {
                try await readWhole(venue, of: company, from: from, until: until, lease)
            }
        }
        if late == nil { position.readUntil = start }
        let isRescanDue = start.since(position.rescanned ?? start.adding(.zero - settings.rescanInterval))
            >= settings.rescanInterval
        try await store.move(position, company: company.key, site: venue.site, lease: lease)
        pass(.pollerMoved)
        let lastDays = max(company.startFrom, start.adding(.zero - settings.rescanWindow))
        if position.sideListsRead.map({ start.since($0) >= settings.correctionsInterval }) ?? true {
            // Short lists: mostly a call each.
            let sideLists = try await lateness {
                _ = try await readIfThere(.deleted, venue, of: company, from: lastDays, until: start, lease)
                try await followAccounts(venue, of: company, until: start, lease)
            }
            if sideLists == nil { position.sideListsRead = start }
            late = late ?? sideLists
            try await store.move(position, company: company.key, site: venue.site, lease: lease)
        }
        if isRescanDue {
            let lastDaysAgain = try await lateness {
                try await read(.complete, venue, of: company, from: lastDays, until: start, priority: .rescan, lease)
            }
            if lastDaysAgain == nil { position.rescanned = start }
            late = late ?? lastDaysAgain
            try await store.move(position, company: company.key, site: venue.site, lease: lease)
        }
        if let late { throw late }
    }

    /// - Returns: why orders of what was read must wait: all others are published. What the cursor says of the list
    ///   stays, so that the next poll meets them again.
    private func lateness(_ reading: () async throws -> Void) async throws -> UnreadCustomer? {
        do { try await reading() } catch let unread as UnreadCustomer { return unread }
        return nil
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
        _ venue: VenueSettings, of company: CompanySettings, from: Instant, until: Instant, _ lease: Lease
    ) async throws {
        var last = try await read(.complete, venue, of: company, from: from, until: until, priority: .newOrders, lease)
        guard last.pages > 1 else { return }
        for _ in 0..<Self.rereadingsMax {
            let again = try await read(.complete, venue, of: company, from: from, until: until, priority: .rescan, lease)
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
        until: Instant, _ lease: Lease
    ) async throws -> Set<OrderID>? {
        do {
            return try await read(list, venue, of: company, from: from, until: until, priority: .rescan, lease).ids
        } catch KountaError.notFound {
            metrics.count(
                "tillbridge_poll_lists_missing_total", ["company": company.key.text, "list": list.rawValue])
            return nil
        }
    }

    /// What no longer stands among the open accounts was paid meanwhile; it may be weeks old, and keeps the time of its
    /// creation, so that no poll for new orders would see it.
    private func followAccounts(
        _ venue: VenueSettings, of company: CompanySettings, until: Instant, _ lease: Lease
    ) async throws {
        guard let open = try await readIfThere(
            .openAccounts, venue, of: company, from: company.startFrom, until: until, lease)
        else { return }
        let known = try await store.openAccounts(company: company.key, site: venue.site)
        var records: [FetchedOrder] = []
        for id in known.subtracting(open).sorted() {
            let start = clock.now()
            guard let body = try await client.order(id, priority: .rescan), OpenAccountOrder.isSale(body) else {
                continue
            }
            records.append(FetchedOrder(id: id, record: body, readAt: start))
        }
        let (messages, late) = try await messages(of: records, venue, company)
        try await publish(messages, lease)
        // Only now: a crash before publishes them once more, which the mapper recognises by the hash.
        try await store.setOpenAccounts(open.union(late.keys), company: company.key, site: venue.site, lease: lease)
        metrics.count("tillbridge_orders_published_total", ["company": company.key.text], by: messages.count)
        if let unread = late.values.first { throw unread }
    }

    /// - Returns: the orders of the list, and on how many pages they were.
    @discardableResult
    private func read(
        _ list: KountaClient.OrderList, _ venue: VenueSettings, of company: CompanySettings, from: Instant,
        until: Instant, priority: KountaBudget.Priority, _ lease: Lease
    ) async throws -> (ids: Set<OrderID>, pages: Int) {
        var ids: Set<OrderID> = []
        var path: String? = client.firstPagePath(list, site: venue.site, from: from, until: until)
        var pages = 0
        var late: UnreadCustomer?
        while let current = path {
            try Task.checkCancellation()
            let page = try await client.page(current, priority: priority)
            pages += 1
            guard pages <= Self.pagesMax else {
                throw KountaError.unexpectedShape(path: current, "the list has more than \(Self.pagesMax) pages")
            }
            metrics.count("tillbridge_poll_rows_total", ["company": company.key.text], by: page.rows.count)
            late = try await take(page.rows, of: list, venue, company, priority, lease) ?? late
            ids.formUnion(page.rows.map(\.id))
            path = page.next
        }
        if let late { throw late }
        return (ids, pages)
    }

    /// - Returns: why some of the rows must wait; they count as unseen.
    private func take(
        _ rows: [KountaClient.Row], of list: KountaClient.OrderList, _ venue: VenueSettings,
        _ company: CompanySettings, _ priority: KountaBudget.Priority, _ lease: Lease
    ) async throws -> UnreadCustomer? {
        let hashes = rows.map { (id: $0.id, hash: Self.hash($0.bytes)) }
        let unseen = try await store.unseen(company: company.key, rows: hashes)
        guard !unseen.isEmpty else { return nil }
        let records = try await details(of: rows.filter { unseen.contains($0.id) }, in: list, priority)
        let (messages, late) = try await messages(of: records, venue, company)
        let wanted = hashes.filter { unseen.contains($0.id) && late[$0.id] == nil }
        pass(.pollerFetched)
        try await publish(messages, lease)
        pass(.pollerPublished)
        // Only now: a crash before publishes them once more, which the mapper recognises by the hash.
        try await store.markSeen(company: company.key, rows: wanted, lease: lease)
        pass(.pollerNoted)
        metrics.count("tillbridge_orders_published_total", ["company": company.key.text], by: messages.count)
        return late.values.first
    }

    /// The whole records, some at a time, in the order of the rows. One that is gone meanwhile is left out.
    private func details(
        of rows: [KountaClient.Row], in list: KountaClient.OrderList, _ priority: KountaBudget.Priority
    ) async throws -> [FetchedOrder] {
        try await withThrowingTaskGroup(of: (Int, FetchedOrder?).self) { group in
            var waiting = rows.enumerated().makeIterator()
            var results: [(Int, FetchedOrder?)] = []
            func addNext() {
                guard let (index, row) = waiting.next() else { return }
                group.addTask {
                    // Before it is asked for: whoever asks later knows it no worse.
                    let start = clock.now()
                    var body = try await client.order(row.id, priority: priority)
                    switch list {
                    case .complete: break
                    case .deleted: body = DeletedOrder.record(body, row: row.bytes)
                    case .openAccounts: body = body.flatMap { OpenAccountOrder.isSale($0) ? $0 : nil }
                    }
                    return (index, body.map { FetchedOrder(id: row.id, record: $0, readAt: start) })
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

    /// A poller that was stopped in its tracks finds that another has taken over, and leaves it to that one. One that is
    /// stopped in the middle of this publishes what bears the time at which it was read.
    func publish(_ messages: [OutgoingMessage], _ lease: Lease) async throws {
        if messages.isEmpty { return }
        guard try await store.renew(lease, for: settings.leaseDuration) else { throw LeaseLost(count: 1) }
        try await outbox.publish(messages)
    }

    /// What is published of the records, with their customers' where a rule asks, and what must wait for them.
    private func messages(
        of orders: [FetchedOrder], _ venue: VenueSettings, _ company: CompanySettings
    ) async throws -> (messages: [OutgoingMessage], late: [OrderID: UnreadCustomer]) {
        let records = orders.map(\.record)
        let completed = try await customers?.complete(records, at: venue.site)
        var late: [OrderID: UnreadCustomer] = [:]
        var messages: [OutgoingMessage] = []
        for (order, body) in zip(orders, completed ?? records.map { .success($0) }) {
            switch body {
            case .success(let body): messages.append(message(body, order, venue, company))
            case .failure(let unread): late[order.id] = unread
            }
        }
        return (messages, late)
    }

    private func message(
        _ body: [UInt8], _ order: FetchedOrder, _ venue: VenueSettings, _ company: CompanySettings
    ) -> OutgoingMessage {
        let id = order.id
        // What was added of the customer makes no other version of the order.
        let hash = Self.hash(order.record).description
        let subject = Envelope.Subject(
            organisation: company.organisation, company: company.key, venue: venue.name,
            kind: SourceKind.order.rawValue, id: id.text, hash: hash)
        return OutgoingMessage(
            queue: .map, envelope: Envelope(firstSeen: order.readAt, subject: subject), body: body,
            messageID: "\(company.key)/order/\(id)/\(hash.prefix(16))")
    }

    static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: bytes))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}

/// An order's record as Kounta sent it.
private struct FetchedOrder: Sendable {
    let id: OrderID
    let record: [UInt8]
    /// When the reading began: of two versions the one that was read later is what the till says now.
    let readAt: Instant
}

/// Whenever it was read, a list had lost some of its orders since.
struct UnsteadyList: Error, CustomStringConvertible {
    let readings: Int
    var description: String {
        "orders were deleted from the list during each of \(readings) readings, so that some may not have been seen"
    }
}
