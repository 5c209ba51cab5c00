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

    /// Takes a document away and puts another in its place, which settles, or is settled by, what stays open of a
    /// document that could only be taken back.
    func replace(
        _ current: StandingDocument, by successor: LedgerDocument, _ reason: String, because why: String
    ) -> [PostingStep] {
        var (away, successor) = (takeAway(current, because: why), successor)
        guard case .create(var reversal)? = away.last?.action else {
            return away + [PostingStep(.create(successor), reason)]
        }
        if reversal.kind == .creditNote, successor.kind == .invoice {
            let amount = min(reversal.due, successor.due)
            if amount > .zero {
                let day = max(reversal.date, successor.date)
                reversal.allocations.append(
                    LedgerAllocation(invoice: successor.number, amount: amount, date: day))
            }
        } else if reversal.kind == .invoice, successor.kind == .creditNote {
            successor.allocations = Self.settling(reversal, first: successor.allocations)
        }
        away[away.count - 1] = PostingStep(.create(reversal), away[away.count - 1].reason)
        return away + [PostingStep(.create(successor), reason)]
    }

    /// What is owed again is settled before what the allocations name.
    private static func settling(
        _ owed: LedgerDocument, first allocations: [LedgerAllocation]
    ) -> [LedgerAllocation] {
        var left = owed.due
        var settled: [LedgerAllocation] = []
        for allocation in allocations {
            let amount = min(left, allocation.amount)
            left = left - amount
            if amount > .zero {
                settled.append(
                    LedgerAllocation(invoice: owed.number, amount: amount, date: max(owed.date, allocation.date)))
            }
            if allocation.amount > amount {
                settled.append(
                    LedgerAllocation(
                        invoice: allocation.invoice, amount: allocation.amount - amount, date: allocation.date))
            }
        }
        return settled
    }

    /// Where Xero no longer lets a document be changed, one of the other kind takes it back in full: what was paid goes
    /// back through the same accounts, what was open is settled by allocation. What credit notes had settled stays
    /// settled, so that much of the new document stays open: the customer's credit, or what they owe again.
    private func takeBack(_ current: StandingDocument, _ why: String) -> [PostingStep] {
        var document = current.document
        let isInvoice = document.kind == .invoice
        let day = locks.open(document.date)
        let settled = isInvoice ? current.credited : document.allocated
        let open = document.due - (isInvoice ? settled : .zero)
        document.kind = isInvoice ? .creditNote : .invoice
        document.slot = .reversal(current.revision)
        document.number = DocumentNumber("\(current.number)-x")
        document.payments = document.payments.map(dated)
        document.allocations = []
        if isInvoice, open > .zero {
            document.allocations = [LedgerAllocation(invoice: current.number, amount: open, date: day)]
        }
        (document.date, document.dueDate) = (day, max(day, document.dueDate))
        var reason = "\(why): \(document.number) takes \(current.number) back."
        if settled > .zero {
            reason += isInvoice
                ? " Credit notes had settled \(settled) of it, which stays the customer's credit."
                : " It had settled \(settled), which is owed again."
        }
        if !isInvoice, open > .zero {
            reason += " Its own credit of \(open) was not used: set it against \(document.number) in Xero."
        }
        document.reasons = [reason]
        return [PostingStep(.create(document), reason)]
    }
}
