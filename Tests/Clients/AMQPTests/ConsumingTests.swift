import AMQP
import Testing

@Suite("Consuming", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct ConsumingTests {
    private func withSubscription(
        _ purpose: String, prefetch: UInt16, _ count: Int,
        _ work: (AMQPConnection, AMQPSubscription, String) async throws -> Void
    ) async throws {
        try await Broker.withQueue(purpose) { connection, topology, queue async throws in
            _ = await connection.publish(messages(count, to: queue))
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: purpose, topology: topology)
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: prefetch)
                try await work(connection, subscription, queue)
            }
        }
    }

    @Test("two batches acknowledged in the wrong order leave nothing behind and take nothing too much")
    func outOfOrder() async throws {
        try await Broker.withQueue("order") { connection, topology, queue async throws in
            _ = await connection.publish(messages(30, to: queue))
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "order", topology: topology)
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 100)
                let all = try await take(30, from: subscription)
                #expect(numbers(all) == Array(0..<30))
                await subscription.acknowledge(Array(all[10..<20]))
                await subscription.acknowledge(Array(all[0..<5]))
            }
            // Closed: what was not acknowledged is back, and nothing else.
            let again = AMQPConsumer(endpoint: try Broker.endpoint, name: "order", topology: topology)
            try await withConsumer(again) { () async throws in
                let subscription = await again.subscribe(queue: queue, prefetch: 100)
                let rest = try await take(15, from: subscription)
                #expect(Set(numbers(rest)) == Set(5..<10).union(20..<30))
                #expect(rest.allSatisfy { $0.redelivered })
                await subscription.acknowledge(rest)
                await subscription.stop()
            }
            #expect(try await connection.queueStatus(queue)?.messages == 0)
        }
    }

    @Test("the broker hands out no more than the prefetch until something is settled")
    func prefetch() async throws {
        try await withSubscription("prefetch", prefetch: 5, 12) { connection, subscription, queue async throws in
            // A long linger returns at once when the prefetch is used up.
            let first = try await subscription.nextBatch(max: 100, linger: .seconds(60))
            #expect(first.count == 5)
            #expect(try await connection.queueStatus(queue)?.messages == 7)
            await subscription.acknowledge(first)
            let second = try await take(5, from: subscription)
            #expect(numbers(second) == Array(5..<10))
            await subscription.acknowledge(second)
        }
    }

    @Test("a batch waits for more until it lingered long enough")
    func linger() async throws {
        try await withSubscription("linger", prefetch: 100, 3) { connection, subscription, queue async throws in
            let began = ContinuousClock.now
            let batch = try await subscription.nextBatch(max: 50, linger: .milliseconds(200))
            #expect(batch.count == 3)
            #expect(ContinuousClock.now - began >= .milliseconds(200))
            async let full = subscription.nextBatch(max: 4, linger: .seconds(60))
            _ = await connection.publish(messages(4, to: queue, first: 3))
            #expect(try await numbers(full) == [3, 4, 5, 6])
        }
    }

    @Test("ten drains in the middle of a backlog: not one message comes back as redelivered")
    func drained() async throws {
        try await Broker.withQueue("drained") { connection, topology, queue async throws in
            let total = 12_000
            for start in stride(from: 0, to: total, by: 500) {
                _ = await connection.publish(messages(500, to: queue, first: start))
            }
            var seen: [Int] = []
            for _ in 1...10 {
                let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "drained", topology: topology)
                try await withConsumer(consumer) { () async throws in
                    let subscription = await consumer.subscribe(queue: queue, prefetch: 400)
                    var taken = 0
                    var draining: Task<Void, Never>?
                    while true {
                        let batch = try await subscription.nextBatch(max: 60)
                        if batch.isEmpty { break }
                        #expect(batch.allSatisfy { !$0.redelivered })
                        seen += numbers(batch)
                        taken += batch.count
                        await subscription.acknowledge(batch)
                        // Beside the loop, as a signal would come.
                        if taken > 100, draining == nil { draining = Task { await subscription.drain() } }
                    }
                    await draining?.value
                }
            }
            let rest = try #require(try await connection.queueStatus(queue)?.messages)
            #expect(rest > 0, "the backlog was too short to be interrupted")
            #expect(seen.count + rest == total)
            #expect(Set(seen).count == seen.count)
        }
    }

    @Test("a cancelled wait throws and loses no delivery")
    func cancelled() async throws {
        try await withSubscription("cancelled", prefetch: 10, 0) { connection, subscription, queue async throws in
            let waiting = Task { try await subscription.nextBatch(max: 1) }
            waiting.cancel()
            await #expect(throws: CancellationError.self) { try await waiting.value }
            _ = await connection.publish(messages(1, to: queue))
            let taken = try await take(1, from: subscription)
            #expect(numbers(taken) == [0])
        }
    }

    @Test("stopping gives back what nobody took; what was taken can still be acknowledged")
    func stop() async throws {
        try await withSubscription("stop", prefetch: 10, 10) { connection, subscription, queue async throws in
            let taken = try await take(3, from: subscription)
            await subscription.stop()
            await subscription.stop()
            #expect(try await subscription.nextBatch(max: 1).isEmpty)
            await subscription.acknowledge(taken)
            // Acknowledgement and cancel are on their way on another connection than the question, and a quorum queue
            // answers a cancel before all of its members have applied it: the count may lag behind.
            while try await connection.queueStatus(queue).map({ ($0.messages, $0.consumers) }) ?? (0, 0) != (7, 0) {
                await Task.yield()
            }
        }
    }

    @Test("a reject with requeue brings the delivery back, without it drops it")
    func reject() async throws {
        try await withSubscription("reject", prefetch: 10, 2) { connection, subscription, queue async throws in
            let taken = try await take(2, from: subscription)
            await subscription.reject([taken[0]], requeue: true)
            await subscription.reject([taken[1]], requeue: false)
            let again = try await take(1, from: subscription)
            #expect(numbers(again) == [0])
            #expect(again[0].redelivered)
            await subscription.acknowledge(again)
            await subscription.stop()
            #expect(try await connection.queueStatus(queue)?.messages == 0)
        }
    }

    @Test("a deleted queue is noticed, declared again, and the subscription goes on")
    func consumerCancel() async throws {
        try await Broker.withQueue("deleted") { connection, topology, queue async throws in
            let log = EventLog()
            let consumer = AMQPConsumer(
                endpoint: try Broker.endpoint, name: "deleted", topology: topology,
                reconnect: AMQPBackoff(initial: .milliseconds(10)), onEvent: { log.note($0) })
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 10)
                await log.waitForSubscribed(1)
                try await connection.deleteQueue(queue)
                await log.wait { $0.contains { if case .consumerCancelled(queue) = $0 { true } else { false } } }
                await log.waitForSubscribed(2)
                _ = await connection.publish(messages(1, to: queue))
                #expect(try await numbers(take(1, from: subscription)) == [0])
            }
        }
    }

    @Test("a closed consumer ends its subscriptions")
    func close() async throws {
        let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "close")
        let running = Task { await consumer.run() }
        let subscription = await consumer.subscribe(queue: Broker.name("absent"), prefetch: 1)
        async let batch = subscription.nextBatch(max: 1)
        await consumer.close()
        #expect(try await batch.isEmpty)
        await running.value
        let late = await consumer.subscribe(queue: "any", prefetch: 1)
        #expect(try await late.nextBatch(max: 1).isEmpty)
    }
}
