/// A decimal number held exactly: `coefficient × 10^-scale`.
///
/// Prices, quantities, rates and variations are read from the wire's own digits into this type and are never binary
/// fractions. Addition and subtraction are exact; products keep twelve decimals, ten orders of magnitude below the
/// cent. Bounds: numbers of at most 15 digits before the point and 16 after it are read, so that no sum of
/// what was read can overflow the 128-bit coefficient.
package struct ExactDecimal: Sendable {
    package let coefficient: Int128
    package let scale: Int

    package static let zero = ExactDecimal(coefficient: 0, scale: 0)
    package static let one = ExactDecimal(coefficient: 1, scale: 0)

    package init(coefficient: Int128, scale: Int) {
        precondition((0...36).contains(scale), "a scale of \(scale) is outside 0...36")
        self.coefficient = coefficient
        self.scale = scale
    }

    private static let integerDigitsMax = 15
    private static let scaleMax = 16
    private static let productScale = 12

    package init(_ whole: Int) { self.init(coefficient: Int128(whole), scale: 0) }

    /// Reads `-12.30`, also `1.5e2`; nil for anything that is no plain number or is outside the bounds.
    package init?(_ text: String) {
        var text = text
        guard let read = text.withUTF8({ Self(utf8: $0) }) else { return nil }
        self = read
    }

    private init?(utf8: UnsafeBufferPointer<UInt8>) {
        var digits: Int128 = 0
        var count = 0
        var scale = 0
        var isNegative = false
        var seenPoint = false
        var bytes = utf8.makeIterator()
        var exponent = 0
        var next = bytes.next()
        if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") {
            isNegative = next == UInt8(ascii: "-")
            next = bytes.next()
        }
        scan: while let byte = next {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                digits = digits * 10 + Int128(byte - UInt8(ascii: "0"))
                count += 1
                if seenPoint { scale += 1 }
                guard count <= Self.integerDigitsMax + Self.scaleMax else { return nil }
            case UInt8(ascii: ".") where !seenPoint && count > 0: seenPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard count > 0, let power = Self.exponent(&bytes) else { return nil }
                exponent = power
                break scan
            default: return nil
            }
            next = bytes.next()
        }
        guard count > 0, !(seenPoint && scale == 0) else { return nil }
        scale -= exponent
        while scale < 0 {
            digits *= 10
            scale += 1
            guard digits < Self.powersOfTen[Self.integerDigitsMax] else { return nil }
        }
        guard scale <= Self.scaleMax, digits < Self.powersOfTen[Self.integerDigitsMax + scale] else { return nil }
        self.init(coefficient: isNegative ? -digits : digits, scale: scale)
    }

    private static func exponent(_ bytes: inout UnsafeBufferPointer<UInt8>.Iterator) -> Int? {
        var text: [UInt8] = []
        while let byte = bytes.next() {
            guard text.count < 3 else { return nil }
            text.append(byte)
        }
        return Int(String(decoding: text, as: UTF8.self))
    }

    package var isZero: Bool { coefficient == 0 }
    package var isNegative: Bool { coefficient < 0 }
    package var magnitude: ExactDecimal { isNegative ? -self : self }

    package static let powersOfTen: [Int128] = (0...37).reduce(into: []) { powers, _ in
        powers.append((powers.last ?? 0) == 0 ? 1 : powers[powers.count - 1] * 10)
    }

    private func coefficient(atScale wanted: Int) -> Int128 { coefficient * Self.powersOfTen[wanted - scale] }
}

extension ExactDecimal {
    package static func + (a: ExactDecimal, b: ExactDecimal) -> ExactDecimal {
        let scale = max(a.scale, b.scale)
        return ExactDecimal(coefficient: a.coefficient(atScale: scale) + b.coefficient(atScale: scale), scale: scale)
    }

    package static func - (a: ExactDecimal, b: ExactDecimal) -> ExactDecimal { a + -b }

    package static prefix func - (a: ExactDecimal) -> ExactDecimal {
        ExactDecimal(coefficient: -a.coefficient, scale: a.scale)
    }

    /// The product, half up to twelve decimals. Nil where it is out of bounds: its factors came from outside, so that
    /// is a fault of a record, not of the program.
    package static func * (a: ExactDecimal, b: ExactDecimal) -> ExactDecimal? {
        let (product, overflow) = a.coefficient.multipliedReportingOverflow(by: b.coefficient)
        guard !overflow, a.scale + b.scale <= 36 else { return nil }
        let result = ExactDecimal(coefficient: product, scale: a.scale + b.scale).rounded(toScale: productScale)
        guard result.magnitude.coefficient < powersOfTen[integerDigitsMax + result.scale] else { return nil }
        return result
    }

    /// Half up, away from zero at the half, as both services round: 0.005 → 0.01, -0.005 → -0.01.
    package func rounded(toScale wanted: Int) -> ExactDecimal {
        guard scale > wanted else { return self }
        let divisor = Self.powersOfTen[scale - wanted]
        let (quotient, remainder) = coefficient.quotientAndRemainder(dividingBy: divisor)
        let isUp = remainder.magnitude * 2 >= divisor.magnitude
        return ExactDecimal(coefficient: quotient + (isUp ? coefficient.signum() : 0), scale: wanted)
    }

    /// The quotient with `scale` decimals if it is exact; nil otherwise and for a divisor of zero.
    package func exactlyDivided(by divisor: ExactDecimal, scale wanted: Int) -> ExactDecimal? {
        let shift = wanted + divisor.scale - scale
        guard !divisor.isZero, (0...20).contains(shift) else { return nil }
        let (dividend, overflow) = coefficient.multipliedReportingOverflow(by: Self.powersOfTen[shift])
        guard !overflow else { return nil }
        let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor.coefficient)
        return remainder == 0 ? ExactDecimal(coefficient: quotient, scale: wanted) : nil
    }

    /// The same number without trailing zeros after the point.
    package var trimmed: ExactDecimal {
        var (value, scale) = (coefficient, scale)
        while scale > 0, value % 10 == 0 {
            value /= 10
            scale -= 1
        }
        return ExactDecimal(coefficient: value, scale: scale)
    }
}

extension ExactDecimal: Comparable, Hashable, CustomStringConvertible {
    package static func == (a: ExactDecimal, b: ExactDecimal) -> Bool {
        let scale = max(a.scale, b.scale)
        return a.coefficient(atScale: scale) == b.coefficient(atScale: scale)
    }

    package static func < (a: ExactDecimal, b: ExactDecimal) -> Bool { (a - b).isNegative }

    package func hash(into hasher: inout Hasher) {
        let canonical = trimmed
        hasher.combine(canonical.coefficient)
        hasher.combine(canonical.scale)
    }

    /// `-12.30`: plain digits with exactly `scale` decimals, as both services read them.
    package var description: String {
        guard scale > 0 else { return String(coefficient) }
        var digits = String(coefficient.magnitude)
        if digits.utf8.count <= scale { digits = String(repeating: "0", count: scale + 1 - digits.utf8.count) + digits }
        let point = digits.index(digits.endIndex, offsetBy: -scale)
        return (isNegative ? "-" : "") + digits[..<point] + "." + digits[point...]
    }
}
