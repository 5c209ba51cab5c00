import Crypto
import Domain
import Mapping
import Messaging
import Settings
import Store
import Xero

/// An order that is more than one new invoice: a refund, a sale on a customer's account, an edit, a deletion. What is
/// to be done is decided in the database's transaction, over what stands there.
struct OrderPosting {
    let request: PostingRequest
    let version: OrderVersion
    let books: VenueBooks
    /// The order's number without any suffix.
    let number: DocumentNumber

    /// What a decision came to, as far as the message is concerned.
    enum Ending: Sendable {
        case done
        /// What stands in the way, or what was begun, has no outcome yet: decided again when it has.
        case again(String)
        /// Another order is not booked yet, and may never be: tried again for some time, then laid on the desk.
        case wait(String)
        case park(Park)
    }

    /// Pure. A void is a step of its own: what replaces a document is made when the ledger has let the old one go, so
    /// that a refusal never leaves a sale booked twice.
    func moves(over standing: StandingOrder) -> (moves: [PostingMove], ending: Ending) {
        let steps = PostingDecision(locks: standing.locks).steps(
            for: version, standing: standing.documents, original: standing.original, summarised: standing.summarised)
        var moves: [PostingMove] = []
        var ending = Ending.done
        func made(_ document: LedgerDocument, _ reason: String) -> NewDocument {
            self.made(document, reason, original: standing.originalNumber ?? request.original)
        }
        for step in steps {
            switch step.action {
            case .nothing, .removePayments, .removeAllocations: break
            case .hold: ending = standing.documents.isEmpty ? .wait(step.reason) : .again(step.reason)
            case .park(let park): return (moves, .park(park))
            case .create(let document): moves.append(.create(made(document, step.reason)))
            case .replace(let document): moves.append(.replace(made(document, step.reason)))
            case .withdraw(let number): moves.append(.withdraw(number, because: step.reason))
            case .update(let document):
                if let refusal = standing.refusals[document.number] {
                    return (moves, .park(Self.park(document.number, refusal, step.reason)))
                }
                moves.append(.update(made(document, step.reason), because: step.reason))
                ending = .again(step.reason)
            case .pay(let number, let payments):
                moves.append(.pay(number, payments, because: step.reason))
            case .void(let number):
                if let refusal = standing.refusals[number] {
                    return (moves, .park(Self.park(number, refusal, step.reason)))
                }
                moves.append(.void(number, because: step.reason))
                return (moves, .again(step.reason))
            }
        }
        return (moves, ending)
    }

    private static func park(_ number: DocumentNumber, _ refusal: String, _ reason: String) -> Park {
        let cause = "\(reason) But Xero would not change \(number): \(refusal)"
        let read = RefusalReading.again(refusal)
        // Nothing is wrong with the document: when Xero takes calls again, it is tried again.
        if read.deadLetterClass == .rateLimit || read.deadLetterClass == .connection {
            return Park(read.deadLetterClass, cause, remedy: read.remedy)
        }
        return Park(
            .value, cause,
            remedy: "Correct \(number) in Xero by hand, then discard this letter; or mend what the sentence names and "
                + "replay it.")
    }

    private func made(_ document: LedgerDocument, _ reason: String, original: DocumentNumber?) -> NewDocument {
        var made = NewDocument(document, of: books)
        made.reason = reason
        made.revision = document.number.revision
        if document.kind == .creditNote, document.slot == .sale { made.original = original }
        // What it settles of the order's own later revision must be found when that one is taken away.
        if document.kind == .creditNote, case .reversal = document.slot { made.original = number }
        return made
    }
}

extension DocumentNumber {
    /// The `<n>` of `-r<n>` at its end; 0 without.
    fileprivate var revision: Int {
        guard let mark = text.lastIndex(of: "r"), mark > text.startIndex, text[text.index(before: mark)] == "-",
            let revision = Int(text[text.index(after: mark)...]), revision > 0
        else { return 0 }
        return revision
    }
}

extension LedgerDocument {
    /// One new invoice of a sale that is paid: nearly all orders. It needs no look at what stands before it.
    func isOrdinary(in books: VenueBooks) -> Bool {
        kind == .invoice && slot == .sale && !isOnAccount && allocations.isEmpty && date == day
            && (contactNumber == books.contactNumber || contactName == nil)
    }
}

extension NewDocument {
    /// The row, the exact body and the hash over what the ledger is told.
    init(_ document: LedgerDocument, of books: VenueBooks) {
        let body = InvoiceBody.element(document)
        var hasher = SHA256()
        hasher.update(data: body)
        for payment in document.payments {
            let line = "\(payment.account)|\(payment.amount)|\(payment.date)|\(payment.reference)\n"
            hasher.update(data: Array(line.utf8))
        }
        for allocation in document.allocations {
            hasher.update(data: Array("\(allocation.invoice)|\(allocation.amount)|\(allocation.date)\n".utf8))
        }
        guard let hash = ContentHash(bytes: Array(hasher.finalize())) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        self.init(
            organisation: books.organisation, number: document.number, venue: books.name,
            contactNumber: document.contactNumber, tradingDate: document.date, currency: document.currency,
            total: document.total, body: body, contentHash: hash, payments: document.payments)
        kind = document.kind
        slot = document.slot
        allocations = document.allocations
        if !document.isOrdinary(in: books) { form = document.stored }
    }
}
