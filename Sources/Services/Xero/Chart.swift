import HTTP
import JSON
package import Money

/// What an organisation's ledger has to book to, read in five calls: accounts, taxes, tracking, branding themes and the
/// organisation itself; and a sixth for the currencies where somebody asks for them.
package struct Chart: Sendable {
    package var accounts: [Account]
    package var taxes: [Tax]
    package var categories: [Category]
    package var organisation: Organisation
    /// Ids of the branding themes.
    package var brandingThemes: [String]
    /// Codes of the currencies that are switched on, the organisation's own included; nil: nobody asked.
    package var currencies: [String]?

    package init(
        accounts: [Account], taxes: [Tax], categories: [Category], organisation: Organisation, brandingThemes: [String],
        currencies: [String]? = nil
    ) {
        self.accounts = accounts
        self.taxes = taxes
        self.categories = categories
        self.organisation = organisation
        self.brandingThemes = brandingThemes
        self.currencies = currencies
    }

    package struct Account: Sendable, Hashable {
        package var code: String
        package var name: String
        /// REVENUE, BANK, CURRLIAB …
        package var type: String
        /// ASSET, LIABILITY, REVENUE, EXPENSE, EQUITY.
        package var accountClass: String
        package var isActive: Bool
        package var enablesPayments: Bool
        package var systemAccount: String?

        package init(
            code: String, name: String, type: String, accountClass: String, isActive: Bool = true,
            enablesPayments: Bool = false, systemAccount: String? = nil
        ) {
            self.code = code
            self.name = name
            self.type = type
            self.accountClass = accountClass
            self.isActive = isActive
            self.enablesPayments = enablesPayments
            self.systemAccount = systemAccount
        }

        package var takesPayments: Bool { type == "BANK" || enablesPayments }
    }

    package struct Tax: Sendable, Hashable {
        package var type: String
        package var name: String
        /// A factor: 0.1 for 10 %.
        package var rate: ExactDecimal
        package var isActive: Bool
        /// The classes of account it goes with.
        package var classes: Set<String>

        package init(type: String, name: String, rate: ExactDecimal, isActive: Bool = true, classes: Set<String>) {
            self.type = type
            self.name = name
            self.rate = rate
            self.isActive = isActive
            self.classes = classes
        }
    }

    package struct Category: Sendable, Hashable {
        package var name: String
        package var isActive: Bool
        package var options: [Option]

        package init(name: String, isActive: Bool = true, options: [Option]) {
            self.name = name
            self.isActive = isActive
            self.options = options
        }
    }

    package struct Option: Sendable, Hashable {
        package var name: String
        package var isActive: Bool

        package init(name: String, isActive: Bool = true) {
            self.name = name
            self.isActive = isActive
        }
    }

    package struct Organisation: Sendable, Hashable {
        package var name: String
        package var currency: String
        package var country: String

        package init(name: String, currency: String, country: String) {
            self.name = name
            self.currency = currency
            self.country = country
        }
    }
}

// MARK: reading

extension Chart.Account {
    /// Nil for an account without a code: nothing can be booked to it by code.
    init?(_ json: JSON) {
        guard let code = json["Code"]?.string, !code.isEmpty else { return nil }
        self.init(
            code: code, name: json["Name"]?.string ?? "", type: json["Type"]?.string ?? "",
            accountClass: json["Class"]?.string ?? "", isActive: json["Status"]?.string == "ACTIVE",
            enablesPayments: json["EnablePaymentsToAccount"]?.bool ?? false,
            systemAccount: json["SystemAccount"]?.string.flatMap { $0.isEmpty ? nil : $0 })
    }
}

extension Chart.Tax {
    /// Nil where the type or a readable rate is missing.
    init?(_ json: JSON) {
        guard let type = json["TaxType"]?.string,
            let percent = (json["EffectiveRate"] ?? json["DisplayTaxRate"])?.numberText.flatMap({ ExactDecimal($0) }),
            let rate = percent * ExactDecimal(coefficient: 1, scale: 2)
        else { return nil }
        var classes: Set<String> = []
        if json["CanApplyToAssets"]?.bool == true { classes.insert("ASSET") }
        if json["CanApplyToEquity"]?.bool == true { classes.insert("EQUITY") }
        if json["CanApplyToExpenses"]?.bool == true { classes.insert("EXPENSE") }
        if json["CanApplyToLiabilities"]?.bool == true { classes.insert("LIABILITY") }
        if json["CanApplyToRevenue"]?.bool == true { classes.insert("REVENUE") }
        // Left out, a status is that of a tax nobody switched off.
        self.init(
            type: type, name: json["Name"]?.string ?? "", rate: rate.trimmed,
            isActive: json["Status"]?.string ?? "ACTIVE" == "ACTIVE", classes: classes)
    }
}

extension Chart.Category {
    init?(_ json: JSON) {
        guard let name = json["Name"]?.string else { return nil }
        let options = (json["Options"]?.elements ?? []).compactMap { option -> Chart.Option? in
            option["Name"]?.string.map { Chart.Option(name: $0, isActive: option["Status"]?.string == "ACTIVE") }
        }
        self.init(name: name, isActive: json["Status"]?.string == "ACTIVE", options: options)
    }
}

extension Chart.Organisation {
    init?(_ json: JSON) {
        guard let currency = json["BaseCurrency"]?.string else { return nil }
        self.init(name: json["Name"]?.string ?? "", currency: currency, country: json["CountryCode"]?.string ?? "")
    }
}

extension XeroClient {
    /// Five calls, six with the currencies, one after the other: the allowance is for invoices.
    package func chart(withCurrencies: Bool = false) async throws -> Lookup<Chart> {
        let organisation: Chart.Organisation
        switch try await list("/Organisation", { $0["Organisations"] }, Chart.Organisation.init) {
        case .failed(let outcome): return .failed(outcome)
        case .found(let found):
            guard let first = found.first else { return .failed(.unknown("GET /Organisation names no organisation")) }
            organisation = first
        }
        let accounts = try await list("/Accounts", { $0["Accounts"] }, Chart.Account.init)
        guard case .found(let accounts) = accounts else { return .failed(accounts.failure) }
        let taxes = try await list("/TaxRates", { $0["TaxRates"] }, Chart.Tax.init)
        guard case .found(let taxes) = taxes else { return .failed(taxes.failure) }
        let categories = try await list(
            "/TrackingCategories?includeArchived=true", { $0["TrackingCategories"] }, Chart.Category.init)
        guard case .found(let categories) = categories else { return .failed(categories.failure) }
        let themes = try await list("/BrandingThemes", { $0["BrandingThemes"] }) { $0["BrandingThemeID"]?.string }
        guard case .found(let themes) = themes else { return .failed(themes.failure) }
        var chart = Chart(
            accounts: accounts, taxes: taxes, categories: categories, organisation: organisation,
            brandingThemes: themes)
        guard withCurrencies else { return .found(chart) }
        let currencies = try await list("/Currencies", { $0["Currencies"] }) { $0["Code"]?.string }
        guard case .found(let currencies) = currencies else { return .failed(currencies.failure) }
        chart.currencies = currencies
        return .found(chart)
    }

    private func list<Element: Sendable>(
        _ path: String, _ elements: (JSON) -> JSON?, _ read: (JSON) -> Element?
    ) async throws -> Lookup<[Element]> {
        let outcome = try await call(.get, path)
        guard case .answered(let response) = outcome else { return .failed(outcome) }
        guard let json = try? JSON(parsing: response.body), let list = elements(json), list.kind == .array else {
            return .failed(.unknown("the answer to GET \(path.prefix { $0 != "?" }) is not understood"))
        }
        return .found(list.elements.compactMap(read))
    }
}

extension Lookup {
    /// How the call failed; only where it did.
    fileprivate var failure: XeroOutcome {
        guard case .failed(let outcome) = self else { return .unknown("the call did not fail") }
        return outcome
    }
}
