import Threads

/// Who has which connection of the pool, and who waits, first come first served.
///
/// A connection is lent by `acquire` and comes back by `release`, which hands it to the first who waits.
final class PoolQueue: Sendable {
    private struct State {
        /// Taken from the end: those used last are connected, and few stay connected when there is little to do.
        var idle: [PostgresConnection]
        var waiters: [UInt64: CheckedContinuation<PostgresConnection, any Error>] = [:]
        /// The waiters' numbers in order; those that left are no longer in `waiters`.
        var order: [UInt64] = []
        var orderStart = 0
        var lastNumber: UInt64 = 0
        var isClosed = false
    }

    private let state: Locked<State>
    private let waitersMax: Int

    init(_ connections: [PostgresConnection], waitersMax: Int) {
        state = Locked(State(idle: connections.reversed()))
        self.waitersMax = waitersMax
    }

    var waitingCount: Int { state.withLock { $0.waiters.count } }
    var idleCount: Int { state.withLock { $0.idle.count } }

    /// - Throws: `poolExhausted` after `timeout`, `cancelled` when the task is cancelled or the pool closes.
    func acquire(within timeout: Duration) async throws -> PostgresConnection {
        let (connection, number) = try state.withLock { state throws(PostgresError) in
            if state.isClosed { throw Self.closed }
            if state.waiters.isEmpty, let connection = state.idle.popLast() {
                return (PostgresConnection?.some(connection), UInt64(0))
            }
            guard state.waiters.count < waitersMax else {
                throw PostgresError(
                    .poolExhausted, operation: "acquire", detail: "\(waitersMax) already wait for a connection")
            }
            state.lastNumber += 1
            return (nil, state.lastNumber)
        }
        if let connection { return connection }
        return try await withThrowingTaskGroup(of: PostgresConnection?.self) { group in
            group.addTask { try await self.wait(number) }
            group.addTask {
                // Cancelled as soon as the connection is there.
                do { try await Task.sleep(for: timeout) } catch { return nil }
                self.leave(
                    number,
                    PostgresError(
                        .poolExhausted, operation: "acquire", detail: "no connection came free within \(timeout)"))
                return nil
            }
            defer { group.cancelAll() }
            while let answer = try await group.next() {
                if let answer { return answer }
            }
            throw PostgresError.cancelled("acquire")
        }
    }

    /// - Parameter isHealthy: false puts it to the bottom, to be used when no other is free.
    func release(_ connection: PostgresConnection, isHealthy: Bool) {
        let waiter = state.withLock { state -> CheckedContinuation<PostgresConnection, any Error>? in
            while state.orderStart < state.order.count {
                let number = state.order[state.orderStart]
                state.orderStart += 1
                if let waiter = state.waiters.removeValue(forKey: number) { return waiter }
            }
            state.order = []
            state.orderStart = 0
            if isHealthy {
                state.idle.append(connection)
            } else {
                state.idle.insert(connection, at: 0)
            }
            return nil
        }
        waiter?.resume(returning: connection)
    }

    /// All who wait get `cancelled`; so does everybody who comes later.
    func close() {
        let waiters = state.withLock { state in
            state.isClosed = true
            defer { state.waiters = [:] }
            return Array(state.waiters.values)
        }
        for waiter in waiters { waiter.resume(throwing: Self.closed) }
    }

    private static var closed: PostgresError {
        PostgresError(.cancelled, operation: "acquire", detail: "the pool is closed")
    }

    private func wait(_ number: UInt64) async throws -> PostgresConnection {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                enqueue(number, continuation)
                // A cancellation that came before the line above found nobody to wake.
                if Task.isCancelled { leave(number, .cancelled("acquire")) }
            }
        } onCancel: {
            leave(number, .cancelled("acquire"))
        }
    }

    private func enqueue(_ number: UInt64, _ continuation: CheckedContinuation<PostgresConnection, any Error>) {
        enum Answer { case wait, closed, take(PostgresConnection) }
        let answer = state.withLock { state -> Answer in
            if state.isClosed { return .closed }
            // One may have come free since `acquire` looked.
            if state.waiters.isEmpty, let connection = state.idle.popLast() { return .take(connection) }
            state.waiters[number] = continuation
            if state.orderStart > 64, state.orderStart * 2 > state.order.count {
                state.order.removeFirst(state.orderStart)
                state.orderStart = 0
            }
            state.order.append(number)
            return .wait
        }
        switch answer {
        case .wait: break
        case .closed: continuation.resume(throwing: Self.closed)
        case .take(let connection): continuation.resume(returning: connection)
        }
    }

    private func leave(_ number: UInt64, _ error: PostgresError) {
        let waiter = state.withLock { $0.waiters.removeValue(forKey: number) }
        waiter?.resume(throwing: error)
    }
}
