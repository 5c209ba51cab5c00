/// An amount of one currency in its minor unit, the cent.
///
/// The currencies the fleet can be configured with have two decimals.
package struct Money: Sendable, Hashable, Comparable, CustomStringConvertible {
    package let cents: Int64

    package init(cents: Int64) { self.cents = cents }

    package static let zero = Money(cents: 0)

    /// The largest amount the fleet books for one document or line: 100,000,000.00. More is a fault of the record,
    /// and bounded cents cannot overflow when summed.
    package static let max = Money(cents: 10_000_000_000)

    /// Exact: nil where the number has more than two decimals that count, or is beyond ``max``.
    package init?(exactly decimal: ExactDecimal) {
        guard let money = Money(rounding: decimal), money.decimal == decimal else { return nil }
        self = money
    }

    /// Half up to the cent; nil beyond ``max``.
    package init?(rounding decimal: ExactDecimal) {
        let rounded = decimal.rounded(toScale: 2)
        let cents = rounded.coefficient * ExactDecimal.powersOfTen[2 - rounded.scale]
        guard cents.magnitude <= UInt128(Money.max.cents) else { return nil }
        self.init(cents: Int64(cents))
    }

    package var decimal: ExactDecimal { ExactDecimal(coefficient: Int128(cents), scale: 2) }
    package var magnitude: Money { Money(cents: abs(cents)) }
    package var isNegative: Bool { cents < 0 }
    package var isZero: Bool { cents == 0 }

    package static func + (a: Money, b: Money) -> Money { Money(cents: a.cents + b.cents) }
    package static func - (a: Money, b: Money) -> Money { Money(cents: a.cents - b.cents) }
    package static prefix func - (a: Money) -> Money { Money(cents: -a.cents) }
    package static func += (a: inout Money, b: Money) { a = a + b }
    package static func < (a: Money, b: Money) -> Bool { a.cents < b.cents }

    /// `-12.30`: always two decimals.
    package var description: String {
        let magnitude = cents.magnitude
        let fraction = magnitude % 100
        return (cents < 0 ? "-" : "") + String(magnitude / 100) + (fraction < 10 ? ".0" : ".") + String(fraction)
    }
}

extension Sequence<Money> {
    /// A plain loop: `reduce` is not specialised across the rooms' borders, and this is called for each document.
    package func sum() -> Money {
        var sum = Money.zero
        for amount in self { sum += amount }
        return sum
    }
}
