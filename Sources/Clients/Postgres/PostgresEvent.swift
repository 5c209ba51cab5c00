/// What happens in a pool that its owner may count or log. Reported from whatever thread it happens on; the receiver
/// must not block.
package enum PostgresEvent: Sendable {
    /// An attempt to connect failed; the next follows after `retryIn`.
    case connectFailed(PostgresError, retryIn: Duration)
    /// The first unit of work that the server answered after `connectFailed`. Comes once for any number of failures,
    /// and never between a failure and its report.
    case reachableAgain
    /// A connection was lost, while idle or during work.
    case connectionLost(PostgresError)
    /// A transaction is done again because of `cause`; `attempt` counts from 1.
    case transactionRetried(attempt: Int, cause: PostgresError)
    /// Nobody gave back a connection in time.
    case poolExhausted(waiting: Int)
    /// A listener's connection was lost; it reconnects after `retryIn`.
    case listenerLost(channel: String, PostgresError, retryIn: Duration)
}

/// PostgreSQL's isolation levels that differ (its READ UNCOMMITTED is READ COMMITTED).
package enum PostgresIsolation: String, Sendable {
    case readCommitted = "READ COMMITTED"
    case repeatableRead = "REPEATABLE READ"
    case serializable = "SERIALIZABLE"
}
