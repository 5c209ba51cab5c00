package import AMQP
import Threads

/// The fleet's broker: one connection to publish, one to consume, each on a thread of its own, so that a broker that
/// throttles publishers still gets its acknowledgements.
package final class RabbitBroker: Sendable, Outbox, QueueDepth {
    package let topology: Topology
    let endpoint: AMQPEndpoint
    let name: String
    private let publisher: AMQPPublisher
    private let consumer: AMQPConsumer
    private let onConfirm: @Sendable (_ count: Int, _ duration: Duration) -> Void

    package init(
        endpoint: AMQPEndpoint, name: String, topology: Topology,
        onEvent: @escaping @Sendable (_ connection: String, AMQPEvent) -> Void,
        onConfirm: @escaping @Sendable (_ count: Int, _ duration: Duration) -> Void = { _, _ in }
    ) {
        self.topology = topology
        self.endpoint = endpoint
        self.name = name
        self.onConfirm = onConfirm
        publisher = AMQPPublisher(
            endpoint: endpoint, name: "\(name) publish", topology: topology.declarations,
            onEvent: { onEvent("publish", $0) })
        consumer = AMQPConsumer(
            endpoint: endpoint, name: "\(name) consume", topology: topology.declarations,
            onEvent: { onEvent("consume", $0) })
    }

    /// Keeps both connections alive until cancelled or closed.
    package func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.publisher.run() }
            group.addTask { await self.consumer.run() }
        }
    }

    package func waitUntilReady() async {
        await publisher.waitUntilReady()
        // The consumer has no signal of its own; it connects at the same moment, so this is a few milliseconds.
        while !consumer.isReady, !Task.isCancelled { try? await Task.sleep(for: .milliseconds(5)) }
    }

    package var isReady: Bool { publisher.isReady && consumer.isReady }

    package func publish(_ messages: [OutgoingMessage]) async throws {
        guard !messages.isEmpty else { return }
        let start = ContinuousClock.now
        let sent = messages.map { message in
            AMQPMessage(
                exchange: topology.exchange(for: message.queue),
                routingKey: message.returnTo ?? topology.name(message.queue),
                headers: message.rawHeaders ?? message.envelope.headers, contentType: "application/json",
                messageID: message.messageID.map(Self.short), expiration: message.wait, body: message.body)
        }
        do throws(AMQPError) { try await publisher.publish(sent) } catch {
            switch error.code {
            case .messageTooLarge, .invalidMessage: throw Unsendable("\(error)")
            default: throw error
            }
        }
        onConfirm(messages.count, .now - start)
    }

    /// An id as AMQP carries it: one that is no UTF-8 is longer when it has been read than it was.
    private static func short(_ id: String) -> String {
        guard id.utf8.count > 255 else { return id }
        // Cut at a scalar's border: what is left of one becomes a character of three bytes.
        return String(decoding: id.utf8.prefix(252), as: UTF8.self)
    }

    /// Asked seldom, so on a connection of its own for the moment: a passive look never disturbs a publisher.
    package func waiting(in queue: QueueName) async throws -> Int {
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "\(name) look")
        let status: Result<(messages: Int, consumers: Int)?, AMQPError>
        do throws(AMQPError) { status = .success(try await connection.queueStatus(topology.name(queue))) } catch {
            status = .failure(error)
        }
        await connection.close()
        return try status.get()?.messages ?? 0
    }

    package func inbox(_ queue: QueueName, prefetch: Int) async -> RabbitInbox {
        let (name, consumer) = (topology.name(queue), consumer)
        return await RabbitInbox(queue: name) {
            await consumer.subscribe(queue: name, prefetch: UInt16(clamping: prefetch))
        }
    }

    /// Flushes what is unconfirmed, then closes both connections.
    package func close() async {
        await consumer.close()
        await publisher.close()
    }
}

package final class RabbitInbox: PausingInbox {
    private struct State: Sendable {
        var subscription: AMQPSubscription
        var isStopped = false
    }

    private let queue: String
    private let subscribe: @Sendable () async -> AMQPSubscription
    private let state: Locked<State>

    init(queue: String, subscribe: @escaping @Sendable () async -> AMQPSubscription) async {
        self.queue = queue
        self.subscribe = subscribe
        state = Locked(State(subscription: await subscribe()))
    }

    private var subscription: AMQPSubscription { state.withLock { $0.subscription } }

    package func nextBatch(
        max: Int, linger: @escaping @Sendable () -> Duration
    ) async throws -> [IncomingMessage] {
        try await subscription.nextBatch(max: max, linger: linger).map { IncomingMessage($0, queue: queue) }
    }

    package func acknowledge(_ messages: [IncomingMessage]) async {
        await subscription.acknowledge(messages.compactMap(\.delivery))
    }

    package func stop() async {
        let subscription = state.withLock { state in
            state.isStopped = true
            return state.subscription
        }
        await subscription.drain()
    }

    package func pause() async { await subscription.drain() }

    package func resume() async {
        guard state.withLock({ !$0.isStopped }) else { return }
        let new = await subscribe()
        let isWanted = state.withLock { state in
            if !state.isStopped { state.subscription = new }
            return !state.isStopped
        }
        // Stopped while it was subscribed: nobody would settle what comes.
        if !isWanted { await new.stop() }
    }
}
