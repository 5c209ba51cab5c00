package import Domain
import Money

extension SummaryMapping {
    /// The variances of a day, as entries: what was counted is what is banked, and the difference goes to the variance
    /// account.
    ///
    /// - Throws: ``Park`` of class `mapping` where a difference has no account to go to.
    package func entries(of takings: [Takings], on day: CalendarDate) throws(Park) -> [DayEntry] {
        var entries: [DayEntry] = []
        for taking in takings where !taking.variance.isZero {
            guard let account = orders.books.accounts.variance else {
                throw Park(
                    .mapping,
                    "On \(day) the till recorded \(taking.recorded) by \(taking.method), but \(taking.counted) was "
                        + "counted, and no account is set for the difference of \(taking.variance).",
                    remedy: "Set `accounts.variance` of organisation \(orders.books.organisation), then replay.")
            }
            guard let clearing = orders.books.clearingAccounts[taking.method.lowercased()]
                ?? orders.books.fallbackClearingAccount
            else {
                throw Park(
                    .mapping, "On \(day) \(taking.variance) of variance is by \"\(taking.method)\", for which no "
                        + "clearing account is set.",
                    remedy: "Add it under `payment_methods` of organisation \(orders.books.organisation), then replay.")
            }
            let group = DayEntry.Group(
                account: account, taxType: orders.books.accounts.outsideTaxType, tracking: orders.tracking,
                label: "Till variance \(taking.method): counted \(taking.counted), recorded \(taking.recorded)")
            entries.append(
                DayEntry(
                    source: .variance(method: taking.method), day: day, isRefund: taking.variance.isNegative,
                    parts: [DayEntry.Part(group: group, amount: taking.variance.magnitude)],
                    payments: [
                        LedgerPayment(
                            account: clearing, amount: taking.variance.magnitude, date: day, reference: taking.method)
                    ]))
        }
        return entries
    }

    /// Where the till's recorded takings are not what the day's orders come to: an order is missing, or one too many.
    package func disagreements(of takings: [Takings], with entries: [DayEntry]) -> [String] {
        var taken: [String: Money] = [:]
        for entry in entries {
            guard case .order = entry.source else { continue }
            for payment in entry.payments {
                taken[payment.method.lowercased(), default: .zero] += entry.isRefund
                    ? -payment.amount : payment.amount
            }
        }
        return takings.compactMap { taking in
            let ours = taken[taking.method.lowercased(), default: .zero]
            if ours == taking.recorded { return nil }
            return "By \(taking.method) the till recorded \(taking.recorded), the day's orders come to \(ours)."
        }
    }
}
