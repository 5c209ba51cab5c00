import Threads

/// Consumes over a connection of its own (an alarm that stops publishers must not stop acknowledgements) that is
/// replaced whenever it ends. Subscriptions outlive their connections.
///
/// A queue for which the broker does not answer (a quorum queue without a leader) ends the connection that asked for
/// it. From then on that queue has a connection to itself, so that it ends nobody else's again.
package final class AMQPConsumer: Sendable {
    private struct State: Sendable {
        /// Of the queues that were silent once. No more than there are queues.
        var apart: [String: ConsumingLane] = [:]
        /// Takes lanes to run.
        var lanes: AsyncStream<ConsumingLane>.Continuation?
        var isClosed = false
    }

    private let shared: ConsumingLane
    private let makeLane: @Sendable (_ queue: String) -> ConsumingLane
    private let state = Locked(State())
    private let onEvent: @Sendable (AMQPEvent) -> Void

    /// - Parameters:
    ///   - topology: declared after every connecting, and before a cancelled subscription starts again.
    ///   - connectTimeout: for connecting, and for every answer the broker owes, that to a new subscription included.
    ///   - onEvent: must not block; see ``AMQPEvent``.
    package init(
        endpoint: AMQPEndpoint, name: String, topology: AMQPTopology = AMQPTopology(),
        heartbeat: Duration = .seconds(15), connectTimeout: Duration = .seconds(10),
        reconnect: AMQPBackoff = AMQPBackoff(), onEvent: @escaping @Sendable (AMQPEvent) -> Void = { _ in }
    ) {
        self.onEvent = onEvent
        let silent = SilentQueues()
        let lane = { @Sendable (name: String, onEvent: @escaping @Sendable (AMQPEvent) -> Void) in
            ConsumingLane(
                Reconnecting(
                    endpoint: endpoint, name: name, topology: topology, heartbeat: heartbeat,
                    connectTimeout: connectTimeout, backoff: reconnect, onEvent: onEvent),
                backoff: reconnect, onEvent: onEvent, onSilence: { silent.consumer?.setApart($0) })
        }
        shared = lane(name, onEvent)
        makeLane = { queue in
            lane("\(name) \(queue)") { event in
                Self.tell(event, of: queue, isWanted: silent.consumer?.isWanted(queue) ?? false, onEvent)
            }
        }
        silent.consumer = self
    }

    /// Keeps it connected and its subscriptions alive until the task is cancelled or ``close()`` is called.
    package func run() async {
        let (lanes, continuation) = AsyncStream.makeStream(of: ConsumingLane.self)
        state.withLock { $0.lanes = continuation }
        await withDiscardingTaskGroup { group in
            group.addTask {
                await self.shared.run()
                continuation.finish()
            }
            for await lane in lanes { group.addTask { await lane.run() } }
            await closeApart()
        }
    }

    /// Whether the shared connection stands. A queue apart is told of by ``AMQPEvent/subscribeFailed``.
    package var isReady: Bool { shared.isReady }

    /// A new subscription, which starts as soon as there is a connection: with no more than `prefetch` deliveries (1 to
    /// 2,000) unsettled at once.
    package func subscribe(queue: String, prefetch: UInt16) async -> AMQPSubscription {
        precondition((1...2_000).contains(prefetch), "the broker's quorum queues allow a prefetch from 1 to 2,000")
        let subscription = AMQPSubscription(queue: queue, prefetch: Int(prefetch)) { [weak self] subscription, error in
            self?.ended(subscription, error)
        }
        // Under the lock: a queue that is set apart at this moment takes it along, or is found apart.
        let isTaken = state.withLock { state in
            !state.isClosed && (state.apart[queue] ?? shared).add(subscription)
        }
        if !isTaken { await subscription.stop() }
        return subscription
    }

    /// Ends every subscription, sends the acknowledgements that were made, disconnects; `run` returns. What is
    /// unsettled goes back to its queue.
    package func close() async {
        state.withLock { $0.isClosed = true }
        // First those that the broker answers: for a silent queue this may wait as long as it does for an answer.
        await shared.close()
        await closeApart()
    }

    private func closeApart() async {
        let lanes = state.withLock { state in
            state.isClosed = true
            return Array(state.apart.values)
        }
        // All at once: each may wait for an answer that does not come.
        await withDiscardingTaskGroup { group in
            for lane in lanes { group.addTask { await lane.close() } }
        }
    }

    /// A queue gets a connection to itself, for as long as this consumer lives.
    private func setApart(_ queue: String) {
        state.withLock { state in
            guard !state.isClosed, state.apart[queue] == nil, let lanes = state.lanes else { return }
            let lane = makeLane(queue)
            for subscription in shared.remove(queue: queue) where !subscription.isStopped { _ = lane.add(subscription) }
            state.apart[queue] = lane
            lanes.yield(lane)
        }
    }

    /// The broker ended a subscription while the connection goes on.
    private func ended(_ subscription: AMQPSubscription, _ error: AMQPError) {
        onEvent(.consumerCancelled(queue: subscription.queue))
        let lane = state.withLock { $0.apart[subscription.queue] } ?? shared
        lane.restart(subscription)
    }

    /// Whether anybody here still reads the queue that was set apart.
    private func isWanted(_ queue: String) -> Bool { state.withLock { $0.apart[queue]?.isInUse ?? false } }

    /// A connection that serves one queue is that queue's affair: whether it stands is told as whether it is read.
    /// Of a queue that nobody reads any more nothing is amiss.
    private static func tell(
        _ event: AMQPEvent, of queue: String, isWanted: Bool, _ onEvent: @Sendable (AMQPEvent) -> Void
    ) {
        switch event {
        case .connecting, .blocked, .unblocked: break
        case .connected: if !isWanted { onEvent(.subscribed(queue: queue)) }
        case .disconnected(let error, let retry):
            if isWanted { onEvent(.subscribeFailed(queue: queue, error, retryIn: retry)) }
        case .consumerCancelled, .subscribeFailed, .subscribed: onEvent(event)
        }
    }
}

/// Leads back to the consumer, which does not exist yet when its lanes are made.
private final class SilentQueues: Sendable {
    private let state = Locked<WeakConsumer>(WeakConsumer())

    private struct WeakConsumer: Sendable { weak var consumer: AMQPConsumer? }

    var consumer: AMQPConsumer? {
        get { state.withLock { $0.consumer } }
        set { state.withLock { $0.consumer = newValue } }
    }
}
