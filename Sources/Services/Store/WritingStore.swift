package import Domain
package import Xero

/// What the writers store. Every change of a document names the fencing number of its claim; a writer whose lease ran
/// out changes nothing and is told so.
package protocol WritingStore: Sendable {
    /// What of these can be worked on. A document in `ready` comes as it stands, held by nobody: ``recordSending``
    /// claims it in the same statement that stores its bytes, so that nothing is claimed while a permit is waited for.
    /// What a dead writer left is claimed here, because it must be looked up first. What another writer holds, or what
    /// is finished, is in the result as such.
    func take(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult]
    /// Stores key and exact bytes and moves the documents to `sent`, claiming those nobody holds. Nothing may be sent
    /// before this returned.
    ///
    /// - Returns: the claims as they stand now.
    /// - Throws: ``TakenByOthers`` where some of them can no longer be had: then nothing was changed.
    func recordSending(_ claims: [Claim], _ attempt: SendingAttempt) async throws -> [Claim]
    /// Gives back to `ready` those that are still `claimed`: nothing of them can have reached the ledger.
    func release(_ claims: [Claim]) async throws
    /// Lets go of documents whose messages wait in a delay queue: whoever gets the message next may claim them, and
    /// until then no sweeper takes them for forgotten.
    func putOff(_ claims: [Claim], for wait: Duration) async throws
    /// A request was refused before anything happened: its documents are as if it had never been sent.
    func recordNotTaken(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws
    func recordUncertain(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws
    /// Stores what the ledger said of each document, and the payments that are to be sent next.
    ///
    /// - Parameters:
    ///   - call: the call whose answer this is; nil where the ledger was only looked at.
    ///   - payments: each with the claims of its documents.
    /// - Throws: ``LeaseLost`` where a document, also of the payments, is another's: then nothing was stored.
    func recordInvoices(
        _ results: [InvoiceResult], of call: AnsweredCall?, payments: [(attempt: PaymentAttempt, claims: [Claim])]
    ) async throws
    /// Stores key and exact bytes of payments about to be sent, and only while every one of their documents is the
    /// caller's: whoever took one over meanwhile pays it under a key of its own.
    ///
    /// - Parameters:
    ///   - claims: the payments' documents.
    ///   - key: of the request in whose place this one is sent: that one was refused and did nothing.
    /// - Throws: ``LeaseLost`` where one of them is another's: then nothing may be sent.
    func recordSending(_ payments: PaymentAttempt, of claims: [Claim], insteadOf key: String?) async throws
    /// Xero's ids of the payments of these documents that are known to stand.
    func standingPayments(of documents: [DocumentID]) async throws -> Set<String>
    /// Stores what became of payments, and closes documents that have none left. What another writer took over
    /// meanwhile is left alone: that one looks what stands.
    ///
    /// - Parameter claims: the payments' documents.
    func recordPayments(
        _ results: [PaymentResult], of claims: [Claim], settled: [Claim], answering call: AnsweredCall?) async throws
    /// Requests of payments of these documents that were stored not longer ago than `ageMax`, and of which nobody
    /// knows the answer, oldest first.
    func unanswered(_ documents: [DocumentID], ageMax: Duration) async throws -> [UnansweredAttempt]
    /// The bytes of the latest requests in which a document was, or may have been, brought into the ledger, newest
    /// first: also of earlier versions of it.
    func sentBodies(of document: DocumentID) async throws -> [[UInt8]]
    /// Nobody works on these any more: what is not done of them counts as refused, whoever holds them.
    ///
    /// - Returns: those of which something was left to do.
    func giveUp(_ documents: [DocumentID], because cause: String) async throws -> [DocumentID]
    /// What a document with the task ``DocumentTask/update`` is to become: its element without the contact.
    func change(of claim: Claim) async throws -> [UInt8]?
    /// Stores key and exact bytes of a change to what stands, about to be sent.
    ///
    /// - Throws: ``LeaseLost`` where the claim is no longer the caller's: then nothing may be sent.
    func recordChange(_ claim: Claim, _ attempt: PaymentAttempt) async throws
    /// Closes the attempt of a change: what it came to, in a few words.
    func recordAnswer(_ call: AnsweredCall, _ outcome: String) async throws
    /// Stores what became of a document's task and ends it.
    ///
    /// - Parameter call: the last one made for it; nil where none was needed.
    func recordTask(_ claim: Claim, _ outcome: TaskOutcome, of call: AnsweredCall?) async throws
    /// Of a document's payments and allocations only these are left in the ledger: the others were taken away before it
    /// refused the rest.
    func recordRemoved(
        _ claim: Claim, leaving payments: [String], settledBy allocations: [StandingAllocation]) async throws
    /// Whether a document of this number will be in the ledger, as far as is known.
    func isOnItsWay(_ number: String, in organisation: OrganisationKey) async throws -> Bool
    /// What the ledger said of its lock dates.
    func recordLock(_ organisation: OrganisationKey, through day: CalendarDate?) async throws
    /// Makes a claim last longer.
    func extend(_ claims: [Claim], lease: Duration) async throws
}

/// A request of documents of one kind that is about to be sent.
package struct SendingAttempt: Sendable {
    package let organisation: OrganisationKey
    package let kind: LedgerDocument.Kind
    package let key: String
    package let bytes: [UInt8]
    package let lease: Duration

    package init(
        organisation: OrganisationKey, kind: LedgerDocument.Kind = .invoice, key: String, bytes: [UInt8],
        lease: Duration
    ) {
        self.organisation = organisation
        self.kind = kind
        self.key = key
        self.bytes = bytes
        self.lease = lease
    }
}

/// A call that was answered: our name for it and Xero's.
package struct AnsweredCall: Sendable {
    package let key: String
    /// `Xero-Correlation-Id`: what Xero's support asks for.
    package let correlationID: String?

    package init(key: String, correlationID: String? = nil) {
        self.key = key
        self.correlationID = correlationID
    }
}

/// Documents that another writer claimed, or a newer version replaced, after they were read.
package struct TakenByOthers: Error, Sendable {
    package let documents: Set<DocumentID>
    package init(_ documents: Set<DocumentID>) { self.documents = documents }
}

package struct ClaimResult: Sendable {
    package enum Outcome: Sendable {
        case claimed(Claim)
        /// Another writer holds it until its lease ends.
        case busy
        /// Nothing left to do.
        case finished(DocumentState)
        /// No such row.
        case absent
    }

    package let id: DocumentID
    package let outcome: Outcome
    /// Of a finished document: what was refused of it. Its letter may never have been sent.
    package var refusal: StandingRefusal?
}

/// A document in a writer's hands: what it is, and how far it has come.
package struct Claim: Sendable {
    package let document: ClaimedDocument
    package var fencing: Int64
    /// Whether a lease stands behind it; else it was only read.
    package var isHeld: Bool
    package var xeroID: String?
    package var payments: [ClaimedPayment]
    /// Failed attempts of its message so far.
    package var attempt = 0

    package var id: DocumentID { document.id }
    package var before: DocumentState { document.before }
    package var kind: LedgerDocument.Kind { document.kind }
    package var number: String { document.number }
    package var contactNumber: String { document.contactNumber }
    package var contact: ClaimedContact? { document.contact }
    package var task: DocumentTask? { document.task }
    package var company: CompanyKey { document.company }
    package var venue: String { document.venue }
    package var sourceID: String { document.sourceID }
    package var date: String { document.date }
    package var total: String { document.total }
    package var cause: String? { document.cause }
    package var body: [UInt8] { document.body }
}

/// What does not change while a writer holds it. A class: claims are handed from step to step and kept with each
/// result, and a copy of all this would retain a dozen strings.
package final class ClaimedDocument: Sendable {
    package let id: DocumentID
    /// The state it was in before: `ready`, or what a writer that died left behind.
    package let before: DocumentState
    package let kind: LedgerDocument.Kind
    package let number: String
    package let contactNumber: String
    /// Who that is, where it is not the venue's walk-in contact.
    package let contact: ClaimedContact?
    /// What is to be done with a document that stands.
    package let task: DocumentTask?
    package let company: CompanyKey
    package let venue: String
    package let sourceID: String
    package let date: String
    /// Exact digits.
    package let total: String
    package let body: [UInt8]
    /// What was stored against it: of one that stands, why it goes to the desk all the same.
    package let cause: String?

    init(
        id: DocumentID, before: DocumentState, kind: LedgerDocument.Kind, number: String, contactNumber: String,
        contact: ClaimedContact?, task: DocumentTask?, company: CompanyKey, venue: String, sourceID: String,
        date: String, total: String, body: [UInt8], cause: String? = nil
    ) {
        self.id = id
        self.before = before
        self.kind = kind
        self.number = number
        self.contactNumber = contactNumber
        self.contact = contact
        self.task = task
        self.company = company
        self.venue = venue
        self.sourceID = sourceID
        self.date = date
        self.total = total
        self.body = body
        self.cause = cause
    }
}

/// What a writer is to do with a document that stands in the ledger.
package enum DocumentTask: String, Sendable, Hashable {
    /// Take its payments and allocations away and make it void.
    case void
    /// Change it to what its body says.
    case update
}

package enum TaskOutcome: Sendable, Hashable {
    /// Why the ledger would not: what decides what is done instead.
    package enum Obstacle: Sendable, Hashable { case locked, reconciled, other }

    case voided
    case updated
    /// It stands as it was; the ledger's sentence.
    case refused(String, Obstacle)
}

/// A customer, as the order names them.
package struct ClaimedContact: Sendable, Hashable {
    package let name: String
    package let firstName: String
    package let lastName: String
    package let email: String?
}

/// A payment's name: its document and its place there, from 0.
package struct PaymentKey: Sendable, Hashable {
    package let document: DocumentID
    package let ordinal: Int64

    package init(document: DocumentID, ordinal: Int64) {
        self.document = document
        self.ordinal = ordinal
    }
}

package struct ClaimedPayment: Sendable {
    package let id: PaymentKey
    package let account: String
    /// Exact digits with two decimals.
    package let amount: String
    package let date: CalendarDate
    package let reference: String
    package var state: String
    /// Of one that stands.
    package let xeroID: String?
    /// No money: the number of the invoice that this part of a credit note settles.
    package let allocates: String?
    /// Of a refused one: what its letter says.
    package var cause: String?
}

package struct InvoiceResult: Sendable {
    package let claim: Claim
    package let state: DocumentState
    package let xeroID: String?
    package let cause: String?

    package init(claim: Claim, state: DocumentState, xeroID: String? = nil, cause: String? = nil) {
        self.claim = claim
        self.state = state
        self.xeroID = xeroID
        self.cause = cause
    }
}

/// A batch of payments, or a change to one document, that is about to be sent.
package struct PaymentAttempt: Sendable {
    package enum Kind: String, Sendable { case payments, changes }

    package let organisation: OrganisationKey
    package let kind: Kind
    package let key: String
    package let bytes: [UInt8]
    /// The documents they settle.
    package let documents: [DocumentID]

    package init(
        organisation: OrganisationKey, kind: Kind = .payments, key: String, bytes: [UInt8], documents: [DocumentID]
    ) {
        self.organisation = organisation
        self.kind = kind
        self.key = key
        self.bytes = bytes
        self.documents = documents
    }
}

/// A request that may have reached the ledger or not: its writer died before it knew.
package struct UnansweredAttempt: Sendable {
    package let key: String
    /// Exactly what was, or was to be, sent.
    package let bytes: [UInt8]
    package let documents: [DocumentID]
    /// Since it was stored.
    package let age: Duration

    package init(key: String, bytes: [UInt8], documents: [DocumentID], age: Duration) {
        self.key = key
        self.bytes = bytes
        self.documents = documents
        self.age = age
    }
}

package struct PaymentResult: Sendable {
    package enum State: String, Sendable { case ready, uncertain, written, refused }
    package let id: PaymentKey
    package let state: State
    package let xeroID: String?
    package let cause: String?

    package init(id: PaymentKey, state: State, xeroID: String? = nil, cause: String? = nil) {
        self.id = id
        self.state = state
        self.xeroID = xeroID
        self.cause = cause
    }
}

/// A lease ran out and another process took over: what this one still holds of it is void.
package struct LeaseLost: Error, Sendable, CustomStringConvertible {
    package let count: Int
    package init(count: Int) { self.count = count }
    package var description: String { "\(count) leases ran out and were taken over" }
}

extension Claim {
    /// Whether something is left to pay after the invoice stands.
    package var hasOpenPayments: Bool { payments.contains(where: \.isOpen) }
}

extension ClaimedPayment {
    package var isOpen: Bool { state != "written" && state != "refused" && state != "removed" }
}
