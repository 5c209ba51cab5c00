package import Domain
package import Mapping

/// What is stored of orders that need more than one new invoice: refunds, customers' accounts, edits, deletions.
package protocol PostingStore: Sendable {
    /// Reads what stands for an order, has it decided what to do, and stores that, in one transaction. Doing it again
    /// changes nothing: what was stored the first time stands the second.
    ///
    /// - Parameter decide: pure; may be called again.
    /// - Returns: what was stored, and the decision's ending; nil where a newer version of the order was seen before.
    func post<Ending: Sendable>(
        _ request: PostingRequest, _ decide: @Sendable (StandingOrder) -> (moves: [PostingMove], ending: Ending)
    ) async throws -> (announced: [DocumentID], ending: Ending)?
}

/// One version of an order that is to be decided upon.
package struct PostingRequest: Sendable {
    package var source: SourceKey
    package var hash: ContentHash
    package var body: [UInt8]
    /// When the version was last read at the till: what tells the newer of two.
    package var firstSeen: Instant?
    package var organisation: OrganisationKey
    /// Of the order's first document.
    package var number: DocumentNumber
    /// Of the sale a refund order gives back, as the refund's own venue would number it.
    package var original: DocumentNumber?
    /// That sale as an order of the till's.
    package var sale: SourceKey?
    /// Its number as the company's other venues would: a guest may bring it back to any of them.
    package var otherOriginals: [DocumentNumber] = []
    /// Of a named customer: whom the order's document is made out to.
    package var contact: CustomerContact?

    package init(
        source: SourceKey, hash: ContentHash, body: [UInt8], firstSeen: Instant?, organisation: OrganisationKey,
        number: DocumentNumber, original: DocumentNumber?
    ) {
        self.source = source
        self.hash = hash
        self.body = body
        self.firstSeen = firstSeen
        self.organisation = organisation
        self.number = number
        self.original = original
    }
}

/// What stands for an order, with what a decision depends on.
package struct StandingOrder: Sendable {
    package var documents: [StandingDocument] = []
    package var original: StandingDocument?
    /// Without any suffix, of the venue that sold it; nil where nothing stands for it.
    package var originalNumber: DocumentNumber?
    /// Instead of it: that sale inside of a summary.
    package var summarised: SummarisedSale?
    package var locks = LedgerLocks.none
    /// What the ledger would not do the last time it was asked to, by number.
    package var refusals: [DocumentNumber: String] = [:]
}

/// One change of the table that a decision comes to.
package enum PostingMove: Sendable {
    case create(NewDocument)
    /// Gives a document that was not sent, or was refused, another content.
    case replace(NewDocument)
    case withdraw(DocumentNumber, because: String)
    case update(NewDocument, because: String)
    case pay(DocumentNumber, [LedgerPayment], because: String)
    case void(DocumentNumber, because: String)
}
