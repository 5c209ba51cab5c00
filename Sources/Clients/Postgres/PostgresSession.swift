import CPostgreSQL

/// A connection as lent to one unit of work, which runs on the connection's own thread and blocks it.
///
/// Not Sendable: it cannot leave the closure it was lent to. Every call is one round trip; SQL is prepared once a
/// connection, in the same round trip as its first use. SQL text must hold no values (it appears in errors): values
/// go as parameters.
package final class PostgresSession {
    private let wire: Wire
    private var cache: StatementCache
    private let statementTimeout: Duration?
    private var ticket: WorkTicket?
    /// BEGIN rides with the first statement and saves a round trip.
    private var pendingBegin: String?
    private var hasOwnLimit = false
    /// The first error of the unit: the reason why its transaction can no longer commit.
    private(set) var firstFailure: PostgresError?
    let cancelHandle: CancelHandle

    /// The bound of prepared statements a connection.
    package static let statementsMax = 256
    /// How much longer than the server's own limit we wait before we give the connection up.
    private static let silenceGrace = Duration.seconds(10)

    private init(_ wire: Wire, _ cancelHandle: CancelHandle, statementTimeout: Duration?) {
        self.wire = wire
        self.cancelHandle = cancelHandle
        self.statementTimeout = statementTimeout
        cache = StatementCache(capacity: Self.statementsMax)
        wire.silenceMax = statementTimeout.map { $0 + Self.silenceGrace }
    }

    /// Connects and sets what every session relies on; blocks.
    static func connect(
        _ address: PostgresAddress, name: String, statementTimeout: Duration?
    ) throws(PostgresError) -> PostgresSession {
        let timeout = address.value("connect_timeout").flatMap { Int($0) }.map { Duration.seconds($0) }
        let wire = try Wire.connect(options: address.options(name: name), timeout: timeout ?? .seconds(10))
        guard let cancelHandle = wire.makeCancelHandle() else {
            throw PostgresError(.cannotConnect, operation: "connect", detail: "the server sent no key for cancelling")
        }
        let session = PostgresSession(wire, cancelHandle, statementTimeout: statementTimeout)
        try wire.script("SET statement_timeout = \(milliseconds(statementTimeout)); SET timezone = 'UTC'")
        return session
    }

    // MARK: What a unit of work may do

    /// Runs one statement and returns its rows, all of them: bound them by LIMIT.
    package func query(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresError) -> [PostgresRow] {
        try run([(sql, parameters)])[0].rows
    }

    /// Runs one statement and returns how many rows it changed (or, for SELECT, returned).
    @discardableResult
    package func execute(_ sql: String, _ parameters: [PostgresValue] = []) throws(PostgresError) -> Int {
        try run([(sql, parameters)])[0].affected
    }

    /// Runs several statements in one round trip; the rows of each, in order.
    ///
    /// Outside a transaction they form one: all are done or none.
    package func pipeline(
        _ statements: [(sql: String, parameters: [PostgresValue])]
    ) throws(PostgresError) -> [[PostgresRow]] {
        try run(statements).map { $0.rows }
    }

    /// Runs SQL text of several statements, for migrations. No parameters, no rows.
    ///
    /// Outside a transaction the server makes the text one transaction, unless it contains COMMIT.
    package func script(_ sql: String) throws(PostgresError) {
        try begin("script")
        guard !sql.containsNUL else {
            throw PostgresError(.invalidText, operation: "script", detail: "the SQL contains a NUL byte")
        }
        if pendingBegin != nil { _ = try attempt([], []) }
        do { try wire.script(sql) } catch { throw note(error) }
    }

    /// Lets statements of this unit of work run longer (or shorter) than the pool allows; nil for ever.
    package func limitStatements(to limit: Duration?) throws(PostgresError) {
        try script("SET statement_timeout = \(Self.milliseconds(limit))")
        hasOwnLimit = true
        wire.silenceMax = limit.map { $0 + Self.silenceGrace }
    }

    // MARK: The unit's frame, for PostgresConnection

    var isDead: Bool { wire.isDead }

    /// The unit is not in a state to go on: its transaction is spoilt, or the connection gone.
    var spoiledBy: PostgresError? { wire.isDead || wire.status == PQTRANS_INERROR ? firstFailure : nil }

    /// Looks whether the server has closed the connection while it was idle.
    func probe() -> PostgresError? {
        do { try wire.probe("idle") } catch { return error }
        return nil
    }

    func open(ticket: WorkTicket, begin: String?) {
        self.ticket = ticket
        wire.ticket = ticket
        pendingBegin = begin
        firstFailure = nil
    }

    /// - Throws: with `outcomeUnknown` when the connection is lost after COMMIT was sent.
    func commit() throws(PostgresError) {
        if pendingBegin != nil {
            // Nothing was sent: there is nothing to commit.
            pendingBegin = nil
            return
        }
        if wire.isDead { throw firstFailure ?? Self.misuse("the connection is gone") }
        switch wire.status {
        case PQTRANS_INTRANS: break
        // COMMIT would answer ROLLBACK, without an error.
        case PQTRANS_INERROR: throw firstFailure ?? Self.misuse("the transaction has failed")
        default: throw Self.misuse("the unit of work ended the transaction it was given")
        }
        guard ticket?.seal() != false else { throw note(.cancelled("commit")) }
        do { try wire.probe("commit") } catch { throw note(error) }
        let answer: (outcomes: [Wire.Outcome], error: PostgresError?)
        do {
            answer = try wire.exchange([.plain("COMMIT")], operation: { _ in "commit" }, onResult: { _, _ in })
        } catch {
            throw note(error.withOutcomeUnknown)
        }
        if let error = answer.error { throw note(error) }
    }

    /// Ends the unit: no cancel request is left behind, no transaction open.
    ///
    /// - Returns: whether a transaction had been left open.
    func close() -> Bool {
        pendingBegin = nil
        switch ticket?.end() {
        case .cancelStuck: wire.kill()
        // If the request has not hit yet, it hits this empty statement or, the server being idle, nothing.
        case .cancelRequested: quietly("")
        case .quiet, nil: break
        }
        ticket = nil
        wire.ticket = nil
        let leftOpen = !wire.isDead && wire.status != PQTRANS_IDLE
        if leftOpen { quietly("ROLLBACK") }
        if hasOwnLimit {
            hasOwnLimit = false
            wire.silenceMax = statementTimeout.map { $0 + Self.silenceGrace }
            quietly("SET statement_timeout = \(Self.milliseconds(statementTimeout))")
        }
        return leftOpen
    }

    /// Runs a statement whose failure does not matter; that of the connection marks it dead.
    func quietly(_ sql: String) {
        guard !wire.isDead else { return }
        _ = try? wire.exchange([.plain(sql)], operation: { _ in "end" }, onResult: { _, _ in })
    }

    // MARK: Round trips

    private typealias Outcome = (rows: [PostgresRow], affected: Int)

    private func run(_ statements: [(sql: String, parameters: [PostgresValue])]) throws(PostgresError) -> [Outcome] {
        if statements.isEmpty { return [] }
        try begin(summary(of: statements[0].sql))
        var buffers: [ParameterBuffer] = []
        buffers.reserveCapacity(statements.count)
        var size = 0
        for (sql, parameters) in statements {
            let buffer = try ParameterBuffer(parameters, operation: summary(of: sql))
            size += buffer.bytes.count
            guard size < ParameterBuffer.bytesMax else {
                throw PostgresError(.invalidText, operation: summary(of: sql), detail: "parameters of more than 1 GB")
            }
            buffers.append(buffer)
        }
        let begin = pendingBegin
        let canRepeat = wire.status == PQTRANS_IDLE
        do {
            return try attempt(statements.map { $0.sql }, buffers)
        } catch {
            // A table has changed under a prepared statement. Nothing was done yet, so once more, prepared anew.
            guard error.isStalePlan, canRepeat, !wire.isDead else { throw error }
            if wire.status != PQTRANS_IDLE { quietly("ROLLBACK") }
            pendingBegin = begin
            firstFailure = nil
            return try attempt(statements.map { $0.sql }, buffers)
        }
    }

    /// What a step of the round trip is for, to keep the cache true when the server skips it.
    private enum Role {
        case begin
        case forget(name: String)
        case prepare(sql: String, name: String)
        case execute(sql: String, name: String)
    }

    private func attempt(_ statements: [String], _ buffers: [ParameterBuffer]) throws(PostgresError) -> [Outcome] {
        let (steps, roles) = try plan(statements, buffers)
        let started = ContinuousClock.now
        var results: [Outcome] = []
        results.reserveCapacity(statements.count)
        let answer: (outcomes: [Wire.Outcome], error: PostgresError?)
        do {
            answer = try wire.exchange(steps) { index in
                switch roles[index] {
                case .begin: "begin"
                case .forget: "deallocate"
                case .prepare(let sql, _), .execute(let sql, _): summary(of: sql)
                }
            } onResult: { index, result in
                guard case .execute(let sql, let name) = roles[index] else { return }
                results.append(read(result, sql, name))
            }
        } catch {
            throw note(error)
        }
        for (role, outcome) in zip(roles, answer.outcomes) where outcome != .done {
            switch role {
            case .begin: break
            case .forget(let name): if outcome == .skipped { cache.keepOrphan(name) }
            case .prepare(let sql, let name): cache.drop(sql, name: name, isOnServer: false)
            case .execute(let sql, let name):
                if outcome == .failed, answer.error?.isStalePlan == true {
                    cache.drop(sql, name: name, isOnServer: answer.error?.sqlState != "26000")
                }
            }
        }
        if let error = answer.error { throw note(cancelOrTimeout(error, since: started)) }
        return results
    }

    private func plan(
        _ statements: [String], _ buffers: [ParameterBuffer]
    ) throws(PostgresError) -> (steps: [WireStep], roles: [Role]) {
        var steps: [WireStep] = []
        var roles: [Role] = []
        for sql in statements where sql.containsNUL {
            throw PostgresError(.invalidText, operation: summary(of: sql), detail: "the SQL contains a NUL byte")
        }
        if let begin = pendingBegin {
            steps.append(.plain(begin))
            roles.append(.begin)
            pendingBegin = nil
        }
        for (sql, buffer) in zip(statements, buffers) {
            let name: String
            switch cache.plan(sql, types: buffer.types) {
            case .use(let known): name = known
            case .prepare(let new, let types, let forget):
                name = new
                for old in forget {
                    steps.append(.plain("DEALLOCATE \(old)"))
                    roles.append(.forget(name: old))
                }
                steps.append(.prepare(name: new, sql: sql, types: types))
                roles.append(.prepare(sql: sql, name: new))
            }
            steps.append(.execute(name: name, buffer))
            roles.append(.execute(sql: sql, name: name))
        }
        return (steps, roles)
    }

    private func read(_ result: borrowing ResultHandle, _ sql: String, _ name: String) -> Outcome {
        // A row may have no columns (`SELECT FROM`), and is a row all the same.
        guard result.columnCount > 0 || result.rowCount > 0 else { return ([], result.affected) }
        let columns = cache.columns(sql, name: name) ?? PostgresColumns(result)
        cache.store(columns, sql, name: name)
        return (ResultStorage(result, columns: columns).rows(result.rowCount), result.affected)
    }

    private func begin(_ operation: @autoclosure () -> String) throws(PostgresError) {
        if wire.isDead {
            throw firstFailure
                ?? PostgresError(.connectionLost, operation: operation(), detail: "the connection was lost before")
        }
        if ticket?.isCancelled == true { throw note(.cancelled(operation())) }
    }

    private func note(_ error: PostgresError) -> PostgresError {
        if firstFailure == nil { firstFailure = error }
        return error
    }

    /// The server has one code for a statement cancelled by us, by its time limit, and by an administrator.
    private func cancelOrTimeout(_ error: PostgresError, since: ContinuousClock.Instant) -> PostgresError {
        guard error.code == .cancelled, ticket?.isCancelled != true else { return error }
        let ranLong = statementTimeout.map { ContinuousClock.now - since >= $0 } ?? false
        guard ranLong || error.detail.contains("timeout") else { return error }
        return PostgresError(.timedOut, operation: error.operation, detail: error.detail, sqlState: error.sqlState)
    }

    private static func misuse(_ detail: String) -> PostgresError {
        PostgresError(.other, operation: "commit", detail: detail)
    }

    private static func milliseconds(_ limit: Duration?) -> Int64 {
        guard let limit else { return 0 }
        return max(1, limit.components.seconds * 1_000 + limit.components.attoseconds / 1_000_000_000_000_000)
    }
}

extension PostgresAddress {
    /// What libpq is given: the URL's options, and what every connection of ours wants unless the URL says else.
    func options(name: String) -> [(keyword: String, value: String)] {
        var options = options.filter { $0.keyword != "client_encoding" }
        options.append(("client_encoding", "UTF8"))
        // A peer that vanished is noticed within about a minute.
        let defaults = [
            ("application_name", name), ("keepalives_idle", "30"), ("keepalives_interval", "10"),
            ("keepalives_count", "3"), ("tcp_user_timeout", "60000"),
        ]
        for (keyword, setting) in defaults where value(keyword) == nil { options.append((keyword, setting)) }
        return options
    }
}
