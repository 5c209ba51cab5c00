import AMQP
import Domain
import Foundation
import Messaging
import Testing

/// The real broker these tests speak to; started by whoever runs them.
enum RabbitFixture {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_URL"]
    static let absence: Comment = "TILLBRIDGE_TEST_RABBITMQ_URL names no broker: tests against RabbitMQ are left out"

    static var endpoint: AMQPEndpoint { get throws { try AMQPEndpoint(url: #require(url)) } }

    /// Runs with a topology nobody else uses and a connection to look at it; every queue and exchange of it is gone
    /// afterwards.
    static func withTopology(_ work: (Topology, AMQPConnection) async throws -> Void) async throws {
        let topology = Topology(
            prefix: "tb-test-\(UUID().uuidString.prefix(13))", organisations: [OrganisationKey("harbour")])
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "messaging test")
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await work(topology, connection)) } catch { outcome = .failure(error) }
        let declarations = topology.declarations
        for queue in declarations.queues { try await connection.deleteQueue(queue.name) }
        for exchange in declarations.exchanges { try await connection.deleteExchange(exchange.name) }
        await connection.close()
        try outcome.get()
    }

    /// Runs a broker while `work` uses it.
    static func withBroker(_ topology: Topology, _ work: (RabbitBroker) async throws -> Void) async throws {
        let broker = RabbitBroker(endpoint: try endpoint, name: "test", topology: topology, onEvent: { _, _ in })
        // Unstructured: it ends when the broker is closed below, and is awaited there.
        let running = Task { await broker.run() }
        let outcome: Result<Void, any Error>
        do {
            await broker.waitUntilReady()
            outcome = .success(try await work(broker))
        } catch { outcome = .failure(error) }
        await broker.close()
        await running.value
        try outcome.get()
    }

    /// Waits until a queue holds so many ready messages; the test's time limit ends it.
    static func wait(for count: Int, in queue: String, _ connection: AMQPConnection) async throws {
        while try await connection.queueStatus(queue)?.messages != count { await Task.yield() }
    }
}
