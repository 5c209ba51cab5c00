package import Domain
import Money

/// Turns one order into its documents, or says why it cannot be booked: an invoice for a sale, a credit note for a
/// refund, and a credit note besides the invoice for each day on which money of it was paid back.
///
/// Pure: the same order and books give the same documents, to the byte. What must stay true: an invoice's total is what
/// the customer owed to the cent, a credit note's what was given back, and payments are what the till took.
package struct OrderMapping: Sendable {
    package let books: VenueBooks
    let taxes: TaxTable
    let tracking: [Tracking]
    package let calendar: TradingCalendar
    /// What the venue's rules ask of customers.
    private let question: CustomerQuestion
    /// What the venue's tills count in.
    var currency: String { books.sales.companyCurrency ?? books.currency }

    package init(books: VenueBooks) {
        self.books = books
        taxes = TaxTable(books: books)
        tracking = books.tracking.map { [$0] } ?? []
        question = books.rules.question(at: books.name, books.site)
        calendar = TradingCalendar(zone: books.timeZone, cutOffMinutes: books.posting.cutOffMinutes)
    }

    /// What becomes of an order.
    package enum Outcome: Sendable, Equatable {
        /// At least one; the sale or the refund itself comes first.
        case documents([LedgerDocument])
        /// A rule leaves the whole order out, deliberately.
        case skipped(rule: String, reason: String)
    }

    package func outcome(for order: Order) throws(Park) -> Outcome {
        try requireBookable(order)
        try requireCustomer(of: order)
        let (sale, isRefund, figures) = try oriented(order)
        var context = context(of: sale, figures)
        let treatment = context.facts.map(books.rules.treatment(of:)) ?? .standard
        switch treatment.action {
        case .book: break
        case .skip(let reason): return .skipped(rule: treatment.rule, reason: reason)
        case .park(let reason): throw parked(treatment.rule, reason, of: order, "the order")
        }
        context.tracking = context.tracking.replaced(by: treatment.tracking)
        var document = header(of: sale, context, treatment)
        if let warning = customerWarning(of: order) { document.warnings.append(warning) }
        document.lines = try lines(of: sale, figures, context, &document.warnings)
        let leftOut = figures.owed - figures.remainder - document.total
        if isRefund {
            try completeRefund(&document, of: sale, figures, context)
            try requireBalance(document, leftOut, of: sale, figures)
            return .documents([document])
        }
        try completeSale(&document, of: sale, figures, context)
        try requireBalance(document, leftOut, of: sale, figures)
        if figures.refunds.isEmpty { return .documents([document]) }
        return .documents([document] + (try refunds(of: document, sale, figures, context)))
    }

    /// The order's one invoice, paid in full: the narrow door for callers that can post nothing else.
    /// - Throws: ``Park`` also where the order becomes anything else.
    package func invoice(for order: Order) throws(Park) -> LedgerDocument {
        switch try outcome(for: order) {
        case .skipped(let rule, let reason):
            throw Park(
                .mapping, "Order \(order.id): the rule \"\(rule)\" leaves it out: \(reason)",
                remedy: "Discard this letter, or change the rule and replay.")
        case .documents(let documents):
            guard let document = documents.first, documents.count == 1, document.kind == .invoice else {
                throw Park(
                    .value, "Order \(order.id) is a refund, or money of it was paid back: \(order.total) in all.",
                    remedy: "Post a credit note for it by hand, then discard this letter.")
            }
            guard !document.isOnAccount else {
                throw Park(
                    .value, "Order \(order.id): the till took \(document.paid) of \(document.total); the rest is "
                        + "owed by \(document.contactName ?? document.contactNumber).",
                    remedy: "Post the customer's invoice by hand, then discard this letter.")
            }
            return document
        }
    }

    /// The order with positive amounts, and what they come to. The sign of a refund's lines is that of their sum as
    /// recorded; where discounts or surcharges on single lines make it the other, only the other adds up.
    private func oriented(_ order: Order) throws(Park) -> (sale: Order, isRefund: Bool, figures: SaleFigures) {
        let (sale, isRefund) = order.oriented()
        let figures = try SaleFigures(order: sale, isRefund: isRefund, books: books, calendar: calendar)
        guard isRefund, figures.remainder.magnitude > books.roundingMax else { return (sale, isRefund, figures) }
        let turned = sale.withLinesTurned()
        let other = try SaleFigures(order: turned, isRefund: isRefund, books: books, calendar: calendar)
        return other.remainder.magnitude <= books.roundingMax ? (turned, isRefund, other) : (sale, isRefund, figures)
    }

    // MARK: what can be booked

    private func requireBookable(_ order: Order) throws(Park) {
        let isOpenAccount = order.isOnAccount && order.customer != nil
            && (order.status == "PENDING" || order.status == "ACCEPTED")
        guard order.isComplete || isOpenAccount else {
            throw Park(
                .value, "Order \(order.id) is \(order.status), not complete.",
                remedy: "It comes again by itself when it is complete: discard this letter.")
        }
        guard !order.isDeleted else {
            throw Park(
                .value, "Order \(order.id) was deleted in Kounta.",
                remedy: "If its invoice stands in Xero, void it there; then discard this letter.")
        }
        guard !order.lines.isEmpty else {
            throw Park(
                .value, "Order \(order.id) has a total of \(order.total) but no lines.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
        try requireOneDirection(order)
        let currency = order.currency ?? self.currency
        guard currency == books.currency || books.sales.otherCurrencies.contains(currency) else {
            throw Park(
                .value, "Order \(order.id) is in \(currency), organisation \(books.organisation) keeps its books in "
                    + "\(books.currency).",
                remedy: "Switch \(currency) on in Xero and list it, or book this company in another organisation; "
                    + "nothing is ever converted.")
        }
    }

    /// Where rules ask for what nobody could read, any of them might have decided otherwise.
    private func requireCustomer(of order: Order) throws(Park) {
        guard case .unreadable(let cause) = order.customerKnowledge, let customer = order.customer,
            question.isOpen(for: customer)
        else { return }
        throw Park(
            .mapping, "Order \(order.id): rules ask for the record of customer \(customer.id), which Kounta did not "
                + "show: \(cause)",
            remedy: "Open the customer in Kounta, then save the order there, so that both are read again; or correct "
                + "the letter by `edit --set 'tillbridge_customer={\"tags\":[\"…\"]}'` and replay it.")
    }

    /// Of an order that was read before any rule asked for its customer.
    private func customerWarning(of order: Order) -> String? {
        guard question.tags, order.customerKnowledge == .notAsked, let customer = order.customer, customer.tags.isEmpty
        else { return nil }
        return "Rules ask for tags of customer \(customer.id), whose record was not read with the order: it was booked "
            + "as one of a customer without tags."
    }

    /// A negative total without `is_refund` is a refund only where lines and payments say so too: else it is a mistake,
    /// and money would go the wrong way.
    private func requireOneDirection(_ order: Order) throws(Park) {
        guard order.total.isNegative, !order.isRefund else { return }
        let (charged, paid) = (order.charged, order.paidInAll)
        guard charged.isNegative, paid.isNegative || paid.isZero else {
            throw Park(
                .value, "Order \(order.id): its total is negative (\(order.total)), but its lines come to "
                    + "\(charged.rounded(toScale: 2)) and its payments to \(paid): neither a sale nor a refund.",
                remedy: "Correct the order in Kounta, then replay it.")
        }
    }

    /// What rules leave out of an order's lines must be what they leave out of its payments: else the document would
    /// not come to what was paid for the rest.
    private func requireBalance(
        _ document: LedgerDocument, _ leftOut: Money, of order: Order, _ figures: SaleFigures
    ) throws(Park) {
        if leftOut.isZero { return }
        let unpaid = figures.tenders.lazy.map(\.amount).sum() - document.paid
        guard unpaid != leftOut else { return }
        let what = document.warnings.filter { $0.contains("leaves out") }.joined(separator: " ")
        throw Park(
            .mapping,
            "Order \(order.id): rules leave out lines of \(leftOut) and payments of \(unpaid), and then the document "
                + "would not come to what was paid for the rest. \(what)",
            remedy: "Let a rule leave out the payment too, or set an account for the lines instead, then replay.")
    }

    func parked(_ rule: String, _ reason: String, of order: Order, _ place: String) -> Park {
        Park(
            .mapping, "Order \(order.id), \(place): the rule \"\(rule)\" lays it on the desk: \(reason)",
            remedy: "Do what the rule asks for, or change the rule, then replay.")
    }

    // MARK: the head

    /// What the parts of one order's mapping share.
    struct Context {
        let date: CalendarDate
        /// Of every line that no rule says otherwise of.
        var tracking: [Tracking]
        /// Nil where no rule could look at it.
        let facts: OrderFacts?
    }

    private func context(of order: Order, _ figures: SaleFigures) -> Context {
        let date = calendar.day(at: order.createdAt)
        var tracking = self.tracking
        if !books.trackingSources.isEmpty { tracking = tracking.replaced(by: sourcedTracking(of: order)) }
        guard !books.rules.isEmpty else { return Context(date: date, tracking: tracking, facts: nil) }
        var facts = OrderFacts(
            order: order.id, site: order.site, venue: books.name, date: date, total: figures.owed)
        facts.saleNumber = order.saleNumber
        facts.register = order.register.map { Named(id: $0, name: books.registers[$0]) }
        facts.orderType = order.type
        facts.staff = order.staff.map { Named(id: $0, name: books.staff[$0]) }
        facts.customer = order.customer.map { Named(id: $0.id, name: $0.name.isEmpty ? nil : $0.name) }
        facts.customerTags = order.customer?.tags ?? []
        facts.customerEmail = order.customer?.email
        facts.notes = order.notes
        facts.paymentMethods = order.payments.map(\.method)
        return Context(date: date, tracking: tracking, facts: facts)
    }

    /// Xero refuses an option it does not have, so a register or a person without a name leaves the venue's choice.
    private func sourcedTracking(of order: Order) -> [Tracking] {
        books.trackingSources.sorted { $0.value < $1.value }.compactMap { source, category in
            let option: String? =
                switch source {
                case .register: order.register.flatMap { books.registers[$0] }
                case .orderType: order.type
                case .staff: order.staff.flatMap { books.staff[$0] }
                }
            return option.map { Tracking(category: category, option: $0) }
        }
    }

    private func header(of order: Order, _ context: Context, _ treatment: Treatment) -> LedgerDocument {
        var document = LedgerDocument(
            number: DocumentNumber(prefix: books.numberPrefix, order: order.id),
            reference: treatment.reference ?? reference(of: order), date: context.date,
            dueDate: context.date.adding(days: treatment.dueDays ?? books.paymentTermDays),
            currency: order.currency ?? currency,
            contactNumber: treatment.contact ?? books.contactNumber, lines: [], payments: [])
        document.contactName = treatment.contactName
        document.brandingTheme = treatment.brandingTheme ?? books.brandingTheme
        if let url = treatment.url {
            let rule = "The rule \"\(treatment.rule)\" gives the address \(url), "
            if !Self.isAddress(url) {
                document.warnings.append(rule + "which is none.")
            } else if url.lowercased().contains("xero") {
                // The ledger refuses the whole document for such a link.
                document.warnings.append(rule + "and Xero takes none that contains \"xero\": the link is left out.")
            } else {
                document.url = url
            }
        }
        document.tillTax = order.totalTax.flatMap(Money.init(rounding:))
        if let warning = treatment.warning { document.warnings.append(warning) }
        return document
    }

    /// Xero takes whole addresses only.
    private static func isAddress(_ text: String) -> Bool {
        let rest = text.hasPrefix("https://") ? text.dropFirst(8) : text.hasPrefix("http://") ? text.dropFirst(7) : ""
        return !rest.isEmpty && rest.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && !"\"<>\\^`{|}".utf8.contains($0) }
    }

    private func reference(of order: Order) -> String {
        let number = order.saleNumber.flatMap { $0.isEmpty ? nil : $0 } ?? order.id.text
        if number.utf8.count <= 255, number.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) { return number }
        return String(
            number.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F }.prefix(255).map(Character.init))
    }
}

extension Order {
    /// A refund as a sale of the same goods, all amounts positive, and whether it is one. Kounta's sources do not say
    /// which signs a refund's total, lines and payments carry, so each group is turned by itself.
    func oriented() -> (order: Order, isRefund: Bool) {
        guard isRefund || total.isNegative else { return (self, false) }
        var order = self
        order.total = total.magnitude
        order.tips = tips.magnitude
        order.totalTax = totalTax?.magnitude
        order.paid = paid?.magnitude
        if charged.isNegative { order = order.withLinesTurned() }
        if paidInAll.isNegative {
            for index in payments.indices {
                order.payments[index].amount = -payments[index].amount
                order.payments[index].tip = -payments[index].tip
            }
        }
        return (order, true)
    }

    fileprivate func withLinesTurned() -> Order {
        var order = self
        order.fixedVariation = -fixedVariation
        for index in lines.indices {
            order.lines[index].quantity = -lines[index].quantity
            order.lines[index].recorded = -lines[index].recorded
            order.lines[index].recordedTax = lines[index].recordedTax.map { -$0 }
            order.lines[index].fixedVariation = -lines[index].fixedVariation
            for modifier in lines[index].modifiers.indices {
                order.lines[index].modifiers[modifier].price = lines[index].modifiers[modifier].price.map { -$0 }
            }
        }
        return order
    }

    /// What the lines come to as they are recorded: for their sign only.
    fileprivate var charged: ExactDecimal {
        lines.reduce(.zero) { sum, line in line.modifiers.reduce(sum + line.recorded) { $0 + ($1.price ?? .zero) } }
    }

    fileprivate var paidInAll: ExactDecimal { payments.reduce(.zero) { $0 + $1.amount + $1.tip } }
}
