/// An exact decimal number with four places, the finest the vendor keeps (`unitdp=4`, quantities, tax rates in per
/// cent). Amounts of money use it rounded to two places.
///
/// Own arithmetic on purpose: this simulator judges the books of the programs under test, so it shares no money code
/// with them. Every operation is done in 128 bits and refused (nil) beyond `limit`; nothing wraps, nothing is
/// binary floating point.
struct Fixed: Hashable, Sendable {
    /// Ten-thousandths.
    let units: Int64

    static let zero = Fixed(units: 0)
    /// One trillion, the vendor's bound for an amount.
    static let limit: Int64 = 1_000_000_000_000 * 10_000

    init(units: Int64) { self.units = units }

    init(cents: Int64) { units = cents * 100 }

    /// Nil beyond the limit.
    init?(wide: Int128) {
        guard wide.magnitude <= UInt128(Self.limit) else { return nil }
        units = Int64(wide)
    }

    /// Reads the digits of a JSON number, or of a string that holds one: `-12.3450`, `1e3`. More than four places are
    /// rounded half away from zero. Nil for anything else and beyond the limit.
    init?(digits: some Collection<UInt8>) {
        var mantissa: Int128 = 0
        var places = 0
        var exponent = 0
        var isNegative = false
        var seenPoint = false
        var count = 0
        var cursor = digits.startIndex
        if cursor < digits.endIndex, digits[cursor] == UInt8(ascii: "-") {
            isNegative = true
            cursor = digits.index(after: cursor)
        }
        loop: while cursor < digits.endIndex {
            let byte = digits[cursor]
            cursor = digits.index(after: cursor)
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                count += 1
                guard count <= 30 else { return nil }
                mantissa = mantissa * 10 + Int128(byte - UInt8(ascii: "0"))
                if seenPoint { places += 1 }
            case UInt8(ascii: ".") where !seenPoint: seenPoint = true
            case UInt8(ascii: "e"), UInt8(ascii: "E"):
                guard let value = Int(String(decoding: digits[cursor...], as: UTF8.self)), abs(value) <= 30
                else { return nil }
                exponent = value
                cursor = digits.endIndex
            default: return nil
            }
        }
        guard count > 0 else { return nil }
        let shift = 4 - places + exponent
        guard abs(shift) <= 34 else { return nil }
        let power = Self.power(of: abs(shift))
        let (scaled, overflow) = mantissa.multipliedReportingOverflow(by: shift >= 0 ? power : 1)
        guard !overflow else { return nil }
        let wide = shift >= 0 ? scaled : Self.divided(mantissa, by: power)
        self.init(wide: isNegative ? -wide : wide)
    }

    private static func power(of exponent: Int) -> Int128 {
        var result: Int128 = 1
        for _ in 0..<exponent { result *= 10 }
        return result
    }

    /// Half away from zero, so that a refund mirrors its sale to the cent.
    private static func divided(_ dividend: Int128, by divisor: Int128) -> Int128 {
        let half = divisor / 2
        return dividend >= 0 ? (dividend + half) / divisor : -((-dividend + half) / divisor)
    }

    // MARK: arithmetic

    var isNegative: Bool { units < 0 }

    /// Rounded half away from zero to whole cents.
    var inCents: Fixed { Fixed(units: Int64(Self.divided(Int128(units), by: 100)) * 100) }

    /// `quantity × unit amount × (1 − discount)`, in whole cents; `discount` in per cent.
    static func lineAmount(_ quantity: Fixed, _ unitAmount: Fixed, discount: Fixed = .zero) -> Fixed? {
        let product = Int128(quantity.units) * Int128(unitAmount.units)
        let (part, overflow) = product.multipliedReportingOverflow(by: 1_000_000 - Int128(discount.units))
        guard !overflow else { return nil }
        // 4 + 4 places, and per cent with 4 places (one whole is 1,000,000), down to cents.
        return Fixed(wide: divided(part, by: 1_000_000_000_000) * 100)
    }

    /// The tax that comes on top of a net amount, in whole cents; `rate` in per cent.
    func taxOnTop(rate: Fixed) -> Fixed {
        Fixed(units: Int64(Self.divided(Int128(units) * Int128(rate.units), by: 100_000_000) * 100))
    }

    /// The tax inside a gross amount: gross × rate / (1 + rate), in whole cents.
    func taxInside(rate: Fixed) -> Fixed {
        let divisor = (1_000_000 + Int128(rate.units)) * 100
        return Fixed(units: Int64(Self.divided(Int128(units) * Int128(rate.units), by: divisor) * 100))
    }

    /// What one unit costs where only the line's amount and the quantity are known; nil for a quantity of zero.
    func divided(byQuantity quantity: Fixed) -> Fixed? {
        guard quantity.units != 0 else { return nil }
        let sign: Int128 = quantity.units < 0 ? -1 : 1
        return Fixed(wide: Self.divided(sign * Int128(units) * 10_000, by: sign * Int128(quantity.units)))
    }

    static func sum(_ values: some Sequence<Fixed>) -> Fixed? {
        Fixed(wide: values.reduce(Int128(0)) { $0 + Int128($1.units) })
    }

    /// Two values within the limit cannot overflow 64 bits.
    static func + (left: Fixed, right: Fixed) -> Fixed { Fixed(units: left.units + right.units) }
    static func - (left: Fixed, right: Fixed) -> Fixed { Fixed(units: left.units - right.units) }

    // MARK: text

    /// As the vendor writes it: `24.15`, `21.0`, `0.0`.
    var text: String { text(placesMin: 1) }

    /// Exactly two places, for the ledger of the control API. Rounded first.
    var cents: String { inCents.text(placesMin: 2) }

    private func text(placesMin: Int) -> String {
        let magnitude = units.magnitude
        var fraction = magnitude % 10_000
        var places = 4
        while places > placesMin, fraction % 10 == 0 {
            fraction /= 10
            places -= 1
        }
        let digits = String(fraction)
        let padding = String(repeating: "0", count: places - digits.utf8.count)
        return "\(units < 0 ? "-" : "")\(magnitude / 10_000).\(padding)\(digits)"
    }
}

extension Fixed: Comparable {
    static func < (left: Fixed, right: Fixed) -> Bool { left.units < right.units }
}
