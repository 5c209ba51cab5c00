import CPostgreSQL
import CLinux

/// One step of a round trip.
enum WireStep {
    /// Without parameters and not prepared: BEGIN, COMMIT, DEALLOCATE.
    case plain(String)
    case prepare(name: String, sql: String, types: [UInt32])
    case execute(name: String, ParameterBuffer)
}

/// Moves statements and results over one connection, on one thread, in libpq's pipeline mode.
///
/// While it writes it also reads: a server that is itself waiting to be read cannot stop us from writing.
final class Wire {
    enum Outcome { case done, failed, skipped }

    private let handle: ConnectionHandle
    /// Set when the connection can serve nobody any more.
    private(set) var isDead = false
    /// How long the server may stay silent within a round trip; nil for ever.
    var silenceMax: Duration?
    /// Whose cancelling shortens the wait.
    var ticket: WorkTicket?

    private init(_ handle: consuming ConnectionHandle) { self.handle = handle }

    /// Connects; blocks up to `timeout`.
    static func connect(
        options: [(keyword: String, value: String)], timeout: Duration
    ) throws(PostgresError) -> Wire {
        guard let handle = ConnectionHandle.start(options: options) else {
            throw PostgresError(.cannotConnect, operation: "connect", detail: "no memory for a connection")
        }
        let deadline = ContinuousClock.now + timeout
        var events = POLLOUT
        while !handle.isBad {
            guard handle.wait(for: events, until: deadline) else {
                throw PostgresError(.cannotConnect, operation: "connect", detail: "no answer within \(timeout)")
            }
            let state = handle.lend { PQconnectPoll($0) }
            if state == PGRES_POLLING_OK { break }
            if state == PGRES_POLLING_FAILED { throw connectError(handle.message) }
            events = state == PGRES_POLLING_READING ? POLLIN : POLLOUT
        }
        if handle.isBad { throw connectError(handle.message) }
        let ready = handle.lend { PQsetnonblocking($0, 1) == 0 && PQenterPipelineMode($0) == 1 }
        guard ready else { throw connectError(handle.message) }
        return Wire(handle)
    }

    var status: PGTransactionStatusType { handle.transactionStatus }
    var socket: Int32 { handle.socket }
    func makeCancelHandle() -> CancelHandle? { CancelHandle(handle) }

    /// Sends all steps and one sync, and reads every answer. The server skips what comes after a failed step.
    ///
    /// - Parameter operation: words for the error of a step.
    /// - Returns: each step's outcome and the first error of the server.
    /// - Throws: only when the connection is gone.
    func exchange(
        _ steps: [WireStep], operation: (Int) -> String, onResult: (Int, borrowing ResultHandle) -> Void
    ) throws(PostgresError) -> (outcomes: [Outcome], error: PostgresError?) {
        for (index, step) in steps.enumerated() where !send(step) { throw die(operation(index)) }
        guard handle.lend({ PQpipelineSync($0) }) == 1 else { throw die(operation(0)) }
        try flush(operation(0))
        var outcomes: [Outcome] = []
        var error: PostgresError?
        for index in steps.indices {
            var outcome = Outcome.skipped
            while let result = try next(operation(index), after: error) {
                switch result.status {
                case PGRES_PIPELINE_ABORTED:
                    break
                case PGRES_TUPLES_OK, PGRES_COMMAND_OK, PGRES_EMPTY_QUERY:
                    outcome = .done
                    onResult(index, result)
                case PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH:
                    isDead = true
                    throw PostgresError(.other, operation: operation(index), detail: "COPY is not supported here")
                default:
                    outcome = .failed
                    error = error ?? result.error(operation: operation(index))
                }
            }
            outcomes.append(outcome)
        }
        guard let end = try next(operation(0), after: error), end.status == PGRES_PIPELINE_SYNC else {
            throw die(operation(0), error)
        }
        return (outcomes, error)
    }

    /// Runs several statements by the simple protocol, where the server splits them. Results are discarded.
    func script(_ sql: String) throws(PostgresError) {
        guard handle.lend({ PQexitPipelineMode($0) == 1 && PQsendQuery($0, sql) == 1 }) else { throw die("script") }
        try flush("script")
        var error: PostgresError?
        while let result = try next("script", after: error) {
            if result.status == PGRES_FATAL_ERROR { error = error ?? result.error(operation: "script") }
            if [PGRES_COPY_IN, PGRES_COPY_OUT, PGRES_COPY_BOTH].contains(result.status) {
                isDead = true
                throw PostgresError(.other, operation: "script", detail: "COPY is not supported here")
            }
        }
        guard handle.lend({ PQenterPipelineMode($0) }) == 1 else { throw die("script", error) }
        if let error { throw error }
    }

    /// Looks, without waiting, whether the server has closed the connection.
    func probe(_ operation: String) throws(PostgresError) {
        if isDead || handle.isBad { throw die(operation) }
        while handle.wait(for: POLLIN, until: .now) {
            guard handle.lend({ PQconsumeInput($0) }) == 1 else { throw die(operation) }
        }
    }

    func kill() { isDead = true }

    /// Notifications that have arrived, oldest first.
    func takeNotifications() -> [(channel: String, payload: String, process: Int32)] {
        var taken: [(channel: String, payload: String, process: Int32)] = []
        while let notification = handle.lend({ PQnotifies($0) }) {
            let facts = notification.pointee
            taken.append((String(cString: facts.relname), String(cString: facts.extra), facts.be_pid))
            PQfreemem(notification)
        }
        return taken
    }

    private func send(_ step: WireStep) -> Bool {
        switch step {
        case .plain(let sql):
            handle.lend { PQsendQueryParams($0, sql, 0, nil, nil, nil, nil, 1) } == 1
        case .prepare(let name, let sql, let types):
            handle.lend { PQsendPrepare($0, name, sql, Int32(types.count), types) } == 1
        case .execute(let name, let parameters):
            sendExecute(name, parameters)
        }
    }

    private func sendExecute(_ name: String, _ parameters: ParameterBuffer) -> Bool {
        let count = parameters.ranges.count
        let lengths = parameters.ranges.map { Int32($0?.count ?? 0) }
        let formats = [Int32](repeating: 1, count: count)
        return parameters.bytes.withUnsafeBytes { bytes in
            // A value of no bytes still needs an address: NULL would be SQL's NULL.
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1) { nothing in
                let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
                let values: [UnsafePointer<CChar>?] = parameters.ranges.map { range in
                    guard let range else { return nil }
                    return base.map { $0 + range.lowerBound } ?? UnsafePointer(nothing.baseAddress)
                }
                return handle.lend {
                    PQsendQueryPrepared($0, name, Int32(count), values, lengths, formats, 1) == 1
                }
            }
        }
    }

    private func flush(_ operation: String) throws(PostgresError) {
        while true {
            let left = handle.lend { PQflush($0) }
            if left == 0 { return }
            if left < 0 { throw die(operation) }
            try wait(POLLIN | POLLOUT, operation)
            guard handle.lend({ PQconsumeInput($0) }) == 1 else { throw die(operation) }
        }
    }

    /// The next result; nil ends the answers of one statement.
    private func next(
        _ operation: @autoclosure () -> String, after error: PostgresError?
    ) throws(PostgresError) -> ResultHandle? {
        while handle.lend({ PQisBusy($0) }) == 1 {
            try wait(POLLIN, operation())
            guard handle.lend({ PQconsumeInput($0) }) == 1 else { throw die(operation(), error) }
        }
        let result = ResultHandle(handle.lend { PQgetResult($0) })
        if handle.isBad { throw die(operation(), error) }
        return result
    }

    /// Waits in slices of a second, to notice that the work was cancelled while the server does not answer at all.
    private func wait(_ events: Int32, _ operation: @autoclosure () -> String) throws(PostgresError) {
        var deadline = silenceMax.map { ContinuousClock.now + $0 }
        var sawCancel = false
        while true {
            let now = ContinuousClock.now
            if let deadline, now >= deadline {
                isDead = true
                throw PostgresError(.timedOut, operation: operation(), detail: "the server has gone silent")
            }
            let slice = min(deadline ?? now + .seconds(1), now + .seconds(1))
            if handle.wait(for: events, until: slice) { return }
            if !sawCancel, ticket?.isCancelled == true {
                sawCancel = true
                deadline = min(deadline ?? now + .seconds(5), now + .seconds(5))
            }
        }
    }

    /// The error of a connection that is gone: what the server said last, if it said so, else what libpq says.
    private func die(_ operation: String, _ said: PostgresError? = nil) -> PostgresError {
        isDead = true
        if let said, said.isConnectionGone { return said }
        return PostgresError(.connectionLost, operation: operation, detail: firstLine(handle.message))
    }

    /// libpq gives a refused login as text only. Being verbose it has the form `FATAL:  28P01: password …`.
    private static func connectError(_ message: String) -> PostgresError {
        let lines = message.split(separator: "\n").filter { !$0.hasPrefix("LOCATION:") && !$0.hasPrefix("DETAIL:") }
        let detail = lines.joined(separator: "; ")
        // The word FATAL may be translated; five capitals or digits between colons are the code in any language.
        let parts = detail.split(separator: ":").map { $0.drop { $0 == " " } }
        let state = parts.last { part in
            part.count == 5 && part.allSatisfy { $0.isNumber || $0.isUppercase }
        }.map { String($0) }
        guard let state else {
            return PostgresError(.cannotConnect, operation: "connect", detail: String(detail.prefix(300)))
        }
        let code = PostgresError.Code(sqlState: state)
        return PostgresError(
            code == .other ? .cannotConnect : code, operation: "connect", detail: String(detail.prefix(300)),
            sqlState: state)
    }

    private func firstLine(_ text: String) -> String { String(text.split(separator: "\n").first ?? "") }
}
