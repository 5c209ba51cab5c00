package import Money

/// Of what a count of takings is: a whole site, one register, or what one member of staff took.
package enum TakingsScope: Sendable, Hashable {
    case site
    case register(String)
    case staff(String)
    /// The record says nothing that is known here: such a count ends no day.
    case unknown
}

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

    /// A venue may count each register by itself: by payment method, what all of them come to.
    package static func sums(of all: [Takings]) -> [Takings] {
        all.reduce(into: []) { sums, taking in
            if let index = sums.firstIndex(where: { $0.method == taking.method }) {
                sums[index].recorded += taking.recorded
                sums[index].counted += taking.counted
            } else {
                sums.append(taking)
            }
        }
    }

    /// Positive: more was in the till than it knows of.
    package var variance: Money { counted - recorded }
}
