import Domain
import Money

extension PostingDecision {
    /// The steps that take a document out of the books.
    func takeAway(_ current: StandingDocument, because why: String) -> [PostingStep] {
        switch current.standing {
        case .gone: return []
        case .waiting, .refused: return [PostingStep(.withdraw(current.number), "\(why) before it was in the ledger.")]
        case .inHand: return [PostingStep(.hold, "\(why) while \(current.number) is on its way.")]
        case .written: break
        }
        let document = current.document
        let lockedDays = ([document.date] + document.payments.map(\.date) + document.allocations.map(\.date))
            .filter(locks.isLocked)
        if !lockedDays.isEmpty { return takeBack(current, "\(why), and the period of \(document.date) is locked") }
        if current.isReconciled { return takeBack(current, "\(why), and a payment is reconciled with the bank") }
        var steps: [PostingStep] = []
        if !document.payments.isEmpty {
            steps.append(PostingStep(.removePayments(current.number), "\(why); Xero makes void what has no payments."))
        }
        if !document.allocations.isEmpty || !current.credited.isZero {
            steps.append(
                PostingStep(.removeAllocations(current.number), "\(why); Xero makes void what has no allocations."))
        }
        steps.append(PostingStep(.void(current.number), "\(why)."))
        return steps
    }

    /// Where Xero no longer lets a document be changed, one of the other kind takes it back in full: what was paid goes
    /// back through the same accounts, what was open is settled by allocation.
    private func takeBack(_ current: StandingDocument, _ why: String) -> [PostingStep] {
        var document = current.document
        let isInvoice = document.kind == .invoice
        guard current.credited.isZero, document.allocations.isEmpty, isInvoice || document.due.isZero else {
            let park = Park(
                .lockedPeriod, "\(why); \(current.number) over \(document.total) is partly settled by allocation "
                    + "(\(current.credited + document.allocated)), so it cannot be taken back by itself.",
                remedy: "Post the correction by hand in an open period, then discard this letter.")
            return [PostingStep(.park(park), park.cause)]
        }
        let day = locks.open(document.date)
        document.kind = isInvoice ? .creditNote : .invoice
        document.slot = .reversal(current.revision)
        document.number = DocumentNumber("\(current.number)-x")
        document.payments = document.payments.map(dated)
        if !current.document.due.isZero {
            document.allocations = [
                LedgerAllocation(invoice: current.number, amount: current.document.due, date: day)
            ]
        }
        (document.date, document.dueDate) = (day, max(day, document.dueDate))
        let reason = "\(why): \(document.number) takes \(current.number) back."
        document.reasons = [reason]
        return [PostingStep(.create(document), reason)]
    }
}
