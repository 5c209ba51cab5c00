package import Domain
package import Messaging

/// Asking at once is over for now: what is in hand goes to the delay queues, counted, and in the end to the desk.
package struct PutOff: Error, Sendable, Hashable, CustomStringConvertible {
    package let why: String
    /// What the desk is told when a message has been put off too often.
    private let deadLetterClass: DeadLetterClass
    private let remedy: String
    /// No sooner than after so long: the other side asked for it.
    private let atLeast: Duration

    package init(
        _ why: String, inTheEnd deadLetterClass: DeadLetterClass = .connection,
        remedy: String = "See whether Xero has trouble with this document or with everything; then replay.",
        atLeast: Duration = .zero
    ) {
        self.why = why
        self.deadLetterClass = deadLetterClass
        self.remedy = remedy
        self.atLeast = atLeast
    }

    /// Something else has to happen first, and may never.
    package static func awaiting(_ why: String) -> PutOff {
        PutOff(why, inTheEnd: .unknown, remedy: "Mend what the sentence names, then replay.")
    }

    package var description: String { why }

    /// A limit of the organisation's: what else is in hand would be refused as well, and no message is to blame.
    package var isOfLimit: Bool { deadLetterClass == .rateLimit }

    /// What becomes of one message after this.
    package enum Fate: Sendable, Hashable {
        /// To a delay queue, counted.
        case later(after: Duration, why: String)
        /// It has been there often enough.
        case park(Park)

        package func verdict(about subject: Envelope.Subject) -> Verdict {
            switch self {
            case .later(let after, let why): .retry(after: after, counted: true, cause: why)
            case .park(let park): .park(park, about: subject)
            }
        }
    }

    /// Full jitter up to the delay of its attempt, on top of what was asked for, as far as the delay queues reach.
    ///
    /// - Parameter permille: chance, 0 to 1000.
    package func fate(of way: Course.Way, permille: Int) -> Fate {
        guard way.attempt < attemptsMax else {
            let cause = "It failed \(way.attempt + 1) times, the last time so: \(why)"
            return .park(Park(deadLetterClass, cause, remedy: remedy))
        }
        let whole = RetryDelay.backoff(afterAttempt: way.attempt).duration
        return .later(after: min(atLeast + whole * permille / 1000, RetryDelay.sixHours.duration), why: why)
    }
}
