import Domain
import Money

/// What an order's recorded line amounts hold. Kounta's sources contradict each other, so each order is
/// read in every way and the one that adds up to its total is taken.
enum LineReading: CaseIterable {
    /// Line amounts are final: every variation is inside.
    case final
    /// Line amounts hold the lines' variations; the order's own comes on top.
    case beforeOrderVariation
    /// Line amounts hold no variation but the order's is nil or comes from the lines.
    case beforeLineVariation
    /// Line amounts hold no variation at all.
    case beforeAnyVariation

    private var appliesLineVariation: Bool { self == .beforeLineVariation || self == .beforeAnyVariation }
    private var appliesOrderVariation: Bool { self == .beforeOrderVariation || self == .beforeAnyVariation }

    /// The lines' amounts to the cent under this reading, and what the order's own variation adds to their sum.
    /// Nil where a figure is out of bounds.
    func amounts(of order: Order) -> (lines: [Money], orderVariation: Money)? {
        var lines: [Money] = []
        lines.reserveCapacity(order.lines.count)
        var sum = ExactDecimal.zero
        for line in order.lines {
            var amount = line.recorded
            if appliesLineVariation || line.isFromUnitPrice {
                guard let varied = line.recorded * line.priceVariation else { return nil }
                amount = varied + line.fixedVariation
            }
            guard let money = Money(rounding: amount) else { return nil }
            lines.append(money)
            sum = sum + amount
        }
        guard appliesOrderVariation else { return (lines, .zero) }
        guard let varied = sum * order.priceVariation, let target = Money(rounding: varied + order.fixedVariation)
        else { return nil }
        return (lines, target - lines.sum())
    }

    /// Skips readings that say the same as an earlier one for this order: the usual order has no variation at all.
    static func candidates(for order: Order) -> [LineReading] {
        let hasLineVariation = order.lines.contains {
            !$0.isFromUnitPrice && ($0.priceVariation != .one || !$0.fixedVariation.isZero)
        }
        let hasOrderVariation = order.priceVariation != .one || !order.fixedVariation.isZero
        switch (hasLineVariation, hasOrderVariation) {
        case (false, false): return [.final]
        case (false, true): return [.final, .beforeOrderVariation]
        case (true, false): return [.final, .beforeLineVariation]
        case (true, true): return allCases
        }
    }
}
