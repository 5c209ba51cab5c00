import Mapping
package import Settings
package import Xero

/// Compares what the configuration names with what the ledger has. Pure: the chart was read before.
package struct ChartCheck {
    private let organisation: OrganisationSettings
    private let chart: Chart
    private let file: String
    private let accounts: [String: Chart.Account]
    private let taxes: [String: Chart.Tax]
    private let categories: [String: Chart.Category]

    package init(_ organisation: OrganisationSettings, chart: Chart, file: String) {
        self.organisation = organisation
        self.chart = chart
        self.file = file
        accounts = Dictionary(chart.accounts.map { ($0.code, $0) }) { first, _ in first }
        taxes = Dictionary(chart.taxes.map { ($0.type, $0) }) { first, _ in first }
        categories = Dictionary(chart.categories.map { ($0.name, $0) }) { first, second in
            first.isActive ? first : second
        }
    }

    /// Every problem, in the file's order, each once a place.
    package func problems() -> [SettingsProblem] {
        var seen: Set<SettingsProblem> = []
        return organisation.references.flatMap { reference in
            sentences(reference.target).map {
                SettingsProblem(file: file, line: reference.line, path: reference.path, message: $0)
            }
        }.filter { seen.insert($0).inserted }.sorted { ($0.line ?? 0, $0.path) < ($1.line ?? 0, $1.path) }
    }

    private func sentences(_ target: ChartReference.Target) -> [String] {
        switch target {
        case .account(let code, let tax): lineAccount(code, tax)
        case .clearingAccount(let code): clearingAccount(code)
        case .taxType(let type): taxType(type)
        case .goodsTax(let rate, let type):
            taxType(type)
                + (taxes[type].map { $0.rate == rate ? [] : [
                    "Xero's \(type) (\($0.name)) is a rate of \($0.rate), not \(rate)"
                        + hint(chart.taxes.filter { $0.rate == rate && $0.isActive }.map(\.type))
                ] } ?? [])
        case .trackingCategory(let name): category(name)
        case .trackingOption(let category, let option): self.option(option, of: category)
        case .brandingTheme(let id):
            chart.brandingThemes.contains { $0.lowercased() == id.lowercased() }
                ? [] : ["Xero has no branding theme \(id)\(hint(chart.brandingThemes))"]
        case .currency(let code):
            code == chart.organisation.currency
                ? [] : ["\(chart.organisation.name) keeps its books in \(chart.organisation.currency), not \(code)"]
        case .bookedCurrency(let code): currency(code)
        }
    }

    /// The values that would be right where there are few enough to name.
    private func hint(_ candidates: [String]) -> String {
        (1...4).contains(candidates.count) ? ": it has \(candidates.joined(separator: ", "))" : ""
    }

    private func currency(_ code: String) -> [String] {
        guard let currencies = chart.currencies, !currencies.contains(code) else { return [] }
        return [
            "\(chart.organisation.name) has not switched \(code) on: add the currency in Xero"
                + hint(currencies.sorted())
        ]
    }

    // MARK: accounts

    private func account(_ code: String) -> (account: Chart.Account?, problem: String?) {
        guard let account = accounts[code] else { return (nil, "Xero has no account \(code)\(nearestAccount(code))") }
        guard account.isActive else {
            return (
                nil,
                "account \(code) (\(account.name)) is archived: restore it in Xero or name another"
                    + near(code, among: chart.accounts.filter { $0.type == account.type })
            )
        }
        return (account, nil)
    }

    /// The nearest code, or the account of that name.
    private func nearestAccount(_ code: String) -> String {
        let active = chart.accounts.filter(\.isActive)
        if let named = active.first(where: { $0.name.lowercased() == code.lowercased() }) {
            return ", did you mean `\(named.code)`? Accounts go by their code"
        }
        guard let near = Nearness.nearest(to: code, in: active.map(\.code)), let account = accounts[near] else {
            return ""
        }
        return ", did you mean `\(near)` (\(account.name))?"
    }

    /// The account with the nearest code that is in use.
    private func near(_ code: String, among accounts: [Chart.Account]) -> String {
        let candidates = accounts.filter { $0.isActive && $0.code != code }
        guard let near = Nearness.nearest(to: code, in: candidates.map(\.code)),
            let account = candidates.first(where: { $0.code == near })
        else { return hint(candidates.map { "\($0.code) (\($0.name))" }) }
        return ", such as `\(near)` (\(account.name))"
    }

    private func lineAccount(_ code: String, _ tax: ChartReference.LineTax) -> [String] {
        let (found, problem) = account(code)
        guard let account = found else { return [problem].compactMap(\.self) }
        if account.type == "BANK" {
            return ["account \(code) (\(account.name)) is a bank account: no line can carry it"]
        }
        if let system = account.systemAccount, system != "ROUNDING" {
            return ["account \(code) (\(account.name)) is Xero's own \(system) account: no line can carry it"]
        }
        let types: [String] =
            switch tax {
            case .ofGoods: Array(Set(organisation.taxTypes.values)).sorted()
            case .outside: [organisation.accounts.outsideTaxType]
            case .only(let types): types
            }
        return types.compactMap { type in
            guard let tax = taxes[type], !account.accountClass.isEmpty, !tax.classes.isEmpty,
                !tax.classes.contains(account.accountClass)
            else { return nil }
            return "the tax type \(type) cannot be used with account \(code) (\(account.name), "
                + "class \(account.accountClass))" + hint(usable(account, like: tax))
        }
    }

    private func usable(_ account: Chart.Account, like tax: Chart.Tax) -> [String] {
        chart.taxes.filter { $0.isActive && $0.rate == tax.rate && $0.classes.contains(account.accountClass) }
            .map(\.type)
    }

    private func clearingAccount(_ code: String) -> [String] {
        let (found, problem) = account(code)
        guard let account = found else { return [problem].compactMap(\.self) }
        if account.takesPayments { return [] }
        return [
            "account \(code) (\(account.name)) does not allow payments: switch on \"enable payments to this account\""
                + " or name another" + near(code, among: chart.accounts.filter(\.takesPayments))
        ]
    }

    // MARK: taxes and tracking

    private func taxType(_ type: String) -> [String] {
        guard let tax = taxes[type] else {
            return ["Xero has no tax type \(type)\(Nearness.hint(for: type, in: taxes.keys.sorted()))"]
        }
        return tax.isActive ? [] : ["the tax type \(type) (\(tax.name)) is no longer in use in Xero"]
    }

    private func category(_ name: String) -> [String] {
        guard let category = categories[name] else {
            let names = chart.categories.filter(\.isActive).map(\.name)
            return ["Xero has no tracking category \(name)\(Nearness.hint(for: name, in: names))"]
        }
        if category.isActive { return [] }
        let others = chart.categories.filter { $0.isActive && $0.name != name }.map(\.name)
        return [
            "the tracking category \(name) is archived in Xero"
                + (Nearness.nearest(to: name, in: others).map { ", did you mean `\($0)`?" } ?? hint(others))
        ]
    }

    private func option(_ name: String, of categoryName: String) -> [String] {
        guard let category = categories[categoryName] else { return [] }
        guard let option = category.options.first(where: { $0.name == name }) else {
            let names = category.options.filter(\.isActive).map(\.name)
            return ["the tracking category \(categoryName) has no option \(name)\(Nearness.hint(for: name, in: names))"]
        }
        if option.isActive { return [] }
        let others = category.options.filter { $0.isActive && $0.name != name }.map(\.name)
        return [
            "the option \(name) of tracking category \(categoryName) is archived in Xero"
                + (Nearness.nearest(to: name, in: others).map { ", did you mean `\($0)`?" } ?? hint(others))
        ]
    }
}
