import AMQP
import Foundation
import Peers
import Testing

@Suite("Faults", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct FaultTests {
    private let quick = AMQPBackoff(initial: .milliseconds(10), max: .milliseconds(100))

    @Test("after a cut unacknowledged deliveries come again, and old acknowledgements are dropped")
    func consumerCut() async throws {
        try await Broker.withQueue("cut") { connection, topology, queue async throws in
            let direct = try Broker.endpoint
            let proxy = try FaultyProxy(host: direct.host, port: direct.port)
            let log = EventLog()
            let consumer = AMQPConsumer(
                endpoint: try Broker.endpoint(through: proxy), name: "cut", topology: topology, reconnect: quick,
                onEvent: { log.note($0) })
            _ = await connection.publish(messages(6, to: queue))
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 4)
                let old = try await take(4, from: subscription)
                proxy.cut()
                await log.waitForSubscribed(2)
                // Were they taken for new ones, the tags 1 to 4 would be acknowledged unread.
                await subscription.acknowledge(old)
                let new = try await take(4, from: subscription)
                #expect(numbers(new).allSatisfy { (0..<6).contains($0) })
                await subscription.acknowledge(old)
                await subscription.acknowledge(new)
                let rest = try await take(2, from: subscription)
                #expect(Set(numbers(new) + numbers(rest)) == Set(0..<6))
                await subscription.acknowledge(rest)
                await subscription.stop()
            }
            proxy.stop()
            #expect(try await connection.queueStatus(queue)?.messages == 0)
        }
    }

    @Test("cut again and again, no message is lost as long as failed publishes are published again")
    func publisherCut() async throws {
        try await Broker.withQueue("losses") { connection, topology, queue async throws in
            let direct = try Broker.endpoint
            let proxy = try FaultyProxy(host: direct.host, port: direct.port)
            let log = EventLog()
            let publisher = AMQPPublisher(
                endpoint: try Broker.endpoint(through: proxy), name: "losses", reconnect: quick,
                onEvent: { log.note($0) })
            try await withPublisher(publisher) { () async throws in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for caller in 0..<8 {
                        group.addTask {
                            for round in 0..<20 {
                                let batch = messages(10, to: queue, first: (caller * 20 + round) * 10)
                                while true {
                                    do {
                                        try await publisher.publish(batch)
                                        break
                                    } catch let error as AMQPError {
                                        try #require(error.isRetriable, "\(error)")
                                    }
                                }
                            }
                        }
                    }
                    for cut in 1...5 {
                        await log.waitForConnected(cut)
                        proxy.cut()
                    }
                    try await group.waitForAll()
                }
            }
            proxy.stop()
            let count = try await connection.queueStatus(queue)?.messages ?? 0
            #expect(count >= 1_600)
            let consumer = AMQPConsumer(endpoint: direct, name: "losses", topology: topology)
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 2_000)
                var seen: Set<Int> = []
                while seen.count < 1_600 {
                    let batch = try await subscription.nextBatch(max: 500)
                    seen.formUnion(numbers(batch))
                    await subscription.acknowledge(batch)
                }
                #expect(seen == Set(0..<1_600))
            }
        }
    }

    @Test("a publish nobody confirms in time is uncertain, not lost")
    func stalled() async throws {
        try await Broker.withQueue("stalled") { connection, _, queue async throws in
            let direct = try Broker.endpoint
            let proxy = try FaultyProxy(host: direct.host, port: direct.port)
            let publisher = AMQPPublisher(
                endpoint: try Broker.endpoint(through: proxy), name: "stalled", publishTimeout: .milliseconds(300),
                reconnect: quick)
            let running = Task { await publisher.run() }
            await publisher.waitUntilReady()
            proxy.stall()
            let error = await #expect(throws: AMQPError.self) { try await publisher.publish(messages(3, to: queue)) }
            #expect(error?.code == .timedOut)
            #expect(error?.isRetriable == true)
            proxy.resume()
            // The three of before were only late. What comes after them may be late, too: on a busy machine, or while
            // a neighbour holds up publishing by an alarm.
            while try await !isConfirmed(messages(1, to: queue), by: publisher) {}
            while try await connection.queueStatus(queue)?.messages ?? 0 < 4 { await Task.yield() }
            await publisher.close()
            await running.value
            proxy.stop()
        }
    }

    @Test(
        "an alarm stops publishing until it is over, and meanwhile what is consumed goes on",
        .enabled(if: Broker.control != nil, "TILLBRIDGE_TEST_RABBITMQCTL names no rabbitmqctl: no alarm can be set"))
    func blocked() async throws {
        let control = try #require(Broker.control)
        try await Broker.withQueue("alarm") { connection, topology, queue async throws in
            let log = EventLog()
            let publisher = AMQPPublisher(
                endpoint: try Broker.endpoint, name: "alarm", publishTimeout: .seconds(60), onEvent: { log.note($0) })
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "alarm", topology: topology)
            try await withPublisher(publisher) { () async throws in
                try await publisher.publish(messages(3, to: queue))
                try await Broker.run(control, "set_vm_memory_high_watermark", "0.00001")
                // The broker tells once somebody publishes.
                async let first: Void = publisher.publish(messages(1, to: queue, first: 3))
                await log.wait { $0.contains { if case .blocked = $0 { true } else { false } } }
                let consumed = await Result { () async throws in
                    try await withConsumer(consumer) { () async throws in
                        // One at a time: the next comes only when the broker has the acknowledgement of the last.
                        let subscription = await consumer.subscribe(queue: queue, prefetch: 1)
                        for number in 0..<3 {
                            let delivery = try await take(1, from: subscription)
                            #expect(numbers(delivery) == [number])
                            await subscription.acknowledge(delivery)
                        }
                        await subscription.stop()
                    }
                    let isOver = log.events.contains { if case .unblocked = $0 { true } else { false } }
                    #expect(!isOver, "the alarm ended too soon: nothing was shown")
                }
                async let second: Void = publisher.publish(messages(1, to: queue, first: 4))
                // Whatever happened: every other test's publishers wait for the end of the alarm.
                try await Broker.run(control, "set_vm_memory_high_watermark", "0.4")
                try consumed.get()
                await log.wait { $0.contains { if case .unblocked = $0 { true } else { false } } }
                try await first
                try await second
                // What the consumer was handed last comes back to the queue when its channel is gone.
                while try await connection.queueStatus(queue)?.messages ?? 0 < 2 { await Task.yield() }
                #expect(try await connection.queueStatus(queue)?.messages == 2)
            }
        }
    }

    /// False where no confirm came in time; other errors are thrown on.
    private func isConfirmed(_ messages: [AMQPMessage], by publisher: AMQPPublisher) async throws(AMQPError) -> Bool {
        do {
            try await publisher.publish(messages)
            return true
        } catch where error.code == .timedOut || error.code == .blocked {
            return false
        }
    }
}
