import Threads

/// Publishes over a connection that is replaced whenever it ends.
///
/// `publish` returns when the broker has confirmed every message. Any error means that some of the messages may have
/// arrived all the same: whoever publishes again makes duplicates, never losses.
package final class AMQPPublisher: Sendable {
    private struct State: Sendable {
        var connection: AMQPConnection?
        /// Fires when there is a connection; a new one each time it is lost.
        var ready = Signal<Bool>()
        var lastError: AMQPError?
        var isClosing = false
        /// Calls of `publish` that have not returned.
        var callCount = 0
        var idle: Signal<Bool>?
    }

    private let reconnecting: Reconnecting
    private let publishTimeout: Duration
    private let state = Locked(State())

    /// - Parameters:
    ///   - topology: declared after every connecting.
    ///   - window: how many messages may wait for their confirms at once, over all callers.
    ///   - publishTimeout: the most a call of `publish` takes, waiting for a connection included.
    ///   - onEvent: must not block; see ``AMQPEvent``.
    package init(
        endpoint: AMQPEndpoint, name: String, topology: AMQPTopology = AMQPTopology(), window: Int = 1_000,
        heartbeat: Duration = .seconds(15), connectTimeout: Duration = .seconds(10),
        publishTimeout: Duration = .seconds(30), reconnect: AMQPBackoff = AMQPBackoff(),
        onEvent: @escaping @Sendable (AMQPEvent) -> Void = { _ in }
    ) {
        let state = self.state
        self.publishTimeout = publishTimeout
        reconnecting = Reconnecting(
            endpoint: endpoint, name: name, topology: topology, heartbeat: heartbeat, connectTimeout: connectTimeout,
            window: window, backoff: reconnect,
            onEvent: { event in
                if case .disconnected(let error, _) = event { state.withLock { $0.lastError = error } }
                onEvent(event)
            })
    }

    /// Keeps it connected until the task is cancelled or ``close(within:)`` is called.
    package func run() async {
        await reconnecting.run { connection in
            self.attach(connection)
            _ = await connection.waitUntilEnded()
            self.detach(connection)
            // Does nothing if it ended by itself.
            await connection.close()
        }
    }

    package var isReady: Bool { state.withLock { $0.connection?.isEnded == false } }

    /// Returns at once if there is a connection, or when the task is cancelled.
    package func waitUntilReady() async { _ = await state.withLock { $0.ready }.wait() }

    /// Publishes all, in order, `mandatory`, and returns when each is confirmed.
    ///
    /// Throws the first message's error once all have a verdict: `.returned` (no queue is bound; names exchange and
    /// routing key), `.rejected` (queue full), `.connectionLost`, `.timedOut`, `.blocked` (alarm until the time was
    /// up), `.notFound` (no such exchange), `.messageTooLarge`, `.invalidMessage`, `.closed`. While nothing was sent, a
    /// missing connection is waited for. Does not react to the task's cancellation: bounded by `publishTimeout`.
    package func publish(_ messages: [AMQPMessage]) async throws(AMQPError) {
        if messages.isEmpty { return }
        let deadline = ContinuousClock.now + publishTimeout
        guard state.withLock({ state -> Bool in
            if !state.isClosing { state.callCount += 1 }
            return !state.isClosing
        }) else { throw Self.closed }
        defer { endCall() }
        while true {
            let connection = try await connection(until: deadline)
            let report = await connection.submit(messages, deadline: deadline)
            guard let first = report.failures.min(by: { $0.index < $1.index }) else { return }
            let isFinal = [.timedOut, .blocked, .closed].contains(first.error.code)
            guard report.isUntouched, !isFinal, deadline > .now else { throw first.error }
            // Nothing was sent: the next connection may have it.
            detach(connection)
        }
    }

    /// Refuses new messages, waits for the confirms of what is under way at most `limit`, then disconnects; `run`
    /// returns.
    package func close(within limit: Duration = .seconds(10)) async {
        let idle = state.withLock { state -> Signal<Bool>? in
            state.isClosing = true
            if state.callCount == 0 { return nil }
            if state.idle == nil { state.idle = Signal() }
            return state.idle
        }
        if let idle { _ = await idle.wait(atMost: limit) }
        reconnecting.closing.fire(true)
        // Those who still wait for a connection are told, too.
        state.withLock { $0.ready }.fire(false)
        let connection = state.withLock { $0.connection }
        await connection?.close()
    }

    private static let closed = AMQPError(.closed, operation: "publish", detail: "the publisher was closed")

    private func connection(until deadline: ContinuousClock.Instant) async throws(AMQPError) -> AMQPConnection {
        while true {
            let (connection, ready) = state.withLock { ($0.connection, $0.ready) }
            if let connection { return connection }
            let isReady = await ready.wait(atMost: max(.zero, deadline - .now))
            if isReady == false { throw Self.closed }
            guard isReady == true || deadline > .now && !Task.isCancelled else {
                let reason = state.withLock { $0.lastError }.map { "; the last error was: \($0)" } ?? ""
                throw AMQPError(
                    .timedOut, operation: "publish",
                    detail: "there was no connection in time, nothing was sent\(reason)")
            }
        }
    }

    private func attach(_ connection: AMQPConnection) {
        let ready = state.withLock { state -> Signal<Bool> in
            state.connection = connection
            state.lastError = nil
            return state.ready
        }
        ready.fire(true)
    }

    private func detach(_ connection: AMQPConnection) {
        state.withLock { state in
            guard state.connection === connection else { return }
            state.connection = nil
            if !state.isClosing { state.ready = Signal() }
        }
    }

    private func endCall() {
        let idle = state.withLock { state -> Signal<Bool>? in
            state.callCount -= 1
            return state.callCount == 0 ? state.idle : nil
        }
        idle?.fire(true)
    }
}
