import Domain
import Money

/// What an order's figures come to: which reading of its lines adds up, what of it is tips, and how it was paid.
///
/// Kounta does not say whether `total` and a payment's `amount` include tips, so the figures decide: every
/// combination is tried, and the one that leaves the least unexplained is taken.
struct SaleFigures {
    struct Part {
        var method: String
        var amount: Money
        var paidAt: Instant?
    }

    /// The part of the total that is for goods.
    let goods: Money
    let tips: Money
    let lines: LineReading.Amounts
    /// What was taken, change netted: never negative.
    private(set) var tenders: [Part]
    /// What was paid back on the same order later, each positive.
    private(set) var refunds: [Part] = []
    /// What a payment method that is no money promises.
    private(set) var promised = Money.zero

    var owed: Money { goods + tips }
    /// What the goods come to beyond their lines: a cent that no reading of the lines explains.
    var remainder: Money { goods - lines.sum }
    /// Only coins and notes are rounded to 5 cents.
    var hasCash: Bool { tenders.contains { SalePolicy.isCash($0.method) } }
    var taken: Money {
        var sum = Money.zero
        for tender in tenders { sum += tender.amount }
        return sum
    }

    /// - Parameter isRefund: negative payments of a refund are corrections of it, never refunds again.
    init(order: Order, isRefund: Bool, books: VenueBooks, calendar: TradingCalendar) throws(Park) {
        let total = try Self.cents(order.total, "total", of: order)
        _ = try Self.cents(order.fixedVariation, "price_fixed_variation", of: order)
        let payments = try Payments(order, calendar)
        guard let best = Self.best(of: order, total, payments, orderTips: try Self.cents(order.tips, "tips", of: order))
        else {
            throw Park(
                .value, "Order \(order.id): an amount is beyond \(Money.max).",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        (goods, tips, lines) = (best.goods, best.tips, best.lines)
        tenders = payments.parts(of: order, areTipsInside: best.areTipsInsideAmounts)
        takeOutPromises(books.sales.accountMethods)
        if tenders.contains(where: \.amount.isNegative) {
            if !isRefund { takeOutRefunds(roundingMax: books.roundingMax) }
            if tenders.contains(where: \.amount.isNegative) { try netByMethodAndDay(of: order, calendar) }
        }
    }

    // MARK: tips

    private struct Payments {
        var amounts: [Money] = []
        var tips: [Money] = []
        /// Where one is negative: what each is change out of.
        var tills: [Till] = []
        var tipped = Money.zero

        /// What change is given out of: the same method on the same trading day.
        struct Till: Hashable {
            var method: String
            var day: CalendarDate
        }

        init(_ order: Order, _ calendar: TradingCalendar) throws(Park) {
            amounts.reserveCapacity(order.payments.count)
            tips.reserveCapacity(order.payments.count)
            for tender in order.payments {
                amounts.append(try SaleFigures.cents(tender.amount, "payments.amount", of: order))
                let tip = try SaleFigures.cents(tender.tip, "payments.tip", of: order)
                tips.append(tip)
                tipped += tip
            }
            if amounts.contains(where: \.isNegative) {
                tills = order.payments.map {
                    Till(method: $0.method, day: calendar.day(at: $0.paidAt ?? order.createdAt))
                }
            }
            guard !tipped.isNegative else {
                throw Park(
                    .value, "Order \(order.id): its tips come to \(tipped).",
                    remedy: "Correct the payments in Kounta, then replay it.")
            }
        }

        /// A tip that was added later stands on a payment of 0.00, whatever the other amounts hold.
        func amount(_ index: Int, areTipsInside: Bool) -> Money {
            areTipsInside && !amounts[index].isZero ? amounts[index] : amounts[index] + tips[index]
        }

        /// How far the payments are from what was owed, the last negative ones taken as paid back later where that
        /// explains them better. What is left must net within each method and day: cash is no change of a card's
        /// payment, nor of what was paid days before, however well the sum would fit.
        func gap(to owed: Money, areTipsInside: Bool) -> Money {
            var taken = amounts.indices.lazy.map { amount($0, areTipsInside: areTipsInside) }.sum()
            guard !tills.isEmpty else { return (taken - owed).magnitude }
            var held: [Till: Money] = [:]
            for index in amounts.indices {
                held[tills[index], default: .zero] += amount(index, areTipsInside: areTipsInside)
            }
            var overpaid = Set(held.lazy.filter(\.value.isNegative).map(\.key))
            var gap = overpaid.isEmpty ? (taken - owed).magnitude : nil
            for index in amounts.indices.reversed() where amounts[index].isNegative {
                let (till, amount) = (tills[index], amount(index, areTipsInside: areTipsInside))
                taken = taken - amount
                held[till, default: .zero] += -amount
                if held[till, default: .zero].isNegative { overpaid.insert(till) } else { overpaid.remove(till) }
                let left = (taken - owed).magnitude
                if overpaid.isEmpty { gap = min(gap ?? left, left) }
            }
            return gap ?? (taken - owed).magnitude
        }

        /// Nothing where the record does not say what was paid in all.
        func gap(toPaid paid: ExactDecimal?, areTipsInside: Bool) -> Money {
            guard let paid = paid.flatMap({ Money(rounding: $0) }) else { return .zero }
            return (amounts.indices.lazy.map { amount($0, areTipsInside: areTipsInside) }.sum() - paid).magnitude
        }

        func parts(of order: Order, areTipsInside: Bool) -> [Part] {
            amounts.indices.map { index in
                let tender = order.payments[index]
                return Part(
                    method: tender.method, amount: amount(index, areTipsInside: areTipsInside), paidAt: tender.paidAt)
            }
        }
    }

    private struct Hypothesis {
        var goods: Money
        var tips: Money
        var lines: LineReading.Amounts
        var areTipsInsideAmounts: Bool
        /// What it leaves unexplained.
        var gap: Money
        /// How far it is from what the record says was paid in all: decides between two that explain as much.
        var paidGap: Money
    }

    private static func best(
        of order: Order, _ total: Money, _ payments: Payments, orderTips: Money
    ) -> Hypothesis? {
        let readings = LineReading.candidates(for: order).compactMap { $0.amounts(of: order) }
        var best: Hypothesis?
        // The usual order has no tips; else they may stand on the payments, on the order, or on both.
        var tipSums = payments.tipped.isZero ? [] : [payments.tipped]
        if orderTips != payments.tipped, !orderTips.isZero || tipSums.isEmpty { tipSums.append(orderTips) }
        if tipSums.isEmpty { tipSums = [.zero] }
        for tips in tipSums {
            for isInsideTotal in tips.isZero ? [false] : [false, true] {
                let goods = isInsideTotal ? total - tips : total
                guard let lines = nearest(readings, to: goods) else { return nil }
                for isInsideAmounts in payments.tipped.isZero ? [true] : [false, true] {
                    let gap = (goods - lines.sum).magnitude
                        + payments.gap(to: goods + tips, areTipsInside: isInsideAmounts)
                    if let best, best.gap < gap { continue }
                    let paidGap = tips.isZero ? .zero : payments.gap(toPaid: order.paid, areTipsInside: isInsideAmounts)
                    if let best, best.gap == gap, best.paidGap <= paidGap { continue }
                    best = Hypothesis(
                        goods: goods, tips: tips, lines: lines, areTipsInsideAmounts: isInsideAmounts, gap: gap,
                        paidGap: paidGap)
                }
            }
        }
        return best
    }

    /// The reading whose sum is nearest to the goods; the earlier one wins a tie.
    private static func nearest(_ readings: [LineReading.Amounts], to goods: Money) -> LineReading.Amounts? {
        var best: LineReading.Amounts?
        for reading in readings {
            if let known = best, (goods - known.sum).magnitude <= (goods - reading.sum).magnitude { continue }
            best = reading
        }
        return best
    }

    // MARK: what is no payment

    private mutating func takeOutPromises(_ methods: Set<String>) {
        guard tenders.contains(where: { methods.contains($0.method.lowercased()) }) else { return }
        for tender in tenders where methods.contains(tender.method.lowercased()) { promised += tender.amount }
        tenders.removeAll { methods.contains($0.method.lowercased()) }
    }

    /// Negative payments are change where the rest still comes to what was owed. Where less is left, the last of them
    /// that make up the difference are money paid back later. Cash may be a rounding away from it.
    private mutating func takeOutRefunds(roundingMax: Money) {
        let gap = taken + promised - owed
        let roundingMax = hasCash ? roundingMax : .zero
        guard gap.isNegative, gap.magnitude > roundingMax else { return }
        var sum = Money.zero
        var indices: [Int] = []
        for index in tenders.indices.reversed() where tenders[index].amount.isNegative {
            sum += tenders[index].amount
            indices.append(index)
            guard (sum - gap).magnitude <= roundingMax else { continue }
            for index in indices.reversed() {
                refunds.append(tenders[index])
                refunds[refunds.count - 1].amount = -tenders[index].amount
            }
            for index in indices { tenders.remove(at: index) }
            return
        }
    }

    /// Change given back is a negative payment: what counts is what each method took on each trading day. Money paid on
    /// different days, a lay-by's say, stays on its own day.
    private mutating func netByMethodAndDay(of order: Order, _ calendar: TradingCalendar) throws(Park) {
        var net: [(part: Part, day: CalendarDate)] = []
        for tender in tenders {
            let day = calendar.day(at: tender.paidAt ?? order.createdAt)
            if let index = net.firstIndex(where: { $0.part.method == tender.method && $0.day == day }) {
                net[index].part.amount += tender.amount
            } else {
                net.append((tender, day))
            }
        }
        for index in net.indices where net[index].part.amount.isNegative {
            // Change over midnight, or a correction on a later day: it came out of what the method took last before it,
            // else of what it took after it.
            let others = net.indices.filter { $0 != index && net[$0].part.method == net[index].part.method }
            let before = others.filter { net[$0].day < net[index].day }.sorted { net[$0].day > net[$1].day }
            let after = others.filter { net[$0].day > net[index].day }.sorted { net[$0].day < net[$1].day }
            for other in before + after where net[other].part.amount > .zero {
                let part = min(net[other].part.amount, -net[index].part.amount)
                net[other].part.amount = net[other].part.amount - part
                net[index].part.amount += part
            }
        }
        if let negative = net.first(where: \.part.amount.isNegative)?.part {
            throw Park(
                .value, "Order \(order.id): more was paid back by \(negative.method) than taken (\(negative.amount)), "
                    + "and all payments come to \(taken) for \(owed) owed.",
                remedy: "Check the order's payments in Kounta; correct and replay it, or post it by hand.")
        }
        tenders = net.map(\.part)
    }

    // MARK: amounts

    private static func cents(_ value: ExactDecimal, _ field: String, of order: Order) throws(Park) -> Money {
        if let money = Money(exactly: value) { return money }
        let what = Money(rounding: value) == nil
            ? "beyond \(Money.max)" : "more decimals than the currency has: no amount in whole cents"
        throw Park(
            .value, "Order \(order.id): the field `\(field)` is \(value), \(what).",
            remedy: "Correct the order in Kounta, then replay it.")
    }
}
