package import Domain

/// Hours that come back each week, on the clock of a place: trading hours, quiet hours.
///
/// Written `22:00-07:00` (every day; past midnight where the end is not after the start), or
/// `mon-fri 07:00-16:00, sat 08:00-14:00`. A span belongs to the day on which it begins.
package struct WeeklyHours: Sendable, Hashable, CustomStringConvertible {
    private struct Span: Sendable, Hashable {
        /// 1 = Monday … 7 = Sunday.
        let weekday: Int
        /// Minutes after midnight; the end may lie on the next day.
        let start, end: Int
    }

    package let description: String
    private let spans: [Span]

    private static let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    private static let spansMax = 100

    /// - Returns: nil where the text is not of that form.
    package init?(_ text: String) {
        var spans: [Span] = []
        for part in text.lowercased().split(separator: ",", omittingEmptySubsequences: false) {
            let words = part.split(separator: " ")
            guard let hours = words.last.flatMap({ Self.hours($0) }), words.count <= 2,
                let weekdays = words.count == 2 ? Self.weekdays(words[0]) : Array(1...7)
            else { return nil }
            for weekday in weekdays { spans.append(Span(weekday: weekday, start: hours.start, end: hours.end)) }
        }
        guard !spans.isEmpty, spans.count <= Self.spansMax else { return nil }
        self.spans = spans
        description = text
    }

    /// The stretch of these hours that holds `instant`: what follows without a gap counts as one.
    package func span(at instant: Instant, in zone: TimeZoneRules) -> (begins: Instant, ends: Instant)? {
        guard var (begins, ends) = single(at: instant, zone) else { return nil }
        // A week of days without a gap has no beginning; eight steps say enough.
        for _ in 0..<8 {
            guard let next = single(at: ends, zone), next.ends > ends else { break }
            ends = next.ends
        }
        for _ in 0..<8 {
            guard let last = single(at: Instant(microseconds: begins.microseconds - 1), zone), last.begins < begins
            else { break }
            begins = last.begins
        }
        return (begins, ends)
    }

    private func single(at instant: Instant, _ zone: TimeZoneRules) -> (begins: Instant, ends: Instant)? {
        let today = zone.date(at: instant)
        var found: (begins: Instant, ends: Instant)?
        for date in [today.adding(days: -1), today] {
            for span in spans where span.weekday == date.weekday {
                let begins = zone.instant(on: date, minute: span.start)
                let ends = zone.instant(on: date, minute: span.end)
                guard begins <= instant, instant < ends else { continue }
                found = found.map { (min($0.begins, begins), max($0.ends, ends)) } ?? (begins, ends)
            }
        }
        return found
    }

    private static func hours(_ text: Substring) -> (start: Int, end: Int)? {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = minute(parts[0]), let end = minute(parts[1]), start < 1440
        else { return nil }
        return (start, end > start ? end : end + 1440)
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, parts[0].count == 2, parts[1].count == 2,
            parts.allSatisfy({ $0.allSatisfy { $0.isASCII && $0.isNumber } }), let hour = Int(parts[0]),
            let minute = Int(parts[1]), minute < 60, hour * 60 + minute <= 1440
        else { return nil }
        return hour * 60 + minute
    }

    private static func weekdays(_ text: Substring) -> [Int]? {
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { days.firstIndex(of: String($0)) }
        switch ends.count {
        case 1: return ends[0].map { [$0 + 1] }
        case 2:
            guard let first = ends[0], let last = ends[1] else { return nil }
            // fri-mon goes round the weekend.
            return (0...((last - first + 7) % 7)).map { (first + $0) % 7 + 1 }
        default: return nil
        }
    }
}

extension TimeZoneRules {
    /// The moment at which a clock there shows `minute` (after midnight, may lie on a later day). A time that the
    /// clock leaps over is taken as much later as it leaps; of one that comes twice, the later is meant.
    package func instant(on date: CalendarDate, minute: Int) -> Instant {
        let local = Instant(secondsSince1970: Int64(date.daysSince1970) * 86_400 + Int64(minute) * 60)
        let offsets = [local.adding(seconds: -86_400), local.adding(seconds: 86_400)].map { Int64(offset(at: $0)) }
        let candidates = Set(offsets).map { local.adding(seconds: -$0) }
        let exact = candidates.filter { $0.adding(seconds: Int64(offset(at: $0))) == local }
        return exact.max() ?? candidates.max() ?? local
    }
}
