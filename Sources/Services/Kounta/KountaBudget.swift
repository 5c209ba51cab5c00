package import Domain
package import HTTP

/// Spends one company's calls a minute where they matter: new orders first, re-scans from what is left.
///
/// The service's own headers always win over the configured figure; a 429 without `Retry-After` waits for
/// `X-Ratelimit-Reset`. One poller is active per company (a lease), so the count lives in its memory.
package actor KountaBudget {
    package enum Priority: Sendable { case newOrders, rescan }

    private let callsPerMinute: Int
    private let now: @Sendable () -> Instant
    private let sleep: @Sendable (Duration) async throws -> Void
    /// When each call of the last minute was made, oldest first.
    private var calls: [Instant] = []
    private var parkedUntil: Instant?
    package private(set) var refused = 0

    /// The share of the minute that re-scans may not touch.
    private static let reserveForNewOrders = 4
    /// A reset header beyond this is a clock that is wrong, not a wait.
    private static let waitMax = Duration.seconds(120)
    /// What a header may say at most before it is cut: the year 9999, and a day.
    private static let clockMax: Int64 = 253_402_300_799
    private static let secondsMax: Int64 = 86_400
    private static let waitWithoutHint = Duration.seconds(10)

    /// - Parameter callsPerMinute: 0 for no limit of our own.
    package init(
        callsPerMinute: Int, now: @escaping @Sendable () -> Instant,
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) {
        self.callsPerMinute = callsPerMinute
        self.now = now
        self.sleep = sleep
    }

    /// Returns when a call may be made; it is counted at once.
    package func take(_ priority: Priority) async throws {
        while let wait = wait(for: priority) { try await sleep(wait) }
        if callsPerMinute > 0 { calls.append(now()) }
    }

    private func wait(for priority: Priority) -> Duration? {
        let now = now()
        if let until = parkedUntil {
            if until > now { return until.since(now) }
            parkedUntil = nil
        }
        guard callsPerMinute > 0 else { return nil }
        let start = now.adding(seconds: -60)
        if let keep = calls.firstIndex(where: { $0 > start }) { calls.removeFirst(keep) } else { calls.removeAll() }
        let allowed =
            priority == .newOrders ? callsPerMinute : max(1, callsPerMinute - callsPerMinute / Self.reserveForNewOrders)
        guard calls.count >= allowed else { return nil }
        // The call that makes room when it leaves the window.
        return calls[calls.count - allowed].adding(seconds: 60).since(now) + .milliseconds(5)
    }

    package func correct(by headers: HTTPHeaders, status: Int) {
        let now = now()
        let reset = headers["X-Ratelimit-Reset"].flatMap { Int64($0) }
            .map { Instant(secondsSince1970: min(max($0, 0), Self.clockMax)) }
        let remaining = headers["X-Ratelimit-Remaining"].flatMap { Int($0) }
        if status == 429 {
            refused += 1
            let retryAfter = headers["Retry-After"].flatMap { Int64($0) }
                .map { now.adding(seconds: min(max($0, 0), Self.secondsMax)) }
            park(until: retryAfter ?? reset ?? now.adding(Self.waitWithoutHint), now)
        } else if remaining == 0, let reset {
            park(until: reset, now)
        }
    }

    private func park(until: Instant, _ now: Instant) {
        let bounded = min(until, now.adding(Self.waitMax))
        guard bounded > now else {
            // The reset lies in the past by our clock: clocks differ by a little.
            parkedUntil = now.adding(seconds: 1)
            return
        }
        parkedUntil = max(parkedUntil ?? bounded, bounded)
    }
}
