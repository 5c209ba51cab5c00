import Crypto
import Domain
import Kounta
import Messaging
import Settings
import Store
import Telemetry

/// Single orders, from Kounta to the queue.
extension VenueScanner {
    /// So many at one time, and none that could be read: Kounta is out of order, not the orders.
    private static let failuresMax = 8

    /// Reads orders, publishes them and notes them as seen. One that Kounta does not show waits alone, and lies on the
    /// desk in the end.
    ///
    /// - Parameter witnesses: orders that are known: where none of `asked` can be read, one of them tells an outage
    ///   from what is wrong with those.
    /// - Returns: what was not read; and why some of it must wait, not having been laid on the desk.
    func publish(
        _ asked: [AskedOrder], of list: KountaClient.OrderList, witnesses: [OrderID], _ venue: VenueSettings,
        _ company: CompanySettings, _ priority: KountaBudget.Priority, _ lease: Lease
    ) async throws -> (unread: Set<OrderID>, late: (any Error)?) {
        let known = try await store.unreadOrders(asked.map(\.id), of: company.key)
        let now = clock.now()
        let resting = asked.compactMap { order in known[order.id].flatMap { $0.rests(order, at: now) ? $0 : nil } }
        let passedOver = Set(resting.map(\.id))
        let read = try await details(
            of: asked.filter { !passedOver.contains($0.id) }, in: list, company, priority, witnesses)
        let failed = try await judge(read.failures, known, company)
        let (messages, waiting) = try await messages(of: read.orders, venue, company)
        pass(.pollerFetched)
        try await publish(messages + failed.filter(\.isForDesk).map { $0.letter(venue, company, now) }, lease)
        pass(.pollerPublished)
        // Only now: a crash before publishes them once more, which the mapper recognises by the hash.
        let unread = passedOver.union(failed.map(\.order.id))
        try await store.keepUnread(
            failed.map(\.order), forgetting: known.keys.filter { !unread.contains($0) }, of: company.key, lease: lease)
        let late = Set((resting + failed.map(\.order)).filter { $0.toldAt == nil }.map(\.id)).union(waiting.keys)
        let seen = asked.filter { $0.row != nil && !late.contains($0.id) }
        try await store.markSeen(company: company.key, rows: seen.map { ($0.id, $0.hash) }, lease: lease)
        pass(.pollerNoted)
        metrics.count("tillbridge_orders_published_total", ["company": company.key.text], by: messages.count)
        let cause: (any Error)? =
            waiting.values.first
            ?? failed.first { $0.order.toldAt == nil }.map { WaitingOrder($0.order, isNews: true) }
            ?? resting.first { $0.toldAt == nil }.map { WaitingOrder($0, isNews: false) }
        return (unread.union(waiting.keys), cause)
    }

    /// A poller that was stopped in its tracks finds that another has taken over, and leaves it to that one. One that
    /// is stopped in the middle of this publishes what bears the time at which it was read.
    func publish(_ messages: [OutgoingMessage], _ lease: Lease) async throws {
        if messages.isEmpty { return }
        guard try await store.renew(lease, for: settings.leaseDuration) else { throw LeaseLost(count: 1) }
        try await outbox.publish(messages)
    }

    private func judge(
        _ failures: [(order: AskedOrder, error: KountaError)], _ known: [OrderID: UnreadOrder],
        _ company: CompanySettings
    ) async throws -> [OrderFailure] {
        if failures.isEmpty { return [] }
        var told = try await store.unreadOrdersTold(of: company.key)
        return failures.map { order, error in
            let failure = OrderFailure(
                order, error, after: known[order.id], at: clock.now(), mayTell: told < OrderFailure.toldMax)
            if failure.isForDesk {
                told += 1
                metrics.count("tillbridge_orders_not_shown_total", ["company": company.key.text])
            }
            return failure
        }
    }

    /// The whole records, some at a time, in the order in which they were asked for. One that is gone meanwhile is left
    /// out.
    ///
    /// - Throws: where nothing can be read, the witness neither: an outage is no order's fault.
    private func details(
        of asked: [AskedOrder], in list: KountaClient.OrderList, _ company: CompanySettings,
        _ priority: KountaBudget.Priority, _ witnesses: [OrderID]
    ) async throws -> (orders: [FetchedOrder], failures: [(order: AskedOrder, error: KountaError)]) {
        var orders: [(Int, FetchedOrder)] = []
        var failures: [(order: AskedOrder, error: KountaError)] = []
        // That Kounta shows any order at all.
        var isShown = false
        try await withThrowingTaskGroup(of: (Int, Result<FetchedOrder?, KountaError>).self) { group in
            var waiting = asked.enumerated().makeIterator()
            func addNext() {
                guard let (index, order) = waiting.next() else { return }
                group.addTask { (index, try await fetch(order, in: list, priority)) }
            }
            for _ in 0..<settings.concurrency { addNext() }
            while let (index, result) = try await group.next() {
                switch result {
                case .success(let order):
                    isShown = true
                    if let order { orders.append((index, order)) }
                case .failure(let error):
                    failures.append((asked[index], error))
                    if !isShown, failures.count >= Self.failuresMax {
                        try await confirm(witnesses, of: company, priority, orThrow: error)
                        isShown = true
                    }
                }
                addNext()
            }
        }
        if !isShown, let first = failures.first {
            try await confirm(witnesses, of: company, priority, orThrow: first.error)
        }
        return (orders.sorted { $0.0 < $1.0 }.map(\.1), failures)
    }

    /// That Kounta shows an order which it showed before.
    private func confirm(
        _ witnesses: [OrderID], of company: CompanySettings, _ priority: KountaBudget.Priority,
        orThrow error: KountaError
    ) async throws {
        // What lies on the desk is known, and yet no witness.
        let unread = try await store.unreadOrders(witnesses, of: company.key)
        guard let witness = witnesses.first(where: { unread[$0] == nil }) else { throw error }
        _ = try await client.order(witness, priority: priority)
    }

    /// - Throws: what has nothing to do with the one order.
    private func fetch(
        _ order: AskedOrder, in list: KountaClient.OrderList, _ priority: KountaBudget.Priority
    ) async throws -> Result<FetchedOrder?, KountaError> {
        // Before it is asked for: whoever asks later knows it no worse.
        let start = clock.now()
        do {
            var body = try await client.order(order.id, priority: priority)
            switch list {
            case .complete: break
            case .deleted: body = order.row.flatMap { DeletedOrder.record(body, row: $0) }
            case .openAccounts: body = body.flatMap { OpenAccountOrder.isSale($0) ? $0 : nil }
            }
            return .success(body.map { FetchedOrder(id: order.id, record: $0, readAt: start) })
        } catch let error as KountaError {
            switch error {
            case .rateLimited, .noToken: throw error
            case .unreachable, .refusedCredential, .notFound, .answered, .unexpectedShape: break
            }
            try Task.checkCancellation()
            return .failure(error)
        }
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

/// An order that is to be read whole.
struct AskedOrder: Sendable {
    let id: OrderID
    /// Of the list's row; nil where it stands in no list any more.
    let row: [UInt8]?
    let hash: ContentHash

    init(_ row: KountaClient.Row) {
        id = row.id
        self.row = row.bytes
        hash = VenueScanner.hash(row.bytes)
    }

    init(leftTheList id: OrderID) {
        self.id = id
        row = nil
        hash = VenueScanner.hash(Array(id.text.utf8))
    }
}

/// An order's record as Kounta sent it.
private struct FetchedOrder: Sendable {
    let id: OrderID
    let record: [UInt8]
    /// When the reading began: of two versions the one that was read later is what the till says now.
    let readAt: Instant
}
