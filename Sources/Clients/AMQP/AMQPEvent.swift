/// What happens to a supervised connection, for logs and metrics.
///
/// Handed out on whatever thread noticed it, the connection's own included: a receiver must not block.
package enum AMQPEvent: Sendable {
    /// About to connect; `attempt` counts from 1 since the last success.
    case connecting(attempt: Int)
    /// Connected, and the topology is declared.
    case connected
    /// The attempt failed, or a standing connection ended; the next attempt starts after `retryIn`.
    case disconnected(AMQPError, retryIn: Duration)
    /// The broker has an alarm and takes no more messages.
    case blocked(reason: String)
    case unblocked
    /// The broker ended a subscription by itself: as a rule its queue was deleted.
    case consumerCancelled(queue: String)
    /// A subscription could not be (re)started; tried again after `retryIn`.
    case subscribeFailed(queue: String, AMQPError, retryIn: Duration)
    case subscribed(queue: String)
}

/// How long to wait before connecting again: exponential with full jitter, so that a fleet does not come back in step.
package struct AMQPBackoff: Sendable {
    package let initial: Duration
    package let max: Duration

    package init(initial: Duration = .milliseconds(250), max: Duration = .seconds(15)) {
        precondition(initial > .zero && max >= initial, "a backoff needs 0 < initial <= max")
        self.initial = initial
        self.max = max
    }

    /// A random pause between zero and `initial * 2^(attempt-1)`, at most `max`. `attempt` counts from 1.
    package func delay(attempt: Int, using generator: inout some RandomNumberGenerator) -> Duration {
        let doublings = Swift.min(Swift.max(attempt - 1, 0), 20)
        let ceiling = Swift.min(initial * (1 << doublings), max)
        return ceiling * Int64.random(in: 0...1_000, using: &generator) / 1_000
    }

    func delay(attempt: Int) -> Duration {
        var generator = SystemRandomNumberGenerator()
        return delay(attempt: attempt, using: &generator)
    }
}
