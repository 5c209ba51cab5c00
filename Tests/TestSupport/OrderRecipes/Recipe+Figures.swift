import Domain
import Money

/// What a recipe comes to, in cents, by schoolbook arithmetic on whole numbers.
extension Recipe {
    package struct Figures {
        /// What each line is charged, its own variation included, the order's not.
        package var lines: [Int64] = []
        package var charged: Int64 = 0
        /// What the goods cost in the end.
        package var goods: Int64 = 0
        /// The record's amount of each line.
        package var recorded: [Int64] = []
        /// What each line comes to on the document, before the order's variation is spread.
        package var booked: [Int64] = []
        package var spread: Int64 = 0
    }

    /// Half away from zero.
    package static func rounded(_ numerator: Int64, over divisor: Int64) -> Int64 {
        let half = divisor / 2
        return numerator >= 0 ? (numerator + half) / divisor : -((-numerator + half) / divisor)
    }

    package var figures: Figures {
        var figures = Figures()
        for line in lines {
            let isFree = line.isOption && areOptionsInside
            let amount = isFree ? 0 : line.cents + (areModifiersInside ? 0 : line.modifier)
            figures.lines.append(isFree ? 0 : Self.rounded(amount * line.variation, over: 10_000) + line.fixed)
        }
        figures.charged = figures.lines.reduce(0, +)
        let priced = Self.rounded(figures.charged * variation, over: 10_000) + fixed
        figures.goods = priced + stray
        switch shape {
        case .everything:
            figures.booked = Self.shares(of: priced, over: figures.lines)
            figures.recorded = figures.booked
        case .lineVariations:
            (figures.booked, figures.recorded) = (figures.lines, figures.lines)
            figures.spread = priced - figures.charged
        case .nothing:
            figures.booked = figures.lines
            figures.recorded = lines.map(\.cents)
            figures.spread = priced - figures.charged
        }
        for (index, line) in lines.enumerated() {
            // An amount after variations holds its modifier as well, unless modifiers are never inside.
            if shape != .nothing, !areModifiersInside { figures.recorded[index] -= line.modifier }
            if line.isOption && areOptionsInside { figures.recorded[index] = line.cents }
        }
        return figures
    }

    /// Parts of `total` in the ratio of `weights`: rounded towards zero, the cents left over to the largest remainders,
    /// the earlier first.
    package static func shares(of total: Int64, over weights: [Int64]) -> [Int64] {
        let sum = weights.reduce(0, +)
        guard sum != 0 else { return weights }
        var parts = weights.map { total * $0 / sum }
        var left = total - parts.reduce(0, +)
        let order = weights.indices.sorted { first, second in
            let one = abs(total * weights[first] % sum), other = abs(total * weights[second] % sum)
            return one != other ? one > other : first < second
        }
        for index in order where left != 0 {
            parts[index] += left > 0 ? 1 : -1
            left += left > 0 ? -1 : 1
        }
        return parts
    }

    /// The tax inside a gross amount: half up to the cent; `rate` in thousandths.
    package static func tax(inside gross: Int64, rate: Int64) -> Int64 { rounded(gross * rate, over: 1000 + rate) }
}
