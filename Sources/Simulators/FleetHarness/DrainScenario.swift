import JSON
import AMQP
import Foundation
import KountaSimulator

/// A backlog of orders already in the queue, through mapper and writers with the ledger's limits off; and in the same
/// run, how fast the broker alone moves the same bytes over two hops.
struct DrainScenario {
    let options: FleetOptions
    let orders: Int

    /// Messages published or consumed at a time.
    private static let batch = 500
    private static let workers = ["mapper", "writer", "writer"]
    /// They have nothing to do in a drain, and are there and measured as in any fleet.
    private static let idleWorkers = ["poller", "dead-letter-handler"]

    func run(into figures: inout Figures) async throws {
        let fleet = try await Fleet(options)
        do {
            let bodies = makeOrders(fleet)
            let raw = try await rawCeiling(fleet, bodies)
            try await fleet.queue(bodies)
            let (seconds, children) = try await drain(fleet, figures: &figures)
            let rate = Double(orders) / seconds
            figures.add("drain.orders_per_second", rate, "orders/s", .atLeast(3_000))
            figures.add("drain.raw_per_second", raw, "messages/s over two hops")
            figures.add("drain.ratio_to_raw", rate / raw, "ratio", .atLeast(0.3))
            let memory = children.compactMap(\.residentBytes).max() ?? 0
            figures.add("worker.rss_mb", Double(memory) / 1_048_576, "MB, the largest worker", .atMost(60))
        } catch {
            _ = await fleet.stop()
            throw error
        }
        let disorderly = await fleet.stop()
        guard disorderly.isEmpty else { throw HarnessError(disorderly.joined(separator: "; ")) }
    }

    /// Orders as the poller queues them, spread over all venues.
    private func makeOrders(_ fleet: Fleet) -> [QueuedOrder] {
        let generator = OrderGenerator(seed: 7)
        let companies = SimulatedCompany.usual
        let sites = companies.flatMap { company in company.sites.map { (company, $0) } }
        let keys = fleet.plan.companies
        return (0..<orders).map { index in
            let (company, site) = sites[index % sites.count]
            let key = keys[companies.firstIndex { $0.id == company.id } ?? 0]
            let body = generator.detail(
                index, company: company.id, site: site.id, createdAt: 1_760_000_000 + Int64(index) * 3)
            return QueuedOrder(body: body, company: key, id: OrderGenerator.firstID + Int64(index))
        }
    }

    /// From the first busy worker's start to the last payment in the ledger.
    private func drain(_ fleet: Fleet, figures: inout Figures) async throws -> (Double, [ChildProcess]) {
        let watch = try await Watch(fleet)
        var children: [ChildProcess] = []
        for name in Self.idleWorkers { children.append(try await fleet.startWorker(name, log: name)) }
        try await fleet.waitUntilReady()
        let start = ContinuousClock.now
        for (index, name) in Self.workers.enumerated() {
            children.append(try await fleet.startWorker(name, log: "\(name)-\(index)"))
        }
        while true {
            let ledger = try await fleet.xero.get("/_control/ledger?summary=1")
            var written = 0
            var unpaid = 0
            for books in ledger["organisations"]?.elements ?? [] {
                written += Int(books["invoices"]?["count"]?.integer ?? 0)
                unpaid += Int(books["invoices"]?["statuses"]?["AUTHORISED"]?.integer ?? 0)
            }
            if written >= orders && unpaid == 0 { break }
            let ended = await fleet.children.ended()
            guard ended.isEmpty else { throw HarnessError("ended by itself: \(ended.joined(separator: ", "))") }
            guard ContinuousClock.now - start < .seconds(600) else {
                throw HarnessError("after ten minutes \(written) of \(orders) are written, \(unpaid) unpaid")
            }
            // A look costs the simulator a walk through its ledger: seldom until the end is near.
            try await Task.sleep(for: written < orders * 9 / 10 ? .milliseconds(1000) : .milliseconds(100))
        }
        let seconds = Self.seconds(.now - start)
        // Everything is also committed and acknowledged before the figure counts as proved.
        while try await watch.queued() > 0 { try await Task.sleep(for: .milliseconds(100)) }
        let counts = try await watch.counts()
        guard counts.mapped == orders, counts.dead == 0 else {
            throw HarnessError("\(counts.mapped) documents and \(counts.dead) dead letters of \(orders) orders")
        }
        await watch.close()
        return (seconds, children)
    }

    // MARK: the broker alone

    /// Publish, confirm, consume and acknowledge over two quorum queues, both hops whole, as a source, one relay and a
    /// sink would do it.
    private func rawCeiling(
        _ fleet: Fleet, _ bodies: [QueuedOrder]
    ) async throws -> Double {
        let endpoint = try AMQPEndpoint(url: options.rabbitMQ)
        let (first, second) = ("\(fleet.run).raw.1", "\(fleet.run).raw.2")
        let topology = AMQPTopology(
            queues: [first, second].map { .init(name: $0, arguments: ["x-queue-type": .string("quorum")]) })
        let consumer = AMQPConsumer(endpoint: endpoint, name: "raw consume", topology: topology)
        let count = bodies.count
        return try await Fleet.withPublisher(endpoint, topology) { publisher in
            let running = Task { await consumer.run() }
            let begin = ContinuousClock.now
            try await withThrowingTaskGroup(of: Void.self) { group in
                let source = await consumer.subscribe(queue: first, prefetch: 1000)
                let sink = await consumer.subscribe(queue: second, prefetch: 1000)
                group.addTask {
                    for start in stride(from: 0, to: count, by: Self.batch) {
                        try await publisher.publish(
                            bodies[start..<min(start + Self.batch, count)].map { $0.message(exchange: "", key: first) })
                    }
                }
                group.addTask {
                    var left = count
                    while left > 0 {
                        let batch = try await source.nextBatch(max: 250)
                        try await publisher.publish(
                            batch.map { delivery in
                                var message = delivery.message
                                message.exchange = ""
                                message.routingKey = second
                                return message
                            })
                        await source.acknowledge(batch)
                        left -= batch.count
                    }
                }
                group.addTask {
                    var left = count
                    while left > 0 {
                        let batch = try await sink.nextBatch(max: 250)
                        await sink.acknowledge(batch)
                        left -= batch.count
                    }
                }
                try await group.waitForAll()
            }
            let seconds = Self.seconds(.now - begin)
            await consumer.close()
            _ = await running.value
            let connection = try await AMQPConnection.open(endpoint: endpoint, name: "raw clean")
            // A broker just drained may refuse a deletion once (541); the queues go with the broker in any case.
            for queue in [first, second] { try? await connection.deleteQueue(queue) }
            await connection.close()
            return Double(count) / seconds
        }
    }

    static func seconds(_ duration: Duration) -> Double {
        let (seconds, attoseconds) = duration.components
        return Double(seconds) + Double(attoseconds) / 1e18
    }
}
