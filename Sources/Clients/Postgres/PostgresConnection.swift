import Threads

/// One connection on its own thread. A unit of work is a synchronous closure that runs there from beginning to end,
/// so nothing of another unit can come between its statements.
///
/// It connects with its first unit of work, and again with the next one after it was lost; a pool adds waiting and
/// trying again.
package actor PostgresConnection {
    private let thread: DedicatedThread
    private let address: PostgresAddress
    private let name: String
    private let statementTimeout: Duration?
    private var session: PostgresSession?
    private var isClosed = false

    package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

    /// - Parameters:
    ///   - name: the thread's name, and `application_name` on the server.
    ///   - statementTimeout: enforced by the server for each statement; nil for none.
    package init(address: PostgresAddress, name: String, statementTimeout: Duration? = .seconds(30)) {
        self.address = address
        self.name = name
        self.statementTimeout = statementTimeout
        thread = DedicatedThread(name: name)
    }

    deinit { thread.stop() }

    /// Runs a unit of work without a transaction of its own: each statement, script or pipeline is one.
    ///
    /// A transaction the closure leaves open is rolled back, and that is an error. Cancelling the task cancels the
    /// running statement.
    @discardableResult
    package nonisolated func run<Result: Sendable>(
        _ work: @Sendable (PostgresSession) throws -> Result
    ) async throws -> Result {
        do { return try await perform(begin: nil, work).get() } catch { throw error.error }
    }

    /// Closes the connection; later work fails with `cancelled`. Waits for work under way.
    package func close() {
        isClosed = true
        session = nil
        thread.stop()
    }

    /// Frees session-level advisory locks that a holder may have left behind.
    func reset() {
        session?.quietly("SELECT pg_advisory_unlock_all()")
        if session?.isDead == true { session = nil }
    }

    /// Runs a unit of work; with `begin`, between that and COMMIT.
    nonisolated func perform<Result: Sendable>(
        begin: String?, _ work: @Sendable (PostgresSession) throws -> Result
    ) async -> Swift.Result<Result, UnitFailure> {
        let ticket = WorkTicket()
        return await withTaskCancellationHandler {
            await perform(ticket, begin: begin, work)
        } onCancel: {
            ticket.cancel()
        }
    }

    private func perform<Result: Sendable>(
        _ ticket: WorkTicket, begin: String?, _ work: @Sendable (PostgresSession) throws -> Result
    ) -> Swift.Result<Result, UnitFailure> {
        if ticket.isCancelled { return .failure(UnitFailure(PostgresError.cancelled("begin"))) }
        let session: PostgresSession
        let lost = dropDeadSession()
        do {
            session = try connected()
        } catch {
            return .failure(UnitFailure(error, phase: .connecting, lost: lost))
        }
        guard ticket.begin(session.cancelHandle) else {
            return .failure(UnitFailure(PostgresError.cancelled("begin")))
        }
        session.open(ticket: ticket, begin: begin)
        var outcome = Swift.Result<Result, UnitFailure> { () throws(UnitFailure) -> Result in
            do {
                let result = try work(session)
                if begin != nil { try session.commit() }
                return result
            } catch {
                throw UnitFailure(error, cause: session.spoiledBy ?? (error as? PostgresError), lost: lost)
            }
        }
        let leftOpen = session.close()
        if leftOpen, begin == nil, case .success = outcome {
            outcome = .failure(
                UnitFailure(PostgresError(.other, operation: "end", detail: "the work left a transaction open")))
        }
        if session.isDead { self.session = nil }
        return outcome
    }

    /// Gives up a connection the server has closed since it was last used; its error, if so.
    private func dropDeadSession() -> PostgresError? {
        guard let error = session?.probe() else { return nil }
        session = nil
        return error
    }

    private func connected() throws(PostgresError) -> PostgresSession {
        if let session { return session }
        guard !isClosed else {
            throw PostgresError(.cancelled, operation: "connect", detail: "the connection was closed")
        }
        let session = try PostgresSession.connect(address, name: name, statementTimeout: statementTimeout)
        self.session = session
        return session
    }
}

/// Why a unit of work failed, with what the pool needs to decide whether to try again.
struct UnitFailure: Error {
    enum Phase { case connecting, working }

    /// What the caller gets.
    let error: any Error
    /// PostgreSQL's reason behind it, also when the closure threw something else after it.
    let cause: PostgresError?
    let phase: Phase
    /// The idle connection was found closed before the unit began.
    let lost: PostgresError?

    init(_ error: any Error, cause: PostgresError? = nil, phase: Phase = .working, lost: PostgresError? = nil) {
        self.error = error
        self.cause = cause ?? (error as? PostgresError)
        self.phase = phase
        self.lost = lost
    }
}
