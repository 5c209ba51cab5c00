import AMQP
import Peers
import Testing

@Suite("A connection", .enabled(if: Broker.url != nil, Broker.absence), .timeLimit(.minutes(2)))
struct ConnectionTests {
    @Test("a queue that exists with another argument is refused with both values named, and the connection goes on")
    func precondition() async throws {
        let arguments: [String: AMQPField] = ["x-max-length": .int(5)]
        try await Broker.withQueue("precondition", arguments: arguments) { connection, topology, queue in
            let other = AMQPTopology(queues: [.init(name: queue, arguments: ["x-max-length": .int(6)])])
            let error = await #expect(throws: AMQPError.self) { try await connection.declare(other) }
            #expect(error?.code == .preconditionFailed)
            #expect(error?.replyCode == 406)
            #expect(error?.detail.contains(queue) == true)
            #expect(error?.detail.contains("'5'") == true)
            #expect(error?.detail.contains("'6'") == true)
            #expect(error?.isRetriable == false)
            try await connection.declare(topology)
        }
    }

    @Test("exchanges, queues and bindings are declared, and declaring again changes nothing")
    func declare() async throws {
        let connection = try await Broker.connect()
        let (exchange, queue) = (Broker.name("exchange"), Broker.name("bound"))
        let topology = AMQPTopology(
            exchanges: [.init(name: exchange, kind: "direct")],
            queues: [.init(name: queue, arguments: ["x-queue-type": .string("quorum")])],
            bindings: [.init(queue: queue, exchange: exchange, routingKey: "k")])
        try await connection.declare(topology)
        try await connection.declare(topology)
        _ = await connection.publish([AMQPMessage(exchange: exchange, routingKey: "k", body: [1])])
        #expect(try await connection.queueStatus(queue)?.messages == 1)
        #expect(try await connection.purge(queue) == 1)
        try await connection.deleteQueue(queue)
        #expect(try await connection.queueStatus(queue) == nil)
        try await connection.deleteExchange(exchange)
        await connection.close()
        await connection.close()
        let error = await #expect(throws: AMQPError.self) { try await connection.declare(topology) }
        #expect(error?.code == .closed)
        let outcomes = await connection.publish(messages(1, to: queue))
        #expect(outcomes.count == 1)
        if case .confirmed = outcomes[0] { Issue.record("a closed connection confirmed a message") }
    }

    @Test("a name too long for AMQP is refused, and the connection goes on")
    func longName() async throws {
        let connection = try await Broker.connect()
        let error = await #expect(throws: AMQPError.self) {
            try await connection.queueStatus(String(repeating: "q", count: 300))
        }
        #expect(error?.code == .invalidMessage)
        #expect(try await connection.queueStatus(Broker.name("absent")) == nil)
        await connection.close()
    }

    @Test("a wrong password is told apart from a dead broker, and shown to nobody")
    func wrongPassword() async throws {
        let good = try Broker.endpoint
        let bad = try AMQPEndpoint(url: "amqp://guest:falsch@\(good.host):\(good.port)")
        let error = await #expect(throws: AMQPError.self) { try await AMQPConnection.open(endpoint: bad, name: "bad") }
        #expect(error?.code == .loginRefused)
        #expect(error?.description.contains("falsch") == false)
        let vhost = try AMQPEndpoint(url: "amqp://\(good.host):\(good.port)/no-such-vhost")
        let missing = await #expect(throws: AMQPError.self) {
            try await AMQPConnection.open(endpoint: vhost, name: "bad")
        }
        #expect(missing?.code == .loginRefused)
        let dead = try AMQPEndpoint(url: "amqp://127.0.0.1:1")
        let refused = await #expect(throws: AMQPError.self) { try await AMQPConnection.open(endpoint: dead, name: "x") }
        #expect(refused?.code == .cannotConnect)
        #expect(refused?.isRetriable == true)
    }

    @Test("every kind of header comes back as it was sent")
    func headers() async throws {
        try await Broker.withQueue("headers") { connection, topology, queue async throws in
            let headers: [String: AMQPField] = [
                "text": .string("Käse"), "empty": .string(""), "number": .int(.min), "flag": .bool(true),
                "raw": .bytes([0, 255, 128]), "when": .timestamp(1_700_000_000),
                "price": .decimal(places: 2, digits: 1_995), "real": .double(0.5), "nothing": .null,
                "list": .array([.int(1), .string("b"), .array([]), .table([:])]),
                "table": .table(["inner": .table(["x": .bool(false)])]),
            ]
            let sent = AMQPMessage(
                exchange: "", routingKey: queue, headers: headers, contentType: "application/json", messageID: "id-1",
                type: "order", correlationID: "c-1", timestamp: 1_700_000_001, expiration: .seconds(60),
                isPersistent: true, body: [1, 2, 3])
            let bare = AMQPMessage(exchange: "", routingKey: queue, isPersistent: false, body: [])
            for outcome in await connection.publish([sent, bare]) {
                if case .failed(let error) = outcome { Issue.record("\(error)") }
            }
            let consumer = AMQPConsumer(endpoint: try Broker.endpoint, name: "headers", topology: topology)
            try await withConsumer(consumer) { () async throws in
                let subscription = await consumer.subscribe(queue: queue, prefetch: 10)
                let taken = try await take(2, from: subscription)
                #expect(taken[0].message == sent)
                #expect(taken[1].headers.isEmpty && taken[1].body.isEmpty && taken[1].contentType == nil)
                await subscription.acknowledge(taken)
            }
        }
    }

    @Test("an idle connection lives past two heartbeats")
    func idle() async throws {
        let connection = try await AMQPConnection.open(
            endpoint: Broker.endpoint, name: "idle", heartbeat: .seconds(3))
        // Time itself is what is tested here. A process that stands still for two heartbeats is rightly taken for lost,
        // so that they are longer than a busy machine stands still.
        try await Task.sleep(for: .milliseconds(10_500))
        #expect(!connection.isEnded)
        #expect(try await connection.queueStatus(Broker.name("absent")) == nil)
        await connection.close()
    }

    @Test("a peer that goes silent is taken for lost within two heartbeats and a little")
    func silent() async throws {
        let direct = try Broker.endpoint
        let proxy = try FaultyProxy(host: direct.host, port: direct.port)
        let connection = try await AMQPConnection.open(
            endpoint: Broker.endpoint(through: proxy), name: "silent", heartbeat: .seconds(3))
        proxy.stall()
        let began = ContinuousClock.now
        let error = await connection.waitUntilEnded()
        #expect(error?.code == .connectionLost)
        #expect(ContinuousClock.now - began < .seconds(12))
        proxy.stop()
    }
}
