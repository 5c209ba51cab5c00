import Domain
import Mapping
import Money
import OrderRecipes

extension OrderLine {
    static func example(_ name: String, _ quantity: String, _ amount: String, rates: [String] = ["0.1"]) -> OrderLine {
        OrderLine(
            number: 1, name: name, quantity: ExactDecimal(quantity)!, recorded: ExactDecimal(amount)!,
            isFromUnitPrice: false, taxRates: rates.map { ExactDecimal($0)! })
    }
}

extension Order {
    /// Paid by card unless payments are given.
    static func example(total: String, lines: [OrderLine], payments: [Tender]? = nil) -> Order {
        Order(
            id: OrderID("5000000001"), site: SiteID("923"), status: "COMPLETE",
            createdAt: Instant(iso8601: "2026-11-23T10:00:00Z")!, total: ExactDecimal(total)!, lines: lines,
            payments: payments ?? [Tender(method: "Card", amount: ExactDecimal(total)!)])
    }

    /// An order that adds up, with discounts, tips, split payments and cash rounding.
    static func random(_ generator: inout Seeded) -> Order {
        let lines = (0..<Int.random(in: 1...6, using: &generator)).map { number in
            let cents = Int64.random(in: 1...9999, using: &generator)
            var line = OrderLine(
                number: number + 1, name: "Item \(number)",
                quantity: ExactDecimal(coefficient: Int128(Int.random(in: 1...4000, using: &generator)), scale: 3),
                recorded: Money(cents: cents).decimal, isFromUnitPrice: false,
                taxRates: Bool.random(using: &generator) ? [ExactDecimal("0.1")!] : [])
            if Bool.random(using: &generator) { line.quantity = ExactDecimal(Int.random(in: 1...9, using: &generator)) }
            return line
        }
        let sum = lines.reduce(ExactDecimal.zero) { $0 + $1.recorded }
        var order = Order.example(total: "0", lines: lines, payments: [])
        order.priceVariation = ExactDecimal(coefficient: Int128(Int.random(in: 50...130, using: &generator)), scale: 2)
        order.fixedVariation = .zero
        let total = (sum * order.priceVariation)!.rounded(toScale: 2)
        order.total = total
        let tip = Bool.random(using: &generator) ? Money(cents: Int64.random(in: 100...999, using: &generator)) : .zero
        let due = Money(exactly: total)!
        if Int.random(in: 0..<4, using: &generator) == 0 {
            let taken = Money(cents: (due.cents + 2) / 5 * 5)
            order.payments = [Tender(method: "Cash", amount: taken.decimal)]
        } else {
            let first = Money(cents: due.cents / 3)
            order.payments = [
                Tender(method: "Card", amount: (due - first).decimal, tip: tip.decimal),
                Tender(method: "Cash", amount: first.decimal),
            ]
        }
        return order
    }
}
