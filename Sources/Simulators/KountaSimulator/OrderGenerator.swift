/// Makes the trade of a simulation: the n-th order of a seed is always the same, whatever was made before it, so a
/// benchmark can make any part of it on any thread. Amounts add up exactly under the shape it was given.
package struct OrderGenerator: Sendable {
    package let seed: UInt64
    package let shape: OrderShape
    /// Beyond 32 bits, as the service's ids are.
    package static let firstID: Int64 = 5_000_000_000

    package init(seed: UInt64, shape: OrderShape = OrderShape()) {
        self.seed = seed
        self.shape = shape
    }

    /// The complete, paid n-th order as JSON, some 2 kB.
    /// - Parameter createdAt: Unix seconds.
    package func detail(_ n: Int, company: Int64, site: Int64, register: Int64 = 1, createdAt: Int64) -> [UInt8] {
        let order = order(n, company: company, site: site, register: register, createdAt: createdAt)
        return order.json(.complete, shape: shape, updatedAt: createdAt + 60)
    }

    package func order(_ n: Int, company: Int64, site: Int64, register: Int64, createdAt: Int64) -> TillOrder {
        var numbers = SeededNumbers(seed: seed, stream: UInt64(n))
        var order = TillOrder(
            id: Self.firstID + Int64(n), company: company, site: site, register: register, createdAt: createdAt,
            saleNumber: "S\(n % 100_000)")
        order.guests = Int64(numbers.below(7))
        order.type = numbers.percent(50) ? "dine_in" : "takeaway"
        order.isGSTFreeByRate = numbers.percent(30)
        if !shape.isPlain {
            order.hasOldShape = numbers.percent(4)
            order.quotesAmounts = numbers.percent(3)
            order.omitsTotalTax = numbers.percent(8)
            if numbers.percent(10) { order.notes = "Table \(numbers.below(40) + 1), \"window\" seat" }
            if numbers.percent(20) {
                order.customer = CustomerList.guest(numbers.below(CustomerList.count), of: company)
            }
        }
        addLines(to: &order, &numbers)
        if !shape.isPlain { vary(&order, &numbers) }
        order.settle()
        pay(&order, &numbers)
        return order
    }

    private func addLines(to order: inout TillOrder, _ numbers: inout SeededNumbers) {
        let count = shape.isPlain ? 1 + numbers.below(4) : 3 + numbers.below(5)
        order.lines.reserveCapacity(count + 2)
        for _ in 0..<count {
            let item = numbers.pick(Menu.items)
            var line = TillOrder.Line(productID: item.id, name: item.name, unitCents: item.priceCents)
            line.isGSTFree = item.isGSTFree
            line.quantity = numbers.percent(75) ? 10_000 : Int64(2 + numbers.below(4)) * 10_000
            if item.isWeighed && !shape.isPlain && !order.hasOldShape {
                line.quantity = Int64(100 + numbers.below(1_400)) * 10
            }
            if !shape.isPlain, numbers.percent(5) { line.modifier = Menu.modifier }
            order.lines.append(line)
            guard !shape.isPlain, numbers.percent(8) else { continue }
            let option = numbers.pick(Menu.options)
            var extra = TillOrder.Line(productID: option.id, name: option.name, unitCents: option.priceCents)
            extra.isOption = true
            order.lines.append(extra)
        }
    }

    /// Discounts and surcharges. Only such are given that leave whole cents, so that every sensible order of rounding
    /// comes to the same total.
    private func vary(_ order: inout TillOrder, _ numbers: inout SeededNumbers) {
        if numbers.percent(10) {
            let index = numbers.below(order.lines.count)
            let coefficient: Int64 = numbers.pick([9_000, 8_000, 9_500, 5_000, 11_000])
            if order.lines[index].isExact(under: coefficient) { order.lines[index].variation = coefficient }
        }
        if numbers.percent(5) {
            let index = numbers.below(order.lines.count)
            if order.lines[index].variation == 10_000, order.lines[index].variedCents > 150 {
                order.lines[index].fixedVariationCents = -50
            }
        }
        var sum = order.lines.reduce(0) { $0 + $1.variedCents }
        if numbers.percent(3), sum > 1_200 {
            let reward = Menu.reward
            order.lines.append(
                TillOrder.Line(productID: reward.id, name: reward.name, unitCents: reward.priceCents))
            sum += reward.priceCents
        }
        if numbers.percent(12) {
            let coefficient: Int64 = numbers.pick([9_000, 8_500, 8_000, 11_000, 11_500])
            if sum * coefficient % 10_000 == 0 { order.variation = coefficient }
        } else if numbers.percent(4), sum > 1_500 {
            order.fixedVariationCents = -500
        }
    }

    private func pay(_ order: inout TillOrder, _ numbers: inout SeededNumbers) {
        let goods = order.goodsCents
        let kind = shape.isPlain ? 30 + numbers.below(70) : numbers.below(100)
        if kind < 4 && goods > 1_000 && goods % 2 == 0 {
            // Split evenly: two payments that nothing but their place tells apart.
            order.payments.append(.init(method: Tender.card, amountCents: goods / 2))
            order.payments.append(.init(method: Tender.card, amountCents: goods / 2, delay: 75))
        } else if kind < 12 && goods > 1_000 {
            let cash = goods / 2 / 5 * 5
            order.payments.append(.init(method: Tender.cash, amountCents: cash))
            order.payments.append(.init(method: Tender.card, amountCents: goods - cash, delay: 75))
        } else if kind < 45 {
            let cash = shape.isPlain ? goods : Amounts.cashRounded(goods)
            order.payments.append(.init(method: Tender.cash, amountCents: cash))
        } else {
            let method = kind < 50 ? Tender.all[2].id : kind < 53 ? Tender.all[3].id : Tender.card
            order.payments.append(.init(method: method, amountCents: goods))
        }
        guard !shape.isPlain else { return }
        if numbers.percent(10), order.payments[0].method != Tender.cash || order.payments.count > 1 {
            // A tip at order level: each payment carries its share.
            let tip = Int64(2 + numbers.below(12)) * 50
            let shares = Amounts.allocation(of: tip, over: order.payments.map(\.amountCents))
            for index in order.payments.indices { order.payments[index].tipCents = shares[index] }
        } else if numbers.percent(3) {
            let tip = Int64(1 + numbers.below(10)) * 100
            order.payments.append(.init(method: Tender.card, amountCents: 0, tipCents: tip, delay: 300))
        }
    }
}
