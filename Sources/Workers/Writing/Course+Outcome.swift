import Domain
import Setbacks
import Xero

extension Course.Trouble {
    private static let offline = Duration.seconds(15)
    private static let disconnected = Duration.seconds(60)

    /// Nil where nothing is wrong.
    ///
    /// - Parameter isRepeatable: the same may be asked again whatever became of it: a look, or what looks first.
    init?(_ outcome: XeroOutcome, isRepeatable: Bool = false) {
        switch outcome {
        case .answered: return nil
        case .limited(let after, let problem):
            let park = CallLimit.park(problem)
            self = .limited(after, why: park.cause, remedy: park.remedy)
        case .neverSent(let detail): self = .closed(.zero, why: detail)
        case .unknown(let detail):
            self = outcome.isStored && !isRepeatable ? .failed(why: detail) : .unclear(why: detail)
        case .offline(let detail): self = .closed(Self.offline, why: "the organisation is offline: \(detail)")
        case .disconnected(let detail):
            self = .closed(Self.disconnected, why: "the organisation is disconnected: \(detail)")
        case .refused(let status, let sentence):
            self = .refused(RefusalReading.park(["\(sentence) (status \(status))"], document: "this request"))
        }
    }
}

extension XeroOutcome {
    /// Xero answered that it failed (5xx, 408), and keeps that answer under the key: the same key would only be told
    /// the same again.
    fileprivate var isStored: Bool {
        guard case .unknown(let detail) = self else { return false }
        return detail.hasPrefix("5") || detail.hasPrefix("408")
    }
}
