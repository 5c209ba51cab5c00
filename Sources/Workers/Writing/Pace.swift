import Threads

/// How long a batch of one organisation waits for company, so that a steady trickle of orders does not use up the
/// minute's calls on small requests and then stand still.
///
/// The fewer calls are left, the further apart batches begin. What comes after a quiet while has waited already and
/// goes at once; a full batch never waits.
final class Pace: Sendable {
    private struct State: Sendable {
        var percentLeft: Int?
        var notedAt: ContinuousClock.Instant?
        /// When the latest batch was taken, or its latest call made.
        var lastAt: ContinuousClock.Instant?
    }

    private let state = Locked(State())
    private let now: @Sendable () -> ContinuousClock.Instant
    /// After a window the last look says nothing any more.
    private static let window = Duration.seconds(60)
    private static let idle = Duration.milliseconds(20)
    private static let spacingMax = Duration.seconds(10)

    init(now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }) { self.now = now }

    /// A call is about to be made, with so many hundredths of the minute's calls left; nil where there is no limit.
    func noteCall(percentLeft: Int?) {
        let now = now()
        state.withLock { $0 = State(percentLeft: percentLeft, notedAt: now, lastAt: now) }
    }

    /// A batch was taken. Its calls may come later: whoever takes the next one keeps its distance all the same.
    func noteBatch() {
        let now = now()
        state.withLock { $0.lastAt = now }
    }

    /// From the arrival of a batch's first message.
    func linger(usual: Duration) -> Duration {
        let (state, now) = (state.withLock { $0 }, now())
        guard let percent = state.percentLeft, let notedAt = state.notedAt, let lastAt = state.lastAt else {
            return usual
        }
        guard now - notedAt <= Self.window else { return Self.linger(percentLeft: 100, usual: usual) }
        let short = Self.linger(percentLeft: percent, usual: usual)
        return max(short, lastAt + Self.spacing(percentLeft: percent) - now)
    }

    /// For company that is just coming, whatever came before.
    static func linger(percentLeft: Int, usual: Duration) -> Duration { percentLeft >= 75 ? min(usual, idle) : usual }

    /// Between the beginnings of two batches that are not full.
    ///
    /// - Parameter percentLeft: of this minute's calls, 0 to 100.
    static func spacing(percentLeft: Int) -> Duration {
        percentLeft >= 50 ? .zero : spacingMax * (50 - max(percentLeft, 0)) / 50
    }
}
