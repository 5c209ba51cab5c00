import Threads

/// How long a batch of one organisation waits for company: not at all while calls are plentiful, longer the fewer are
/// left, so that a steady trickle of orders does not use up the minute's calls on small requests and then stand still.
/// A full batch never waits.
final class Pace: Sendable {
    private struct State: Sendable {
        var percentLeft: Int?
        var since = ContinuousClock.now
    }

    private let state = Locked(State())
    /// After a window the last look says nothing any more.
    private static let window = Duration.seconds(60)
    private static let idle = Duration.milliseconds(20)
    private static let lingerMax = Duration.seconds(10)

    func note(percentLeft: Int?) { state.withLock { $0 = State(percentLeft: percentLeft) } }

    func linger(usual: Duration) -> Duration {
        let state = state.withLock { $0 }
        guard let percent = state.percentLeft else { return usual }
        return Self.linger(percentLeft: .now - state.since > Self.window ? 100 : percent, usual: usual)
    }

    /// - Parameter percentLeft: of this minute's calls, 0 to 100.
    static func linger(percentLeft: Int, usual: Duration) -> Duration {
        if percentLeft >= 75 { return min(usual, idle) }
        if percentLeft >= 50 { return usual }
        return usual + lingerMax * (50 - max(percentLeft, 0)) / 50
    }
}
