import Domain
import Money

extension OrderMapping {
    /// The lines for goods and tips. They come to what was owed but for ``SaleFigures/remainder``, which becomes the
    /// rounding line (`appendRounding`); more than `roundingMax` of it is parked with both figures.
    func lines(
        of order: Order, _ figures: SaleFigures, _ context: Context, _ warnings: inout [String]
    ) throws(Park) -> [LedgerLine] {
        guard figures.remainder.magnitude <= books.roundingMax else {
            throw Park(
                .value, "Order \(order.id): its lines come to \(figures.lines.sum), its total is \(figures.goods).",
                remedy: "Check the order's discounts in Kounta, then replay it.")
        }
        var lines: [LedgerLine] = []
        lines.reserveCapacity(order.lines.count + 3)
        for index in order.lines.indices {
            try append(order.lines[index], index, figures.lines.lines[index], order, context, &lines, &warnings)
        }
        if !figures.lines.orderVariation.isZero {
            try appendVariation(figures.lines.orderVariation, order, context, &lines, &warnings)
        }
        if !figures.tips.isZero {
            try appendOutside("Tips", .tip, figures.tips, books.accounts.tips, order, context, &lines, &warnings)
        }
        return lines
    }

    // MARK: goods

    private func append(
        _ line: OrderLine, _ index: Int, _ amount: Money, _ order: Order, _ context: Context,
        _ lines: inout [LedgerLine], _ warnings: inout [String]
    ) throws(Park) {
        let catalogue = line.product.flatMap { books.products[$0] }
        // A product with a negative price is a discount that was typed in.
        let part = books.sales.part(of: line, catalogue: catalogue) ?? (amount.isNegative ? .discount : .sale)
        var treatment = Treatment.standard
        if let facts = context.facts {
            var known = LineFacts(
                part: part, product: Named(id: line.product ?? line.name, name: line.name), amount: amount,
                quantity: line.quantity)
            known.sku = line.sku ?? catalogue?.sku
            known.categories = line.categories.isEmpty ? catalogue?.categories ?? [] : line.categories
            known.tags = line.tags.isEmpty ? catalogue?.tags ?? [] : line.tags
            known.modifiers = line.modifiers.compactMap(\.name)
            known.notes = line.notes
            treatment = books.rules.treatment(of: known, in: facts)
            let place = "line \(line.number) (\(line.name))"
            guard try isBooked(treatment, amount, place, order, &warnings, mayGo: true) else { return }
        }
        var made = ledgerLine(line, amount, account: treatment.account ?? account(of: part))
        made.source = index
        made.rule = treatment.rule
        made.itemCode = treatment.itemCode ?? line.product.flatMap { books.itemCodes[$0] }
        made.tracking = context.tracking.replaced(by: treatment.tracking)
        if let description = treatment.description { made.description = self.description(description) }
        if let type = treatment.taxType {
            made.taxType = type
            made.tax = amount.taxInside(rate: taxes.rate(of: type))
            lines.append(made)
            return
        }
        // A gift card is no supply until it is redeemed; where the till taxed it all the same, its tax stands.
        if part == .giftCard || part == .deposit, line.taxRates.isEmpty {
            made.taxType = books.accounts.outsideTaxType
            lines.append(made)
            return
        }
        switch try taxes.finding(for: line, of: order) {
        case .single(let type, let rate):
            made.taxType = type
            made.tax = amount.taxInside(rate: rate)
            lines.append(made)
        case .split(let type, let rate, let levies):
            appendSplit(made, type, rate, levies, &lines)
        }
    }

    /// The levies leave the line for their own accounts; what stays is taxed as the till taxed it.
    private func appendSplit(
        _ line: LedgerLine, _ type: String, _ rate: ExactDecimal, _ levies: [(account: String, rate: ExactDecimal)],
        _ lines: inout [LedgerLine]
    ) {
        let all = levies.reduce(rate) { $0 + $1.rate }
        var rest = line
        for levy in levies {
            // The tax inside the whole line at all rates together, this levy's share of it.
            let part = line.amount.share(levy.rate, of: all)
            rest.amount = rest.amount - part
            guard !part.isZero else { continue }
            var owed = LedgerLine(
                description: description("Levy of \(levy.rate.trimmed) on \(line.description)"), amount: part,
                account: levy.account, taxType: books.accounts.outsideTaxType, tracking: line.tracking)
            owed.source = line.source
            owed.rule = line.rule
            lines.append(owed)
        }
        if rest.amount != line.amount {
            if rest.quantity != .one { rest.description = description("\(rest.quantity) × \(rest.description)") }
            (rest.quantity, rest.unitAmount) = (.one, rest.amount.decimal)
        }
        rest.taxType = type
        rest.tax = rest.amount.taxInside(rate: rate)
        lines.append(rest)
    }

    private func ledgerLine(_ line: OrderLine, _ amount: Money, account: String) -> LedgerLine {
        let name = description(line.name)
        // Quantity and unit price only where their product is the line's amount exactly: Xero checks it.
        if line.quantity == .one {
            return LedgerLine(description: name, amount: amount, account: account, taxType: "", tracking: tracking)
        }
        if line.quantity > .zero {
            let quantity = line.quantity.trimmed
            if quantity.scale <= 4, let unit = amount.decimal.exactlyDivided(by: quantity, scale: 4) {
                return LedgerLine(
                    description: name, quantity: quantity, unitAmount: unit.trimmed, amount: amount, account: account,
                    taxType: "", tracking: tracking)
            }
        }
        return LedgerLine(
            description: description("\(line.quantity.trimmed) × \(line.name)"), amount: amount, account: account,
            taxType: "", tracking: tracking)
    }

    /// Xero needs a description, of at most 4,000 characters.
    func description(_ text: String) -> String {
        text.isEmpty ? "Sale" : text.utf8.count <= 4000 ? text : String(text.prefix(1000))
    }

    private func account(of part: LineFacts.Part) -> String {
        let accounts = books.accounts
        return switch part {
        case .sale: accounts.sales
        case .discount: accounts.discounts ?? accounts.sales
        case .surcharge: accounts.surcharges ?? accounts.sales
        case .giftCard: accounts.giftCardLiability ?? accounts.sales
        case .deposit: accounts.deposits ?? accounts.sales
        case .variance: accounts.variance ?? accounts.rounding
        case .tip: accounts.tips
        case .rounding: accounts.rounding
        }
    }

    // MARK: what belongs to the order as a whole

    /// An order-level discount or surcharge, spread over the tax types of the lines by their share so that each tax
    /// is reduced by its part and the parts add up (largest remainder). A levy is owed on what is left of the price, so
    /// its part goes to the levy's own account.
    private func appendVariation(
        _ variation: Money, _ order: Order, _ context: Context, _ lines: inout [LedgerLine],
        _ warnings: inout [String]
    ) throws(Park) {
        var groups: [(type: String, levy: String?)] = []
        var sums: [Money] = []
        for line in lines {
            let levy = levyAccount(of: line, order)
            if let index = groups.firstIndex(where: { $0.type == line.taxType && $0.levy == levy }) {
                sums[index] += line.amount
            } else {
                groups.append((line.taxType, levy))
                sums.append(line.amount)
            }
        }
        guard let parts = variation.allotted(by: sums) else {
            throw Park(
                .value, "Order \(order.id): \(variation) of discount or surcharge on lines that come to 0.00.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        let part: LineFacts.Part = variation.isNegative ? .discount : .surcharge
        for (group, amount) in zip(groups, parts) where !amount.isZero {
            var made = LedgerLine(
                description: variation.isNegative ? "Order discount" : "Order surcharge", amount: amount,
                account: group.levy ?? account(of: part), taxType: group.type,
                tax: amount.taxInside(rate: taxes.rate(of: group.type)), tracking: context.tracking)
            if group.levy == nil { try treat(&made, part, order, context, &warnings) }
            lines.append(made)
        }
    }

    /// The account that a line's levy is owed on; nil for a line that is none.
    private func levyAccount(of line: LedgerLine, _ order: Order) -> String? {
        guard line.taxType == books.accounts.outsideTaxType, let source = line.source,
            case .split(_, _, let levies)? = try? taxes.finding(for: order.lines[source], of: order),
            levies.contains(where: { $0.account == line.account })
        else { return nil }
        return line.account
    }

    /// A line that is no supply: tips and roundings.
    func appendOutside(
        _ description: String, _ part: LineFacts.Part, _ amount: Money, _ account: String, _ order: Order,
        _ context: Context, _ lines: inout [LedgerLine], _ warnings: inout [String]
    ) throws(Park) {
        var made = LedgerLine(
            description: description, amount: amount, account: account, taxType: books.accounts.outsideTaxType,
            tracking: context.tracking)
        try treat(&made, part, order, context, &warnings)
        lines.append(made)
    }

    /// Applies what the rules say about a line that no product stands for.
    private func treat(
        _ line: inout LedgerLine, _ part: LineFacts.Part, _ order: Order, _ context: Context,
        _ warnings: inout [String]
    ) throws(Park) {
        guard let facts = context.facts else { return }
        let treatment = books.rules.treatment(
            of: LineFacts(part: part, product: nil, amount: line.amount), in: facts)
        if treatment.isStandard { return }
        _ = try isBooked(treatment, line.amount, line.description, order, &warnings)
        line.account = treatment.account ?? line.account
        line.rule = treatment.rule
        line.itemCode = treatment.itemCode
        line.tracking = line.tracking.replaced(by: treatment.tracking)
        if let text = treatment.description { line.description = description(text) }
        if let type = treatment.taxType {
            line.taxType = type
            line.tax = line.amount.taxInside(rate: taxes.rate(of: type))
        }
    }

    /// Whether a rule leaves the line on the document.
    ///
    /// - Parameter mayGo: whether a line with an amount may be left out; then it is seen to that as much money is left
    ///   out.
    private func isBooked(
        _ treatment: Treatment, _ amount: Money, _ place: String, _ order: Order, _ warnings: inout [String],
        mayGo: Bool = false
    ) throws(Park) -> Bool {
        if let warning = treatment.warning { warnings.append(warning) }
        switch treatment.action {
        case .book: return true
        case .park(let reason): throw parked(treatment.rule, reason, of: order, place)
        case .skip(let reason):
            if amount.isZero { return false }
            if mayGo {
                warnings.append("The rule \"\(treatment.rule)\" leaves out \(amount), \(place): \(reason)")
                return false
            }
            throw Park(
                .mapping,
                "Order \(order.id), \(place): the rule \"\(treatment.rule)\" leaves out \(amount) (\(reason)), and "
                    + "then the document would not come to the till's total.",
                remedy: "Let the rule set an account for it instead, then replay.")
        }
    }
}

extension Money {
    /// The part of a GST-inclusive amount that one of its taxes is, where all rates together are `all`:
    /// amount × rate / (1 + all), half up to the cent.
    func share(_ rate: ExactDecimal, of all: ExactDecimal) -> Money {
        let scale = Swift.max(rate.scale, all.scale)
        let unit = ExactDecimal.powersOfTen[scale]
        let numerator = Int128(cents) * rate.coefficient * ExactDecimal.powersOfTen[scale - rate.scale]
        let divisor = unit + all.coefficient * ExactDecimal.powersOfTen[scale - all.scale]
        let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: divisor)
        let isUp = remainder.magnitude * 2 >= divisor.magnitude
        return Money(cents: Int64(quotient + (isUp ? numerator.signum() : 0)))
    }
}
