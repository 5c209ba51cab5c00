package import Domain
package import Messaging
import Store

/// What is to be done about anything that goes wrong while messages are worked on: decided here for every worker, and
/// carried out by whoever asked.
package enum Course: Sendable, Hashable {
    /// The same again after so long, with the messages in hand: it is the environment, or the first instants of
    /// something that mostly passes. Counts against no message.
    case again(after: Duration, why: String)
    /// Asking at once is over: what becomes of each message, its own way so far says (``PutOff/fate(of:permille:)``).
    case putOff(PutOff)
    /// The messages have their verdict.
    case settle(Verdict)
    /// The worker rests: its database or broker is away.
    case pause(Duration, why: String)
    /// The worker ends; the messages go back.
    case stop

    /// What went wrong.
    package enum Trouble: Sendable {
        /// Refused because a limit is used up, and the other side says for how long (429). In the end the desk is told
        /// so, with this remedy.
        case limited(Duration, why: String, remedy: String)
        /// Closed to everybody for at least so long: offline, disconnected, not to be reached at all.
        case closed(Duration, why: String)
        /// It may have happened or not, and asking the same again tells: a connection lost, a time-out.
        case unclear(why: String)
        /// It did not happen, as far as can be seen: a 5xx or a 408 after which nothing stands there.
        case failed(why: String)
        /// It will never be taken.
        case refused(Park)
        /// Whatever a database, a broker or the worker itself threw.
        case thrown(any Error)
    }

    /// Of a message that failed, what its way so far was.
    package struct Way: Sendable, Hashable {
        /// Failed attempts that counted, from its header.
        package var attempt: Int
        package var subject: Envelope.Subject

        package init(attempt: Int = 0, about subject: Envelope.Subject = .init()) {
            self.attempt = attempt
            self.subject = subject
        }
    }

    private static let first = Duration.milliseconds(500)
    private static let most = Duration.seconds(30)
    /// So often the same is asked again at once: half a second, one and two, well inside the six minutes for which Xero
    /// remembers an idempotency key.
    package static let atOnceMax = 3
    /// A used-up minute makes one wait so long at most. Nobody waits longer with messages in hand.
    package static let inHandMax = Duration.seconds(60)

    /// The one place that judges errors. Pure: chance comes as `permille`, 0 to 1000.
    ///
    /// - Transient (lost connections, time-outs, 408, 429, 5xx, a deadlock that stays): exponential backoff with full
    ///   jitter through the delay queues, counted, and after ``attemptsMax`` attempts the desk. After a 429 they stay
    ///   away at least as long as `Retry-After` says, as far as the longest delay queue reaches.
    /// - Environment (an organisation offline or disconnected or not to be reached, database or broker away): the
    ///   organisation or the worker rests, and no message is sent about for it. So it is with a wait of our own making,
    ///   for a permit: it never comes here.
    /// - Permanent (a refusal, a value no column can hold): the desk, at once.
    ///
    /// - Parameters:
    ///   - tries: how often it was asked again at once.
    ///   - subject: what the desk is told the message is about.
    package static func of(
        _ trouble: Trouble, tries: Int, permille: Int, about subject: Envelope.Subject = .init()
    ) -> Course {
        let backoff = backoff(tries: tries, permille: permille)
        switch trouble {
        case .closed(let after, let why): return .again(after: after + backoff, why: why)
        case .limited(let after, let why, _) where tries < atOnceMax && after <= inHandMax:
            return .again(after: after + backoff, why: why)
        case .limited(let after, let why, let remedy):
            return .putOff(PutOff(why, inTheEnd: .rateLimit, remedy: remedy, atLeast: after))
        case .unclear(let why): return tries < atOnceMax ? .again(after: backoff, why: why) : .putOff(PutOff(why))
        case .failed(let why): return .putOff(PutOff(why))
        case .refused(let park): return .settle(.park(park, about: subject))
        case .thrown(let error): return thrown(error, backoff, tries: tries, subject)
        }
    }

    private static func thrown(
        _ error: any Error, _ backoff: Duration, tries: Int, _ subject: Envelope.Subject
    ) -> Course {
        switch error {
        case is CancellationError: return .stop
        case let park as Park: return .settle(.park(park, about: subject))
        case let putOff as PutOff: return .putOff(putOff)
        case is LeaseLost:
            // Who took over has a message of its own; ours comes back to see how it went.
            return .settle(.retry(after: .seconds(30), counted: false, cause: "the lease was lost"))
        case is TakenByOthers:
            return .settle(.retry(after: .seconds(5), counted: false, cause: "another writer took it"))
        default: break
        }
        switch StoreTrouble(error) {
        case .refused(let sentence):
            return .settle(.park(
                Park(
                    .unknown, "The database will not take this record: \(sentence)",
                    remedy: "Look for a value that is no ordinary text or number; report this to the makers."),
                about: subject))
        case .conflict(let sentence) where tries >= atOnceMax: return .putOff(PutOff(sentence))
        case .conflict, .away: return .pause(backoff, why: "\(error)")
        }
    }

    /// Full jitter: anything between nothing and the whole, so that workers that failed together do not come back
    /// together. At least 50 ms: never a busy loop.
    private static func backoff(tries: Int, permille: Int) -> Duration {
        let whole = min(first * (1 << min(max(tries, 0), 10)), most)
        return max(whole * permille / 1000, .milliseconds(50))
    }
}
