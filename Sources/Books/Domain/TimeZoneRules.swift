/// A place's offsets from UTC through time, read from a compiled zoneinfo file (RFC 8536). Pure: whoever makes one
/// brings the file's bytes.
///
/// A trading day is a day at the venue, so the books need the offset at a past or coming moment, daylight saving
/// included, without a library that carries 30 MB of tables into every worker.
package struct TimeZoneRules: Sendable {
    private var transitions: [(at: Int64, offset: Int)] = []
    private var firstOffset = 0
    private var tail: PosixTimeZone?

    package static let utc = TimeZoneRules()
    private init() {}

    /// - Parameter zoneinfo: the bytes of e.g. `/usr/share/zoneinfo/Australia/Sydney`, version 2 or later.
    /// - Returns: nil where the bytes are no such file.
    package init?(zoneinfo bytes: [UInt8]) {
        guard let first = Header(bytes, at: 0), first.version >= UInt8(ascii: "2") else { return nil }
        let secondStart = 44 + first.dataSize(timeSize: 4)
        guard let header = Header(bytes, at: secondStart) else { return nil }
        let times = secondStart + 44
        let kinds = times + header.timeCount * 8
        let types = kinds + header.timeCount
        let footer = secondStart + 44 + header.dataSize(timeSize: 8)
        guard header.typeCount > 0, footer <= bytes.count else { return nil }

        func offset(ofType index: Int) -> Int {
            Int(Int32(truncatingIfNeeded: Header.bigEndian(bytes, types + index * 6, 4)))
        }
        firstOffset = offset(ofType: 0)
        for index in 0..<header.timeCount {
            let type = Int(bytes[kinds + index])
            guard type < header.typeCount else { return nil }
            transitions.append((Header.bigEndian(bytes, times + index * 8, 8), offset(ofType: type)))
        }
        let text = String(decoding: bytes[footer...].filter { $0 != 0x0A }, as: UTF8.self)
        tail = text.isEmpty ? nil : PosixTimeZone(text)
        if !text.isEmpty && tail == nil { return nil }
    }

    /// Seconds east of UTC at a moment.
    package func offset(at instant: Instant) -> Int {
        let seconds = instant.secondsSince1970
        guard let last = transitions.last else { return tail?.offset(at: seconds) ?? firstOffset }
        if seconds >= last.at, let tail { return tail.offset(at: seconds) }
        var (low, high) = (0, transitions.count)
        while low < high {
            let middle = (low + high) / 2
            if transitions[middle].at <= seconds { low = middle + 1 } else { high = middle }
        }
        return low == 0 ? firstOffset : transitions[low - 1].offset
    }

    /// The calendar day at this place.
    package func date(at instant: Instant) -> CalendarDate {
        let local = instant.secondsSince1970 + Int64(offset(at: instant))
        return CalendarDate(daysSince1970: Int((local >= 0 ? local : local - 86_399) / 86_400))
    }

    private struct Header {
        let version: UInt8
        let utcCount, standardCount, leapCount, timeCount, typeCount, characterCount: Int

        init?(_ bytes: [UInt8], at start: Int) {
            guard start + 44 <= bytes.count, bytes[start..<(start + 4)].elementsEqual("TZif".utf8) else { return nil }
            version = bytes[start + 4]
            let counts = (0..<6).map { Int(Self.bigEndian(bytes, start + 20 + $0 * 4, 4)) }
            guard counts.allSatisfy({ (0...100_000).contains($0) }) else { return nil }
            (utcCount, standardCount, leapCount) = (counts[0], counts[1], counts[2])
            (timeCount, typeCount, characterCount) = (counts[3], counts[4], counts[5])
        }

        func dataSize(timeSize: Int) -> Int {
            timeCount * (timeSize + 1) + typeCount * 6 + characterCount + leapCount * (timeSize + 4) + standardCount
                + utcCount
        }

        static func bigEndian(_ bytes: [UInt8], _ start: Int, _ count: Int) -> Int64 {
            Int64(bitPattern: bytes[start..<(start + count)].reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
        }
    }
}

/// The rule after a zoneinfo file's last transition, e.g. `AEST-10AEDT,M10.1.0,M4.1.0/3`.
private struct PosixTimeZone: Sendable {
    private struct Change {
        let month, week, weekday, second: Int

        /// Seconds since 1970 of the change, on the clock of the place (not of UTC).
        func localSeconds(in year: Int) -> Int64 {
            let first = CalendarDate(year: year, month: month, day: 1)
            let firstWeekday = first.weekday % 7
            var day = 1 + (weekday - firstWeekday + 7) % 7 + (week - 1) * 7
            let next = CalendarDate(year: month == 12 ? year + 1 : year, month: month % 12 + 1, day: 1)
            while day > next.daysSince1970 - first.daysSince1970 { day -= 7 }
            return Int64(first.daysSince1970 + day - 1) * 86_400 + Int64(second)
        }
    }

    private let standard: Int
    private var summer: (offset: Int, start: Change, end: Change)?

    init?(_ text: String) {
        var rest = Substring(text)
        guard Self.skipName(&rest), let standard = Self.time(&rest) else { return nil }
        self.standard = -standard
        guard !rest.isEmpty else { return }
        guard Self.skipName(&rest) else { return nil }
        var offset = -standard + 3600
        if rest.first != "," {
            guard let given = Self.time(&rest) else { return nil }
            offset = -given
        }
        guard let start = Self.change(&rest), let end = Self.change(&rest), rest.isEmpty else { return nil }
        summer = (offset, start, end)
    }

    func offset(at seconds: Int64) -> Int {
        guard let summer else { return standard }
        let local = seconds + Int64(standard)
        let days = Int((local >= 0 ? local : local - 86_399) / 86_400)
        let year = CalendarDate(daysSince1970: days).year
        let start = summer.start.localSeconds(in: year) - Int64(standard)
        let end = summer.end.localSeconds(in: year) - Int64(summer.offset)
        // South of the equator summer spans the turn of the year: it ends before it starts.
        let isSummer = start < end ? (start..<end).contains(seconds) : !(end..<start).contains(seconds)
        return isSummer ? summer.offset : standard
    }

    private static func skipName(_ text: inout Substring) -> Bool {
        if text.first == "<" {
            guard let end = text.firstIndex(of: ">") else { return false }
            text = text[text.index(after: end)...]
            return true
        }
        let name = text.prefix { $0.isLetter }
        text = text.dropFirst(name.count)
        return name.count >= 3
    }

    /// `[+-]hh[:mm[:ss]]` in seconds.
    private static func time(_ text: inout Substring) -> Int? {
        var sign = 1
        if text.first == "-" || text.first == "+" { sign = text.removeFirst() == "-" ? -1 : 1 }
        let token = text.prefix { $0.isNumber || $0 == ":" }
        text = text.dropFirst(token.count)
        let parts = token.split(separator: ":").map { Int($0) }
        guard !parts.isEmpty, parts.count <= 3, !parts.contains(nil) else { return nil }
        return sign * zip(parts, [3600, 60, 1]).reduce(0) { $0 + ($1.0 ?? 0) * $1.1 }
    }

    /// `,Mm.w.d[/time]`; the other two forms of the standard are in no current zone.
    private static func change(_ text: inout Substring) -> Change? {
        guard text.hasPrefix(",M") else { return nil }
        text = text.dropFirst(2)
        let token = text.prefix { $0.isNumber || $0 == "." }
        text = text.dropFirst(token.count)
        let parts = token.split(separator: ".").compactMap { Int($0) }
        guard parts.count == 3, (1...12).contains(parts[0]), (1...5).contains(parts[1]), (0...6).contains(parts[2])
        else { return nil }
        var second = 7200
        if text.first == "/" {
            text = text.dropFirst()
            guard let given = time(&text) else { return nil }
            second = given
        }
        return Change(month: parts[0], week: parts[1], weekday: parts[2], second: second)
    }
}
