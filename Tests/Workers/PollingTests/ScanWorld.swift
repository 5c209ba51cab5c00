import Domain
import HTTP
import JSON
import Kounta
import Logging
import Mapping
import Messaging
import Settings
import Store
import Synchronization
import Telemetry
import Testing

@testable import Polling

/// A poller's parts on a simulated till and real tables: a clock that stands still, pauses that end when a test says
/// so, and an outbox that a test reads.
struct ScanWorld: Sendable {
    let till: TillWorld
    let outbox = RecordingOutbox()
    let pauses = Pauses()
    let time = HandClock()
    var company: CompanySettings
    var settings: PollingSettings
    /// What rules ask of customers; a site that is not there asks nothing.
    var questions: [SiteID: CustomerQuestion] = [:]
    /// What happens between the reading of orders and their publication.
    var onRead: @Sendable () async throws -> Void = {}

    static let bistro = SiteID("923")
    static let pier = SiteID("985")

    /// Two venues, no orders, the usual windows.
    static func with<Result: Sendable>(
        _ name: String, _ work: @escaping @Sendable (ScanWorld) async throws -> Result
    ) async throws -> Result {
        try await TillWorld.with("scan_\(name)", ordersPerSite: 0) { till in
            let settings = try TillWorld.settings("")
            var world = ScanWorld(till: till, company: settings.companies[0], settings: settings.polling)
            var pier = world.venue
            (pier.site, pier.name, pier.prefix) = (Self.pier, "Pier Cafe", "PIE")
            world.company.venues.append(pier)
            // All of it lies within the reach of a look for new orders.
            world.start(from: world.time.now.adding(.seconds(1800) - settings.polling.overlap))
            // Nobody takes it over while a test looks.
            world.settings.leaseDuration = .seconds(3600)
            return try await work(world)
        }
    }

    /// From when on its orders are read.
    mutating func start(from moment: Instant) {
        company.startFrom = moment
        for index in company.venues.indices { company.venues[index].startFrom = moment }
    }

    /// The bistro.
    var venue: VenueSettings { company.venues[0] }

    /// - Parameter chance: the number that is drawn of a range.
    func clock(chance: @escaping @Sendable (ClosedRange<Int>) -> Int = { _ in 0 }) -> WorkClock {
        WorkClock(
            now: { [time] in time.now }, sleep: { [pauses] in try await pauses.sleep($0) }, randomInteger: chance)
    }

    /// - Parameters:
    ///   - callsPerMinute: a call beyond them ends the scan with ``NoCallLeft``: no test waits a minute.
    ///   - waiting: where such a call waits instead, as it does in earnest.
    ///   - store: nil: the real one.
    ///   - outbox: nil: the world's.
    func scanner(
        callsPerMinute: Int = 0, waiting: Pauses? = nil, store: (any PollingStore)? = nil,
        outbox: RecordingOutbox? = nil
    ) -> VenueScanner {
        let client = client(callsPerMinute, waiting: waiting)
        return VenueScanner(
            client: client, customers: customers(client), store: store ?? till.store, outbox: outbox ?? self.outbox,
            settings: settings, clock: clock(), metrics: till.metrics)
    }

    func customers(_ client: KountaClient, keeps: Bool = true) -> CustomerReading {
        CustomerReading(
            company: company.key, client: client, store: till.store, settings: settings,
            questions: { [questions, onRead] in
                try await onRead()
                return questions
            }, keeps: keeps, clock: clock(), metrics: till.metrics)
    }

    func client(_ callsPerMinute: Int, waiting: Pauses? = nil) -> KountaClient {
        let budget = KountaBudget(
            callsPerMinute: callsPerMinute, now: { [time] in time.now },
            sleep: { duration in
                guard let waiting else { throw NoCallLeft() }
                try await waiting.sleep(duration)
            })
        return KountaClient(
            http: till.http, base: till.base, company: "162",
            access: .basic(ClientCredential(id: "a", secret: Secret("b"))), budget: budget)
    }

    /// Runs a whole poller beside `work`.
    ///
    /// - Parameter scanner: nil: one that has no limit.
    func polling(
        chance: @escaping @Sendable (ClosedRange<Int>) -> Int = { _ in 0 }, scanner: VenueScanner? = nil,
        _ work: () async throws -> Void
    ) async throws {
        let lines = till.lines
        var logger = Logger(label: "tests") { _ in lines }
        logger.logLevel = .debug
        let poller = CompanyPoller(
            company: company, settings: settings, store: till.store, scanner: scanner ?? self.scanner(),
            currency: CurrencyCheck(
                company: company, base: "AUD", client: client(0), clock: clock(), logger: logger),
            clock: clock(chance: chance), metrics: till.metrics, logger: logger)
        // Unstructured: it runs until the work is done.
        let running = Task { try await poller.run() }
        let result: Result<Void, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        running.cancel()
        try await running.value
        try result.get()
    }

    func lease() async throws -> Lease {
        try #require(try await till.store.acquire("poller/\(company.key)", for: settings.leaseDuration))
    }

    func position(_ site: SiteID = bistro) async throws -> PollPosition? {
        try await till.store.position(company: company.key, site: site)
    }

    // MARK: the till

    /// Enters an order that was opened so long ago.
    ///
    /// - Parameter customer: whom it names, as the till does: without tags.
    func enter(
        _ id: Int, at site: SiteID = bistro, ago: Int64 = 60, status: String = "COMPLETE", customer: Int? = nil
    ) async throws {
        let who = customer.map { #""customer":{"id":\#($0),"first_name":"Ana","last_name":"Lee"},"# } ?? ""
        let created = time.now.adding(seconds: -ago)
        _ = try await till.call(
            .post, "/_control/orders",
            """
            {"id":\(id),"company_id":162,"site_id":\(site),"register_id":9091,\(who)"status":"\(status)","total":11.00,\
            "created_at":"\(created)","updated_at":"\(created)","sale_number":"T\(id)",\
            "lines":[],"payments":[]}
            """)
    }

    func edit(_ id: Int, _ patch: String) async throws {
        _ = try await till.call(.post, "/_control/edit/\(id)", patch)
    }

    /// Single orders that were asked for so far.
    func detailCalls() async throws -> Int64 { try await calls("orders") }

    /// Single customers that were asked for so far.
    func customerCalls() async throws -> Int64 { try await calls("customers") }

    private func calls(_ records: String) async throws -> Int64 {
        let calls = try await till.call(.get, "/_control/counters")?["calls"]
        return calls?[key: "GET /v1/companies/{id}/\(records)/{id}"]?.integer ?? 0
    }

    func tag(_ customer: Int, _ tags: String...) async throws {
        let list = tags.map { "\"\($0)\"" }.joined(separator: ",")
        _ = try await till.call(.put, "/v1/companies/162/customers/\(customer).json", #"{"tags":[\#(list)]}"#)
    }

    /// Until it is taken away, a customer's record is answered so.
    func fault(_ action: String, ofCustomer customer: Int) async throws {
        let match = #"{"method":"GET","path":"/companies/162/customers/\#(customer)"}"#
        _ = try await till.call(.post, "/_control/faults", #"{"match":\#(match),"action":\#(action)}"#)
    }

    /// Until it is taken away, an order's record is answered so; and those of all whose ids begin so.
    func fault(_ action: String, ofOrder order: String) async throws {
        let match = #"{"method":"GET","path":"/companies/162/orders/\#(order)"}"#
        _ = try await till.call(.post, "/_control/faults", #"{"match":\#(match),"action":\#(action)}"#)
    }

    /// Until it is taken away, the lists of a site's orders are answered so.
    func fault(_ action: String, at site: SiteID = bistro, list: String = "complete") async throws {
        let match = #"{"method":"GET","path":"/companies/162/sites/\#(site)/orders/\#(list)"}"#
        _ = try await till.call(.post, "/_control/faults", #"{"match":\#(match),"action":\#(action)}"#)
    }

    func removeFaults() async throws { _ = try await till.call(.delete, "/_control/faults") }

    func isStopped(_ site: SiteID) -> Bool? {
        let lines = till.metrics.rendered().split(separator: "\n")
        let line = lines.first { $0.hasPrefix("tillbridge_venue_stopped") && $0.contains("site=\"\(site)\"") }
        return line.map { $0.hasSuffix(" 1") }
    }
}

struct NoCallLeft: Error {}

extension VenueScanner {
    /// All that a poller reads of a venue, one after the other; the first trouble is thrown when all was tried.
    func scan(_ venue: VenueSettings, of company: CompanySettings, lease: Lease) async throws {
        var trouble: (any Error)?
        func attempt(_ reading: () async throws -> Void) async {
            do { try await reading() } catch { trouble = trouble ?? error }
        }
        await attempt { try await lookForNew(venue, of: company, lease: lease) }
        await attempt { try await readOverlap(of: venue, in: company, lease: lease) }
        await attempt { _ = try await readOlder(of: venue, in: company, lease: lease) }
        await attempt { _ = try await readSideLists(of: venue, in: company, lease: lease) }
        if let trouble { throw trouble }
    }
}

/// Keeps what was published, and fails once where a test says.
actor RecordingOutbox: Outbox {
    struct Unconfirmed: Error {}

    private(set) var published: [OutgoingMessage] = []
    private var left: Int?
    private var onPublished: @Sendable () async throws -> Void = {}

    /// The n-th publication from now on is not confirmed.
    func fail(at number: Int) { left = number }

    /// What happens after each publication.
    func afterwards(_ work: @escaping @Sendable () async throws -> Void) { onPublished = work }

    /// The orders in the order in which they were confirmed.
    var ids: [Int] { published.filter { $0.queue == .map }.compactMap { $0.envelope.subject.id.flatMap { Int($0) } } }

    /// What was sent to the desk.
    var letters: [OutgoingMessage] { published.filter { $0.queue == .dead } }

    func publish(_ messages: [OutgoingMessage]) async throws {
        if messages.isEmpty { return }
        if let left, left > 0 {
            self.left = left - 1
            if left == 1 { throw Unconfirmed() }
        }
        published += messages
        try await onPublished()
    }
}

/// Stands still until a test moves it. Starts at 2026-11-22T00:00:00Z.
final class HandClock: Sendable {
    private let seconds = Atomic<Int64>(1_795_305_600)

    var now: Instant { Instant(secondsSince1970: seconds.load(ordering: .sequentiallyConsistent)) }
    func advance(seconds: Int64) { self.seconds.add(seconds, ordering: .sequentiallyConsistent) }
}

/// A clock's sleep: it lasts until it is ended.
actor Pauses {
    private var asleep: [Int: (duration: Duration, end: CheckedContinuation<Void, any Error>)] = [:]
    private var next = 0
    private var watcher: (count: Int, seen: CheckedContinuation<Void, Never>)?

    func sleep(_ duration: Duration) async throws {
        next += 1
        let id = next
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { (end: CheckedContinuation<Void, any Error>) in
                guard !Task.isCancelled else { return end.resume(throwing: CancellationError()) }
                asleep[id] = (duration, end)
                tell()
            }
        } onCancel: {
            // Unstructured: the handler cannot wait.
            Task { await cancel(id) }
        }
    }

    /// Waits until so many sleep at once.
    ///
    /// - Returns: for how long, shortest first.
    func wait(for count: Int) async -> [Duration] {
        if asleep.count < count {
            await withCheckedContinuation { seen in watcher = (count, seen) }
        }
        return asleep.values.map(\.duration).sorted()
    }

    /// How many sleep.
    var count: Int { asleep.count }

    func wakeAll() {
        let ends = asleep.values.map(\.end)
        asleep = [:]
        for end in ends { end.resume() }
    }

    private func cancel(_ id: Int) {
        asleep.removeValue(forKey: id)?.end.resume(throwing: CancellationError())
    }

    private func tell() {
        guard let watcher, asleep.count >= watcher.count else { return }
        self.watcher = nil
        watcher.seen.resume()
    }
}
