/// A moment, in whole microseconds since 1 January 1970 UTC: the resolution of PostgreSQL's `timestamptz`.
package struct Instant: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let microseconds: Int64

    package init(microseconds: Int64) { self.microseconds = microseconds }
    package init(secondsSince1970 seconds: Int64) { microseconds = seconds * 1_000_000 }

    package var secondsSince1970: Int64 {
        microseconds >= 0 ? microseconds / 1_000_000 : (microseconds - 999_999) / 1_000_000
    }

    /// Reads ISO 8601 as both services send it: `2013-05-29T11:14:06+10:00`, `…Z`, fractions of a second, offsets
    /// without a colon. A time without any offset is refused: nobody could say which day it belongs to.
    package init?(iso8601 text: String) {
        let bytes = Array(text.utf8)
        func number(_ start: Int, _ count: Int) -> Int? {
            guard start + count <= bytes.count else { return nil }
            var value = 0
            for byte in bytes[start..<(start + count)] {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T") || bytes[10] == UInt8(ascii: " "), bytes[13] == UInt8(ascii: ":"),
            bytes[16] == UInt8(ascii: ":"), let year = number(0, 4), let month = number(5, 2), let day = number(8, 2),
            let hour = number(11, 2), let minute = number(14, 2), let second = number(17, 2), hour < 24, minute < 60,
            second <= 60, (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let date = CalendarDate(year: year, month: month, day: day)
        guard CalendarDate(daysSince1970: date.daysSince1970) == date else { return nil }

        var cursor = 19
        var fraction: Int64 = 0
        if bytes[cursor] == UInt8(ascii: ".") {
            cursor += 1
            var unit: Int64 = 100_000
            while cursor < bytes.count, let digit = number(cursor, 1) {
                fraction += Int64(digit) * unit
                unit /= 10
                cursor += 1
            }
        }
        guard let offset = Self.offset(bytes, cursor, number) else { return nil }
        let seconds = Int64(date.daysSince1970) * 86_400 + Int64(hour * 3600 + minute * 60 + second - offset)
        microseconds = seconds * 1_000_000 + fraction
    }

    /// Seconds east of UTC, from what stands at `cursor` to the end.
    private static func offset(_ bytes: [UInt8], _ cursor: Int, _ number: (Int, Int) -> Int?) -> Int? {
        guard cursor < bytes.count else { return nil }
        if bytes[cursor] == UInt8(ascii: "Z") || bytes[cursor] == UInt8(ascii: "z") {
            return cursor + 1 == bytes.count ? 0 : nil
        }
        guard bytes[cursor] == UInt8(ascii: "+") || bytes[cursor] == UInt8(ascii: "-"),
            let hours = number(cursor + 1, 2)
        else { return nil }
        let hasColon = cursor + 3 < bytes.count && bytes[cursor + 3] == UInt8(ascii: ":")
        let minuteStart = cursor + (hasColon ? 4 : 3)
        guard let minutes = number(minuteStart, 2), minuteStart + 2 == bytes.count, hours <= 18, minutes < 60 else {
            return nil
        }
        return (hours * 3600 + minutes * 60) * (bytes[cursor] == UInt8(ascii: "-") ? -1 : 1)
    }

    package func adding(seconds: Int64) -> Instant { Instant(microseconds: microseconds + seconds * 1_000_000) }

    package func adding(_ duration: Duration) -> Instant {
        let (seconds, attoseconds) = duration.components
        return Instant(microseconds: microseconds + seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    }

    /// How long from `earlier` to this moment; negative where it is later.
    package func since(_ earlier: Instant) -> Duration { .microseconds(microseconds - earlier.microseconds) }

    package static func < (a: Instant, b: Instant) -> Bool { a.microseconds < b.microseconds }

    /// `2026-11-22T10:00:00Z`, whole seconds: the form Kounta's filters take.
    package var description: String {
        let seconds = secondsSince1970
        let days = Int((seconds >= 0 ? seconds : seconds - 86_399) / 86_400)
        let rest = Int(seconds) - days * 86_400
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : String(value) }
        return "\(CalendarDate(daysSince1970: days))T\(two(rest / 3600)):\(two(rest / 60 % 60)):\(two(rest % 60))Z"
    }
}
