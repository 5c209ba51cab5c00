import JSON

/// Writes the JSON of an order fast: fixed parts are copied as they are, amounts printed from whole numbers. The
/// caller places the commas.
struct TillPrinter {
    private(set) var bytes: [UInt8] = []
    /// Writes amounts as strings (`"3.0"`), as some records of the service have them.
    var quotesAmounts = false

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func fixed(_ text: StaticString) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    mutating func integer(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        var rest = value.magnitude
        if rest < 10 {
            bytes.append(UInt8(ascii: "0") + UInt8(rest))
            return
        }
        var digits: InlineArray<20, UInt8> = .init(repeating: 0)
        var count = 0
        while rest > 0 {
            digits[count] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            count += 1
        }
        while count > 0 {
            count -= 1
            bytes.append(digits[count])
        }
    }

    /// An amount in cents, without needless zeros: 1250 is `12.5`.
    mutating func cents(_ value: Int64) { decimal(value * 100) }

    /// A number in ten-thousandths, without needless zeros: 13636 is `1.3636`.
    mutating func decimal(_ tenThousandths: Int64) {
        if quotesAmounts { bytes.append(UInt8(ascii: "\"")) }
        if tenThousandths < 0 { bytes.append(UInt8(ascii: "-")) }
        let magnitude = tenThousandths.magnitude
        integer(Int64(magnitude / 10_000))
        var fraction = magnitude % 10_000
        if fraction > 0 || quotesAmounts { bytes.append(UInt8(ascii: ".")) }
        if fraction == 0 && quotesAmounts { bytes.append(UInt8(ascii: "0")) }
        var place: UInt64 = 1_000
        while fraction > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(fraction / place))
            fraction %= place
            place /= 10
        }
        if quotesAmounts { bytes.append(UInt8(ascii: "\"")) }
    }

    /// An amount with exactly two decimals: 1250 is `12.50`.
    mutating func exactCents(_ value: Int64) {
        if value < 0 { bytes.append(UInt8(ascii: "-")) }
        let magnitude = value.magnitude
        integer(Int64(magnitude / 100))
        bytes.append(UInt8(ascii: "."))
        twoDigits(Int(magnitude % 100))
    }

    mutating func string(_ value: String) {
        bytes.append(UInt8(ascii: "\""))
        var value = value
        value.withUTF8 { utf8 in
            if utf8.allSatisfy({ $0 >= 0x20 && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\") }) {
                bytes.append(contentsOf: utf8)
            } else {
                var writer = JSONWriter()
                writer.string(String(decoding: utf8, as: UTF8.self))
                bytes.append(contentsOf: writer.bytes.dropFirst().dropLast())
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// A time in quotes, Sydney's clock with its offset: `"2026-11-22T20:15:00+11:00"`.
    mutating func time(_ unix: Int64) {
        bytes.append(UInt8(ascii: "\""))
        let offset = SydneyClock.offset(at: unix)
        let local = CivilTime(secondsSinceEpoch: unix + offset)
        integer(local.year)
        bytes.append(UInt8(ascii: "-"))
        twoDigits(local.month)
        bytes.append(UInt8(ascii: "-"))
        twoDigits(local.day)
        bytes.append(UInt8(ascii: "T"))
        twoDigits(local.hour)
        bytes.append(UInt8(ascii: ":"))
        twoDigits(local.minute)
        bytes.append(UInt8(ascii: ":"))
        twoDigits(local.second)
        fixed(offset == 36_000 ? "+10:00\"" : "+11:00\"")
    }

    private mutating func twoDigits(_ value: Int) {
        bytes.append(UInt8(ascii: "0") + UInt8(value / 10))
        bytes.append(UInt8(ascii: "0") + UInt8(value % 10))
    }
}
