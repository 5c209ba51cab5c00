package import Domain
package import Money

/// A sale that a refund gives back and that has no document of its own but is inside of a summary.
package struct SummarisedSale: Sendable, Hashable {
    /// What a document of its own would be called.
    package var number: DocumentNumber
    package var sold: Money
    package var givenBack: Money

    package init(number: DocumentNumber, sold: Money, givenBack: Money) {
        self.number = number
        self.sold = sold
        self.givenBack = givenBack
    }
}

/// Decides what to do in the ledger about a new version of an order, given what already stands there for it.
///
/// Pure, and the only place that decides it. The choices, best first:
/// 1. nothing stands → **create**; it stands just so → **nothing**;
/// 2. nothing was sent yet → **replace** or **withdraw**;
/// 3. Xero lets it be changed → **update**; it only got more payments → **pay**;
/// 4. → **remove payments, void**, and **create** again under the next revision, since a void number stays used;
/// 5. the period is locked or a payment reconciled → **take back** by a document of the other kind, dated on the first
///    open day, paid back through the same accounts or allocated; and create again. What a credit note had settled can
///    no more be taken apart: so much of what takes it back stays open, to settle what is created again.
///
/// While a writer holds a document its outcome is not known, and everything about it is held back.
package struct PostingDecision: Sendable {
    let locks: LedgerLocks

    package init(locks: LedgerLocks = .none) { self.locks = locks }

    /// - Parameters:
    ///   - standing: every document of the order, gone ones too, since their numbers are used up.
    ///   - original: of a refund order, the sale it gives back, as it stands now; nil where the ledger has none.
    ///   - summarised: the same where it is inside of a summary.
    /// - Returns: at least one step, in the order to be taken.
    package func steps(
        for version: OrderVersion, standing: [StandingDocument], original: StandingDocument? = nil,
        summarised: SummarisedSale? = nil
    ) -> [PostingStep] {
        let live = standing.filter { $0.standing != .gone }
        switch version {
        case .open(let status):
            if live.isEmpty { return [PostingStep(.nothing, "The order is \(status): it is booked when complete.")] }
            return [PostingStep(.hold, "The order was opened again (\(status)): what stands is left until it closes.")]
        case .unbookable(let park):
            return [PostingStep(.park(park), live.isEmpty ? park.cause : "\(park.cause) What stands is left as it is.")]
        case .skipped(let rule, let reason):
            let why = "The rule \"\(rule)\" leaves the order out: \(reason)"
            return [PostingStep(.nothing, live.isEmpty ? why : why + " It was booked before and is left as it is.")]
        case .deleted:
            // What takes another back and was refused goes with what it takes back.
            let own = live.filter { !$0.isReversal }
            if own.isEmpty { return [PostingStep(.nothing, "The order was deleted before it was booked.")] }
            return own.flatMap { takeAway($0, because: "The order was deleted in Kounta") }
        case .documents(let wanted):
            if let summarised, original == nil, let step = obstacle(wanted, live, summarised) { return [step] }
            return steps(for: wanted, standing: standing, original: original)
        }
    }

    private func steps(
        for wanted: [LedgerDocument], standing: [StandingDocument], original: StandingDocument?
    ) -> [PostingStep] {
        var steps: [PostingStep] = []
        for document in wanted {
            let known = standing.filter { $0.document.slot == document.slot }
            let current = known.last { $0.standing != .gone }
            let revision = known.map { $0.revision + 1 }.max() ?? 0
            if let current {
                if document.isLargerRefund(than: current), let beyond = beyond(document, original) { return [beyond] }
            } else if let obstacle = obstacle(to: document, original) {
                return [obstacle]
            }
            let target = retargeted(document, original)
            guard let current else {
                steps.append(create(target, revision: revision, because: revision == 0
                    ? target.reasons.first ?? "The order is complete."
                    : "What stood before was taken away, and its number stays used."))
                continue
            }
            steps += change(current, into: target.staying(onAccountOf: current.document), revision: revision)
            // What was to take an earlier revision back was refused: the sale would stand twice.
            for earlier in known where earlier.standing != .gone && earlier.number != current.number {
                steps += takeAway(earlier, because: "\(current.number) stands in its place")
            }
        }
        let slots = wanted.map(\.slot)
        let extras = standing.filter { $0.standing != .gone && !$0.isReversal && !slots.contains($0.document.slot) }
        for extra in extras {
            steps += takeAway(extra, because: "The order no longer has this \(extra.document.slot)")
        }
        let hasWork = steps.contains { $0.action != .nothing }
        return hasWork ? steps.filter { $0.action != .nothing } : Array(steps.prefix(1))
    }

    // MARK: refunds

    /// Why a refund cannot be posted now; nil where it can.
    private func obstacle(to refund: LedgerDocument, _ original: StandingDocument?) -> PostingStep? {
        guard refund.kind == .creditNote, refund.slot == .sale else { return nil }
        let needsOriginal = !refund.allocations.isEmpty
        guard let original, original.standing != .gone else {
            return needsOriginal
                ? PostingStep(.hold, "The refund settles \(refund.allocations[0].invoice), which is not booked yet.")
                : nil
        }
        if needsOriginal && original.standing != .written {
            return PostingStep(.hold, "The refund settles \(original.number), which is still on its way.")
        }
        return beyond(refund, original)
    }

    /// A refund that gives back more than is left of its sale.
    private func beyond(_ refund: LedgerDocument, _ original: StandingDocument?) -> PostingStep? {
        guard let original, original.standing != .gone else { return nil }
        let left = original.document.total - original.givenBack
        guard refund.total > left else { return nil }
        let park = Park.beyondSale(
            refund.number, refund.total, of: original.number, over: original.document.total, left: left)
        return PostingStep(.park(park), park.cause)
    }

    /// No more can be given back of a sale in a summary than was sold there.
    private func obstacle(
        _ wanted: [LedgerDocument], _ live: [StandingDocument], _ sale: SummarisedSale
    ) -> PostingStep? {
        guard let refund = wanted.first(where: { $0.kind == .creditNote && $0.slot == .sale }),
            live.last(where: { $0.document.slot == .sale }).map({ refund.isLargerRefund(than: $0) }) ?? true
        else { return nil }
        let left = sale.sold - sale.givenBack
        guard refund.total > left else { return nil }
        let park = Park.beyondSale(refund.number, refund.total, of: sale.number, over: sale.sold, left: left)
        return PostingStep(.park(park), park.cause)
    }

    /// An allocation goes to the revision of the sale that stands now.
    private func retargeted(_ document: LedgerDocument, _ original: StandingDocument?) -> LedgerDocument {
        guard let original, document.slot == .sale, !document.allocations.isEmpty else { return document }
        var document = document
        for index in document.allocations.indices { document.allocations[index].invoice = original.number }
        return document
    }

    // MARK: one document

    /// A document for a locked day is dated on the first open one, and says so.
    func create(_ document: LedgerDocument, revision: Int, because reason: String) -> PostingStep {
        var document = document
        if revision > 0 { document.number = DocumentNumber("\(document.number)-r\(revision)") }
        var reason = reason
        if locks.isLocked(document.date) {
            reason += " Its day, \(document.date), is locked: it is dated \(locks.open(document.date))."
            document.dueDate = max(document.dueDate, locks.open(document.date))
            document.date = locks.open(document.date)
        }
        document.payments = document.payments.map(dated)
        for index in document.allocations.indices {
            document.allocations[index].date = locks.open(document.allocations[index].date)
        }
        document.reasons = document.reasons.contains(reason) ? document.reasons : document.reasons + [reason]
        return PostingStep(.create(document), reason)
    }

    /// The payment on its day or, where that is locked, on the first open one.
    func dated(_ payment: LedgerPayment) -> LedgerPayment {
        var payment = payment
        payment.date = locks.open(payment.day)
        return payment
    }

    private func change(
        _ current: StandingDocument, into wanted: LedgerDocument, revision: Int
    ) -> [PostingStep] {
        let difference = DocumentDifference(from: current.document, to: wanted)
        // What was refused does not stand: that its record comes again is what a replay from the desk is.
        if difference.isNone, current.standing != .refused {
            return [PostingStep(.nothing, "\(current.number) stands as the order is.")]
        }
        var updated = wanted
        updated.number = current.number
        switch current.standing {
        case .waiting, .refused:
            let reason = difference.isNone
                ? "\(current.number) was refused, and its order came again."
                : "The order changed (\(difference)) before anything was sent."
            return [PostingStep(.replace(updated), reason)]
        case .inHand:
            return [PostingStep(.hold, "The order changed (\(difference)) while \(current.number) is on its way.")]
        case .gone: preconditionFailure("a document that is gone is not changed")
        case .written: break
        }
        if difference.isOnlyMorePayments {
            let payments = difference.addedPayments.map(dated)
            return [PostingStep(.pay(current.number, payments), "The order was paid further, which is applied.")]
        }
        return changeWritten(current, into: updated, wanted, difference, revision)
    }

    private func changeWritten(
        _ current: StandingDocument, into updated: LedgerDocument, _ wanted: LedgerDocument,
        _ difference: DocumentDifference, _ revision: Int
    ) -> [PostingStep] {
        let isLocked = locks.isLocked(current.document.date)
        if difference.isOnlyWords {
            let isPaidNote = current.document.kind == .creditNote && !current.isUntouched
            if isPaidNote, !difference.movesMoney {
                return [PostingStep(.nothing, "Only \(difference) changed, and the credit note is used: it is left.")]
            }
            if !isLocked && !isPaidNote {
                return [PostingStep(.update(updated), "Only \(difference) changed, which Xero lets be changed.")]
            }
            if isLocked, !difference.movesMoney {
                return [PostingStep(.nothing, "Only \(difference) changed, and the period is locked: it is left.")]
            }
        }
        if current.isUntouched, !isLocked, !difference.changesKind, !locks.isLocked(wanted.day) {
            var bare = updated
            bare.payments = []
            let reason = "The order changed (\(difference)); nothing is paid on \(current.number), so Xero lets it be "
                + "updated."
            return [PostingStep(.update(bare), reason)]
                + (updated.payments.isEmpty ? [] : [PostingStep(.pay(current.number, updated.payments), reason)])
        }
        let again = create(
            wanted, revision: revision, because: "Posted again as the order is now; \(current.number) went.")
        guard case .create(let successor) = again.action else { return [again] }
        return replace(current, by: successor, again.reason, because: "The order changed (\(difference))")
    }
}

extension Park {
    /// A refund that gives back more than is left of its sale, with both figures.
    package static func beyondSale(
        _ refund: DocumentNumber, _ amount: Money, of sale: DocumentNumber, over total: Money, left: Money
    ) -> Park {
        Park(
            .value, "The refund \(refund) comes to \(amount), but of the sale \(sale) over \(total) only \(left) is "
                + "left to give back.",
            remedy: "Check both orders in Kounta; correct the refund and replay it, or post a credit note by hand.")
    }
}

extension LedgerDocument {
    /// A refund's edit that gives back more than before, and must be held against its sale like a new one.
    func isLargerRefund(than current: StandingDocument) -> Bool {
        guard kind == .creditNote, slot == .sale else { return false }
        return current.document.kind != .creditNote || total > current.document.total
    }

    /// A sale that began on a customer's account stays the customer's own invoice when it is paid later.
    func staying(onAccountOf current: LedgerDocument) -> LedgerDocument {
        guard current.isOnAccount, !isOnAccount, kind == .invoice, current.kind == .invoice else { return self }
        var document = self
        document.isOnAccount = true
        document.contactNumber = current.contactNumber
        document.contactName = current.contactName
        document.customer = current.customer
        return document
    }
}
