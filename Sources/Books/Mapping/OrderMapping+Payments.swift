import Domain
import Money

extension OrderMapping {
    /// Rounding, payments, and the account a sale is left on. Afterwards the payments come to the total, or the
    /// rest is owed by a named customer.
    func completeSale(
        _ document: inout LedgerDocument, of order: Order, _ figures: SaleFigures, _ context: Context
    ) throws(Park) {
        // Cash is paid in steps of 5 cents, so what was taken may differ a little from what was owed. Where no cash was
        // taken not even a cent is rounding.
        let gap = figures.taken - figures.owed
        let isUnpaid = !figures.hasCash && (order.isOnAccount || figures.tenders.isEmpty)
        if gap.isNegative, gap.magnitude > books.roundingMax || !figures.promised.isZero || isUnpaid {
            try leaveOnAccount(&document, order, figures, owing: -gap)
            try appendRounding(cash: .zero, &document, order, figures, context)
        } else {
            try appendRounding(cash: gap, &document, order, figures, context)
        }
        document.payments = try payments(figures.tenders, order, context, &document.warnings)
        if document.reasons.isEmpty { document.reasons = ["The order is complete."] }
    }

    /// One line for all that is rounded: the cent that the lines leave, and the till's own cash rounding. More than it
    /// may be is parked with both figures, and so is what differs though no cash was paid.
    ///
    /// - Parameter gap: what was taken beyond what was owed.
    func appendRounding(
        cash gap: Money, _ document: inout LedgerDocument, _ order: Order, _ figures: SaleFigures, _ context: Context
    ) throws(Park) {
        guard gap.isZero || (figures.hasCash && gap.magnitude <= books.roundingMax) else {
            let why = gap.magnitude <= books.roundingMax ? ", and none of it is cash, which alone is rounded." : "."
            throw Park(
                .value, "Order \(order.id): the till took \(figures.taken), but total and tips come to "
                    + "\(figures.owed)" + why,
                remedy: "Check the order's payments in Kounta, then replay it.")
        }
        let sum = figures.remainder + gap
        guard sum.magnitude <= books.roundingMax else {
            throw Park(
                .value, "Order \(order.id): its lines and tips come to \(figures.owed - figures.remainder), but the "
                    + "till took \(figures.taken) for \(figures.owed): a rounding of \(sum), more than "
                    + "\(books.roundingMax).",
                remedy: "Check the order's discounts and payments in Kounta, then replay it.")
        }
        guard !sum.isZero else { return }
        let name = gap.isZero ? "Rounding" : figures.remainder.isZero ? "Cash rounding" : "Rounding and cash rounding"
        var lines = document.lines
        try appendOutside(name, .rounding, sum, books.accounts.rounding, order, context, &lines, &document.warnings)
        document.lines = lines
    }

    /// A sale that a named customer owes is the customer's own invoice. Nobody can be sent an account without a name.
    private func leaveOnAccount(
        _ document: inout LedgerDocument, _ order: Order, _ figures: SaleFigures, owing: Money
    ) throws(Park) {
        let isAccount = order.isOnAccount || !figures.promised.isZero
        if isAccount, !figures.promised.isZero, figures.promised != owing {
            throw Park(
                .value, "Order \(order.id): \(figures.promised) was put on account, but \(owing) is open of "
                    + "\(figures.owed).",
                remedy: "Check the order's payments in Kounta, then replay it.")
        }
        guard let customer = order.customer, isAccount || books.sales.leavesCustomersUnpaid else {
            throw Park(
                .value, "Order \(order.id): the till took \(figures.taken), but total and tips come to "
                    + "\(figures.owed)" + (isAccount ? ", and the account is nobody's." : "."),
                remedy: isAccount
                    ? "Name the customer on the order in Kounta, then replay it."
                    : "Check the order's payments in Kounta, then replay it.")
        }
        document.isOnAccount = true
        // A rule may have named another contact, say the company the customer works for.
        if document.contactNumber == books.contactNumber {
            document.contactNumber = customer.id
            document.customer = customer
            document.contactName = document.contactName ?? (customer.name.isEmpty ? nil : customer.name)
        }
        document.reasons = ["Sold on account: \(owing) of \(figures.owed) is left for the customer to pay."]
    }

    func payments(
        _ tenders: [SaleFigures.Part], _ order: Order, _ context: Context, _ warnings: inout [String]
    ) throws(Park) -> [LedgerPayment] {
        var payments: [LedgerPayment] = []
        for tender in tenders where !tender.amount.isZero {
            let treatment = context.facts.map { facts in
                books.rules.treatment(of: TenderFacts(method: tender.method, amount: tender.amount), in: facts)
            } ?? .standard
            guard let account = try account(of: tender, treatment, order, &warnings) else { continue }
            var payment = LedgerPayment(
                account: account, amount: tender.amount,
                date: tender.paidAt.map(calendar.day(at:)) ?? context.date,
                reference: treatment.reference ?? tender.method)
            payment.method = tender.method
            payments.append(payment)
        }
        return payments
    }

    /// Nil where a rule says that the tender is booked elsewhere.
    private func account(
        of tender: SaleFigures.Part, _ treatment: Treatment, _ order: Order, _ warnings: inout [String]
    ) throws(Park) -> String? {
        if let warning = treatment.warning { warnings.append(warning) }
        switch treatment.action {
        case .book: if let account = treatment.account { return account }
        case .park(let reason): throw parked(treatment.rule, reason, of: order, "payment by \(tender.method)")
        case .skip(let reason):
            warnings.append(
                "The rule \"\(treatment.rule)\" leaves the payment of \(tender.amount) by \(tender.method) to be "
                    + "booked elsewhere: \(reason)")
            return nil
        }
        if let account = books.clearingAccounts[tender.method.lowercased()] { return account }
        guard let account = books.fallbackClearingAccount else {
            throw Park(
                .mapping, "Order \(order.id): no clearing account is set for payments by \"\(tender.method)\".",
                remedy: "Add it under `payment_methods` of organisation \(books.organisation), then replay.")
        }
        warnings.append("No clearing account is set for payments by \"\(tender.method)\": it went to \(account).")
        return account
    }
}
