extension Money {
    /// Splits this amount over `weights` so that the parts add up to it exactly: each part is rounded towards zero,
    /// and the cents left over go to the largest remainders (the earlier part wins a tie). Weights may be negative or
    /// zero as long as their sum is not zero.
    ///
    /// - Returns: one part a weight, in their order; nil if the weights add up to zero or a part is beyond ``max``.
    package func allotted(by weights: [Money]) -> [Money]? {
        let sum = Int128(weights.sum().cents)
        guard sum != 0 else { return nil }
        var parts: [Int64] = []
        var remainders: [(index: Int, remainder: UInt128)] = []
        for (index, weight) in weights.enumerated() {
            let share = Int128(cents) * Int128(weight.cents)
            let (quotient, remainder) = share.quotientAndRemainder(dividingBy: sum)
            guard quotient.magnitude <= UInt128(Money.max.cents) else { return nil }
            parts.append(Int64(quotient))
            remainders.append((index, remainder.magnitude))
        }
        var left = cents - parts.reduce(0, +)
        let step = left.signum()
        remainders.sort { $0.remainder != $1.remainder ? $0.remainder > $1.remainder : $0.index < $1.index }
        var position = 0
        // Each part lost less than a cent, so fewer cents are left than there are parts.
        while left != 0 {
            parts[remainders[position % remainders.count].index] += step
            left -= step
            position += 1
        }
        return parts.map { Money(cents: $0) }
    }
}
