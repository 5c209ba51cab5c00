import Threads

/// Subscriptions that share one connection, which is replaced whenever it ends. They outlive their connections.
final class ConsumingLane: Sendable {
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
    /// Told of the queue for which the broker answered nothing: that is what has ended the connection.
    private let onSilence: @Sendable (_ queue: String) -> Void
    private let backoff: AMQPBackoff

    init(
        _ reconnecting: Reconnecting, backoff: AMQPBackoff, onEvent: @escaping @Sendable (AMQPEvent) -> Void,
        onSilence: @escaping @Sendable (_ queue: String) -> Void
    ) {
        self.reconnecting = reconnecting
        self.backoff = backoff
        self.onEvent = onEvent
        self.onSilence = onSilence
    }

    func run() async {
        await reconnecting.run { connection in await self.serve(connection) }
        stopAll()
    }

    var isReady: Bool { state.withLock { $0.connection?.isEnded == false } }

    /// Whether a subscription is to be kept alive.
    var isInUse: Bool { state.withLock { $0.subscriptions.contains { !$0.isStopped } } }

    /// Starts it as soon as there is a connection.
    ///
    /// - Returns: false if the lane is closed.
    func add(_ subscription: AMQPSubscription) -> Bool {
        state.withLock { state -> Bool in
            state.subscriptions.removeAll { $0.isStopped }
            guard !state.isClosed else { return false }
            state.subscriptions.append(subscription)
            state.requests?.yield((subscription, isAgain: false))
            return true
        }
    }

    /// Takes a queue's subscriptions out: none is started here any more.
    func remove(queue: String) -> [AMQPSubscription] {
        state.withLock { state in
            let removed = state.subscriptions.filter { $0.queue == queue }
            state.subscriptions.removeAll { $0.queue == queue }
            return removed
        }
    }

    /// Ends every subscription, sends the acknowledgements that were made, disconnects; `run` returns.
    func close() async {
        stopAll()
        reconnecting.closing.fire(true)
        let connection = state.withLock { $0.connection }
        await connection?.close()
    }

    /// The broker ended a subscription while the connection goes on.
    func restart(_ subscription: AMQPSubscription) {
        _ = state.withLock { $0.requests?.yield((subscription, isAgain: true)) }
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
                if connection.isEnded {
                    if connection.silentQueue.withLock({ $0 }) == subscription.queue { onSilence(subscription.queue) }
                    return
                }
                let pause = backoff.delay(attempt: attempt)
                attempt += 1
                needsTopology = true
                onEvent(.subscribeFailed(queue: subscription.queue, error, retryIn: pause))
                // Cancelled: the loop's condition sees it.
                try? await Task.sleep(for: pause)
            }
        }
    }
}
