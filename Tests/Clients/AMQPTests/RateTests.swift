import AMQP
import Foundation
import Testing

/// Not pass or fail but figures: printed, for a release build on a machine that does nothing else.
@Suite(
    "Rates", .serialized,
    .enabled(
        if: Broker.url != nil && ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_AMQP_RATES"] != nil,
        "TILLBRIDGE_TEST_AMQP_RATES is not set: nothing is measured"))
struct RateTests {
    @Test("publish with confirms, then consume with acknowledgements", arguments: [(200, 10), (200, 50), (1_000, 100)])
    func rates(window: Int, batchSize: Int) async throws {
        let total = 60_000
        try await Broker.withQueue("rates") { connection, topology, queue in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "rates", window: window)
            try await withPublisher(publisher) { () async throws in
                let began = ContinuousClock.now
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let callers = max(1, window / batchSize)
                    for caller in 0..<callers {
                        group.addTask {
                            for round in stride(from: caller, to: total / batchSize, by: callers) {
                                try await publisher.publish(
                                    messages(batchSize, to: queue, first: round * batchSize, bytes: 2_000))
                            }
                        }
                    }
                    try await group.waitForAll()
                }
                report("publish, window \(window), arrays of \(batchSize)", total, since: began)
            }
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "rates", topology: topology)
            try await withConsumer(consumer) { () async throws in
                let began = ContinuousClock.now
                let subscription = await consumer.subscribe(queue: queue, prefetch: 300)
                var count = 0
                while count < total {
                    let batch = try await subscription.nextBatch(max: 100)
                    count += batch.count
                    await subscription.acknowledge(batch)
                }
                report("consume, prefetch 300, batches of at most 100", count, since: began)
                await subscription.stop()
            }
            #expect(try await connection.queueStatus(queue)?.messages == 0)
        }
    }

    private func report(_ what: String, _ count: Int, since began: ContinuousClock.Instant) {
        let took = ContinuousClock.now - began
        print("RATE \(what): \(Int(Double(count) / (took / .seconds(1)))) a second")
    }
}
