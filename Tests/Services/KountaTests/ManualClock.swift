import Domain
import Foundation

/// A clock that stands still until somebody sleeps by it; notes how long each sleep was.
final class ManualClock: @unchecked Sendable {
    // Unchecked: both values are touched only under `lock`.
    private let lock = NSLock()
    private var time = Instant(secondsSince1970: 1_790_000_000)
    private var slept: [Duration] = []

    var now: Instant { lock.withLock { time } }
    var sleeps: [Duration] { lock.withLock { slept } }

    func advance(_ duration: Duration) { lock.withLock { time = time.adding(duration) } }

    func sleep(_ duration: Duration) {
        lock.withLock {
            slept.append(duration)
            time = time.adding(duration)
        }
    }
}
