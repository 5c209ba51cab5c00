import CLinux
import Threads

/// One connection to the broker, for as long as it lasts: it never reconnects. ``AMQPPublisher`` and ``AMQPConsumer``
/// replace it when it ends.
///
/// All C calls happen on its own thread, which sleeps in `poll` on the socket and an eventfd. That thread serves
/// heartbeats also when nothing else happens. No handler of anybody runs on it, only short callbacks.
package actor AMQPConnection {
    nonisolated let thread: DedicatedThread
    nonisolated let mailbox = Mailbox()
    nonisolated let parking: SocketParking
    /// Fires with the reason once the connection is no more.
    nonisolated let end = Signal<AMQPError>()
    nonisolated let onEvent: @Sendable (AMQPEvent) -> Void
    nonisolated let window: Int
    /// The queue that was to be consumed and for which the broker had no answer, if that has ended the connection.
    nonisolated let silentQueue = Locked<String?>(nil)

    var wire: Wire
    var heartbeat: Duration
    /// Set once; everything after fails with it.
    var failure: AMQPError?
    var isConnected = false
    var isBlocked = false
    /// The last reading stopped at its bound, not at the end of what was there.
    var hasMoreToRead = false

    // Publishing.
    var publishChannel: UInt16?
    var confirms = ConfirmLedger<PublishBatch>()
    /// Batches with unsent messages, oldest first; those before `sendingHead` are done.
    var sending: [PublishBatch] = []
    var sendingHead = 0
    var unfinished: [ObjectIdentifier: PublishBatch] = [:]
    var nextDeadline: ContinuousClock.Instant?
    var isWaitingToWrite = false

    // Consuming.
    var consuming: [UInt16: ConsumingChannel] = [:]

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    private init(
        wire: consuming Wire, name: String, heartbeat: Duration, window: Int,
        onEvent: @escaping @Sendable (AMQPEvent) -> Void
    ) {
        self.wire = wire
        self.heartbeat = heartbeat
        self.window = window
        self.onEvent = onEvent
        parking = SocketParking()
        thread = DedicatedThread(name: name, parking: parking)
        // Weak: the thread keeps its parking, and must not keep the connection nobody uses any more.
        parking.turn = { [weak self] in self?.assumeIsolated { $0.turn() } }
    }

    deinit { thread.stop() }

    /// Connects and greets. The broker shows `name` in its lists; the thread is called by its first 15 bytes.
    ///
    /// - Parameters:
    ///   - heartbeat: whole seconds, at least one; a peer silent for two of them is taken for lost.
    ///   - connectTimeout: for the socket, for the greeting, and for every later call that waits for an answer.
    ///   - window: how many publishes may wait for their confirms.
    ///   - onEvent: told of `blocked` and `unblocked`, on the connection's thread.
    package static func open(
        endpoint: AMQPEndpoint, name: String, heartbeat: Duration = .seconds(15),
        connectTimeout: Duration = .seconds(10), window: Int = 1_000,
        onEvent: @escaping @Sendable (AMQPEvent) -> Void = { _ in }
    ) async throws(AMQPError) -> AMQPConnection {
        precondition(window > 0, "a window of no message would publish nothing")
        guard let wire = Wire() else {
            throw AMQPError(.cannotConnect, operation: "connect to \(endpoint)", detail: "no memory")
        }
        let connection = AMQPConnection(
            wire: wire, name: name, heartbeat: heartbeat, window: window, onEvent: onEvent)
        try await connection.connect(endpoint, name, connectTimeout)
        return connection
    }

    private func connect(_ endpoint: AMQPEndpoint, _ name: String, _ timeout: Duration) throws(AMQPError) {
        do throws(AMQPError) {
            try wire.connect(endpoint, name: name, heartbeat: heartbeat, timeout: timeout)
            isConnected = true
            updatePlan()
        } catch {
            fail(error)
            throw error
        }
    }

    /// Waits until the connection is no more and says why; nil if the waiting task was cancelled.
    package nonisolated func waitUntilEnded() async -> AMQPError? { await end.wait() }

    package nonisolated var isEnded: Bool { end.value != nil }

    /// Sends what was acknowledged, says goodbye, ends the thread. Publishes still unconfirmed fail with `.closed`.
    /// A second call changes nothing.
    package func close() {
        guard failure == nil else { return }
        turn()
        guard failure == nil else { return }
        wire.sayGoodbye()
        fail(AMQPError(.closed, operation: "use the connection", detail: "it was closed by this side"))
    }

    /// The end of the connection: everybody who waits is told.
    func fail(_ error: AMQPError) {
        guard failure == nil else { return }
        failure = error
        parking.plan = SocketParking.Plan()
        for letter in mailbox.close(error) {
            if case .publish(let batch) = letter { abandon(batch, error) }
        }
        abandonPublishes(error)
        let channels = consuming.values
        consuming = [:]
        for channel in channels { channel.sink.connectionEnded(epoch: channel.epoch) }
        // The socket is closed now, not when the last reference to this actor goes.
        wire.shutDown()
        end.fire(error)
        thread.stop()
    }

    /// Runs on the thread each time it wakes. Everything that does not wait for the broker's answer happens here.
    func turn() {
        guard isConnected, failure == nil else { return }
        do throws(AMQPError) {
            try takeLetters()
            try readFrames()
            try sendPublishes()
            expirePublishes()
            updatePlan()
        } catch {
            fail(error)
        }
    }

    /// How the thread may sleep until the next turn.
    func updatePlan() {
        guard isConnected, failure == nil else { return }
        var timeout = heartbeat / 4
        if let nextDeadline { timeout = min(timeout, max(.zero, nextDeadline - .now)) }
        let (seconds, attoseconds) = timeout.components
        // Rounded up: a limit reached a little too early would spin.
        let milliseconds = seconds * 1_000 + attoseconds / 1_000_000_000_000_000 + 1
        parking.plan = SocketParking.Plan(
            socket: wire.socket, isWaitingToWrite: isWaitingToWrite,
            timeoutMilliseconds: hasMoreToRead ? 0 : Int32(clamping: milliseconds))
    }
}
