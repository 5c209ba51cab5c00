/// Exact amounts as whole numbers: cents (1/100 of a dollar) for what is charged and paid, ten-thousandths for unit
/// prices, quantities and coefficients. The simulator keeps its own arithmetic on purpose: it is the other side of the
/// proof, so it may share none with the bridge it judges.
enum Amounts {
    /// Ten-thousandths of a plain decimal such as `-12.5`; nil for anything else, also for more than four decimals
    /// that count, exponents and values beyond 12 digits.
    static func tenThousandths(_ text: some Collection<UInt8>) -> Int64? {
        var value: Int64 = 0
        var decimals = -1
        var digits = 0
        var isNegative = false
        for (offset, byte) in text.enumerated() {
            switch byte {
            case UInt8(ascii: "-") where offset == 0: isNegative = true
            case UInt8(ascii: ".") where decimals < 0 && digits > 0: decimals = 0
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits += 1
                if decimals >= 4 {
                    if byte != UInt8(ascii: "0") { return nil }
                    continue
                }
                guard value < 100_000_000_000_000 else { return nil }
                value = value * 10 + Int64(byte - UInt8(ascii: "0"))
                if decimals >= 0 { decimals += 1 }
            default: return nil
            }
        }
        guard digits > 0, decimals != 0 else { return nil }
        for _ in max(decimals, 0)..<4 { value *= 10 }
        return isNegative ? -value : value
    }

    /// Whole cents of a plain decimal; nil where it is none or has a part of a cent.
    static func cents(_ text: some Collection<UInt8>) -> Int64? {
        guard let value = tenThousandths(text), value % 100 == 0 else { return nil }
        return value / 100
    }

    /// `numerator / denominator`, halves away from zero. The denominator is positive.
    static func rounded(_ numerator: Int64, over denominator: Int64) -> Int64 {
        let half = denominator / 2
        return numerator >= 0 ? (numerator + half) / denominator : -((-numerator + half) / denominator)
    }

    /// The GST inside a tax-inclusive amount: an eleventh.
    static func gst(inside cents: Int64) -> Int64 { rounded(cents, over: 11) }

    /// The nearest 5 cents, as an Australian till rounds a cash sale.
    static func cashRounded(_ cents: Int64) -> Int64 { rounded(cents, over: 5) * 5 }

    /// Splits `total` over `weights` so that the parts add up to it exactly: each running sum is rounded, and a part is
    /// the difference of two running sums. Weights must not add up to zero or less.
    static func allocation(of total: Int64, over weights: [Int64]) -> [Int64] {
        let sum = weights.reduce(0, +)
        if sum == total { return weights }
        precondition(sum > 0, "an allocation needs weights that add up to more than zero")
        var running: Int64 = 0
        var given: Int64 = 0
        return weights.map { weight in
            running += weight
            let upTo = rounded(running * total, over: sum)
            defer { given = upTo }
            return upTo - given
        }
    }
}
