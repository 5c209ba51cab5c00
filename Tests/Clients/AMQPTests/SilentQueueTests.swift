import AMQP
import Foundation
import Testing

@Suite(
    "A queue for which the broker does not answer", .enabled(if: Broker.url != nil, Broker.absence),
    .enabled(if: Broker.control != nil, "TILLBRIDGE_TEST_RABBITMQCTL names no rabbitmqctl: no queue can be stopped"),
    .timeLimit(.minutes(3)))
struct SilentQueueTests {
    @Test("the other queues of the process are read and acknowledged meanwhile, and it too once it answers")
    func apart() async throws {
        try await Broker.withQueue("silent") { connection, _, silent async throws in
            try await Broker.withQueue("spoken") { _, _, spoken async throws in
                let log = EventLog()
                let consumer = AMQPConsumer(
                    endpoint: try Broker.endpoint, name: "silent", connectTimeout: .seconds(3),
                    reconnect: AMQPBackoff(initial: .milliseconds(100), max: .seconds(1)),
                    onEvent: { log.note($0) })
                try await withStopped(silent) { () async throws in
                    try await withConsumer(consumer) { () async throws in
                        let mute = await consumer.subscribe(queue: silent, prefetch: 10)
                        await log.waitForFailures(of: silent, 1)
                        // From here on it has a connection to itself. One delivery at a time: the next comes only
                        // when the broker has the acknowledgement of the last.
                        let heard = await consumer.subscribe(queue: spoken, prefetch: 1)
                        for number in 0..<3 {
                            _ = await connection.publish(messages(1, to: spoken, first: number))
                            let delivery = try await take(1, from: heard)
                            #expect(numbers(delivery) == [number])
                            #expect(delivery.allSatisfy { !$0.redelivered })
                            await log.waitForFailures(of: silent, number + 2)
                            await heard.acknowledge(delivery)
                        }
                        #expect(consumer.isReady)
                        #expect(log.subscribed(to: spoken) == 1, "the silent queue ended the connection again")
                        // A second subscription to a queue that is apart goes there at once.
                        let again = await consumer.subscribe(queue: silent, prefetch: 10)
                        await mute.stop()
                        try await resume(silent)
                        _ = await connection.publish(messages(2, to: silent))
                        let late = try await take(2, from: again)
                        #expect(numbers(late) == [0, 1])
                        await again.acknowledge(late)
                        #expect(log.subscribed(to: spoken) == 1)
                        await again.stop()
                        await heard.stop()
                    }
                    #expect(try await connection.queueStatus(spoken)?.messages == 0)
                    #expect(try await connection.queueStatus(silent)?.messages == 0)
                }
            }
        }
    }

    /// The queue's only member does nothing while `work` runs.
    private func withStopped(_ queue: String, _ work: () async throws -> Void) async throws {
        try await tell(queue, "suspend")
        let result = await Result { () async throws in try await work() }
        // Whatever happened: the queue is deleted next.
        try await resume(queue)
        try result.get()
    }

    private func resume(_ queue: String) async throws { try await tell(queue, "resume") }

    private func tell(_ queue: String, _ what: String) async throws {
        let found = "{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"/\">>, queue, <<\"\(queue)\">>))"
        try await Broker.run(try #require(Broker.control), "eval", "\(found), sys:\(what)(amqqueue:get_pid(Q)).")
    }
}

extension EventLog {
    /// How often a queue's subscription has failed.
    fileprivate func waitForFailures(of name: String, _ count: Int) async {
        await wait { events in
            events.count { if case .subscribeFailed(let queue, _, _) = $0 { queue == name } else { false } } >= count
        }
    }

    fileprivate func subscribed(to name: String) -> Int {
        events.count { if case .subscribed(let queue) = $0 { queue == name } else { false } }
    }
}
