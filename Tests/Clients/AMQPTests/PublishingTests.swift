import AMQP
import Testing

@Suite("Publishing", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct PublishingTests {
    @Test("five hundred messages are in flight at once and each is confirmed")
    func window() async throws {
        try await Broker.withQueue("window") { connection, _, queue async throws in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "window", window: 500)
            try await withPublisher(publisher) { () async throws in
                try await publisher.publish(messages(2_000, to: queue))
                #expect(try await connection.queueStatus(queue)?.messages == 2_000)
            }
        }
    }

    @Test("callers share the window, and each gets its own confirms")
    func sharing() async throws {
        try await Broker.withQueue("sharing") { connection, _, queue async throws in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "sharing", window: 7)
            try await withPublisher(publisher) { () async throws in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for caller in 0..<40 {
                        group.addTask { try await publisher.publish(messages(10, to: queue, first: caller * 10)) }
                    }
                    try await group.waitForAll()
                }
                #expect(try await connection.queueStatus(queue)?.messages == 400)
            }
        }
    }

    @Test("a message no queue takes comes back as an error that names where it went")
    func returned() async throws {
        try await Broker.withQueue("returned") { connection, _, queue async throws in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "returned")
            try await withPublisher(publisher) { () async throws in
                var batch = messages(9, to: queue)
                batch[4].routingKey = "nowhere"
                batch[4].exchange = "amq.direct"
                let error = await #expect(throws: AMQPError.self) { try await publisher.publish(batch) }
                #expect(error?.code == .returned)
                #expect(error?.description.contains("nowhere") == true)
                #expect(error?.description.contains("amq.direct") == true)
                // The other eight are there.
                #expect(try await connection.queueStatus(queue)?.messages == 8)
                let outcomes = await connection.publish(batch)
                let failed = outcomes.indices.filter { if case .failed = outcomes[$0] { true } else { false } }
                #expect(failed == [4])
            }
        }
    }

    @Test("a full queue refuses, and the refusal can be tried again")
    func rejected() async throws {
        try await Broker.withQueue(
            "full", arguments: ["x-max-length": .int(1), "x-overflow": .string("reject-publish")]
        ) { connection, _, queue async throws in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "rejected")
            try await withPublisher(publisher) { () async throws in
                let error = await #expect(throws: AMQPError.self) {
                    try await publisher.publish(messages(20, to: queue))
                }
                #expect(error?.code == .rejected)
                #expect(error?.isRetriable == true)
            }
        }
    }

    @Test("a message for a missing exchange gets the blame, and the next message goes through")
    func missingExchange() async throws {
        try await Broker.withQueue("missing") { connection, _, queue async throws in
            let publisher = AMQPPublisher(
                endpoint: try Broker.endpoint, name: "missing", reconnect: AMQPBackoff(initial: .milliseconds(10)))
            try await withPublisher(publisher) { () async throws in
                let lost = AMQPMessage(exchange: "tb-test.no-such", routingKey: queue, body: [])
                let error = await #expect(throws: AMQPError.self) { try await publisher.publish([lost]) }
                #expect(error?.code == .notFound)
                #expect(error?.replyCode == 404)
                try await publisher.publish(messages(1, to: queue))
                #expect(try await connection.queueStatus(queue)?.messages == 1)
            }
        }
    }

    @Test("what AMQP cannot carry is refused before it is sent, and hurts nobody else")
    func refusedEarly() async throws {
        try await Broker.withQueue("early") { connection, _, queue async throws in
            var long = messages(3, to: queue)
            long[1].routingKey = String(repeating: "k", count: 256)
            long[2].headers["fat"] = .string(String(repeating: "h", count: 200_000))
            let huge = AMQPMessage(
                exchange: "", routingKey: queue, body: [UInt8](repeating: 0, count: AMQPMessage.bodyBytesMax + 1))
            let outcomes = await connection.publish(long + [huge])
            let codes = outcomes.map { outcome -> AMQPError.Code? in
                if case .failed(let error) = outcome { error.code } else { nil }
            }
            #expect(codes == [nil, .invalidMessage, .messageTooLarge, .messageTooLarge])
            #expect(try await connection.queueStatus(queue)?.messages == 1)
        }
    }

    @Test("a body of many frames arrives as it was")
    func largeBody() async throws {
        try await Broker.withQueue("large") { connection, topology, queue async throws in
            let body = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
            let large = AMQPMessage(exchange: "", routingKey: queue, body: body)
            _ = await connection.publish([large] + messages(1, to: queue))
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "large", topology: topology)
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 10)
                let taken = try await take(2, from: subscription)
                #expect(taken[0].body == body)
                #expect(!taken[0].isTruncated)
                #expect(taken[1].body == Array("0".utf8))
                await subscription.acknowledge(taken)
            }
        }
    }

    @Test("closing waits for the confirms that are under way, and refuses what comes after")
    func closing() async throws {
        try await Broker.withQueue("closing") { connection, _, queue async throws in
            let publisher = AMQPPublisher(endpoint: try Broker.endpoint, name: "closing", window: 10)
            let running = Task { await publisher.run() }
            await publisher.waitUntilReady()
            async let published: Void = publisher.publish(messages(500, to: queue))
            // Closing at whatever moment: either all of it was accepted, or it was refused at the door.
            await publisher.close()
            await running.value
            do {
                try await published
                #expect(try await connection.queueStatus(queue)?.messages == 500)
            } catch let error as AMQPError {
                #expect(error.code == .closed)
            }
            let error = await #expect(throws: AMQPError.self) { try await publisher.publish(messages(1, to: queue)) }
            #expect(error?.code == .closed)
        }
    }

    @Test("without a broker a publish waits its time and then says why")
    func noBroker() async throws {
        let log = EventLog()
        let publisher = AMQPPublisher(
            endpoint: try AMQPEndpoint(url: "amqp://127.0.0.1:1"), name: "nobody",
            publishTimeout: .milliseconds(300), reconnect: AMQPBackoff(initial: .milliseconds(10)),
            onEvent: { log.note($0) })
        let running = Task { await publisher.run() }
        await log.wait { $0.contains { if case .disconnected = $0 { true } else { false } } }
        let error = await #expect(throws: AMQPError.self) { try await publisher.publish(messages(1, to: "x")) }
        #expect(error?.code == .timedOut)
        #expect(error?.isRetriable == true)
        #expect(error?.detail.contains("cannotConnect") == true)
        await publisher.close()
        await running.value
    }
}
