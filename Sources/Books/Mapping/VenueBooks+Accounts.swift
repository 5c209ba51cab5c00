extension VenueBooks {
    /// What the configuration books to an account, in words that a person finds there: rules by their names first, in
    /// their order, then the account's other duties. Empty where nothing of it is known to go there.
    package func whatGoes(to account: String) -> [String] {
        var names = rules.rules.filter { $0.outcome.account?.possibleValues?.contains(account) == true }.map(\.name)
        if case .account(account) = rules.unmapped { names.append("what no rule decides") }
        let duties: [(String?, String)] = [
            (accounts.sales, rules.isEmpty ? "all sales" : "all other sales"), (accounts.tips, "tips"),
            (accounts.rounding, "rounding"), (accounts.discounts, "discounts"), (accounts.surcharges, "surcharges"),
            (accounts.giftCardLiability, "gift cards"), (accounts.deposits, "deposits"),
            (accounts.variance, "differences of takings"),
        ]
        names += duties.filter { $0.0 == account }.map(\.1)
        names += clearingAccounts.filter { $0.value == account }.keys.sorted().map { "payments by \($0)" }
        if fallbackClearingAccount == account { names.append("all other payments") }
        return names
    }
}
