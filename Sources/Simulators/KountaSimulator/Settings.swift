/// Everything a simulation can be told. A value: the same settings and the same clock give the same simulation.
package struct KountaSettings: Sendable {
    package enum Limits: Sendable, Equatable {
        case off
        /// The service's 60 (Basic) and 180 (OAuth) calls a minute, times a factor.
        case times(Int)
    }

    /// A client that may sign in. A client with a company reaches that one only.
    package struct Client: Sendable, Equatable {
        package var id: String
        package var secret: String
        package var company: Int64?

        package init(id: String, secret: String, company: Int64? = nil) {
            (self.id, self.secret, self.company) = (id, secret, company)
        }
    }

    package var companies = SimulatedCompany.usual
    package var seed: UInt64 = 1
    /// Orders per venue.
    package var ordersPerSite = 0
    /// Seconds over which they appear; 0: all are there at once, spread over the last `days`.
    package var durationSeconds = 0
    package var days = 7
    /// Of a hundred live orders so many are opened first and complete up to `lateSecondsMax` later.
    package var latePercent = 20
    package var lateSecondsMax = 20
    package var refunds = 0
    package var badOrders = 0
    /// Refunds carry negative amounts; else positive ones with `is_refund` alone to tell.
    package var refundsAreNegative = true
    package var shape = OrderShape()
    /// A day's takings are there when somebody has counted its till (by the control), not at its end.
    package var holdsTakings = false
    package var csvPath: String?
    package var limits = Limits.times(1)
    /// Empty: any id and secret will do.
    package var clients: [Client] = []
    package var tokenSeconds: Int64 = 3_600
    /// A customer's PUT empties the fields it does not name; else it leaves them. No source says which.
    package var putsReplace = false
    /// The key that signs hooks; nil: the secret of the client that registered the hook. Sources disagree on it.
    package var hookSecret: String?

    package init() {}
}
