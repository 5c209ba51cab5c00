import Threads

/// A stream of deliveries from one queue. Any number of tasks may take batches, hold several at once and settle them in
/// any order. Goes on over reconnects: what was unsettled then comes again, and old acknowledgements are dropped.
package final class AMQPSubscription: Sendable, DeliverySink {
    private struct Attachment: Sendable {
        let connection: AMQPConnection
        let channel: UInt16
        let epoch: UInt64
    }

    private struct State: Sendable {
        var line = WaitingLine()
        var attachment: Attachment?
        var isStopped = false
        /// Takes no more from the queue, and is not attached again after a lost connection.
        var isDraining = false
        /// While draining: acknowledgements that the broker must not see before the cancel. Nil: none are held back.
        var held: [UInt64]?
        var isCancelled = false
        /// The drain found no consumer to cancel: one that starts after all is stopped by whoever starts it.
        var isLateStartUnwanted = false

        /// What was held back, once nothing else is to come: all that arrived is settled, after the cancel.
        mutating func releaseIfComplete() -> [UInt64] {
            guard isCancelled, let tags = held, tags.count >= line.unsettledCount else { return [] }
            held = nil
            return tags
        }
    }

    package let queue: String
    package let prefetch: Int
    /// A queue that is empty and delivered nothing for so long has nothing on its way.
    private static let quiet = Duration.milliseconds(300)
    private static let look = Duration.milliseconds(10)
    /// The most a drain waits for the broker to use up the prefetch.
    private static let fillMax = Duration.seconds(10)
    private let state: Locked<State>
    private let onEnd: @Sendable (AMQPSubscription, AMQPError) -> Void

    init(queue: String, prefetch: Int, onEnd: @escaping @Sendable (AMQPSubscription, AMQPError) -> Void) {
        self.queue = queue
        self.prefetch = prefetch
        self.onEnd = onEnd
        state = Locked(State(line: WaitingLine(prefetch: prefetch)))
    }

    package var isStopped: Bool { state.withLock { $0.isStopped || $0.isDraining } }

    /// Whether a consumer that has just started must be stopped by its starter. While a drain is under way it is not:
    /// the drain has it in hand, and stopping it would give back what has arrived.
    var isStartUnwanted: Bool { state.withLock { $0.isStopped || $0.isLateStartUnwanted } }

    /// Whether the broker delivers to it now.
    package var isAttached: Bool { state.withLock { $0.attachment != nil } }

    /// Waits without limit for a first delivery, then until there are `max` of them, or `linger` has passed, or no more
    /// can come because the prefetch is used up. An empty array means: stopped, no more will ever come.
    ///
    /// - Parameter linger: asked when the first delivery is there, not when the wait for it begins.
    /// - Throws: `CancellationError` when the task is cancelled; no delivery is lost by that.
    package func nextBatch(
        max: Int, linger: @escaping @Sendable () -> Duration
    ) async throws -> [AMQPDelivery] {
        precondition(max > 0, "a batch of no delivery would never end")
        try Task.checkCancellation()
        let id = state.withLock { $0.line.newID() }
        let batch: [AMQPDelivery]? = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                act(
                    state.withLock { state in
                        if state.isStopped { return [.resume(continuation, [])] }
                        if Task.isCancelled { return [.resume(continuation, nil)] }
                        return state.line.join(id: id, max: max, linger: linger, continuation)
                    })
            }
        } onCancel: {
            act(state.withLock { $0.line.leave(id) })
        }
        guard let batch else { throw CancellationError() }
        return batch
    }

    package func nextBatch(max: Int, linger: Duration = .zero) async throws -> [AMQPDelivery] {
        try await nextBatch(max: max) { linger }
    }

    /// Done with these: the broker forgets them. Those of an earlier connection are passed over in silence: the broker
    /// delivers them again. Returns before the broker knows.
    package func acknowledge(_ deliveries: [AMQPDelivery]) async { settle(deliveries, .acknowledge) }

    /// Not done with these: back to the queue, or with `requeue: false` to its dead-letter exchange if it has one.
    package func reject(_ deliveries: [AMQPDelivery], requeue: Bool) async {
        settle(deliveries, .reject(requeue: requeue))
    }

    /// Takes no more from the queue, gives back what nobody took, and lets `nextBatch` return []. What was handed out
    /// can still be settled. A second call changes nothing.
    package func stop() async {
        let attachment = state.withLock { $0.attachment }
        let unread = endWithoutBroker()
        guard let attachment else { return }
        // An error here means that the connection is gone: then everything is back in the queue already.
        try? await attachment.connection.stopConsuming(
            attachment.channel, epoch: attachment.epoch,
            unread: unread.filter { $0.epoch == attachment.epoch }.map(\.tag))
    }

    /// Takes no more from the queue, but lets `nextBatch` hand out everything that has arrived before it returns []:
    /// for an orderly end after which nothing is delivered twice. A second call changes nothing.
    ///
    /// A quorum queue hands messages to the channel by a way of its own, and what is on that way when a cancel comes
    /// goes back marked as redelivered (rabbitmq-server issue 3729), although nobody has seen it. So acknowledgements
    /// are held back until the broker has sent all that the prefetch allows, and only then the consumer is cancelled:
    /// nothing is on its way at that moment. They go out as one when everything handed out is settled: a channel that
    /// is closed behind dozens of single acknowledgements loses those its queue has not taken yet.
    package func drain() async {
        let attachment = state.withLock { state -> Attachment? in
            guard !state.isDraining else { return nil }
            state.isDraining = true
            state.held = []
            state.isLateStartUnwanted = state.attachment == nil
            return state.attachment
        }
        // An error here means that the connection is gone: then everything is back in the queue already.
        if let attachment {
            await waitUntilFull(attachment.connection)
            try? await attachment.connection.beginDraining(attachment.channel, epoch: attachment.epoch)
            try? await attachment.connection.endDraining(attachment.channel, epoch: attachment.epoch)
        }
        let (tags, actions) = state.withLock { state -> ([UInt64], [WaitingLine.Action]) in
            state.isCancelled = true
            let tags = state.releaseIfComplete()
            return (tags, state.line.close())
        }
        act(actions)
        send(tags, .acknowledge)
    }

    /// Returns when the broker has used up the prefetch, when it has nothing left to send, or when it is gone. That it
    /// is quiet proves nothing while messages wait: a busy broker may take its time.
    private func waitUntilFull(_ connection: AMQPConnection) async {
        var last = -1
        var since = ContinuousClock.now
        let deadline = ContinuousClock.now + Self.fillMax
        while ContinuousClock.now < deadline {
            let (arrived, isFull, isGone) = state.withLock {
                ($0.line.arrivedCount, $0.line.isFull, $0.attachment == nil)
            }
            if isFull || isGone { return }
            if arrived != last {
                (last, since) = (arrived, .now)
            } else if ContinuousClock.now - since > Self.quiet {
                // An error: the connection is gone, or the queue is.
                guard let status = try? await connection.queueStatus(queue), status.messages > 0 else { return }
                since = .now
            }
            // Cancelled: the drain goes on without waiting, the caller has no more time.
            do { try await Task.sleep(for: Self.look) } catch { return }
        }
    }

    /// Ends the stream on this side only; gives what nobody took.
    @discardableResult
    func endWithoutBroker() -> [AMQPDelivery] {
        let (unread, actions, held) = state.withLock { state in
            state.isStopped = true
            // Some will never be settled: the others shall not come again for that.
            let held = state.held ?? []
            state.held = nil
            let (unread, actions) = state.line.end()
            return (unread, actions, held)
        }
        act(actions)
        send(held, .acknowledge)
        return unread
    }

    func attach(_ connection: AMQPConnection, channel: UInt16, epoch: UInt64) {
        state.withLock { $0.attachment = Attachment(connection: connection, channel: channel, epoch: epoch) }
    }

    func arrived(_ deliveries: [AMQPDelivery], epoch: UInt64) {
        let (strays, actions) = state.withLock { state -> (Attachment?, [WaitingLine.Action]) in
            guard let attachment = state.attachment, attachment.epoch == epoch else { return (nil, []) }
            // Stopped a moment ago: they go back.
            if state.isStopped { return (attachment, []) }
            return (nil, state.line.arrived(deliveries))
        }
        act(actions)
        if let strays {
            // From the thread to itself: it is in the middle of reading.
            _ = strays.connection.mailbox.post(
                .settle(channel: strays.channel, epoch: epoch, tags: deliveries.map(\.tag), .giveBack))
            strays.connection.parking.unpark()
        }
    }

    func consumerEnded(epoch: UInt64, _ error: AMQPError) {
        guard detach(epoch) else { return }
        onEnd(self, error)
    }

    func connectionEnded(epoch: UInt64) { _ = detach(epoch) }

    /// What was not handed out is dropped: it comes again, and could not be acknowledged any more.
    private func detach(_ epoch: UInt64) -> Bool {
        let (isLost, actions) = state.withLock { state -> (Bool, [WaitingLine.Action]) in
            guard state.attachment?.epoch == epoch else { return (false, []) }
            state.attachment = nil
            if state.held != nil { state.held = [] }
            return (!state.isStopped && !state.isDraining, state.line.forget())
        }
        act(actions)
        return isLost
    }

    private func settle(_ deliveries: [AMQPDelivery], _ verdict: Mailbox.Verdict) {
        let (tags, actions) = state.withLock { state -> ([UInt64], [WaitingLine.Action]) in
            guard let attachment = state.attachment else { return ([], []) }
            let tags = deliveries.lazy.filter { $0.epoch == attachment.epoch }.map(\.tag)
            guard state.held != nil, verdict == .acknowledge else {
                return (Array(tags), state.line.settled(tags.count))
            }
            state.held?.append(contentsOf: tags)
            return (state.releaseIfComplete(), [])
        }
        act(actions)
        send(tags, verdict)
    }

    private func send(_ tags: [UInt64], _ verdict: Mailbox.Verdict) {
        guard !tags.isEmpty, let attachment = state.withLock({ $0.attachment }) else { return }
        let letter = Mailbox.Letter.settle(
            channel: attachment.channel, epoch: attachment.epoch, tags: tags, verdict)
        // A connection that takes no more letters has ended: the broker delivers again.
        if attachment.connection.mailbox.post(letter) == nil { attachment.connection.parking.unpark() }
    }

    private func act(_ actions: [WaitingLine.Action]) {
        for action in actions {
            switch action {
            case .resume(let continuation, let batch): continuation.resume(returning: batch)
            case .startLinger(let id, let duration):
                // Unstructured: it belongs to a waiting call that is suspended, and only ever wakes it.
                Task {
                    try? await Task.sleep(for: duration)
                    act(state.withLock { $0.line.lingered(id) })
                }
            }
        }
    }
}
