package import Domain
import Mapping
import Money

/// The record that a recipe makes, and what was truly taken for it.
extension Recipe {
    package struct Taking: Equatable {
        package var method: String
        package var cents: Int64
        /// Lay-by is paid in parts.
        package var daysEarlier: Int64 = 0
    }

    package var owed: Int64 { figures.goods + tip }

    /// What was paid and kept at first, by tender: tips and rounding included, change netted.
    package var takings: [Taking] {
        let owed = owed
        guard owed > 0 else { return [] }
        switch paying {
        case .card: return [Taking(method: "Card", cents: owed)]
        case .cash: return [Taking(method: "Cash", cents: (owed + 2) / 5 * 5)].filter { $0.cents > 0 }
        case .change: return [Taking(method: "Cash", cents: owed)]
        case .split: return split(owed, ["Card", "Cash"])
        case .threeWays: return split(owed, ["Card", "Cash", "EFTPOS"])
        case .giftCard: return split(owed, ["Card", "Gift Card"])
        case .voucher: return split(owed, ["EFTPOS", "Voucher"])
        case .deposit: return split(owed, ["Card", "Deposit"])
        case .layBy:
            return zip(split(owed, ["Cash", "Card", "Cash"]), [9, 2, 0]).map { taking, days in
                Taking(method: taking.method, cents: taking.cents, daysEarlier: days)
            }
        case .account: return []
        case .partOnAccount: return [Taking(method: "Card", cents: owed / 2)]
        }
    }

    /// The first carries the tip, so it is at least that.
    private func split(_ owed: Int64, _ methods: [String]) -> [Taking] {
        let part = (owed - tip) / Int64(methods.count)
        return methods.enumerated().map { index, method in
            Taking(method: method, cents: index == 0 ? owed - part * Int64(methods.count - 1) : part)
        }
    }

    package var leftOnAccount: Int64 {
        paying == .account || paying == .partOnAccount ? owed - takings.reduce(0) { $0 + $1.cents } : 0
    }

    /// - Parameter id: also names the register.
    package func order(id: Int) -> Order {
        let figures = figures
        let first = Instant(iso8601: "2026-11-23T00:00:00Z")!.adding(seconds: minute * 60)
        let signs: [Int64] = isRefund ? negatives.map { $0 ? -1 : 1 } : [1, 1, 1]
        let stated = figures.goods + (isTipInTotal ? tip : 0)
        var order = Order(
            id: OrderID(String(id)), site: SiteID("923"), status: "COMPLETE", createdAt: first,
            total: Money(cents: stated * signs[0]).decimal, lines: orderLines(figures, sign: signs[1]),
            payments: tenders(at: first, sign: signs[2]))
        order.saleNumber = "S\(id)"
        order.priceVariation = ExactDecimal(coefficient: Int128(variation), scale: 4)
        order.fixedVariation = Money(cents: fixed * signs[1]).decimal
        if tipPlace != .payments { order.tips = Money(cents: tip * signs[0]).decimal }
        let paid = takings.reduce(-paidBack) { $0 + $1.cents }
        order.paid = Money(cents: paid * signs[0]).decimal
        order.register = String(register)
        order.type = type
        order.isRefund = isRefund
        if isRefund { order.refundedOrder = OrderID("4000000001") }
        if paying == .account || paying == .partOnAccount { order.customer = Customer(id: "77", firstName: "Ann") }
        return order
    }

    private func orderLines(_ figures: Figures, sign: Int64) -> [OrderLine] {
        lines.enumerated().map { index, line in
            var rates: [ExactDecimal] = []
            if line.rate > 0 { rates.append(ExactDecimal(coefficient: Int128(line.rate), scale: 3)) }
            if line.hasLevy { rates.append(decimal("0.29")) }
            if line.hasSecondTax { rates.append(decimal("0.15")) }
            var made = OrderLine(
                number: index + 1, name: "Item \(index + 1)",
                quantity: ExactDecimal(coefficient: Int128(line.quantity * sign), scale: 3),
                recorded: Money(cents: figures.recorded[index] * sign).decimal,
                isFromUnitPrice: shape == .nothing && minute % 2 == 0, taxRates: rates)
            made.product =
                line.isGiftCard ? "900" : line.isDeposit ? "901" : line.isSurcharge ? "902" : String(100 + index)
            made.categories = [index % 2 == 0 ? "Food" : "Drinks"]
            made.priceVariation = ExactDecimal(coefficient: Int128(line.variation), scale: 4)
            made.fixedVariation = Money(cents: line.fixed * sign).decimal
            made.isPartOfOptionSet = line.isOption
            if line.modifier != 0 {
                made.modifiers = [Modifier(id: "1", name: "Extra", price: Money(cents: line.modifier * sign).decimal)]
            }
            if line.hasNote { made.modifiers.append(Modifier(id: "2", name: "No onion")) }
            return made
        }
    }

    private func tenders(at first: Instant, sign: Int64) -> [Tender] {
        var tenders: [Tender] = []
        func add(_ method: String, _ cents: Int64, tip: Int64 = 0, after seconds: Int64 = 60) {
            tenders.append(
                Tender(
                    method: method, amount: Money(cents: cents * sign).decimal, tip: Money(cents: tip * sign).decimal,
                    paidAt: first.adding(seconds: seconds)))
        }
        for (index, taking) in takings.enumerated() {
            let tipHere = index == 0 && tipPlace != .order ? tip : 0
            var cents = taking.cents
            if tipHere != 0, isTipLater || !isTipInAmounts { cents -= tipHere }
            let isChanged = paying == .change || (paying == .layBy && index == 2)
            if isChanged { cents += 700 }
            let seconds = Self.payingAfter - taking.daysEarlier * 86_400
            add(taking.method, cents, tip: isTipLater ? 0 : tipHere, after: seconds)
            if isChanged { add(taking.method, -700) }
        }
        // Two cents are paid in cash by nothing.
        if paying == .cash, takings.isEmpty, owed > 0 { add("Cash", 0) }
        if isTipLater, let method = takings.first?.method { add(method, 0, tip: tip, after: Self.tippingAfter) }
        if paying == .account, register == 1 { add("On Account", owed) }
        for payback in paybacks { add(payback.method, -payback.cents, after: payback.days * 86_400) }
        return tenders
    }

    /// Seconds after the order.
    private static let (payingAfter, tippingAfter): (Int64, Int64) = (60, 3600)

    /// A payment of a document: the clearing account and the day.
    package struct Paid: Hashable, CustomStringConvertible {
        package let account: String
        package let day: CalendarDate

        package init(account: String, day: CalendarDate) { (self.account, self.day) = (account, day) }
        package var description: String { "\(account) on \(day)" }

        fileprivate init(_ method: String, _ recipe: Recipe, after seconds: Int64) {
            account = VenueBooks.accountOfMethod[method]!
            // The day begins at 04:00.
            let since = recipe.minute * 60 + seconds - 4 * 3600
            let days = since >= 0 ? since / 86_400 : -((86_399 - since) / 86_400)
            day = CalendarDate("2026-11-23")!.adding(days: Int(days))
        }
    }

    /// What the sale's own payments must come to.
    package var paid: [Paid: Int64] {
        var sums: [Paid: Int64] = [:]
        for (index, taking) in takings.enumerated() {
            let later = index == 0 && isTipLater ? tip : 0
            let seconds = Self.payingAfter - taking.daysEarlier * 86_400
            sums[Paid(taking.method, self, after: seconds), default: 0] += taking.cents - later
            if later != 0 { sums[Paid(taking.method, self, after: Self.tippingAfter), default: 0] += later }
        }
        return sums.filter { $0.value != 0 }
    }

    /// What was paid back later.
    package var repaid: [Paid: Int64] {
        paybacks.reduce(into: [:]) { $0[Paid($1.method, self, after: $1.days * 86_400), default: 0] += $1.cents }
    }

    /// What a document's goods come to under one tax type.
    package struct TypeSum: Equatable, CustomStringConvertible {
        package var cents: Int64 = 0
        /// The sum of what is inside each line, each rounded by itself.
        package var tax: Int64 = 0

        package init() {}
        package var description: String { "\(cents) with \(tax) of tax" }

        package mutating func add(_ cents: Int64, tax: Int64) {
            self.cents += cents
            self.tax += tax
        }
    }

    /// What levies are owed on: counted by itself, for no other line is to change it.
    package static let levy = "826"

    /// What the document must come to by tax type, and for levies; goods only.
    package var sumsByType: [String: TypeSum] {
        let figures = figures
        var types: [String] = []
        var sums: [TypeSum] = []
        func add(_ type: String, _ cents: Int64) {
            let index = types.firstIndex(of: type) ?? types.count
            if index == types.count {
                types.append(type)
                sums.append(TypeSum())
            }
            sums[index].add(cents, tax: Self.tax(inside: cents, rate: Self.rates[type] ?? 0))
        }
        for (line, cents) in zip(lines, figures.booked) {
            if line.hasLevy {
                let levy = Self.rounded(cents * 290, over: 1000 + 290 + line.rate)
                if levy != 0 { add(Self.levy, levy) }
                add("OUTPUT", cents - levy)
            } else {
                add(line.isGiftCard || line.isDeposit ? "BASEXCLUDED" : Self.types[line.allRates]!, cents)
            }
        }
        if figures.spread != 0 {
            for (type, part) in zip(types, Self.shares(of: figures.spread, over: sums.map(\.cents))) { add(type, part) }
        }
        return Dictionary(uniqueKeysWithValues: zip(types, sums)).filter { $0.value != TypeSum() }
    }

    package static let types: [Int64: String] = [
        0: "EXEMPTOUTPUT", 100: "OUTPUT", 125: "OUTPUTOLD", 150: "OUTPUT2", 250: "TAX250",
    ]
    package static let rates = Dictionary(uniqueKeysWithValues: types.map { ($0.value, $0.key) })

    /// In how many ways the record can be read so that it adds up: which of them holds nobody can say.
    package struct Ambiguity {
        /// The lines' amounts in two ways that come to the total.
        package var isOfLines: Bool { readings.count > 1 }
        /// The total with its tips and the total without them both come to what lines hold, the wrong one as near or
        /// nearer: what was taken is then more or less by the tips.
        package fileprivate(set) var isOfTips = false
        fileprivate var readings: Set<[Int64]> = []
    }

    package var ambiguity: Ambiguity {
        let figures = figures
        var ambiguity = Ambiguity()
        let other = isTipInTotal ? figures.goods + tip : figures.goods - tip
        var totals = [figures.goods, other]
        // A refund's lines may be written with either sign.
        if isRefund { totals += totals.map { -$0 } }
        /// - Parameter first: another way to come to a total: this one counts only where it is as near.
        func note(_ total: Int64, _ amounts: [Int64], first: Int64? = nil) {
            func isNear(_ wanted: Int64) -> Bool { abs(wanted - total) <= min(first.map { abs(wanted - $0) } ?? 8, 8) }
            if totals.contains(where: isNear) { ambiguity.readings.insert(amounts) }
            if tip != 0, abs(abs(other) - abs(total)) <= abs(stray) { ambiguity.isOfTips = true }
        }
        for choice in 0..<16 {
            var sum: Int64 = 0
            // In ten thousandths of a cent.
            var exact: Int64 = 0
            var amounts: [Int64] = []
            for (line, recorded) in zip(lines, figures.recorded) {
                var cents = recorded + (choice & 1 == 0 ? 0 : line.modifier)
                if line.isOption && choice & 2 == 0 { cents = 0 }
                let isVaried = choice & 4 == 0 || (shape == .nothing && minute % 2 == 0)
                if isVaried, !(line.isOption && choice & 2 == 0) {
                    exact += cents * line.variation + line.fixed * 10_000
                    cents = Self.rounded(cents * line.variation, over: 10_000) + line.fixed
                } else {
                    exact += cents * 10_000
                }
                sum += cents
                amounts.append(cents)
            }
            let total = choice & 8 == 0 ? Self.rounded(sum * variation, over: 10_000) + fixed : sum
            note(total, amounts + [total - sum])
            guard choice & 8 == 0 else { continue }
            // Worked out on lines that are not in whole cents, the order's variation comes to a cent more or less; that
            // counts only where a stray cent brings the order's total as near to it.
            let unrounded = Self.rounded(exact * variation, over: 100_000_000) + fixed
            note(unrounded, amounts + [unrounded - sum], first: total)
        }
        return ambiguity
    }
}
