/// A date of the calendar, without a time zone: days since 1970-01-01.
struct Day: Hashable, Comparable, Sendable {
    let number: Int

    init(number: Int) { self.number = number }

    init(millisecond: Int64) { number = Int((millisecond - (millisecond < 0 ? 86_399_999 : 0)) / 86_400_000) }

    init?(year: Int, month: Int, day: Int) {
        guard (1...9999).contains(year), (1...12).contains(month), day >= 1 else { return nil }
        // Days from the civil calendar (Hinnant): years begin in March, eras of 400 years.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        number = era * 146_097 + dayOfEra - 719_468
        let parts = civil
        guard parts.year == year, parts.month == month, parts.day == day else { return nil }
    }

    /// `2026-09-14`, also with a time behind it, or `/Date(1789344000000+0000)/`.
    init?(text: String) {
        if text.hasPrefix("/Date(") {
            let digits = text.dropFirst(6).prefix { $0.isNumber || $0 == "-" }
            guard let millisecond = Int64(digits) else { return nil }
            self.init(millisecond: millisecond)
            return
        }
        let parts = text.prefix(10).split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].count == 4, text.utf8.count == 10 || text.dropFirst(10).hasPrefix("T"),
            let year = Int(parts[0]), let month = Int(parts[1]), let day = Int(parts[2])
        else { return nil }
        self.init(year: year, month: month, day: day)
    }

    var civil: (year: Int, month: Int, day: Int) {
        let shifted = number + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthIndex = (5 * dayOfYear + 2) / 153
        let month = monthIndex < 10 ? monthIndex + 3 : monthIndex - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * monthIndex + 2) / 5 + 1)
    }

    /// `2026-09-14`.
    var text: String {
        let parts = civil
        return "\(padded(parts.year, 4))-\(padded(parts.month))-\(padded(parts.day))"
    }

    /// `/Date(1789344000000+0000)/`.
    var wire: String { Moment.wire(Int64(number) * 86_400_000) }

    static func < (left: Day, right: Day) -> Bool { left.number < right.number }
}

/// Instants are milliseconds since 1970 in UTC.
enum Moment {
    static func wire(_ millisecond: Int64) -> String { "/Date(\(millisecond)+0000)/" }

    /// `2026-09-14T09:29:59`.
    static func text(_ millisecond: Int64) -> String {
        let day = Day(millisecond: millisecond)
        let second = Int(millisecond - Int64(day.number) * 86_400_000) / 1000
        return "\(day.text)T\(padded(second / 3600)):\(padded(second / 60 % 60)):\(padded(second % 60))"
    }

    /// `2026-09-14T09:29:59` (UTC) or the HTTP form `Mon, 14 Sep 2026 09:29:59 GMT`, as `If-Modified-Since` takes both.
    static func parse(_ text: String) -> Int64? {
        if let comma = text.firstIndex(of: ",") {
            let parts = text[text.index(after: comma)...].split(separator: " ")
            let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            guard parts.count >= 4, let month = months.firstIndex(of: String(parts[1])), let date = Int(parts[0]),
                let year = Int(parts[2]), let day = Day(year: year, month: month + 1, day: date)
            else { return nil }
            return time(parts[3]).map { Int64(day.number) * 86_400_000 + $0 }
        }
        guard let day = Day(text: text) else { return nil }
        guard text.utf8.count > 11 else { return Int64(day.number) * 86_400_000 }
        return time(text.dropFirst(11)).map { Int64(day.number) * 86_400_000 + $0 }
    }

    private static func time(_ text: Substring) -> Int64? {
        let parts = text.prefix { $0.isNumber || $0 == ":" }.split(separator: ":").map { Int64($0) }
        guard parts.count >= 2, let hour = parts[0], let minute = parts[1] else { return nil }
        return ((hour * 60 + minute) * 60 + (parts.count > 2 ? parts[2] ?? 0 : 0)) * 1000
    }
}

private func padded(_ value: Int, _ width: Int = 2) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
}
