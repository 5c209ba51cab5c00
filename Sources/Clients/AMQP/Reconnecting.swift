import Threads

/// Keeps one connection up: connects, declares the topology, serves, and begins again with backoff when it ends.
struct Reconnecting: Sendable {
    let endpoint: AMQPEndpoint
    let name: String
    let topology: AMQPTopology
    let heartbeat: Duration
    let connectTimeout: Duration
    /// nil for a connection that only consumes.
    let window: Int?
    let backoff: AMQPBackoff
    let onEvent: @Sendable (AMQPEvent) -> Void
    let closing = Signal<Bool>()
    private let isRunning = Locked(false)

    init(
        endpoint: AMQPEndpoint, name: String, topology: AMQPTopology, heartbeat: Duration, connectTimeout: Duration,
        window: Int? = nil, backoff: AMQPBackoff, onEvent: @escaping @Sendable (AMQPEvent) -> Void
    ) {
        self.endpoint = endpoint
        self.name = name
        self.topology = topology
        self.heartbeat = heartbeat
        self.connectTimeout = connectTimeout
        self.window = window
        self.backoff = backoff
        self.onEvent = onEvent
    }

    /// Returns when the task is cancelled or `closing` fires; an attempt to connect is let finish first.
    ///
    /// - Parameter serve: uses the connection until it ends or the task is cancelled; closes it in the latter case.
    func run(_ serve: @escaping @Sendable (AMQPConnection) async -> Void) async {
        let wasRunning = isRunning.withLock { isRunning -> Bool in
            defer { isRunning = true }
            return isRunning
        }
        precondition(!wasRunning, "\(name) is run twice")
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await keepConnected(serve) }
            group.addTask { _ = await closing.wait() }
            await group.next()
            group.cancelAll()
        }
        isRunning.withLock { $0 = false }
    }

    private func keepConnected(_ serve: @Sendable (AMQPConnection) async -> Void) async {
        var attempt = 1
        while !Task.isCancelled {
            onEvent(.connecting(attempt: attempt))
            let began = ContinuousClock.now
            let error: AMQPError
            do throws(AMQPError) {
                let connection = try await connect()
                onEvent(.connected)
                await serve(connection)
                guard !Task.isCancelled, let reason = connection.end.value else { return }
                // One that broke at once counts as a failed attempt: no hot loop.
                if ContinuousClock.now - began > backoff.max { attempt = 1 }
                error = reason
            } catch let refused {
                error = refused
            }
            if Task.isCancelled { return }
            let pause = backoff.delay(attempt: attempt)
            attempt += 1
            onEvent(.disconnected(error, retryIn: pause))
            // Cancelled: the loop's condition sees it.
            try? await Task.sleep(for: pause)
        }
    }

    private func connect() async throws(AMQPError) -> AMQPConnection {
        let connection = try await AMQPConnection.open(
            endpoint: endpoint, name: name, heartbeat: heartbeat, connectTimeout: connectTimeout,
            window: window ?? 1, onEvent: onEvent)
        do throws(AMQPError) {
            try await connection.declare(topology)
            if window != nil { try await connection.preparePublishing() }
            return connection
        } catch {
            await connection.close()
            throw error
        }
    }
}
