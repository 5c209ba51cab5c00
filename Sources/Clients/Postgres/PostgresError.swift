/// What went wrong with PostgreSQL, in terms a caller can act on.
///
/// It never carries a parameter's value: the DETAIL line of the server (which quotes rows) is left out, and quoted
/// values in data errors are replaced by `…`. So it may be logged and stored as it is.
package struct PostgresError: Error, Sendable, CustomStringConvertible {
    /// The closed list of kinds. `sqlState` has the server's own code where there was one.
    package enum Code: String, Sendable {
        case badURL, cannotConnect, loginRefused, connectionLost
        case serializationFailure, deadlock
        case uniqueViolation, foreignKeyViolation, checkViolation, notNullViolation
        /// A value no column of that type can hold, or a parameter refused before it was sent.
        case invalidText
        case undefinedObject, insufficientPrivilege
        case tooManyConnections
        /// The server ends this connection (restart, `pg_terminate_backend`).
        case shuttingDown
        /// The task was cancelled, the pool closed, or an administrator cancelled the statement.
        case cancelled
        case timedOut
        /// No connection of the pool came free within the time allowed.
        case poolExhausted
        /// A column of the result is missing, NULL, or of another type than asked for.
        case decoding
        case other
    }

    package let code: Code
    /// The server's five characters, e.g. `23505`.
    package let sqlState: String?
    package let constraint: String?
    package let table: String?
    /// What was being done: `connect`, `commit`, or the beginning of the statement (which holds no values).
    package let operation: String
    package let detail: String
    /// The connection was lost while COMMIT was under way: the work may or may not have been done.
    package let outcomeUnknown: Bool
    /// A prepared statement no longer fits its tables; preparing again cures it.
    let isStalePlan: Bool

    package init(
        _ code: Code, operation: String, detail: String, sqlState: String? = nil, constraint: String? = nil,
        table: String? = nil, outcomeUnknown: Bool = false
    ) {
        self.init(
            code, operation: operation, detail: detail, sqlState: sqlState, constraint: constraint, table: table,
            outcomeUnknown: outcomeUnknown, isStalePlan: false)
    }

    init(
        _ code: Code, operation: String, detail: String, sqlState: String?, constraint: String?, table: String?,
        outcomeUnknown: Bool, isStalePlan: Bool
    ) {
        self.code = code
        self.operation = operation
        self.detail = detail
        self.sqlState = sqlState
        self.constraint = constraint
        self.table = table
        self.outcomeUnknown = outcomeUnknown
        self.isStalePlan = isStalePlan
    }

    /// Whether the same work may well succeed later, and repeating it is harmless as far as PostgreSQL goes.
    /// False when the outcome is unknown: only the caller knows whether its work is idempotent.
    package var isRetriable: Bool {
        if outcomeUnknown { return false }
        switch code {
        case .cannotConnect, .connectionLost, .serializationFailure, .deadlock, .tooManyConnections, .shuttingDown,
            .timedOut, .poolExhausted:
            return true
        case .badURL, .loginRefused, .uniqueViolation, .foreignKeyViolation, .checkViolation, .notNullViolation,
            .invalidText, .undefinedObject, .insufficientPrivilege, .cancelled, .decoding, .other:
            return false
        }
    }

    package var description: String {
        var text = "\(operation): \(code.rawValue)"
        if let sqlState { text += " [\(sqlState)]" }
        if !detail.isEmpty { text += ": \(detail)" }
        if let table { text += " (table \(table))" }
        if outcomeUnknown { text += "; whether it was committed is unknown" }
        return text
    }
}

extension PostgresError {
    /// The connection can serve nobody any more.
    var isConnectionGone: Bool { code == .connectionLost || code == .shuttingDown }

    /// The server undid the whole transaction because of others; the same work can simply be done again.
    var isConflict: Bool { code == .serializationFailure || code == .deadlock }

    /// The server may be back or have room in a moment.
    var isWorthWaiting: Bool {
        code == .cannotConnect || code == .tooManyConnections || code == .shuttingDown || code == .connectionLost
    }

    var withOutcomeUnknown: PostgresError {
        PostgresError(
            code, operation: operation, detail: detail, sqlState: sqlState, constraint: constraint, table: table,
            outcomeUnknown: true, isStalePlan: false)
    }

    static func cancelled(_ operation: String) -> PostgresError {
        PostgresError(.cancelled, operation: operation, detail: "the task was cancelled")
    }
}

extension PostgresError.Code {
    /// PostgreSQL's table of codes (appendix A) folded to what callers tell apart.
    init(sqlState: String) {
        switch sqlState {
        case "40001": self = .serializationFailure
        case "40P01": self = .deadlock
        case "23505", "23P01": self = .uniqueViolation
        case "23503": self = .foreignKeyViolation
        case "23514": self = .checkViolation
        case "23502": self = .notNullViolation
        case "22P02", "22P05", "22003", "22007", "22008", "22021": self = .invalidText
        case "42P01", "42703", "42704", "42883", "3F000", "3D000": self = .undefinedObject
        case "42501": self = .insufficientPrivilege
        case "53300": self = .tooManyConnections
        case "57P01", "57P02": self = .shuttingDown
        case "57P03": self = .cannotConnect
        case "57P04", "57P05", "25P03": self = .connectionLost
        case "57014": self = .cancelled
        case "55P03": self = .timedOut
        default:
            if sqlState.hasPrefix("28") {
                self = .loginRefused
            } else if sqlState.hasPrefix("08") {
                self = .connectionLost
            } else {
                self = .other
            }
        }
    }
}

/// Replaces everything between the first and the last quotation mark: data errors quote the value there.
func withoutQuotedValues(_ text: String) -> String {
    guard let first = text.firstIndex(of: "\""), let last = text.lastIndex(of: "\""), first < last else { return text }
    return text[...first] + "…" + text[last...]
}

/// The beginning of a statement on one line, for errors and events.
func summary(of sql: String) -> String {
    var line = ""
    var count = 0
    for word in sql.split(maxSplits: 16, whereSeparator: { $0.isWhitespace }).prefix(16) {
        if count + word.count > 80 { break }
        line += count == 0 ? word : " " + word
        count += word.count + 1
    }
    return line.isEmpty ? String(sql.prefix(80)) : line
}
