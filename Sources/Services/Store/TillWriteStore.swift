package import Domain
package import Mapping

/// What may be written into the till, and what became of it: the poller's side.
package protocol TillWriteStore: LeaseStore {
    /// Has everything of a kind looked at anew that other rules decided about.
    func reconsider(_ kind: TillWrite.Kind, of company: CompanyKey, under rules: ContentHash) async throws
    /// Customers whose contact stands in the ledger and about whom something may be to do, longest due first.
    func dueCustomers(of company: CompanyKey, limit: Int) async throws -> [DueCustomer]
    /// Takings of days that are posted, all of them, and about which something may be to do, longest due first.
    func dueTakings(of company: CompanyKey, limit: Int) async throws -> [DueTakings]
    /// Stores what is about to be written, before it is.
    ///
    /// - Parameter standing: what of ours stands in the till now.
    /// - Returns: false where there is a newer reason to look: it is looked at again instead.
    func intend(_ value: String, over standing: String?, _ write: TillWrite) async throws -> Bool
    /// Nothing more is to do, unless there is a newer reason.
    func settle(_ write: TillWrite, _ result: TillWriteResult) async throws
    /// Another try, later.
    func putOff(_ write: TillWrite, for pause: Duration, because cause: String) async throws
    /// How many a person should know of, by outcome.
    func tillWritesLeft(of company: CompanyKey) async throws -> [TillWriteResult.Outcome: Int]
}

/// One row: what it is about, and which reason to look this is.
package struct TillWrite: Sendable, Hashable {
    package enum Kind: String, Sendable { case customer, takings }

    package let company: CompanyKey
    package let kind: Kind
    /// Kounta's id.
    package let id: String
    package let revision: Int64
    package let attempts: Int
    /// What became of it the last time.
    package let before: TillWriteResult.Outcome?
}

package struct DueCustomer: Sendable, Hashable {
    package let write: TillWrite
    package let contact: ContactFacts
    /// What we wrote, or were about to write.
    package let ours: Set<String>
}

package struct DueTakings: Sendable, Hashable {
    package let write: TillWrite
    package let site: SiteID
    package let venue: String
    package let day: CalendarDate
}

package struct TillWriteResult: Sendable, Hashable {
    package enum Outcome: String, Sendable, Hashable, CaseIterable {
        case written
        /// It was as it should be already.
        case stands
        /// No rule is about it.
        case unruled
        /// Kounta does not have it any longer.
        case gone
        /// Somebody else's value stands there.
        case foreign
        /// The value is none, or Kounta would not take it.
        case refused
        /// Tried as often as it is tried.
        case failed
        /// Kounta changed other fields as well: nothing more is written for the company.
        case altered

        /// A person should know of it.
        package static let left: [Outcome] = [.foreign, .refused, .failed, .altered]
    }

    package var outcome: Outcome
    /// What stands in the till by our hand; nil leaves what is known.
    package var value: String?
    package var cause: String?
    package var rules: ContentHash
    package var mappingVersion: Int64

    package init(
        _ outcome: Outcome, value: String? = nil, cause: String? = nil, rules: ContentHash, mappingVersion: Int64
    ) {
        self.outcome = outcome
        self.value = value
        self.cause = cause
        self.rules = rules
        self.mappingVersion = mappingVersion
    }
}

/// A customer of the till's and the contact that a document of theirs was made out to.
package struct CustomerContact: Sendable, Hashable {
    package let customer: String
    package let number: String

    /// Nil where the id is none that can stand in a path.
    package init?(customer: String, number: String) {
        let isPlain = customer.utf8.allSatisfy {
            (0x30...0x39).contains($0) || (0x61...0x7A).contains($0 | 0x20) || $0 == 0x2D
        }
        guard isPlain, !customer.isEmpty else { return nil }
        self.customer = customer
        self.number = number
    }
}
