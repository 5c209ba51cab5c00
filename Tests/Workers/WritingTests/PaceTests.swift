import Testing
import Threads

@testable import Writing

struct PaceTests {
    private static let usual = Duration.milliseconds(200)
    private let time = ManualTime()
    private var pace: Pace { Pace(now: { [time] in time.now }) }

    @Test("batches are the further apart the fewer calls are left, and not at all while half of them are")
    func spacing() {
        #expect([100, 75, 50].map { Pace.spacing(percentLeft: $0) } == [.zero, .zero, .zero])
        #expect([49, 25, 0, -40].map { Pace.spacing(percentLeft: $0) } == [0.2, 5, 10, 10].map { Duration.seconds($0) })
        #expect(Pace.linger(percentLeft: 75, usual: Self.usual) == .milliseconds(20))
        #expect(Pace.linger(percentLeft: 74, usual: Self.usual) == Self.usual)
        #expect(Pace.linger(percentLeft: 100, usual: .zero) == .zero)
    }

    @Test("a lone order after a quiet while goes at once, however few calls are left", arguments: [49, 25, 1, 0, -40])
    func alone(percent: Int) {
        let pace = pace
        pace.noteBatch()
        pace.noteCall(percentLeft: percent)
        time.pass(Pace.spacing(percentLeft: percent))
        #expect(pace.linger(usual: Self.usual) == Self.usual)
    }

    @Test("what comes sooner waits for the rest of the distance only, counted from the batch before")
    func rest() {
        let pace = pace
        pace.noteCall(percentLeft: 25)
        time.pass(.seconds(2))
        #expect(pace.linger(usual: Self.usual) == .seconds(3))
        time.pass(.milliseconds(2_900))
        #expect(pace.linger(usual: Self.usual) == Self.usual)
        // One that was taken counts before its first call is made.
        pace.noteBatch()
        #expect(pace.linger(usual: Self.usual) == .seconds(5))
    }

    @Test("without limits there is nothing to save; what was seen before the last minute says nothing")
    func nothingKnown() {
        let pace = pace
        #expect(pace.linger(usual: Self.usual) == Self.usual)
        pace.noteBatch()
        #expect(pace.linger(usual: Self.usual) == Self.usual)
        pace.noteCall(percentLeft: nil)
        #expect(pace.linger(usual: Self.usual) == Self.usual)
        pace.noteCall(percentLeft: 0)
        time.pass(.milliseconds(60_001))
        #expect(pace.linger(usual: Self.usual) == .milliseconds(20))
    }

    /// Each batch makes two calls; sixty a minute are allowed. A burst at the start takes half of them; from there on
    /// a batch's are left at every moment.
    @Test("a steady trickle leaves calls of each minute over, and nobody waits longer than the greatest distance",
        arguments: [400, 1_000, 1_700, 3_000, 12_000])
    func trickle(everyMilliseconds: Int) throws {
        let pace = pace
        let start = time.now
        var calls: [ContinuousClock.Instant] = []
        var orders = (0..<(600_000 / everyMilliseconds)).map { start + .milliseconds($0 * everyMilliseconds) }[...]
        while let first = orders.first {
            time.pass(to: first)
            let linger = pace.linger(usual: Self.usual)
            #expect(linger <= .seconds(10))
            time.pass(linger)
            orders = orders.drop { $0 <= time.now }
            pace.noteBatch()
            for _ in 0..<2 {
                let inWindow = calls.count { time.now - $0 < .seconds(60) }
                try #require(inWindow < 58, "after \(time.now - start)")
                pace.noteCall(percentLeft: 100 * (60 - inWindow) / 60)
                calls.append(time.now)
                time.pass(.milliseconds(100))
            }
        }
        // The distance grows no further than it must: what may be sent is sent.
        let perMinute = calls.count / 10
        #expect(everyMilliseconds > 3_000 || perMinute >= 30, "\(perMinute) calls a minute")
    }
}

/// An instant that moves when it is told to.
private final class ManualTime: Sendable {
    private let instant = Locked(ContinuousClock.now)
    var now: ContinuousClock.Instant { instant.withLock { $0 } }
    func pass(_ duration: Duration) { instant.withLock { $0 += duration } }
    func pass(to later: ContinuousClock.Instant) { instant.withLock { $0 = max($0, later) } }
}
