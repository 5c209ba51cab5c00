extension Money {
    /// The tax inside this GST-inclusive amount: amount × rate / (1 + rate), half up (away from zero) to the cent, as
    /// Xero works it out line by line.
    ///
    /// - Parameter rate: a factor of at least 0, 0.1 = 10 %.
    package func taxInside(rate: ExactDecimal) -> Money {
        if rate.isZero || isZero { return .zero }
        precondition(!rate.isNegative, "a tax rate of \(rate) is negative")
        let rate = rate.trimmed
        let scale = ExactDecimal.powersOfTen[rate.scale]
        let divisor = scale + rate.coefficient
        let numerator = Int128(cents) * rate.coefficient
        // The usual figures fit 64 bits, where a division is many times faster.
        if let numerator = Int64(exactly: numerator), let divisor = Int64(exactly: divisor) {
            let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: divisor)
            let isUp = remainder.magnitude >= divisor.magnitude - remainder.magnitude
            return Money(cents: quotient + (isUp ? numerator.signum() : 0))
        }
        let (quotient, remainder) = numerator.quotientAndRemainder(dividingBy: divisor)
        let isUp = remainder.magnitude >= divisor.magnitude - remainder.magnitude
        return Money(cents: Int64(quotient) + (isUp ? Int64(numerator.signum()) : 0))
    }
}
