import AMQP
import Foundation
import Peers
import Testing
import Threads

/// The real broker these tests speak to; started by whoever runs them.
enum Broker {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_URL"]
    static let tlsURL = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_TLS_URL"]
    /// PEM file of the authority that signed the TLS broker's certificate.
    static let tlsAuthority = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_TLS_CA"]
    static let control = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQCTL"]
    static let absence: Comment = "TILLBRIDGE_TEST_RABBITMQ_URL names no broker: tests against RabbitMQ are left out"

    static var endpoint: AMQPEndpoint {
        get throws { try AMQPEndpoint(url: #require(url)) }
    }

    /// The same broker, reached through a proxy.
    static func endpoint(through proxy: FaultyProxy) throws -> AMQPEndpoint {
        let direct = try endpoint
        let rest = try #require(url).replacing("\(direct.host):\(direct.port)", with: "127.0.0.1:\(proxy.port)")
        return try AMQPEndpoint(url: rest)
    }

    /// A name no other test uses.
    static func name(_ purpose: String) -> String { "tb-test.\(purpose).\(UUID().uuidString)" }

    static func connect(_ name: String = "test") async throws -> AMQPConnection {
        try await AMQPConnection.open(endpoint: endpoint, name: name)
    }

    /// Runs with a connection and a fresh queue; both are gone afterwards.
    static func withQueue(
        _ purpose: String, arguments: [String: AMQPField] = ["x-queue-type": .string("quorum")],
        _ work: (AMQPConnection, AMQPTopology, String) async throws -> Void
    ) async throws {
        let connection = try await connect()
        let queue = name(purpose)
        let topology = AMQPTopology(queues: [.init(name: queue, arguments: arguments)])
        try await connection.declare(topology)
        do {
            try await work(connection, topology, queue)
        } catch {
            await cleanUp(connection, queue)
            throw error
        }
        await cleanUp(connection, queue)
    }

    /// Waits without holding one of the pool's few threads.
    static func run(_ tool: String, _ arguments: String...) async throws {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: tool)
        process.arguments = arguments
        process.standardOutput = FileHandle.nullDevice
        let status: Int32 = try await withCheckedThrowingContinuation { continuation in
            process.terminationHandler = { continuation.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { continuation.resume(throwing: error) }
        }
        try #require(status == 0)
    }

    private static func cleanUp(_ connection: AMQPConnection, _ queue: String) async {
        if let again = try? await connect() {
            try? await again.deleteQueue(queue)
            await again.close()
        }
        await connection.close()
    }
}

/// Messages to the default exchange, numbered from `first` on.
func messages(_ count: Int, to queue: String, first: Int = 0, bytes: Int = 0) -> [AMQPMessage] {
    (first..<first + count).map { number in
        AMQPMessage(
            exchange: "", routingKey: queue, headers: ["n": .int(Int64(number))], messageID: "m\(number)",
            body: Array("\(number)".utf8) + [UInt8](repeating: 120, count: bytes))
    }
}

func numbers(_ deliveries: [AMQPDelivery]) -> [Int] {
    deliveries.map { $0.headers["n"]?.intValue.map { Int($0) } ?? -1 }
}

/// What a supervised connection told, to be awaited.
final class EventLog: Sendable {
    private struct State: Sendable {
        var events: [AMQPEvent] = []
        var waiting: [(@Sendable ([AMQPEvent]) -> Bool, CheckedContinuation<Void, Never>)] = []
    }

    private let state = Locked(State())

    func note(_ event: AMQPEvent) {
        let ready = state.withLock { state in
            state.events.append(event)
            let ready = state.waiting.filter { $0.0(state.events) }
            state.waiting.removeAll { $0.0(state.events) }
            return ready.map(\.1)
        }
        for continuation in ready { continuation.resume() }
    }

    var events: [AMQPEvent] { state.withLock { $0.events } }

    func wait(_ condition: @escaping @Sendable ([AMQPEvent]) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if condition(state.events) { return true }
                state.waiting.append((condition, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    func waitForConnected(_ count: Int) async {
        await wait { $0.count { if case .connected = $0 { true } else { false } } >= count }
    }

    func waitForSubscribed(_ count: Int) async {
        await wait { $0.count { if case .subscribed = $0 { true } else { false } } >= count }
    }
}

/// Runs a publisher while `work` uses it.
func withPublisher(
    _ publisher: AMQPPublisher, _ work: () async throws -> Void
) async throws {
    let running = Task { await publisher.run() }
    do {
        await publisher.waitUntilReady()
        try await work()
    } catch {
        await publisher.close()
        await running.value
        throw error
    }
    await publisher.close()
    await running.value
}

/// Runs a consumer while `work` uses it.
func withConsumer(_ consumer: AMQPConsumer, _ work: () async throws -> Void) async throws {
    let running = Task { await consumer.run() }
    do {
        try await work()
    } catch {
        await consumer.close()
        await running.value
        throw error
    }
    await consumer.close()
    await running.value
}

/// Takes batches until `count` deliveries are there.
func take(_ count: Int, from subscription: AMQPSubscription) async throws -> [AMQPDelivery] {
    var taken: [AMQPDelivery] = []
    while taken.count < count {
        let batch = try await subscription.nextBatch(max: count - taken.count)
        try #require(!batch.isEmpty, "the subscription ended after \(taken.count) of \(count)")
        taken += batch
    }
    return taken
}

extension Result where Success == Void, Failure == any Error {
    init(_ work: () async throws -> Void) async {
        do {
            try await work()
            self = .success(())
        } catch { self = .failure(error) }
    }
}
