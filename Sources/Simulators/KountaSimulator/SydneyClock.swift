/// A date and time of day without a zone.
struct CivilTime: Equatable, Sendable {
    var year: Int64
    var month: Int
    var day: Int
    var hour: Int
    var minute: Int
    var second: Int

    init(_ year: Int64, _ month: Int, _ day: Int, _ hour: Int = 0, _ minute: Int = 0, _ second: Int = 0) {
        (self.year, self.month, self.day) = (year, month, day)
        (self.hour, self.minute, self.second) = (hour, minute, second)
    }

    /// The civil time so many seconds after 1970-01-01T00:00:00 (proleptic Gregorian calendar, years of our era).
    init(secondsSinceEpoch seconds: Int64) {
        let days = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let rest = Int(seconds - days * 86_400)
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        let day = Int(dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        self.init(year, month, day, rest / 3_600, rest % 3_600 / 60, rest % 60)
    }

    var secondsSinceEpoch: Int64 { days * 86_400 + Int64(hour * 3_600 + minute * 60 + second) }

    /// Days since 1970-01-01.
    var days: Int64 {
        let shiftedYear = year - (month <= 2 ? 1 : 0)
        let era = (shiftedYear >= 0 ? shiftedYear : shiftedYear - 399) / 400
        let yearOfEra = shiftedYear - era * 400
        let shiftedMonth = Int64(month > 2 ? month - 3 : month + 9)
        let dayOfYear = (153 * shiftedMonth + 2) / 5 + Int64(day) - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
    }

    /// Whether the calendar and the clock know this time.
    var isReal: Bool {
        (1...12).contains(month) && (1...31).contains(day) && (0...23).contains(hour) && (0...59).contains(minute)
            && (0...59).contains(second) && CivilTime(secondsSinceEpoch: secondsSinceEpoch) == self
    }
}

/// Australia/Sydney since 2008: eleven hours ahead from the first Sunday of October, 2:00 standard time, to the first
/// Sunday of April, 3:00 summer time; else ten. Written out so that the simulator needs no time zone files.
enum SydneyClock {
    static let name = "Australia/Sydney"

    /// Seconds ahead of UTC at an instant.
    static func offset(at unix: Int64) -> Int64 {
        let year = CivilTime(secondsSinceEpoch: unix + 36_000).year
        // Both changes happen at 16:00 UTC of the Saturday before.
        let summerEnds = firstSunday(of: 4, year) * 86_400 - 28_800
        let summerBegins = firstSunday(of: 10, year) * 86_400 - 28_800
        return unix >= summerEnds && unix < summerBegins ? 36_000 : 39_600
    }

    /// The instant of a local time. In the hour the clock repeats the earlier instant; in the hour it skips, the
    /// instant an hour later on the clock.
    static func instant(of local: CivilTime) -> Int64 {
        let seconds = local.secondsSinceEpoch
        let summer = seconds - 39_600
        return offset(at: summer) == 39_600 ? summer : seconds - 36_000
    }

    /// Days since 1970-01-01 of the month's first Sunday. That day was a Thursday.
    private static func firstSunday(of month: Int, _ year: Int64) -> Int64 {
        let first = CivilTime(year, month, 1).days
        return first + (10 - first % 7) % 7
    }

    /// Reads an ISO 8601 instant: `2026-11-22T09:15:00Z`, with an offset, or a bare date (midnight UTC). A space is
    /// taken for the plus sign that a query string turned into one. Fractions of a second are cut off.
    /// Nil for anything else.
    static func parse(_ text: String) -> Int64? {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            return Int(String(decoding: bytes[start..<(start + count)], as: UTF8.self))
        }
        guard let year = number(0, 4), let month = number(5, 2), let day = number(8, 2), bytes[4] == 45, bytes[7] == 45
        else { return nil }
        var local = CivilTime(Int64(year), month, day)
        guard bytes.count > 10 else { return local.isReal ? local.secondsSinceEpoch : nil }
        guard bytes.count >= 20, let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2)
        else { return nil }
        (local.hour, local.minute, local.second) = (hour, minute, second)
        guard local.isReal else { return nil }
        var cursor = 19
        if bytes[cursor] == UInt8(ascii: ".") {
            cursor += 1
            while cursor < bytes.count, (48...57).contains(bytes[cursor]) { cursor += 1 }
        }
        guard cursor < bytes.count else { return nil }
        if bytes[cursor] == UInt8(ascii: "Z") { return cursor + 1 == bytes.count ? local.secondsSinceEpoch : nil }
        let isBehind = bytes[cursor] == UInt8(ascii: "-")
        let zone = bytes[(cursor + 1)...].filter { $0 != UInt8(ascii: ":") }
        guard zone.count == 4, let value = Int64(String(decoding: zone, as: UTF8.self)), value >= 0 else { return nil }
        let ahead = (value / 100 * 60 + value % 100) * 60
        return local.secondsSinceEpoch + (isBehind ? ahead : -ahead)
    }
}
