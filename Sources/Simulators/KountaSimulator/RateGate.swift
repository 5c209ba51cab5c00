/// Counts calls per company and client in windows of a minute, as the service does, and refuses what is too many.
struct RateGate: Sendable {
    struct Verdict: Sendable {
        let limit: Int
        let remaining: Int
        /// Unix seconds at which the window ends.
        let reset: Int64
        let isRefused: Bool
    }

    private struct Window {
        var endsAt: Int64
        var calls: Int
    }

    private let factor: Int?
    private var windows: [String: Window] = [:]

    init(limits: KountaSettings.Limits) {
        switch limits {
        case .off: factor = nil
        case .times(let factor): self.factor = factor
        }
    }

    /// Nil where no limits apply. A refused call does not count.
    mutating func admit(_ key: String, isBasic: Bool, now: Int64) -> Verdict? {
        guard let factor else { return nil }
        let limit = (isBasic ? 60 : 180) * factor
        var window = windows[key] ?? Window(endsAt: now + 60, calls: 0)
        if now >= window.endsAt { window = Window(endsAt: now + 60, calls: 0) }
        let isRefused = window.calls >= limit
        if !isRefused { window.calls += 1 }
        windows[key] = window
        return Verdict(limit: limit, remaining: limit - window.calls, reset: window.endsAt, isRefused: isRefused)
    }
}

/// What was asked of the simulator, for tests that bound it.
struct CallCounters: Sendable {
    private(set) var calls: [String: Int] = [:]
    private(set) var refused = 0
    private(set) var unauthorised = 0
    private(set) var faults = 0
    private(set) var mostInAMinute = 0
    private(set) var mostInFlight = 0
    /// Calls of the last minute in tenths of a second, oldest first, and their sum.
    private var tenths: [(tenth: Int64, calls: Int)] = []
    private var head = 0
    private var inWindow = 0

    /// - Parameter now: Unix milliseconds.
    mutating func note(_ endpoint: String, now: Int64) {
        calls[endpoint, default: 0] += 1
        let tenth = now / 100
        if let last = tenths.last, last.tenth == tenth {
            tenths[tenths.count - 1].calls += 1
        } else {
            tenths.append((tenth, 1))
        }
        inWindow += 1
        while tenths[head].tenth <= tenth - 600 {
            inWindow -= tenths[head].calls
            head += 1
        }
        if head > 4_096 {
            tenths.removeFirst(head)
            head = 0
        }
        mostInAMinute = max(mostInAMinute, inWindow)
    }

    mutating func note(inFlight: Int) { mostInFlight = max(mostInFlight, inFlight) }
    mutating func noteRefused() { refused += 1 }
    mutating func noteUnauthorised() { unauthorised += 1 }
    mutating func noteFault() { faults += 1 }
}
