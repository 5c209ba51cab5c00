/// How strictly calls are limited: the vendor's limits, none, or the vendor's times a factor.
///
/// The factor multiplies the three limits of an organisation: calls a minute (60), calls a day (5,000) and calls in
/// flight (5). The limit of the whole app (10,000 a minute) is never multiplied; `off` lifts it too.
package enum LimitScale: Sendable, Equatable {
    case off
    case times(Int)

    package static let real = LimitScale.times(1)

    /// `real`, `off`, or `x` and a whole number: `x20`.
    package init?(_ argument: String) {
        switch argument {
        case "real": self = .real
        case "off": self = .off
        default:
            guard argument.hasPrefix("x"), let factor = Int(argument.dropFirst()), factor >= 1 else { return nil }
            self = .times(factor)
        }
    }
}

/// Which limit refused a call; the text of `X-Rate-Limit-Problem`.
enum LimitProblem: String, Sendable {
    case minute, day, concurrent, appMinute = "appminute"
}

/// The calls of one organisation, or of the app, in time. A state machine: time comes in, no clock inside.
///
/// The vendor does not say whether its minute rolls or is that of the clock, so both must be kept. Refused calls count.
struct CallWindows: Sendable {
    /// Instants of the last 60 seconds, oldest first from `start`.
    private var instants: [Int64] = []
    private var start = 0
    private var minute: (number: Int64, calls: Int) = (0, 0)
    private(set) var day: (number: Int64, calls: Int) = (0, 0)
    /// The most calls within any 60 seconds so far.
    private(set) var mostInMinute = 0

    mutating func record(_ now: Int64) {
        forget(before: now - 60_000)
        instants.append(now)
        mostInMinute = max(mostInMinute, rolling)
        minute = minute.number == now / 60_000 ? (minute.number, minute.calls + 1) : (now / 60_000, 1)
        day = day.number == now / 86_400_000 ? (day.number, day.calls + 1) : (now / 86_400_000, 1)
    }

    private mutating func forget(before limit: Int64) {
        while start < instants.count, instants[start] <= limit { start += 1 }
        if start > 1024, start * 2 > instants.count {
            instants.removeFirst(start)
            start = 0
        }
    }

    var rolling: Int { instants.count - start }

    /// Calls of the stricter minute.
    var inMinute: Int { max(rolling, minute.calls) }

    /// Milliseconds until a call would fit under `limit` again if none came meanwhile; asked after `record`.
    func waitForMinute(_ limit: Int, now: Int64) -> Int64 {
        var wait: Int64 = 0
        if rolling >= limit { wait = instants[start + rolling - limit] + 60_000 - now }
        if minute.calls >= limit { wait = max(wait, (minute.number + 1) * 60_000 - now) }
        return max(wait, 1)
    }

    func waitForDay(now: Int64) -> Int64 { (day.number + 1) * 86_400_000 - now }
}

/// Limits of one organisation in numbers; nil means unlimited.
struct OrganisationLimits: Sendable {
    var minute: Int?
    var day: Int?
    var concurrent: Int?

    init(_ scale: LimitScale, _ settings: OrganisationSettings) {
        if case .times(let factor) = scale {
            minute = 60 * factor
            day = 5000 * factor
            concurrent = 5 * factor
        }
        minute = settings.minuteLimit ?? minute
        day = settings.dayLimit ?? day
        concurrent = settings.concurrentLimit ?? concurrent
    }
}
