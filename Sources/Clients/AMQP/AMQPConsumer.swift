import Threads

/// Consumes over a connection of its own (an alarm that stops publishers must not stop acknowledgements) that is
/// replaced whenever it ends. Subscriptions outlive their connections.
package final class AMQPConsumer: Sendable {
    private struct State: Sendable {
        var connection: AMQPConnection?
        var subscriptions: [AMQPSubscription] = []
        /// Takes subscriptions to (re)start on the present connection, with whether to pause first.
        var requests: AsyncStream<(AMQPSubscription, isAgain: Bool)>.Continuation?
        var isClosed = false
    }

    private let reconnecting: Reconnecting
    private let state = Locked(State())
    private let onEvent: @Sendable (AMQPEvent) -> Void
    private let backoff: AMQPBackoff

    /// - Parameters:
    ///   - topology: declared after every connecting, and before a cancelled subscription starts again.
    ///   - onEvent: must not block; see ``AMQPEvent``.
    package init(
        endpoint: AMQPEndpoint, name: String, topology: AMQPTopology = AMQPTopology(),
        heartbeat: Duration = .seconds(15), connectTimeout: Duration = .seconds(10),
        reconnect: AMQPBackoff = AMQPBackoff(), onEvent: @escaping @Sendable (AMQPEvent) -> Void = { _ in }
    ) {
        self.onEvent = onEvent
        backoff = reconnect
        reconnecting = Reconnecting(
            endpoint: endpoint, name: name, topology: topology, heartbeat: heartbeat, connectTimeout: connectTimeout,
            backoff: reconnect, onEvent: onEvent)
    }

    /// Keeps it connected and its subscriptions alive until the task is cancelled or ``close()`` is called.
    package func run() async {
        await reconnecting.run { connection in await self.serve(connection) }
        stopAll()
    }

    package var isReady: Bool { state.withLock { $0.connection?.isEnded == false } }

    /// A new subscription, which starts as soon as there is a connection: with no more than `prefetch` deliveries (1 to
    /// 2,000) unsettled at once.
    package func subscribe(queue: String, prefetch: UInt16) async -> AMQPSubscription {
        precondition((1...2_000).contains(prefetch), "the broker's quorum queues allow a prefetch from 1 to 2,000")
        let subscription = AMQPSubscription(queue: queue, prefetch: Int(prefetch)) { [weak self] subscription, error in
            self?.ended(subscription, error)
        }
        let isClosed = state.withLock { state -> Bool in
            state.subscriptions.removeAll { $0.isStopped }
            guard !state.isClosed else { return true }
            state.subscriptions.append(subscription)
            state.requests?.yield((subscription, isAgain: false))
            return false
        }
        if isClosed { await subscription.stop() }
        return subscription
    }

    /// Ends every subscription, sends the acknowledgements that were made, disconnects; `run` returns. What is
    /// unsettled goes back to its queue.
    package func close() async {
        stopAll()
        reconnecting.closing.fire(true)
        let connection = state.withLock { $0.connection }
        await connection?.close()
    }

    private func stopAll() {
        let subscriptions = state.withLock { state in
            state.isClosed = true
            return state.subscriptions
        }
        for subscription in subscriptions { subscription.endWithoutBroker() }
    }

    private func serve(_ connection: AMQPConnection) async {
        let (requests, continuation) = AsyncStream.makeStream(of: (AMQPSubscription, isAgain: Bool).self)
        state.withLock { state in
            state.connection = connection
            state.requests = continuation
            for subscription in state.subscriptions { continuation.yield((subscription, isAgain: false)) }
        }
        await withDiscardingTaskGroup { group in
            group.addTask {
                _ = await connection.waitUntilEnded()
                continuation.finish()
            }
            for await (subscription, isAgain) in requests {
                group.addTask { await self.start(subscription, on: connection, isAgain: isAgain) }
            }
            group.cancelAll()
        }
        state.withLock { state in
            state.connection = nil
            state.requests = nil
        }
        // Does nothing if it ended by itself.
        await connection.close()
    }

    /// Starts a subscription, again and again with backoff until it stands or the connection ends.
    private func start(_ subscription: AMQPSubscription, on connection: AMQPConnection, isAgain: Bool) async {
        var attempt = 1
        var needsTopology = isAgain
        if isAgain { try? await Task.sleep(for: backoff.delay(attempt: attempt)) }
        while !Task.isCancelled, !connection.isEnded, !subscription.isStopped {
            do throws(AMQPError) {
                if needsTopology { try await connection.declare(reconnecting.topology) }
                try await connection.consume(
                    queue: subscription.queue, prefetch: UInt16(subscription.prefetch), sink: subscription,
                    willStart: { subscription.attach(connection, channel: $0, epoch: $1) })
                onEvent(.subscribed(queue: subscription.queue))
                // Stopped while it started: nobody would settle what comes.
                if subscription.isStartUnwanted { await subscription.stop() }
                return
            } catch {
                if connection.isEnded { return }
                let pause = backoff.delay(attempt: attempt)
                attempt += 1
                needsTopology = true
                onEvent(.subscribeFailed(queue: subscription.queue, error, retryIn: pause))
                // Cancelled: the loop's condition sees it.
                try? await Task.sleep(for: pause)
            }
        }
    }

    /// The broker ended a subscription while the connection goes on.
    private func ended(_ subscription: AMQPSubscription, _ error: AMQPError) {
        onEvent(.consumerCancelled(queue: subscription.queue))
        _ = state.withLock { $0.requests?.yield((subscription, isAgain: true)) }
    }
}
