/// Reads big-endian numbers one after the other; nil when the bytes end too soon.
struct ByteReader {
    private let bytes: ArraySlice<UInt8>
    private var next: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        next = bytes.startIndex
    }

    mutating func next<Number: FixedWidthInteger>(_ type: Number.Type) -> Number? {
        let size = Number.bitWidth / 8
        guard bytes.endIndex - next >= size else { return nil }
        var value: Number = 0
        for index in next..<next + size { value = value << 8 | Number(truncatingIfNeeded: bytes[index]) }
        next += size
        return value
    }

    mutating func take(_ count: Int) -> ArraySlice<UInt8>? {
        guard count >= 0, bytes.endIndex - next >= count else { return nil }
        defer { next += count }
        return bytes[next..<next + count]
    }
}

/// Dates of the proleptic Gregorian calendar as PostgreSQL counts them: days from 2000-01-01.
enum CalendarDate {
    static let microsecondsFrom1970To2000: Int64 = 946_684_800_000_000
    private static let daysFrom1970To2000 = 10_957

    /// Strictly `YYYY-MM-DD`; nil for a day that does not exist.
    static func daysSince2000(_ text: String) -> Int32? {
        let bytes = Array(text.utf8)
        guard bytes.count == 10, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-") else { return nil }
        func number(_ range: Range<Int>) -> Int? {
            var value = 0
            for byte in bytes[range] {
                guard byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
                value = value * 10 + Int(byte - UInt8(ascii: "0"))
            }
            return value
        }
        guard let year = number(0..<4), let month = number(5..<7), let day = number(8..<10), year >= 1,
            (1...12).contains(month), (1...31).contains(day)
        else { return nil }
        let days = daysSince1970(year, month, day) - daysFrom1970To2000
        // 31 February counts into March: the way back shows it.
        guard let same = self.text(daysSince2000: Int32(days)), same == text else { return nil }
        return Int32(days)
    }

    /// nil outside the years 0001 to 9999 (and for PostgreSQL's infinities).
    static func text(daysSince2000: Int32) -> String? {
        // Years counted from March, so that the leap day is the last of its year; eras of 400 years.
        let shifted = Int(daysSince2000) + daysFrom1970To2000 + 719_468
        guard shifted > 0 else { return nil }
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * shiftedMonth + 2) / 5 + 1
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        guard (1...9999).contains(year) else { return nil }
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: width - digits.count) + digits
        }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    }

    private static func daysSince1970(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let shiftedYear = month <= 2 ? year - 1 : year
        let era = shiftedYear / 400
        let yearOfEra = shiftedYear % 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }
}

/// UUIDs as 16 bytes.
enum UUIDText {
    private static let hyphens: Set<Int> = [8, 13, 18, 23]

    /// Accepts the 36 characters of `8-4-4-4-12`, in either case. Appends nothing when it returns false.
    static func encode(_ text: String, into bytes: inout [UInt8]) -> Bool {
        let characters = Array(text.utf8)
        guard characters.count == 36 else { return false }
        var value: [UInt8] = []
        var high: UInt8?
        for (index, character) in characters.enumerated() {
            if hyphens.contains(index) {
                guard character == UInt8(ascii: "-") else { return false }
                continue
            }
            guard let digit = Character(UnicodeScalar(character)).hexDigitValue.map(UInt8.init) else { return false }
            if let first = high {
                value.append(first << 4 | digit)
                high = nil
            } else {
                high = digit
            }
        }
        bytes.append(contentsOf: value)
        return true
    }

    /// Lower case, as PostgreSQL prints it.
    static func decode(_ bytes: ArraySlice<UInt8>) -> String? {
        guard bytes.count == 16 else { return nil }
        let digits = Array("0123456789abcdef".utf8)
        var text: [UInt8] = []
        for byte in bytes {
            if hyphens.contains(text.count) { text.append(UInt8(ascii: "-")) }
            text.append(digits[Int(byte >> 4)])
            text.append(digits[Int(byte & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }
}
