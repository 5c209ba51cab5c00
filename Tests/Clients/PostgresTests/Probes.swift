import Glibc
import Postgres
import Threads

/// Counts a pool's events.
final class Events: Sendable {
    private let counts = Locked((retries: 0, connectFailures: 0, returns: 0))
    var retries: Int { counts.withLock { $0.retries } }
    var connectFailures: Int { counts.withLock { $0.connectFailures } }
    /// How often the server was said to be there again.
    var returns: Int { counts.withLock { $0.returns } }

    @Sendable func note(_ event: PostgresEvent) {
        counts.withLock { counts in
            switch event {
            case .transactionRetried: counts.retries += 1
            case .connectFailed: counts.connectFailures += 1
            case .reachableAgain: counts.returns += 1
            default: break
            }
        }
    }
}

final class Attempts: Sendable {
    private let value = Locked(0)
    var count: Int { value.withLock { $0 } }

    func next() -> Int {
        value.withLock { value in
            value += 1
            return value
        }
    }
}

/// Two threads wait for each other, once; who comes later passes. Blocks, so only inside units of work.
final class Meeting: Sendable {
    private let arrived = Locked(0)

    func arrive() {
        arrived.withLock { $0 += 1 }
        while arrived.withLock({ $0 }) < 2 { usleep(500) }
    }
}
