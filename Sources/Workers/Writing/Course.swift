import Domain
import Messaging
import Store
import Xero

/// What is to be done about anything that goes wrong while documents are written.
enum Course: Sendable, Hashable {
    /// Nothing is wrong.
    case proceed
    /// The same again after so long, messages in hand: it is the environment, and counts against no document.
    case again(after: Duration, why: String)
    /// These documents have their verdict.
    case settle(Verdict)
    /// The worker rests: its database or broker is away.
    case pause(Duration, why: String)
    /// The worker ends; the messages go back.
    case stop

    enum Trouble: Sendable {
        case call(XeroOutcome)
        case thrown(any Error)
    }

    private static let first = Duration.milliseconds(500)
    private static let max = Duration.seconds(30)
    private static let offline = Duration.seconds(15)
    private static let disconnected = Duration.seconds(60)

    /// The one place that judges errors. Pure: chance comes as `permille`, 0 to 1000.
    ///
    /// - Transient (network, 408, 429, 5xx): exponential backoff with full jitter, after what `Retry-After` asks for.
    /// - Environment (organisation offline or disconnected, database or broker away): a longer rest of the
    ///   organisation or the worker, not of the messages.
    /// - Permanent (a refusal): the desk, at once.
    static func of(
        _ trouble: Trouble, attempt: Int, permille: Int, about subject: Envelope.Subject = .init()
    ) -> Course {
        let backoff = backoff(attempt: attempt, permille: permille)
        switch trouble {
        case .call(let outcome):
            switch outcome {
            case .answered: return .proceed
            case .limited(let after, let problem):
                return .again(after: after + backoff, why: "the limit (\(problem)) is used up")
            case .neverSent(let detail), .unknown(let detail): return .again(after: backoff, why: detail)
            case .offline(let detail):
                return .again(after: offline + backoff, why: "the organisation is offline: \(detail)")
            case .disconnected(let detail):
                return .again(after: disconnected + backoff, why: "the organisation is disconnected: \(detail)")
            case .refused(let status, let sentence):
                let park = RefusalReading.park(["\(sentence) (status \(status))"], document: "this request")
                return .settle(.park(park, about: subject))
            }
        case .thrown(let error):
            switch error {
            case is CancellationError: return .stop
            case let park as Park: return .settle(.park(park, about: subject))
            case is LeaseLost:
                // Who took over has a message of its own; ours comes back to see how it went.
                return .settle(.retry(after: .seconds(30), counted: false, cause: "the lease was lost"))
            case is TakenByOthers:
                return .settle(.retry(after: .seconds(5), counted: false, cause: "another writer took it"))
            default: return .pause(backoff, why: "\(error)")
            }
        }
    }

    /// Full jitter: anything between nothing and the whole, so that writers that failed together do not come back
    /// together. At least 50 ms: never a busy loop.
    private static func backoff(attempt: Int, permille: Int) -> Duration {
        let whole = min(first * (1 << min(Swift.max(attempt, 0), 10)), max)
        return Swift.max(whole * permille / 1000, .milliseconds(50))
    }
}
