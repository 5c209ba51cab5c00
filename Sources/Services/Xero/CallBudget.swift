package import Domain
package import HTTP

/// Shares an organisation's allowance of calls among all writers, whatever process they run in.
package protocol CallBudget: Sendable {
    /// Returns when a call may be made. The permit must be given back, also when the call failed; a killed writer's
    /// permits come back by themselves.
    func take(for organisation: OrganisationKey) async throws -> CallPermit
    /// The call is over; what the answer said about the limits is for everybody.
    func giveBack(_ permit: CallPermit, headers: HTTPHeaders?) async
    /// Nobody calls this organisation for so long.
    func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async
}

package struct CallPermit: Sendable, Hashable {
    package let organisation: OrganisationKey
    /// Nil where the organisation has no limits.
    package let id: Int64?

    package init(organisation: OrganisationKey, id: Int64?) {
        self.organisation = organisation
        self.id = id
    }
}
