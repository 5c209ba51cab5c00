import Domain
import Money

/// What a made-up order consists of, in whole numbers. The order, and what its documents must come to, both follow from
/// it, by arithmetic that shares nothing with the mapping. Simpler recipes are made of it when one fails.
package struct Recipe: CustomStringConvertible {
    package struct Line {
        /// GST-inclusive, for the whole line, before anything varies it.
        package var cents: Int64
        /// Thousandths.
        package var quantity: Int64 = 1000
        /// Thousandths: 125 is 12.5 %.
        package var rate: Int64 = 100
        /// Ten-thousandths: 9000 is 10 % off.
        package var variation: Int64 = 10_000
        package var fixed: Int64 = 0
        package var isOption = false
        package var modifier: Int64 = 0
        /// A modifier without a price: "no onion".
        package var hasNote = false
        package var isGiftCard = false
        package var isDeposit = false
        /// Sold as a product of its own.
        package var isSurcharge = false
        /// A levy of 29 % besides the tax.
        package var hasLevy = false
        /// Two taxes that one tax type holds, 10 % and 15 %.
        package var hasSecondTax = false
        /// Thousandths: of all its taxes but a levy.
        package var allRates: Int64 { hasSecondTax ? 250 : rate }

        package init(cents: Int64) { self.cents = cents }
    }

    /// What the record's line amounts hold.
    package enum Shape: CaseIterable { case everything, lineVariations, nothing }
    package enum TipPlace: CaseIterable { case payments, order, both }
    package enum Paying: CaseIterable {
        case card, split, cash, change, giftCard, voucher, account, partOnAccount, threeWays, deposit, layBy
    }
    /// Money paid back on the sale itself on a later day.
    package struct Payback {
        package var cents: Int64
        package var method: String
        package var days: Int64
    }

    package var lines: [Line] = []
    package var variation: Int64 = 10_000
    package var fixed: Int64 = 0
    /// Cents that the till's total is beyond what its lines come to.
    package var stray: Int64 = 0
    package var shape = Shape.everything
    package var areOptionsInside = false
    package var areModifiersInside = true
    package var tip: Int64 = 0
    package var tipPlace = TipPlace.payments
    package var isTipInTotal = false
    package var isTipInAmounts = false
    package var isTipLater = false
    package var paying = Paying.card
    package var isRefund = false
    /// Total, lines, payments: whether a refund writes them negative.
    package var negatives = [false, false, false]
    package var paybacks: [Payback] = []
    package var paidBack: Int64 { paybacks.reduce(0) { $0 + $1.cents } }
    /// Minutes after the first day's midnight.
    package var minute: Int64 = 720
    package var register = 1
    package var type = "dine_in"

    package init(lines: [Line] = []) { self.lines = lines }

    package var description: String {
        """
        \(lines.map { "\($0)" }.joined(separator: "\n  "))
          order ×\(variation) +\(fixed), stray \(stray), \(shape), options inside \(areOptionsInside), \
        modifiers inside \(areModifiersInside), tip \(tip) \(tipPlace) in total \(isTipInTotal) in amounts \
        \(isTipInAmounts) later \(isTipLater), \(paying), refund \(isRefund) \(negatives), \
        paid back \(paybacks), minute \(minute)
        """
    }

    package static func random(_ generator: inout Seeded) -> Recipe {
        func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
        func pick(_ values: [Int64]) -> Int64 { values[Int.random(in: 0..<values.count, using: &generator)] }
        var recipe = Recipe()
        for _ in 0..<Int.random(in: 1...6, using: &generator) {
            var line = Line(cents: Int64.random(in: 1...9999, using: &generator))
            line.rate = pick([0, 100, 100, 100, 125, 150])
            if chance(30) { line.quantity = pick([2000, 3000, 5000, 750, 333, 1250]) }
            if chance(12) { line.variation = pick([9000, 7500, 11_500, 10_150, 9333]) }
            if chance(8) { line.fixed = -Int64.random(in: 0...min(line.cents, 300), using: &generator) }
            if chance(10) { line.isOption = true }
            if chance(8) { line.modifier = pick([50, 75, 110]) }
            if chance(6) { line.hasNote = true }
            if chance(4) { (line.isGiftCard, line.rate, line.cents) = (true, 0, pick([2500, 5000])) }
            if chance(3) { (line.isGiftCard, line.isDeposit, line.rate) = (false, true, 0) }
            if chance(4) { (line.isGiftCard, line.isDeposit, line.isSurcharge) = (false, false, true) }
            if chance(4), !line.isGiftCard, !line.isDeposit { (line.hasLevy, line.rate) = (true, 100) }
            if chance(4), !line.isGiftCard, !line.isDeposit, !line.hasLevy {
                (line.hasSecondTax, line.rate) = (true, 100)
            }
            recipe.lines.append(line)
        }
        if chance(10) { recipe.lines.append(Line(cents: -Int64.random(in: 1...500, using: &generator))) }
        if chance(20) { recipe.variation = pick([9000, 8000, 11_500, 10_150, 9667]) }
        if chance(10) { recipe.fixed = pick([-500, -199, 250]) }
        if chance(3) { (recipe.variation, recipe.fixed) = (0, 0) }
        if chance(5) { recipe.stray = pick([-3, -1, 1, 2, 3]) }
        recipe.shape = Shape.allCases[Int.random(in: 0..<3, using: &generator)]
        recipe.areOptionsInside = chance(50)
        recipe.areModifiersInside = chance(50)
        if chance(25) { recipe.tip = Int64.random(in: 20...2000, using: &generator) }
        recipe.tipPlace = TipPlace.allCases[Int.random(in: 0..<3, using: &generator)]
        recipe.isTipInTotal = chance(50)
        recipe.isTipInAmounts = chance(50)
        recipe.isTipLater = chance(15)
        recipe.paying = Paying.allCases[Int.random(in: 0..<Paying.allCases.count, using: &generator)]
        if chance(10) {
            recipe.isRefund = true
            recipe.negatives = [chance(50), chance(50), chance(50)]
        } else if chance(8) {
            for _ in 0..<(chance(60) ? 1 : Int.random(in: 2...3, using: &generator)) {
                let cents = Int64.random(in: 10...2000, using: &generator)
                let method = ["EFTPOS", "Card", "Cash"][Int.random(in: 0..<3, using: &generator)]
                recipe.paybacks.append(Payback(cents: cents, method: method, days: pick([1, 1, 2, 5])))
            }
        }
        recipe.minute = Int64.random(in: 0..<2 * 1440, using: &generator)
        recipe.register = Int.random(in: 1...3, using: &generator)
        recipe.type = chance(50) ? "dine_in" : "takeaway"
        recipe.makeSense()
        return recipe
    }

    /// Takes out what no till would write.
    package mutating func makeSense() {
        // A set has at least the line that it is part of.
        if !lines.isEmpty { lines[0].isOption = false }
        for index in lines.indices {
            // Nothing is discounted below nothing.
            let varied = lines[index].cents * lines[index].variation / 10_000
            if varied + lines[index].fixed < 0 { lines[index].fixed = 0 }
        }
        if figures.goods < 0 || figures.charged <= 0 {
            fixed = 0
            for index in lines.indices { (lines[index].cents, lines[index].fixed) = (abs(lines[index].cents), 0) }
        }
        if variation == 0 { (tip, stray, paybacks, paying) = (0, 0, [], .card) }
        // Of two ways to round a variation the one nearer to the total is taken: then a stray cent is none.
        if figures.goods <= 10 || (shape == .nothing && variation != 10_000) { stray = 0 }
        if isRefund, [.account, .partOnAccount, .change, .layBy].contains(paying) { paying = .split }
        if paying == .account || paying == .partOnAccount { (paybacks, tip) = ([], 0) }
        if paying == .account, figures.goods <= 5 { paying = .card }
        if paying == .partOnAccount, figures.goods <= 20 { paying = .card }
        if tip == 0 { isTipLater = false }
        // What is later given on a payment of its own cannot be on the order alone.
        if isTipLater { tipPlace = .payments }
        // The tip of the order alone is always inside the amounts: nothing else says it was paid.
        if tipPlace == .order { isTipInAmounts = true }
        // Less than was paid: cash may have been rounded down.
        if paidBack + 5 >= figures.goods + tip || isRefund { paybacks = [] }
    }

    // MARK: simpler ones

    /// Recipes that are simpler by one thing.
    package var simpler: [Recipe] {
        var list: [Recipe] = []
        func add(_ change: (inout Recipe) -> Void) {
            var recipe = self
            change(&recipe)
            recipe.makeSense()
            if !recipe.lines.isEmpty { list.append(recipe) }
        }
        for index in lines.indices where lines.count > 1 { add { $0.lines.remove(at: index) } }
        if variation != 10_000 { add { $0.variation = 10_000 } }
        if fixed != 0 { add { $0.fixed = 0 } }
        if tip != 0 { add { $0.tip = 0 } }
        if isTipLater { add { $0.isTipLater = false } }
        if paying != .card { add { $0.paying = .card } }
        if stray != 0 { add { $0.stray = 0 } }
        for index in paybacks.indices {
            add { $0.paybacks.remove(at: index) }
            if paybacks[index].method != "EFTPOS" { add { $0.paybacks[index].method = "EFTPOS" } }
        }
        if isRefund { add { $0.isRefund = false } }
        if shape != .everything { add { $0.shape = .everything } }
        for index in lines.indices {
            if lines[index].variation != 10_000 { add { $0.lines[index].variation = 10_000 } }
            if lines[index].fixed != 0 { add { $0.lines[index].fixed = 0 } }
            if lines[index].modifier != 0 { add { $0.lines[index].modifier = 0 } }
            if lines[index].isOption { add { $0.lines[index].isOption = false } }
            if lines[index].isSurcharge { add { $0.lines[index].isSurcharge = false } }
            if lines[index].hasNote { add { $0.lines[index].hasNote = false } }
            if lines[index].hasLevy { add { $0.lines[index].hasLevy = false } }
            if lines[index].hasSecondTax { add { $0.lines[index].hasSecondTax = false } }
            if lines[index].quantity != 1000 { add { $0.lines[index].quantity = 1000 } }
            if lines[index].cents > 100 { add { $0.lines[index].cents = 100 } }
        }
        return list
    }
}
