import AMQP
import Domain
import Messaging
import Testing

@Suite("RabbitMQ", .enabled(if: RabbitFixture.url != nil, RabbitFixture.absence), .timeLimit(.minutes(1)))
struct RabbitBrokerTests {
    private func message(_ number: Int, to queue: QueueName = .map) -> OutgoingMessage {
        var envelope = Envelope(firstSeen: Instant(secondsSince1970: 7), subject: .init(kind: "order", id: "\(number)"))
        envelope.traceparent = "00-trace"
        return OutgoingMessage(queue: queue, envelope: envelope, body: Array("\(number)".utf8), messageID: "m\(number)")
    }

    private func take(_ count: Int, from inbox: RabbitInbox) async throws -> [IncomingMessage] {
        var taken: [IncomingMessage] = []
        while taken.count < count {
            let batch = try await inbox.nextBatch(max: count - taken.count, linger: .milliseconds(50))
            try #require(!batch.isEmpty, "the inbox ended after \(taken.count) of \(count)")
            taken += batch
        }
        return taken
    }

    @Test("declaring everything a second time changes nothing")
    func declaredTwice() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            try await connection.declare(topology.declarations)
            try await connection.declare(topology.declarations)
            for queue in topology.queues {
                #expect(try await connection.queueStatus(topology.name(queue))?.messages == 0)
            }
        }
    }

    @Test("a queue that exists with other arguments is told with its name and both values")
    func otherArguments() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            let wanted = try #require(topology.declarations.queues.first { $0.name == topology.name(.map) })
            let length = try #require(wanted.arguments["x-max-length"]?.intValue)
            let other = wanted.arguments.merging(["x-max-length": .int(17)]) { $1 }
            try await connection.declare(AMQPTopology(queues: [.init(name: wanted.name, arguments: other)]))
            let (events, continuation) = AsyncStream.makeStream(of: AMQPEvent.self)
            let broker = RabbitBroker(
                endpoint: try RabbitFixture.endpoint, name: "other", topology: topology,
                onEvent: { _, event in continuation.yield(event) })
            // Unstructured: it ends when the broker is closed below, and is awaited there.
            let running = Task { await broker.run() }
            var found: AMQPError?
            for await event in events {
                guard case .disconnected(let error, _) = event else { continue }
                found = error
                break
            }
            #expect(!broker.isReady)
            await broker.close()
            await running.value
            let error = try #require(found)
            #expect(error.code == .preconditionFailed && !error.isRetriable)
            for part in [wanted.name, "x-max-length", "\(length)", "17"] {
                #expect(error.description.contains(part), "\(part)")
            }
        }
    }

    @Test("a paused inbox keeps nothing: what it held is handed back as new, and comes when it takes again")
    func pauseAndResume() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            try await RabbitFixture.withBroker(topology) { broker in
                try await broker.publish((1...5).map { message($0) })
                let inbox = await broker.inbox(.map, prefetch: 3)
                let held = try await take(2, from: inbox)
                await inbox.pause()
                var rest: [IncomingMessage] = []
                while true {
                    let batch = try await inbox.nextBatch(max: 10, linger: .zero)
                    if batch.isEmpty { break }
                    rest += batch
                }
                let postbox = Postbox(inbox: inbox, outbox: broker) { Instant(secondsSince1970: 9) }
                try await postbox.settle((held + rest).map { ($0, .handBack) })
                // All five wait in the queue; nothing is in anybody's hand.
                while try await connection.queueStatus(topology.name(.map))?.messages != 5 {
                    try await Task.sleep(for: .milliseconds(10))
                }
                await inbox.resume()
                var again = try await take(3, from: inbox)
                await inbox.acknowledge(again)
                again += try await take(2, from: inbox)
                await inbox.acknowledge(Array(again.suffix(2)))
                #expect(Set(again.compactMap(\.messageID)) == Set((1...5).map { "m\($0)" }))
                #expect(again.allSatisfy { !$0.isRedelivered })
                #expect(try again.allSatisfy { try $0.envelope.get().traceparent == "00-trace" })
                #expect(try again.allSatisfy { try $0.envelope.get().firstSeen == Instant(secondsSince1970: 7) })
                await inbox.stop()
                #expect(try await inbox.nextBatch(max: 1, linger: .zero).isEmpty)
                // Stopped is stopped.
                await inbox.resume()
                #expect(try await inbox.nextBatch(max: 1, linger: .zero).isEmpty)
            }
        }
    }

    @Test("what is published is consumed as it was sent, and gone once acknowledged")
    func publishAndConsume() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            let write = QueueName.write(OrganisationKey("harbour"))
            try await RabbitFixture.withBroker(topology) { broker in
                #expect(broker.isReady)
                try await broker.publish((0..<20).map { message($0, to: write) })
                let inbox = await broker.inbox(write, prefetch: 50)
                let taken = try await take(20, from: inbox)
                #expect(taken.map { String(decoding: $0.body, as: UTF8.self) } == (0..<20).map { "\($0)" })
                #expect(taken.map(\.messageID) == (0..<20).map { "m\($0)" })
                #expect(try taken.map { try $0.envelope.get() } == (0..<20).map { message($0).envelope })
                #expect(taken.allSatisfy { $0.queue == topology.name(write) && !$0.isRedelivered })
                await inbox.acknowledge(Array(taken[..<15]))
            }
            // Closed: what was acknowledged is gone, what was not is back.
            try await RabbitFixture.wait(for: 5, in: topology.name(write), connection)
        }
    }

    @Test("closing flushes: what `publish` has confirmed is there, and what it refused was never sent")
    func closeFlushes() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            var arrived = 0
            try await RabbitFixture.withBroker(topology) { broker in
                try await broker.publish([message(0)])
                arrived = 1
                await withTaskGroup(of: Int.self) { group in
                    for task in 1...20 {
                        group.addTask {
                            do {
                                try await broker.publish((0..<50).map { self.message(task * 100 + $0) })
                                return 50
                            } catch {
                                #expect((error as? AMQPError)?.code == .closed)
                                return 0
                            }
                        }
                    }
                    group.addTask {
                        await broker.close()
                        return 0
                    }
                    for await count in group { arrived += count }
                }
                #expect(!broker.isReady)
                await #expect(throws: AMQPError.self) { try await broker.publish([message(1)]) }
            }
            try await RabbitFixture.wait(for: arrived, in: topology.name(.map), connection)
        }
    }

    /// An hour in a queue of six: who comes back in this test did not wait for the queue's own time.
    @Test("the wait a message was told ends it in the delay queue, and is gone when it is back among the work")
    func ownWait() async throws {
        try await RabbitFixture.withTopology { topology, connection in
            try await RabbitFixture.withBroker(topology) { broker in
                func retry(_ number: Int, _ wait: Duration) -> OutgoingMessage {
                    var retry = message(number, to: .retry(.sixHours))
                    (retry.returnTo, retry.wait) = (topology.name(.map), wait)
                    return retry
                }
                try await broker.publish([
                    retry(1, .milliseconds(20)), retry(2, .milliseconds(40)), retry(3, .seconds(3601)),
                    retry(4, .milliseconds(20)),
                ])
                let inbox = await broker.inbox(.map, prefetch: 10)
                let back = try await take(2, from: inbox)
                #expect(back.map(\.messageID) == ["m1", "m2"])
                await inbox.acknowledge(back)
                // Behind one that waits longer it waits, too.
                #expect(try await connection.queueStatus(topology.name(.retry(.sixHours)))?.messages == 2)
            }
            // Once the long one is taken away the short one's time is over, too.
            let consumer = AMQPConsumer(
                endpoint: try RabbitFixture.endpoint, name: "look", topology: topology.declarations)
            let running = Task { await consumer.run() }
            let waiting = await consumer.subscribe(queue: topology.name(.retry(.sixHours)), prefetch: 10)
            let still = try await waiting.nextBatch(max: 1)
            #expect(still.map(\.messageID) == ["m3"] && still[0].expiration == .seconds(3601))
            await waiting.acknowledge(still)
            let work = await consumer.subscribe(queue: topology.name(.map), prefetch: 10)
            let last = try await work.nextBatch(max: 1)
            #expect(last.map(\.messageID) == ["m4"] && last[0].expiration == nil)
            await work.acknowledge(last)
            await consumer.close()
            await running.value
        }
    }

    @Test("attempts, first sight and the last error travel through every retry, in headers of the fleet's own")
    func headersTravel() async throws {
        try await RabbitFixture.withTopology { topology, _ in
            try await RabbitFixture.withBroker(topology) { broker in
                let write = QueueName.write(OrganisationKey("harbour"))
                let sent = message(1, to: write)
                try await broker.publish([sent])
                let inbox = await broker.inbox(write, prefetch: 10)
                // Another clock than the one it was first seen by.
                let postbox = Postbox(inbox: inbox, outbox: broker, now: { Instant(secondsSince1970: 9) })
                var current = try await take(1, from: inbox)[0]
                let rounds = [("429", true, 1), ("a deadlock", true, 2), ("another writer has it", false, 2)]
                for (error, isCounted, attempt) in rounds {
                    try await postbox.settle([(current, .retry(after: .seconds(1), counted: isCounted, cause: error))])
                    current = try await take(1, from: inbox)[0]
                    #expect(current.headers["tb-attempt"] == .int(Int64(attempt)))
                    #expect(current.headers["tb-first-seen"] == .int(sent.envelope.firstSeen.microseconds))
                    #expect(current.headers["tb-cause"] == .string(error))
                    #expect(current.headers["tb-origin"] == .string(topology.name(write)))
                    #expect(!current.isRedelivered)
                }
                await inbox.acknowledge([current])
            }
        }
    }

    @Test("a message that was told to wait comes back to its own queue, with its own headers, and no sooner than told")
    func retryComesBack() async throws {
        try await RabbitFixture.withTopology { topology, _ in
            try await RabbitFixture.withBroker(topology) { broker in
                let write = QueueName.write(OrganisationKey("harbour"))
                let sent = message(1, to: write)
                try await broker.publish([sent])
                let inbox = await broker.inbox(write, prefetch: 10)
                let first = try await take(1, from: inbox)
                let postbox = Postbox(inbox: inbox, outbox: broker, now: { Instant(secondsSince1970: 9) })
                let began = ContinuousClock.now
                try await postbox.settle([(first[0], .retry(after: .seconds(1), counted: true, cause: "c"))])
                let again = try await take(1, from: inbox)
                let took = ContinuousClock.now - began
                #expect(took >= .seconds(1))
                var expected = sent.envelope
                expected.attempt = 1
                expected.origin = topology.name(write)
                // What it failed with travels along.
                expected.lastError = "c"
                #expect(try again[0].envelope.get() == expected)
                #expect(again[0].body == sent.body)
                #expect(again[0].messageID == sent.messageID)
                #expect(again[0].queue == topology.name(write))
                await inbox.acknowledge(again)
            }
        }
    }
}
