import Domain
import Money

/// What an order's recorded line amounts hold. Kounta's sources contradict each other, so each order is
/// read in every way that makes a difference to it, and the one that adds up to its total is taken.
struct LineReading {
    /// Line amounts hold no variation of their lines: it comes on top. Else they hold it.
    var appliesLineVariation = false
    /// The order's own variation comes on top of the lines. Else the lines hold it.
    var appliesOrderVariation = false
    /// The parts of an option set are charged by themselves. Else the set's own line holds them already.
    var countsOptions = true
    /// The prices of modifiers come on top of their lines. Else the lines hold them.
    var addsModifiers = false

    /// The order's own variation was worked out on lines in whole cents. Else on their exact amounts.
    var roundsLines = false

    /// An order's lines under one reading, to the cent.
    struct Amounts {
        let lines: [Money]
        /// What the order's own variation adds to the lines.
        let orderVariation: Money
        let sum: Money
    }

    /// Nil where a figure is out of bounds.
    func amounts(of order: Order) -> Amounts? {
        var lines: [Money] = []
        lines.reserveCapacity(order.lines.count)
        var exact = ExactDecimal.zero
        var sum = Money.zero
        for line in order.lines {
            guard let amount = amount(of: line), let money = Money(rounding: amount) else { return nil }
            lines.append(money)
            sum += money
            if appliesOrderVariation && !roundsLines { exact = exact + amount }
        }
        guard appliesOrderVariation else { return Amounts(lines: lines, orderVariation: .zero, sum: sum) }
        guard let varied = (roundsLines ? sum.decimal : exact) * order.priceVariation,
            let target = Money(rounding: varied + order.fixedVariation)
        else { return nil }
        return Amounts(lines: lines, orderVariation: target - sum, sum: target)
    }

    private func amount(of line: OrderLine) -> ExactDecimal? {
        if line.isPartOfOptionSet && !countsOptions { return .zero }
        var amount = line.recorded
        if addsModifiers {
            for modifier in line.modifiers { amount = amount + (modifier.price ?? .zero) }
        }
        guard appliesLineVariation || line.isFromUnitPrice else { return amount }
        guard line.priceVariation != .one else { return amount + line.fixedVariation }
        guard let varied = amount * line.priceVariation else { return nil }
        return varied + line.fixedVariation
    }

    private static let plain = [LineReading()]

    /// The readings that say something different for this order; the usual order has no variation and just one.
    /// The likelier come first: of two that add up the first is taken.
    static func candidates(for order: Order) -> [LineReading] {
        var hasLineVariation = false
        var hasOptions = false
        var hasModifierPrices = false
        var hasFractions = false
        for line in order.lines {
            if !line.isFromUnitPrice && (line.priceVariation != .one || !line.fixedVariation.isZero) {
                hasLineVariation = true
            }
            if line.isFromUnitPrice { hasFractions = true }
            if line.isPartOfOptionSet && !line.recorded.isZero { hasOptions = true }
            if line.modifiers.contains(where: { $0.price != nil }) { hasModifierPrices = true }
        }
        let hasOrderVariation = order.priceVariation != .one || !order.fixedVariation.isZero
        if !hasLineVariation && !hasOrderVariation && !hasOptions && !hasModifierPrices { return plain }
        var readings: [LineReading] = []
        for addsModifiers in hasModifierPrices ? [false, true] : [false] {
            for countsOptions in hasOptions ? [true, false] : [true] {
                for appliesLine in hasLineVariation ? [false, true] : [false] {
                    for appliesOrder in hasOrderVariation ? [false, true] : [false] {
                        var reading = LineReading(
                            appliesLineVariation: appliesLine, appliesOrderVariation: appliesOrder,
                            countsOptions: countsOptions, addsModifiers: addsModifiers)
                        readings.append(reading)
                        guard appliesOrder, appliesLine || hasFractions else { continue }
                        reading.roundsLines = true
                        readings.append(reading)
                    }
                }
            }
        }
        return readings
    }
}
