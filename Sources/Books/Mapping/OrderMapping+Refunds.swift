import Domain
import Money

extension OrderMapping {
    /// A refund order: a credit note, paid back through the tenders' accounts. What was not paid back settles the
    /// order it gives back, which a customer has yet to pay.
    func completeRefund(
        _ document: inout LedgerDocument, of order: Order, _ figures: SaleFigures, _ context: Context
    ) throws(Park) {
        document.kind = .creditNote
        let whom = order.refundedOrder.map { " of order \($0)" } ?? ""
        let open = figures.owed - figures.taken
        if open > books.roundingMax || (figures.tenders.isEmpty && open > .zero) {
            guard let original = order.refundedOrder else {
                throw Park(
                    .value,
                    "Order \(order.id) is a refund of \(figures.owed), of which \(figures.taken) was paid back, and "
                        + "it does not say which order it gives back.",
                    remedy: "Check the refund in Kounta; correct and replay it, or post a credit note by hand.")
            }
            document.allocations = [
                LedgerAllocation(
                    invoice: DocumentNumber(prefix: books.numberPrefix, order: original), amount: open,
                    date: context.date)
            ]
            document.reasons = ["A refund\(whom): \(open) of it settles what the customer still owed."]
            if let customer = order.customer, document.contactNumber == books.contactNumber {
                // An allocation needs both documents to be one contact's.
                document.contactNumber = customer.id
                document.customer = customer
                document.contactName = document.contactName ?? (customer.name.isEmpty ? nil : customer.name)
            }
            document.isOnAccount = true
            try appendRounding(cash: .zero, &document, order, figures, context)
        } else {
            try appendRounding(cash: -open, &document, order, figures, context)
            document.reasons = ["A refund\(whom): a credit note, paid back as the till paid it back."]
        }
        document.payments = try payments(figures.tenders, order, context, &document.warnings)
    }

    /// Money of a sale that was paid back by negative payments, without a refund order: a credit note for each trading
    /// day on which that happened. Nobody recorded which goods came back, so unless all of it did the amount is spread
    /// over what was sold, by account and tax type, with the largest remainder.
    func refunds(
        of sale: LedgerDocument, _ order: Order, _ figures: SaleFigures, _ context: Context
    ) throws(Park) -> [LedgerDocument] {
        var days: [(day: CalendarDate, parts: [SaleFigures.Part])] = []
        for part in figures.refunds {
            let day = part.paidAt.map(calendar.day(at:)) ?? context.date
            if let index = days.firstIndex(where: { $0.day == day }) {
                days[index].parts.append(part)
            } else {
                days.append((day, [part]))
            }
        }
        var documents: [LedgerDocument] = []
        for (turn, (day, parts)) in days.enumerated() {
            let amount = parts.lazy.map(\.amount).sum()
            var document = sale
            document.kind = .creditNote
            document.slot = .refund(turn + 1)
            document.number = DocumentNumber(
                prefix: books.numberPrefix, order: order.id, slot: document.slot, revision: 0)
            (document.date, document.day, document.dueDate) = (day, day, day)
            document.lines = try refundLines(amount, of: sale, order)
            document.payments = try payments(parts, order, context, &document.warnings)
            (document.isOnAccount, document.tillTax) = (false, nil)
            document.reasons = ["\(amount) of order \(order.id) was paid back on \(day) without a refund order."]
            documents.append(document)
        }
        return documents
    }

    private func refundLines(_ amount: Money, of sale: LedgerDocument, _ order: Order) throws(Park) -> [LedgerLine] {
        if amount == sale.total { return sale.lines }
        var lines: [LedgerLine] = []
        for line in sale.lines {
            if let index = lines.firstIndex(where: { $0.isOfOneKind(as: line) }) {
                lines[index].amount += line.amount
            } else {
                var kind = LedgerLine(
                    description: "Refund", amount: line.amount, account: line.account, taxType: line.taxType,
                    tracking: line.tracking)
                kind.rule = line.rule
                lines.append(kind)
            }
        }
        guard amount < sale.total, let parts = amount.allotted(by: lines.map(\.amount)) else {
            throw Park(
                .value, "Order \(order.id): \(amount) was paid back of a sale of \(sale.total).",
                remedy: "Check the order's payments in Kounta, then replay it.")
        }
        for (index, part) in parts.enumerated() {
            lines[index].amount = part
            lines[index].unitAmount = part.decimal
            lines[index].tax = part.taxInside(rate: taxes.rate(of: lines[index].taxType))
        }
        return lines.filter { !$0.amount.isZero }
    }
}

extension LedgerLine {
    /// Two lines that a ledger cannot tell apart by anything but their text.
    func isOfOneKind(as other: LedgerLine) -> Bool {
        account == other.account && taxType == other.taxType && tracking == other.tracking
    }
}
