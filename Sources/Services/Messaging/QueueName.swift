package import Domain

/// The fleet's queues. Every name begins with a prefix, so that test runs share one broker without meeting.
package enum QueueName: Sendable, Hashable {
    /// Source records on their way to the mapper.
    case map
    /// Documents of one organisation on their way to the writers: a parked organisation stops nobody else.
    case write(OrganisationKey)
    /// Waits, then goes back to the queue it came from.
    case retry(RetryDelay)
    /// What failed.
    case dead
    /// What no version understands: kept apart from what failed.
    case unreadable

    package func text(prefix: String) -> String {
        switch self {
        case .map: "\(prefix).map"
        case .write(let organisation): "\(prefix).write.\(organisation)"
        case .retry(let delay): "\(prefix).retry.\(delay.rawValue)"
        case .dead: "\(prefix).dead"
        case .unreadable: "\(prefix).unreadable"
        }
    }
}

/// The queues a message can be sent to for a wait, each with the longest there. The message itself says how long it
/// waits (``OutgoingMessage/wait``). Since only the head of a queue expires, behind one that waits longer it waits with
/// it: hence several queues, and never longer than its own queue's.
package enum RetryDelay: String, Sendable, Hashable, CaseIterable {
    case fiveSeconds = "5s"
    case thirtySeconds = "30s"
    case twoMinutes = "2m"
    case tenMinutes = "10m"
    case oneHour = "1h"
    case sixHours = "6h"

    package var duration: Duration {
        switch self {
        case .fiveSeconds: .seconds(5)
        case .thirtySeconds: .seconds(30)
        case .twoMinutes: .seconds(120)
        case .tenMinutes: .seconds(600)
        case .oneHour: .seconds(3600)
        case .sixHours: .seconds(6 * 3600)
        }
    }

    /// The queue for a wait of `duration`: the shortest that is long enough; the longest there is for anything beyond.
    package static func atLeast(_ duration: Duration) -> RetryDelay {
        allCases.first { $0.duration >= duration } ?? .sixHours
    }

    /// The longest wait before attempt `attempt + 1`: 5 s, 30 s, 2 min, 10 min, 1 h, then 6 h each.
    package static func backoff(afterAttempt attempt: Int) -> RetryDelay {
        allCases[min(max(attempt, 0), allCases.count - 1)]
    }
}
