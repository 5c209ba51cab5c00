package import Domain
import Money

/// Turns a venue's trading day into one invoice, or a credit note where more was given back than sold.
///
/// Pure. What must stay true: the documents of a day and its adjustments come to the same as the documents that its
/// orders would have had one by one, in total, by account and tax type, and by tender.
package struct SummaryMapping: Sendable {
    package let orders: OrderMapping
    private var books: VenueBooks { orders.books }

    package init(books: VenueBooks) { orders = OrderMapping(books: books) }

    // MARK: a day's close

    /// What closing a day came to.
    package enum Close: Sendable {
        /// A day without sales is recorded as such: its silence is no gap.
        case noSales(CalendarDate)
        /// One document, or two where refunds by some tender exceed its sales.
        case documents([LedgerDocument])
    }

    package func close(_ day: CalendarDate, _ entries: [DayEntry], locks: LedgerLocks = .none) -> Close {
        if entries.isEmpty { return .noSales(day) }
        let count = entries.count { if case .order = $0.source { true } else { false } }
        let what = count > 0 ? "All \(count) sales and refunds" : "Counted less recorded takings"
        let made = documents(
            adding: entries, takingBack: [], day: day, locks: locks, suffix: "",
            reason: "\(what) of \(day), which ended at \(orders.calendar.start(of: day.adding(days: 1))).")
        if !made.isEmpty { return .documents(made) }
        // Sales there were, but all of them free: an invoice of 0.00 says so.
        var document = header(day, locks, .invoice, "")
        document.reasons = ["All \(count) sales and refunds of \(day) come to nothing."]
        document.lines = [
            LedgerLine(
                description: "Sales", amount: .zero, account: books.accounts.sales,
                taxType: books.accounts.outsideTaxType, tracking: orders.tracking)
        ]
        return .documents([document])
    }

    // MARK: what came after the close

    /// What late, edited, refunded or deleted orders change about a day that is closed: documents of their own for the
    /// original day, never a silent change.
    ///
    /// - Parameters:
    ///   - booked: every entry in the day's summary and its earlier adjustments.
    ///   - now: every entry the day has now.
    ///   - turn: 1 for the first adjustment of the day.
    /// - Returns: empty where nothing changed.
    package func adjustment(
        of day: CalendarDate, from booked: [DayEntry], to now: [DayEntry], turn: Int, locks: LedgerLocks = .none
    ) -> [LedgerDocument] {
        var before: [DayEntry.Source: DayEntry] = [:]
        for entry in booked { before[entry.source] = entry }
        var added: [DayEntry] = []
        var changed = 0
        for entry in now {
            guard let known = before.removeValue(forKey: entry.source) else {
                added.append(entry)
                continue
            }
            if known == entry { continue }
            changed += 1
            added.append(entry)
            before[entry.source] = known
        }
        let taken = booked.filter { before[$0.source] == $0 }
        if added.isEmpty && taken.isEmpty { return [] }
        let reason = "After the close of \(day): \(added.count - changed) came late, \(changed) changed, "
            + "\(taken.count - changed) went."
        return documents(
            adding: added, takingBack: taken, day: day, locks: locks, suffix: "-a\(turn)", reason: reason)
    }

    // MARK: documents

    private func documents(
        adding added: [DayEntry], takingBack taken: [DayEntry], day: CalendarDate, locks: LedgerLocks, suffix: String,
        reason: String
    ) -> [LedgerDocument] {
        var net = DaySum()
        for entry in added { net.add(entry) }
        for entry in taken { net.add(entry, isTakenBack: true) }
        if net.isNothing { return [] }
        if let kind = net.kind { return [document(net, kind, day, locks, suffix, [reason])] }
        // Some tender gave back more than it took while another took more: what added to the day and what took from it
        // are documents of their own, each with payments in its own direction.
        var sums = (plus: DaySum(), minus: DaySum())
        for (entries, isTakenBack) in [(added, false), (taken, true)] {
            for entry in entries {
                if entry.isRefund == isTakenBack {
                    sums.plus.add(entry, isTakenBack: isTakenBack)
                } else {
                    sums.minus.add(entry, isTakenBack: isTakenBack)
                }
            }
        }
        let why = "By some tender more was paid back than taken, so sales and refunds are documents of their own."
        return [
            document(sums.plus, .invoice, day, locks, suffix, [reason, why]),
            document(sums.minus, .creditNote, day, locks, suffix + "-c", [reason, why]),
        ]
    }

    private func document(
        _ sum: DaySum, _ kind: LedgerDocument.Kind, _ day: CalendarDate, _ locks: LedgerLocks, _ suffix: String,
        _ reasons: [String]
    ) -> LedgerDocument {
        let isCredit = kind == .creditNote
        var document = header(day, locks, kind, suffix)
        document.reasons = reasons
        if document.date != day { document.reasons.append("The day is locked: dated \(document.date).") }
        let groups = sum.groups.filter { !$0.value.isZero }.sorted { $0.key.isBefore($1.key) }
        document.lines = groups.map { group, amount in
            let amount = isCredit ? -amount : amount
            return LedgerLine(
                description: description(of: group), amount: amount, account: group.account, taxType: group.taxType,
                tax: amount.taxInside(rate: orders.taxes.rate(of: group.taxType)), tracking: group.tracking)
        }
        document.payments = sum.tenders.filter { !$0.value.isZero }.map { tender, amount in
            var payment = LedgerPayment(
                account: tender.account, amount: isCredit ? -amount : amount, date: tender.day,
                reference: tender.reference)
            payment.date = locks.open(tender.day)
            return payment
        }.sorted { ($0.account, $0.reference, $0.day) < ($1.account, $1.reference, $1.day) }
        return document
    }

    private func header(
        _ day: CalendarDate, _ locks: LedgerLocks, _ kind: LedgerDocument.Kind, _ suffix: String
    ) -> LedgerDocument {
        let date = locks.open(day)
        let digits = day.description.filter { $0 != "-" }
        var document = LedgerDocument(
            number: DocumentNumber("\(books.numberPrefix)-D\(digits)\(suffix)"),
            reference: "\(books.name) \(day)", date: date, dueDate: date.adding(days: books.paymentTermDays),
            currency: orders.currency, contactNumber: books.contactNumber, lines: [],
            payments: [])
        document.kind = kind
        document.day = day
        document.brandingTheme = books.brandingTheme
        return document
    }

    private func description(of group: DayEntry.Group) -> String {
        if !group.label.isEmpty { return orders.description(group.label) }
        let accounts = books.accounts
        return switch group.account {
        case accounts.sales: "Sales"
        case accounts.tips: "Tips"
        case accounts.rounding: "Rounding"
        case accounts.discounts: "Discounts"
        case accounts.surcharges: "Surcharges"
        case accounts.giftCardLiability: "Gift cards sold"
        case accounts.deposits: "Deposits"
        case accounts.variance: "Till variance"
        default: "Sales, account \(group.account)"
        }
    }
}

extension DayEntry.Group {
    /// An order that no run changes: one day gives one document, to the byte.
    fileprivate func isBefore(_ other: DayEntry.Group) -> Bool {
        let mine = [account, taxType, label] + tracking.flatMap { [$0.category, $0.option] }
        return mine.lexicographicallyPrecedes(
            [other.account, other.taxType, other.label] + other.tracking.flatMap { [$0.category, $0.option] })
    }
}
