package import Domain

/// A venue's trading days: each begins where the venue's clock first shows its cut-off and ends where the next one
/// begins. So a day has 23 or 25 hours when the clocks change, and no moment belongs to two days or to none.
package struct TradingCalendar: Sendable {
    private let zone: TimeZoneRules
    /// Seconds after midnight on the venue's clock.
    private let cutOff: Int64

    /// - Parameter cutOffMinutes: minutes after midnight; 240 = 04:00.
    package init(zone: TimeZoneRules, cutOffMinutes: Int) {
        precondition((0..<1440).contains(cutOffMinutes), "a cut-off of \(cutOffMinutes) minutes is no time of day")
        self.zone = zone
        cutOff = Int64(cutOffMinutes) * 60
    }

    /// The trading day a moment belongs to.
    package func day(at moment: Instant) -> CalendarDate {
        let offset = Int64(zone.offset(at: moment))
        let local = moment.secondsSince1970 + offset - cutOff
        let days = Int((local >= 0 ? local : local - 86_399) / 86_400)
        let day = CalendarDate(daysSince1970: days)
        // Only shortly before the cut-off can the clock have shown it once already, and been put back.
        guard local - Int64(days) * 86_400 > 86_400 - 10_800 else { return day }
        let next = day.adding(days: 1)
        return moment < start(of: next) ? day : next
    }

    /// The moment a trading day begins: the first at which the clock shows the cut-off or, where the clocks jump over
    /// it, the moment of the jump.
    package func start(of day: CalendarDate) -> Instant {
        let wall = Int64(day.daysSince1970) * 86_400 + cutOff
        let before = Int64(zone.offset(at: Instant(secondsSince1970: wall - 86_400 * 2)))
        let after = Int64(zone.offset(at: Instant(secondsSince1970: wall + 86_400 * 2)))
        var first: Int64?
        for offset in [before, after] {
            let moment = wall - offset
            guard Int64(zone.offset(at: Instant(secondsSince1970: moment))) == offset else { continue }
            first = Swift.min(first ?? moment, moment)
        }
        return Instant(secondsSince1970: first ?? jump(from: wall - max(before, after), to: wall - min(before, after)))
    }

    /// The moment at which the trading day of a moment ends.
    package func end(ofDayAt moment: Instant) -> Instant { start(of: day(at: moment).adding(days: 1)) }

    /// The moment between `low` and `high` at which the clocks change.
    private func jump(from low: Int64, to high: Int64) -> Int64 {
        var (low, high) = (low, high)
        let offset = zone.offset(at: Instant(secondsSince1970: low))
        while low + 1 < high {
            let middle = low + (high - low) / 2
            if zone.offset(at: Instant(secondsSince1970: middle)) == offset { low = middle } else { high = middle }
        }
        return high
    }
}
