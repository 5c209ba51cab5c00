import Mapping
import Money

extension SalePolicy {
    /// Reads what an organisation says about the less usual sales.
    init(reading section: SettingsSection, _ chart: ChartNotes) {
        self.init()
        for (rates, type, place) in section.placedTable("combined_taxes") {
            let parts = rates.split(separator: "+", omittingEmptySubsequences: false)
            let values = parts.compactMap { Self.rate($0) }
            guard parts.count >= 2, values.count == parts.count else {
                section.report("`\(rates)` is not two or more rates such as 0.1+0.05", at: "combined_taxes")
                continue
            }
            if combinedTaxTypes.updateValue(type, forKey: values.sorted()) != nil {
                section.report("the rates \(rates) are there twice", at: "combined_taxes")
            }
            chart.note(.goodsTax(rate: values.reduce(.zero, +), type: type), place)
        }
        for (type, text, place) in section.placedTable("other_taxes") {
            guard let rate = ExactDecimal(text), rate >= .zero, rate <= .one else {
                section.report("the rate of \(type), `\(text)`, is not a rate such as 0.15 for 15 %", at: "other_taxes")
                continue
            }
            ruleTaxRates[type] = rate
            chart.note(.goodsTax(rate: rate, type: type), place)
        }
        for (rate, account, place) in section.placedTable("levies") {
            guard let value = Self.rate(rate) else {
                section.report("`\(rate)` is not a rate such as 0.02 for 2 %", at: "levies")
                continue
            }
            if levyAccounts.updateValue(account, forKey: value) != nil {
                section.report("the rate \(rate) is there twice", at: "levies")
            }
            chart.note(.account(account, .outside), place)
        }
        let methods = section.texts("account_methods")
        if !methods.isEmpty { accountMethods = Set(methods.map { $0.lowercased() }) }
        for code in section.texts("other_currencies") {
            guard SettingsSection.isCurrency(code) else {
                section.report("`\(code)` is no currency code such as NZD", at: "other_currencies")
                continue
            }
            otherCurrencies.insert(code)
            chart.note(.bookedCurrency(code), section, "other_currencies")
        }
        leavesCustomersUnpaid = section.flag("leave_customers_unpaid", default: true)
    }

    private static func rate(_ text: some StringProtocol) -> ExactDecimal? {
        ExactDecimal(String(text)).flatMap { $0 > .zero && $0 <= .one ? $0 : nil }
    }
}

extension SettingsSection {
    func currency(_ key: String) -> String? {
        value(key, "a currency code such as NZD") { Self.isCurrency($0) ? $0 : nil }
    }

    static func isCurrency(_ text: String) -> Bool {
        text.utf8.count == 3 && text.utf8.allSatisfy { (0x41...0x5A).contains($0) }
    }
}
