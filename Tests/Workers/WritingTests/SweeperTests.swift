import Domain
import JSON
import Logging
import Messaging
import Postgres
import Store
import Telemetry
import Testing

@testable import Writing

/// The sweeper as it runs, against a real database and a real broker; only its waits are the test's.
@Suite(.serialized, .enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct SweeperTests {
    private let harbour = OrganisationKey("harbour")
    private let lakeside = OrganisationKey("lakeside")

    @Test("a document whose message was lost is published again once, when its queue is empty")
    func lost() async throws {
        try await with("lost") { sweeping in
            let ids = try await sweeping.store.map(1...3, for: harbour)
            try await sweeping.age(ids, minutes: 4)
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour) == ids.sorted())
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour).isEmpty)
            #expect(sweeping.gauge("tillbridge_documents_swept_total", harbour) == 3)
        }
    }

    @Test("of a queue that was lost as a whole, every document is published again in one sweep")
    func wholeQueue() async throws {
        try await with("whole") { sweeping in
            let ids = try await sweeping.store.map(1...1200, for: harbour)
            try await sweeping.age(ids, minutes: 4)
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour) == ids.sorted())
            #expect(sweeping.gauge("tillbridge_documents_unaccounted", harbour) == 0)
        }
    }

    @Test("one that was lost while the queue never runs empty is published again, once it was overtaken by far")
    func backlog() async throws {
        try await with("backlog") { sweeping in
            let ids = try await sweeping.store.map(1...9, for: harbour)
            // Three were taken up just now, published a minute ago; five wait behind them; the ninth is lost.
            let (taken, waiting, lost) = (Array(ids[0..<3]), Array(ids[3..<8]), ids[8])
            try await sweeping.age(taken + waiting, minutes: 1)
            try await sweeping.takeUp(taken, for: harbour)
            try await sweeping.publish(waiting, for: harbour)
            try await sweeping.age([lost], minutes: 14)
            try await sweeping.sweep()
            #expect(sweeping.gauge("tillbridge_documents_swept_total", harbour) == nil)
            #expect(sweeping.gauge("tillbridge_documents_unaccounted", harbour) == 0)
            try await sweeping.age([lost], minutes: 17)
            try await sweeping.sweep()
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour) == (waiting + [lost]).sorted())
        }
    }

    @Test("a backlog of hours is left alone: what waits there was overtaken by nothing")
    func longBacklog() async throws {
        try await with("long") { sweeping in
            let ids = try await sweeping.store.map(1...60, for: harbour)
            try await sweeping.age(ids, minutes: 300)
            // Two of those taken up were published again a moment ago; their first messages came before the others.
            try await sweeping.age(Array(ids.prefix(2)), minutes: 0)
            try await sweeping.takeUp(Array(ids.prefix(10)), for: harbour)
            try await sweeping.publish(Array(ids.dropFirst(10)), for: harbour)
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour) == ids.dropFirst(10).sorted())
            #expect(sweeping.gauge("tillbridge_documents_swept_total", harbour) == nil)
        }
    }

    @Test("a queue from which nothing was taken tells nothing, however old what waits there is")
    func standstill() async throws {
        try await with("still") { sweeping in
            let ids = try await sweeping.store.map(1...9, for: harbour)
            try await sweeping.age(ids, minutes: 600)
            try await sweeping.publish(ids, for: harbour)
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour) == ids.sorted())
        }
    }

    @Test("where no message is missing, none is published: held, put off, or mapped a moment ago")
    func nothingLost() async throws {
        try await with("none") { sweeping in
            let ids = try await sweeping.store.map(1...4, for: harbour)
            try await sweeping.age(Array(ids.dropLast()), minutes: 30)
            let held = try await sweeping.takeUp([ids[0], ids[1]], for: harbour)
            try await sweeping.store.putOff([held[1]], for: .seconds(600))
            let late = try await sweeping.takeUp([ids[2]], for: harbour)
            try await sweeping.finish(late)
            try await sweeping.sweep()
            #expect(try await sweeping.take(harbour).isEmpty)
            #expect(sweeping.gauge("tillbridge_documents_swept_total", harbour) == nil)
            #expect(sweeping.gauge("tillbridge_documents_open", harbour) == 3)
            #expect(sweeping.gauge("tillbridge_documents_waiting", harbour) == 1)
            #expect(sweeping.gauge("tillbridge_documents_delayed", harbour) == 1)
            #expect(sweeping.gauge("tillbridge_documents_unaccounted", harbour) == 0)
        }
    }

    @Test("what waits is told beside what the queue holds, for each organisation by itself")
    func compared() async throws {
        try await with("compared") { sweeping in
            let ids = try await sweeping.store.map(1...5, for: harbour)
            let others = try await sweeping.store.map(1...2, for: lakeside)
            try await sweeping.age(ids + others, minutes: 30)
            // Two of the five have a message; nothing tells yet which, so nothing is sent.
            try await sweeping.publish(Array(ids.prefix(2)), for: harbour)
            try await sweeping.sweep()
            #expect(sweeping.gauge("tillbridge_documents_waiting", harbour) == 5)
            #expect(sweeping.gauge("tillbridge_write_queue_messages", harbour) == 2)
            #expect(sweeping.gauge("tillbridge_documents_unaccounted", harbour) == 3)
            // The other organisation's queue was empty: both are in it now.
            #expect(sweeping.gauge("tillbridge_write_queue_messages", lakeside) == 2)
            #expect(sweeping.gauge("tillbridge_documents_unaccounted", lakeside) == 0)
            #expect(try await sweeping.take(lakeside) == others.sorted())
        }
    }

    @Test("of two sweepers at once, each document is published by one")
    func two() async throws {
        try await with("two") { sweeping in
            let ids = try await sweeping.store.map(1...700, for: harbour)
            try await sweeping.age(ids, minutes: 4)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<4 {
                    // Not held back by each other's lease: only the rows decide.
                    group.addTask { await sweeping.sweep(LeaseForAll(sweeping.store(of: "sweeper-\(number)"))) }
                }
                await group.waitForAll()
            }
            #expect(try await sweeping.take(harbour) == ids.sorted())
            // With the lease, one of them sweeps.
            try await sweeping.age(ids, minutes: 4)
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<2 {
                    group.addTask { await sweeping.sweep(sweeping.store(of: "sweeper-\(number)")) }
                }
                await group.waitForAll()
            }
            #expect(try await sweeping.take(harbour) == ids.sorted())
        }
    }

    private func with(_ name: String, _ work: (Sweeping) async throws -> Void) async throws {
        let organisations = [harbour, lakeside]
        try await LiveServers.withDatabase("sweep\(name)") { pool in
            try await LiveServers.withBroker(organisations) { broker in
                try await work(Sweeping(pool: pool, broker: broker, organisations: organisations))
            }
        }
    }
}

/// One schema and one set of queues, with what a test does to them.
private struct Sweeping: Sendable {
    let store: PostgresStore
    let metrics = Metrics()
    private let pool: PostgresPool
    private let broker: RabbitBroker
    private let organisations: [OrganisationKey]

    init(pool: PostgresPool, broker: RabbitBroker, organisations: [OrganisationKey]) {
        self.pool = pool
        self.broker = broker
        self.organisations = organisations
        store = PostgresStore(pool: pool, holder: "writer")
    }

    func store(of holder: String) -> PostgresStore { PostgresStore(pool: pool, holder: holder) }

    /// The next sweep: the last one's lease is over.
    func sweep() async throws {
        _ = try await pool.withSession { try $0.execute("UPDATE lease SET until = now() - interval '1 second'") }
        await sweep(store(of: "sweeper"))
    }

    /// A sweeper's life up to its first wait.
    func sweep(_ store: any SweepingStore) async {
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 0) }, sleep: { _ in throw CancellationError() },
            randomInteger: { $0.lowerBound })
        let sweeper = Sweeper(
            organisations: organisations, store: store, outbox: broker, queues: broker, clock: clock, metrics: metrics,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try? await sweeper.run()
    }

    /// As if these had been published so long ago.
    func age(_ ids: [DocumentID], minutes: Int) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE document SET published_at = now() - $2 * interval '1 minute' WHERE id = ANY($1::bigint[])",
                [.ints(ids.map(\.value)), .int(Int64(minutes))])
        }
    }

    /// A writer has these in hand, and is about to send them.
    @discardableResult
    func takeUp(_ ids: [DocumentID], for organisation: OrganisationKey) async throws -> [Claim] {
        let read = try await store.take(ids, lease: .seconds(60)).compactMap { result in
            if case .claimed(let claim) = result.outcome { claim } else { nil }
        }.sorted { $0.id < $1.id }
        let key = ids.map { "\($0)" }.joined(separator: "-")
        return try await store.recordSending(
            read, SendingAttempt(organisation: organisation, key: key, bytes: [1], lease: .seconds(60)))
    }

    /// They stand in the ledger, and are paid.
    func finish(_ claims: [Claim]) async throws {
        try await store.recordInvoices(
            claims.map { InvoiceResult(claim: $0, state: .written, xeroID: "x-\($0.id)") }, of: nil, payments: [])
        try await store.recordPayments(
            claims.flatMap(\.payments).map { PaymentResult(id: $0.id, state: .written, xeroID: "p") }, of: claims,
            settled: claims, answering: nil)
    }

    /// As the mapper does.
    func publish(_ ids: [DocumentID], for organisation: OrganisationKey) async throws {
        try await broker.publish(
            ids.map { id in
                OutgoingMessage(
                    queue: .write(organisation), envelope: Envelope(firstSeen: Instant(secondsSince1970: 0)),
                    body: Array("{\"document\":\(id)}".utf8))
            })
    }

    /// Everything that waits in the organisation's queue, as a writer takes it.
    ///
    /// - Returns: sorted, one for each message.
    func take(_ organisation: OrganisationKey) async throws -> [DocumentID] {
        let count = try await broker.waiting(in: .write(organisation))
        guard count > 0 else { return [] }
        let inbox = await broker.inbox(.write(organisation), prefetch: min(count, 1000))
        var documents: [DocumentID] = []
        var left = count
        while left > 0 {
            let batch = try await inbox.nextBatch(max: left, linger: .zero)
            left -= batch.count
            documents += try batch.map { DocumentID(try #require(try JSON(parsing: $0.body)["document"]?.integer)) }
            await inbox.acknowledge(batch)
        }
        await inbox.stop()
        return documents.sorted()
    }

    /// Nil where it was never told.
    func gauge(_ name: String, _ organisation: OrganisationKey) -> Int? {
        let series = "\(name){organisation=\"\(organisation)\"} "
        return metrics.rendered().split(separator: "\n").first { $0.hasPrefix(series) }
            .flatMap { Int($0.dropFirst(series.count)) }
    }
}

/// Nobody is held back by a lease.
private struct LeaseForAll: SweepingStore {
    private let store: PostgresStore

    init(_ store: PostgresStore) { self.store = store }

    func acquire(_ name: String, for duration: Duration) async throws -> Lease? { Lease(name: name, fence: 1) }
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool { true }
    func giveBack(_ lease: Lease) async throws {}
    func takeForgotten(
        of organisation: OrganisationKey, olderThan age: Duration, limit: Int
    ) async throws -> [ForgottenDocument] {
        try await store.takeForgotten(of: organisation, olderThan: age, limit: limit)
    }
    func takeOvertaken(
        of organisation: OrganisationKey, by margin: Duration, limit: Int
    ) async throws -> [ForgottenDocument] {
        try await store.takeOvertaken(of: organisation, by: margin, limit: limit)
    }
    func openDocuments(dueAfter age: Duration) async throws -> [OrganisationKey: OpenDocuments] {
        try await store.openDocuments(dueAfter: age)
    }
}
