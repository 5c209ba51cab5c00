/// An account of an organisation's chart.
struct Account: Sendable {
    let id: XeroID
    let code: String
    let name: String
    let type: AccountType
    let taxType: String
    var systemAccount = ""
    var enablesPayments = false
    var isActive = true

    /// Money may be booked in and out by a payment.
    var takesPayments: Bool { type == .bank || enablesPayments }
}

/// The vendor's account types that the default chart uses.
enum AccountType: String, Sendable {
    case bank = "BANK", current = "CURRENT", currentLiability = "CURRLIAB", revenue = "REVENUE", sales = "SALES"
    case otherIncome = "OTHERINCOME", directCosts = "DIRECTCOSTS", expense = "EXPENSE", prepayment = "PREPAYMENT"
    case equity = "EQUITY"

    /// The `Class` the vendor reports.
    var accountClass: String {
        switch self {
        case .bank, .current, .prepayment: "ASSET"
        case .currentLiability: "LIABILITY"
        case .revenue, .sales, .otherIncome: "REVENUE"
        case .directCosts, .expense: "EXPENSE"
        case .equity: "EQUITY"
        }
    }
}

struct TaxRate: Sendable {
    let type: String
    let name: String
    /// Per cent.
    let rate: Fixed
    /// The classes of account it may be used with.
    let classes: Set<String>
    let reportType: String
}

struct TrackingCategory: Sendable {
    let id: XeroID
    let name: String
    var options: [TrackingOption]
}

struct TrackingOption: Sendable {
    let id: XeroID
    let name: String
    /// As a line of an answer shows it, ready to be copied: it is written with nearly every line.
    let embedded: [UInt8]
    var isActive = true
}

/// The country's side of an organisation: its taxes.
enum Country: String, Sendable {
    case australia = "AU", newZealand = "NZ", unitedKingdom = "GB"

    var currency: String {
        switch self {
        case .australia: "AUD"
        case .newZealand: "NZD"
        case .unitedKingdom: "GBP"
        }
    }

    /// The tax on ordinary sales, on exempt sales, on purchases, and none at all.
    var taxTypes: (sales: String, exempt: String, purchases: String, none: String) {
        switch self {
        case .australia: ("OUTPUT", "EXEMPTOUTPUT", "INPUT", "BASEXCLUDED")
        case .newZealand: ("OUTPUT2", "ZERORATED", "INPUT2", "NONE")
        case .unitedKingdom: ("OUTPUT2", "ZERORATEDOUTPUT", "INPUT2", "NONE")
        }
    }

    var taxRates: [TaxRate] {
        let sales: Set = ["REVENUE", "ASSET", "LIABILITY", "EQUITY"]
        let purchases: Set = ["EXPENSE", "ASSET", "LIABILITY", "EQUITY"]
        let all = sales.union(purchases)
        func rate(
            _ type: String, _ name: String, _ percent: Int64, _ classes: Set<String>, _ report: String
        ) -> TaxRate {
            TaxRate(type: type, name: name, rate: Fixed(units: percent * 10_000), classes: classes, reportType: report)
        }
        return switch self {
        case .australia:
            [
                rate("OUTPUT", "GST on Income", 10, sales, "OUTPUT"),
                rate("INPUT", "GST on Expenses", 10, purchases, "INPUT"),
                rate("EXEMPTOUTPUT", "GST Free Income", 0, sales, "EXEMPTOUTPUT"),
                rate("EXEMPTEXPENSES", "GST Free Expenses", 0, purchases, "EXEMPTEXPENSES"),
                rate("BASEXCLUDED", "BAS Excluded", 0, all, "BASEXCLUDED"),
            ]
        case .newZealand:
            [
                rate("OUTPUT2", "15% GST on Income", 15, sales, "OUTPUT"),
                rate("INPUT2", "15% GST on Expenses", 15, purchases, "INPUT"),
                rate("ZERORATED", "Zero Rated", 0, sales, "ZERORATED"),
                rate("NONE", "No GST", 0, all, "NONE"),
            ]
        case .unitedKingdom:
            [
                rate("OUTPUT2", "20% (VAT on Income)", 20, sales, "OUTPUT"),
                rate("INPUT2", "20% (VAT on Expenses)", 20, purchases, "INPUT"),
                rate("RROUTPUT", "5% (VAT on Income)", 5, sales, "OUTPUT"),
                rate("ZERORATEDOUTPUT", "Zero Rated Income", 0, sales, "OUTPUT"),
                rate("EXEMPTOUTPUT", "Exempt Income", 0, sales, "OUTPUT"),
                rate("ZERORATEDINPUT", "Zero Rated Expenses", 0, purchases, "INPUT"),
                rate("NONE", "No VAT", 0, all, "NONE"),
            ]
        }
    }

    /// The chart of accounts that the vendor's add-on for this till proposes.
    func chart(_ ids: inout SeededGenerator) -> [Account] {
        let tax = taxTypes
        var accounts: [Account] = []
        func add(
            _ code: String, _ name: String, _ type: AccountType, _ taxType: String, system: String = "",
            payments: Bool = false
        ) {
            accounts.append(
                Account(
                    id: ids.identifier(), code: code, name: name, type: type, taxType: taxType, systemAccount: system,
                    enablesPayments: payments))
        }
        add("090", "Business Bank Account", .bank, tax.none)
        add("200", "Sales", .revenue, tax.sales)
        add("205", "GST Free Sales", .revenue, tax.exempt)
        add("230", "Point of Sale Takings", .revenue, tax.sales)
        add("231", "Cash Clearing", .current, tax.none, payments: true)
        add("232", "Card Clearing", .current, tax.none, payments: true)
        add("233", "Gift Card Redemption Clearing", .current, tax.none, payments: true)
        add("234", "Account Customer Clearing", .current, tax.none, payments: true)
        add("260", "Other Revenue", .otherIncome, tax.sales)
        add("310", "Cost of Goods Sold", .directCosts, tax.purchases)
        add("404", "Bank Fees", .expense, tax.none)
        add("610", "Accounts Receivable", .current, tax.none, system: "DEBTORS")
        add("620", "Prepayments", .current, tax.none, payments: true)
        add("800", "Accounts Payable", .currentLiability, tax.none, system: "CREDITORS")
        add("820", "GST", .currentLiability, tax.none, system: "GST")
        add("825", "Tips Payable", .currentLiability, tax.none, payments: true)
        add("860", "Rounding", .currentLiability, tax.none, system: "ROUNDING")
        add("870", "Till Variance", .expense, tax.none)
        add("875", "Gift Card Liability", .currentLiability, tax.none, payments: true)
        add("960", "Retained Earnings", .equity, tax.none, system: "RETAINEDEARNINGS")
        return accounts
    }
}
