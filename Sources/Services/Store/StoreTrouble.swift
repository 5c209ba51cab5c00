import Postgres

/// What an error of the store's means for whoever works on messages.
package enum StoreTrouble: Sendable, Hashable {
    /// The database or the way to it: nobody's message is to blame, and the same will do later.
    case away
    /// Others were in the way time and again.
    case conflict(String)
    /// This very work will never be taken: a value no column can hold, a rule of the tables' broken.
    case refused(String)

    /// Anything that is no error of the database's counts as ``away``: it is not the message's fault either.
    package init(_ error: any Error) {
        guard let error = error as? PostgresError else {
            self = .away
            return
        }
        switch error.code {
        case .serializationFailure, .deadlock: self = .conflict("\(error)")
        // An order went into a summary, or got a document, at the very moment it was to be posted the other way: the
        // next look sees which.
        case .checkViolation where error.constraint == "order_posted_once": self = .conflict("\(error)")
        case .invalidText, .uniqueViolation, .foreignKeyViolation, .checkViolation, .notNullViolation:
            self = .refused("\(error)")
        // A value that breaks a rule of its type, or a bound of the server's such as the size of an index's entry.
        case .other where ["22", "54"].contains(error.sqlState?.prefix(2)): self = .refused("\(error)")
        case .badURL, .cannotConnect, .loginRefused, .connectionLost, .undefinedObject, .insufficientPrivilege,
            .tooManyConnections, .shuttingDown, .cancelled, .timedOut, .poolExhausted, .decoding, .other:
            self = .away
        }
    }
}
