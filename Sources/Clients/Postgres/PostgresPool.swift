import Threads

/// A bounded set of connections, shared by the tasks of a process, first come first served.
///
/// Connections are made when first needed and replaced when lost. Each has its own thread, so no task of Swift's
/// pool ever blocks, however long a statement runs.
package final class PostgresPool: Sendable {
    let address: PostgresAddress
    let name: String
    let onEvent: @Sendable (PostgresEvent) -> Void
    private let connections: [PostgresConnection]
    private let queue: PoolQueue
    private let acquireTimeout: Duration
    /// Whether the last that was told is `connectFailed`. Held while telling, so that who listens hears of a failure
    /// and its end in the order in which they were noticed.
    private let isUnreachable = Locked(false)

    /// - Parameters:
    ///   - size: connections (and threads) at most.
    ///   - name: `application_name` on the server and the threads' name (the kernel keeps 15 bytes).
    ///   - acquireTimeout: how long work waits for a free connection, and, a second time, for the server to be
    ///     reachable.
    ///   - statementTimeout: enforced by the server for each statement; nil for none.
    ///   - waitersMax: how many may wait for a connection; who comes then fails at once.
    package init(
        address: PostgresAddress, size: Int, name: String, acquireTimeout: Duration = .seconds(10),
        statementTimeout: Duration? = .seconds(30), waitersMax: Int = 10_000,
        onEvent: @escaping @Sendable (PostgresEvent) -> Void = { _ in }
    ) {
        precondition(size > 0, "a pool needs at least one connection")
        self.address = address
        self.name = name
        self.acquireTimeout = acquireTimeout
        self.onEvent = onEvent
        connections = (0..<size).map { _ in
            PostgresConnection(address: address, name: name, statementTimeout: statementTimeout)
        }
        queue = PoolQueue(connections, waitersMax: waitersMax)
    }

    /// How many tasks wait for a connection now.
    package var waitingCount: Int { queue.waitingCount }

    /// BEGIN, `work`, COMMIT, all on the connection's thread; ROLLBACK when `work` throws.
    ///
    /// `work` is run again, with a jittered pause, up to `retries` times after a serialisation failure, a deadlock,
    /// or a connection lost before COMMIT was sent: so it must have no effect outside the database. A connection
    /// lost during COMMIT gives an error with `outcomeUnknown`. Cancelling the task cancels the running statement
    /// and rolls back; once COMMIT is sent it is too late.
    ///
    /// - Throws: what `work` throws, or `PostgresError`.
    @discardableResult
    package func transaction<Result: Sendable>(
        isolation: PostgresIsolation = .readCommitted, readOnly: Bool = false, retries: Int = 5,
        _ work: @Sendable (PostgresSession) throws -> Result
    ) async throws -> Result {
        let begin = "BEGIN ISOLATION LEVEL \(isolation.rawValue)\(readOnly ? " READ ONLY" : "")"
        var backoff = Backoff(first: .milliseconds(4), max: .milliseconds(500))
        var attempt = 0
        while true {
            let failure: UnitFailure
            switch await unit(begin: begin, work) {
            case .success(let result): return result
            case .failure(let caught): failure = caught
            }
            guard attempt < retries, failure.phase == .working, let cause = failure.cause, !cause.outcomeUnknown,
                cause.isConflict || cause.isConnectionGone || cause.isStalePlan
            else { throw failure.error }
            attempt += 1
            onEvent(.transactionRetried(attempt: attempt, cause: cause))
            do {
                try await Task.sleep(for: backoff.delay())
            } catch {
                throw PostgresError.cancelled("transaction")
            }
        }
    }

    /// Runs `work` without a transaction of its own, once: each of its statements stands alone.
    @discardableResult
    package func withSession<Result: Sendable>(
        _ work: @Sendable (PostgresSession) throws -> Result
    ) async throws -> Result {
        do { return try await unit(begin: nil, work).get() } catch { throw error.error }
    }

    /// Lends one connection for several units of work with awaits between them, as when an advisory lock of the
    /// session is held. Session-level advisory locks are freed afterwards.
    @discardableResult
    package func withConnection<Result: Sendable>(
        _ work: (PostgresConnection) async throws -> Result
    ) async throws -> Result {
        let connection = try await acquire()
        let result: Result
        do {
            result = try await work(connection)
        } catch {
            await connection.reset()
            queue.release(connection, isHealthy: true)
            throw error
        }
        await connection.reset()
        queue.release(connection, isHealthy: true)
        return result
    }

    /// Returns once a statement has been answered; waits through a server that starts or is not there yet.
    ///
    /// - Throws: `loginRefused`, `undefinedObject` (no such database) and whatever waiting cannot cure, at once; the
    ///   last error when `limit` has passed; `cancelled`.
    package func waitUntilReady(within limit: Duration = .seconds(60)) async throws {
        let deadline = ContinuousClock.now + limit
        while true {
            do {
                _ = try await withSession { try $0.execute("SELECT 1") }
                return
            } catch let error as PostgresError {
                guard error.isWorthWaiting || error.code == .poolExhausted, ContinuousClock.now < deadline else {
                    throw error
                }
            }
            // The pause between attempts is in `unit`; this one is for connections lost at once.
            do { try await Task.sleep(for: .milliseconds(50)) } catch { throw PostgresError.cancelled("wait") }
        }
    }

    /// Refuses new work, lets what runs finish, and closes every connection. Who waits gets `cancelled`.
    package func close() async {
        queue.close()
        for connection in connections { await connection.close() }
    }

    private func acquire() async throws -> PostgresConnection {
        do {
            return try await queue.acquire(within: acquireTimeout)
        } catch let error as PostgresError where error.code == .poolExhausted {
            onEvent(.poolExhausted(waiting: queue.waitingCount))
            throw error
        }
    }

    /// One unit of work on one connection; tries to connect until the time allowed has passed.
    private func unit<Result: Sendable>(
        begin: String?, _ work: @Sendable (PostgresSession) throws -> Result
    ) async -> Swift.Result<Result, UnitFailure> {
        let connection: PostgresConnection
        do { connection = try await acquire() } catch { return .failure(UnitFailure(error, phase: .connecting)) }
        let deadline = ContinuousClock.now + acquireTimeout
        var backoff = Backoff(first: .milliseconds(20), max: .seconds(2))
        while true {
            let outcome = await connection.perform(begin: begin, work)
            noteReached(outcome)
            guard case .failure(let failure) = outcome else {
                queue.release(connection, isHealthy: true)
                return outcome
            }
            if let lost = failure.lost { onEvent(.connectionLost(lost)) }
            let left = ContinuousClock.now.duration(to: deadline)
            if failure.phase == .connecting, let cause = failure.cause, cause.isWorthWaiting, left > .zero {
                let delay = min(backoff.delay(), left)
                isUnreachable.withLock { isUnreachable in
                    isUnreachable = true
                    onEvent(.connectFailed(cause, retryIn: delay))
                }
                if (try? await Task.sleep(for: delay)) != nil { continue }
                queue.release(connection, isHealthy: false)
                return .failure(UnitFailure(PostgresError.cancelled("connect"), phase: .connecting))
            }
            let isGone = failure.phase == .connecting || failure.cause?.isConnectionGone == true
            if isGone, failure.phase == .working, let cause = failure.cause { onEvent(.connectionLost(cause)) }
            // A lock of the session may have been left behind where the closure was thrown out of.
            if begin == nil, !isGone { await connection.reset() }
            queue.release(connection, isHealthy: !isGone)
            return outcome
        }
    }

    /// A server that answered, were it with an error, is there.
    private func noteReached<Result>(_ outcome: Swift.Result<Result, UnitFailure>) {
        if case .failure(let failure) = outcome {
            guard failure.phase == .working, failure.cause?.isConnectionGone != true, failure.cause?.code != .cancelled
            else { return }
        }
        isUnreachable.withLock { isUnreachable in
            guard isUnreachable else { return }
            isUnreachable = false
            onEvent(.reachableAgain)
        }
    }
}
