package import Domain
package import HTTP

/// What a call is for. The order is the order in which waiting calls are served: what posts trade comes first, what can
/// wait fills idle budget.
package enum CallPurpose: Int, Sendable, Hashable, CaseIterable {
    case invoices
    case payments
    case contacts
    case items
    case historyNotes
    case reconciliation
    case backfill

    /// Leaves room for what matters more: see the settings `reserve_*`.
    package var isLow: Bool { rawValue >= CallPurpose.historyNotes.rawValue }
}

/// What a call came to, as far as the organisation's health is concerned.
package enum CallResult: Sendable, Hashable {
    /// An answer of the ledger's, also a refusal: it is there.
    case good
    /// Network trouble or a 5xx.
    case failed(String)
    /// 503: the organisation is offline.
    case offline(String)
    /// 401 or 403: a person is needed.
    case disconnected(String)
    /// The call was not made; it counts nowhere.
    case unused
}

/// The circuit breaker of an organisation, shared by all writers.
package enum BreakerState: String, Sendable, Hashable {
    case closed
    /// One call is trying whether the organisation is back.
    case halfOpen = "half_open"
    case open
}

/// Shares an organisation's allowance of calls among all writers, whatever process they run in.
package protocol CallBudget: Sendable {
    /// Returns when a call may be made. The permit must be given back, also when the call failed; a killed writer's
    /// permits come back by themselves.
    ///
    /// - Parameter isRead: a look-up; those that write leave it the calls that are reserved for reads.
    func take(_ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey) async throws -> CallPermit
    /// The same, but it waits for nothing: nil where no call may be made now.
    func takeAtOnce(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit?
    /// The call is over; what the answer said about the limits, and how it ended, is for everybody.
    func giveBack(_ permit: CallPermit, headers: HTTPHeaders?, result: CallResult) async
    /// How long the organisation surely takes no call: parked, its breaker open, its day used up. Nil where it may.
    func closed(_ organisation: OrganisationKey) async throws -> Duration?
    /// Nobody calls this organisation for so long.
    func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async
}

package struct CallPermit: Sendable, Hashable {
    package let organisation: OrganisationKey
    /// Nil where the organisation has no limits.
    package let id: Int64?
    /// Of this minute's calls, how many hundredths are left; nil where there is no limit.
    package let percentLeft: Int?

    package init(organisation: OrganisationKey, id: Int64?, percentLeft: Int? = nil) {
        self.organisation = organisation
        self.id = id
        self.percentLeft = percentLeft
    }
}

extension CallResult {
    init(_ outcome: HTTPOutcome) {
        switch outcome {
        case .neverSent(let error): self = .failed("\(error)")
        case .unknown(let error): self = .failed("\(error)")
        case .answered(let response):
            switch XeroOutcome(response) {
            case .offline(let detail): self = .offline(detail)
            // One 401 may be a token that ran out: the client tries again with a fresh one before it believes it.
            case .disconnected(let detail): self = response.status == 401 ? .good : .disconnected(detail)
            case .unknown(let detail), .neverSent(let detail): self = .failed(detail)
            case .answered, .limited, .refused: self = .good
            }
        }
    }
}
