package import Money

/// What the till recorded and what was counted at the end of the day, of one payment method.
package struct Takings: Sendable, Hashable {
    package var method: String
    package var recorded: Money
    package var counted: Money

    package init(method: String, recorded: Money, counted: Money) {
        self.method = method
        self.recorded = recorded
        self.counted = counted
    }

    /// Positive: more was in the till than it knows of.
    package var variance: Money { counted - recorded }
}
