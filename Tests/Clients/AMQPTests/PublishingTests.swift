import AMQP
import Peers
import Testing
import Threads

@Suite("Publishing", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct PublishingTests {
    @Test("three hundred messages are with the broker before the first confirm, and are published only with the last")
    func pipelined() async throws {
        try await withHeldAnswers("pipelined", window: 500) { proxy, publisher, connection, queue in
            let hasReturned = Locked(false)
            async let published: Void = {
                try await publisher.publish(messages(300, to: queue))
                hasReturned.withLock { $0 = true }
            }()
            try await waitForMessages(300, in: queue, connection)
            #expect(!hasReturned.withLock { $0 }, "a message counted as published before its confirm")
            proxy.resume()
            try await published
            #expect(try await connection.queueStatus(queue)?.messages == 300)
        }
    }

    @Test("without confirms no more messages are sent than the window holds; with them the rest follows")
    func window() async throws {
        try await withHeldAnswers("window", window: 200) { proxy, publisher, connection, queue in
            async let first: Void = publisher.publish(messages(150, to: queue))
            try await waitForMessages(150, in: queue, connection)
            async let second: Void = publisher.publish(messages(350, to: queue, first: 150))
            try await waitForMessages(200, in: queue, connection)
            // A new call wakes the connection's thread: had the window room, this would be sent.
            async let third: Void = publisher.publish(messages(1, to: queue, first: 500))
            for _ in 0..<50 { #expect(try await connection.queueStatus(queue)?.messages == 200) }
            proxy.resume()
            try await first
            try await second
            try await third
            #expect(try await connection.queueStatus(queue)?.messages == 501)
        }
    }

    /// Runs with a publisher that reaches the broker and hears nothing of it until the proxy resumes; the connection
    /// given is a direct one.
    private func withHeldAnswers(
        _ name: String, window: Int, _ work: (FaultyProxy, AMQPPublisher, AMQPConnection, String) async throws -> Void
    ) async throws {
        try await Broker.withQueue(name) { connection, _, queue async throws in
            let direct = try Broker.endpoint
            let proxy = try FaultyProxy(host: direct.host, port: direct.port)
            let publisher = AMQPPublisher(
                endpoint: try Broker.endpoint(through: proxy), name: name, window: window,
                publishTimeout: .seconds(90))
            try await withPublisher(publisher) { () async throws in
                proxy.holdAnswers()
                // Also when the work fails: closing waits for what is under way.
                defer { proxy.resume() }
                try await work(proxy, publisher, connection, queue)
            }
            proxy.stop()
        }
    }

    private func waitForMessages(_ count: Int, in queue: String, _ connection: AMQPConnection) async throws {
        while true {
            let found = try await connection.queueStatus(queue)?.messages ?? 0
            try #require(found <= count, "more than \(count) messages were sent")
            if found == count { return }
            try await Task.sleep(for: .milliseconds(2))
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
