import Domain
import Money

/// How an order was paid: the tenders with their tips, and whether the till's total already holds the tips.
///
/// Kounta does not say whether `total` and a payment's `amount` include tips, so the figures decide.
struct Settlement {
    struct Part {
        var method: String
        var amount: Money
        var paidAt: Instant?
    }

    var tips: Money
    /// The part of the order's total that is tips, not goods.
    var tipsInsideTotal: Money
    var tenders: [Part]

    init(order: Order, total: Money) throws(Park) {
        var amounts: [Money] = []
        var tips: [Money] = []
        for tender in order.payments {
            guard let amount = Money(exactly: tender.amount), let tip = Money(exactly: tender.tip), !tip.isNegative
            else {
                throw Park(
                    .value, "Order \(order.id): its \(tender.method) payment of \(tender.amount), tip \(tender.tip), "
                        + "is not in whole cents.", remedy: "Correct the payment in Kounta, then replay it.")
            }
            amounts.append(amount)
            tips.append(tip)
        }
        let paid = amounts.sum()
        let tipped = tips.sum()
        let goods = Settlement.goods(of: order)
        let isTipInsideTotal = !tipped.isZero && goods.contains(total - tipped) && !goods.contains(total)
        let owed = isTipInsideTotal ? total : total + tipped
        // Do the payments' amounts hold the tips already? Take the reading that lies nearer to what was owed.
        let areTipsInsideAmounts = tipped.isZero || (owed - paid).magnitude < (owed - paid - tipped).magnitude
        self.tips = tipped
        tipsInsideTotal = isTipInsideTotal ? tipped : .zero
        tenders = order.payments.indices.map { index in
            Part(
                method: order.payments[index].method,
                amount: areTipsInsideAmounts ? amounts[index] : amounts[index] + tips[index],
                paidAt: order.payments[index].paidAt)
        }
        if tenders.contains(where: \.amount.isNegative) { try netByMethod(of: order) }
    }

    /// What the lines come to under each reading, with a rounding cent either way.
    private static func goods(of order: Order) -> Set<Money> {
        var sums: Set<Money> = []
        for reading in LineReading.candidates(for: order) {
            guard let (lines, variation) = reading.amounts(of: order) else { continue }
            let sum = lines.sum() + variation
            for cents in Int64(-1)...1 { sums.insert(sum + Money(cents: cents)) }
        }
        return sums
    }

    /// Change given and payments taken back are negative payments: what counts is what each method took in all.
    private mutating func netByMethod(of order: Order) throws(Park) {
        var net: [Part] = []
        for tender in tenders {
            if let index = net.firstIndex(where: { $0.method == tender.method }) {
                net[index].amount += tender.amount
            } else {
                net.append(tender)
            }
        }
        if let negative = net.first(where: \.amount.isNegative) {
            throw Park(
                .value, "Order \(order.id): more was paid back by \(negative.method) than taken (\(negative.amount)).",
                remedy: "Post this refund by hand, then discard this letter.")
        }
        tenders = net
    }
}
