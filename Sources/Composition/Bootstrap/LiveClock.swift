import Domain
import Glibc
import Messaging

enum LiveClock {
    static let clock = WorkClock(
        now: now, sleep: { try await Task.sleep(for: $0) }, randomInteger: { Int.random(in: $0) })

    @Sendable private static func now() -> Instant {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000)
    }
}
