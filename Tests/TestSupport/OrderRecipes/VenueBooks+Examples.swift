import Domain
package import Mapping
package import Money

/// An amount or a rate from its digits.
package func decimal(_ text: String) -> ExactDecimal { ExactDecimal(text)! }

extension VenueBooks {
    package static let example = VenueBooks(
        company: CompanyKey("harbour"), organisation: OrganisationKey("harbour"), site: SiteID("923"),
        name: "Harbour Bistro", numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "WALKIN-HBR",
        tracking: Tracking(category: "Venue", option: "Harbour Bistro"),
        accounts: Accounts(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"),
        taxTypes: [ExactDecimal("0.1")!: "OUTPUT", .zero: "EXEMPTOUTPUT"],
        clearingAccounts: ["cash": "231", "card": "232"], fallbackClearingAccount: "232")
}

extension VenueBooks {
    /// Books with everything a made-up order needs.
    package static let complete: VenueBooks = {
        var books = VenueBooks.example
        books.taxTypes = [
            decimal("0.1"): "OUTPUT", decimal("0.125"): "OUTPUTOLD", decimal("0.15"): "OUTPUT2", .zero: "EXEMPTOUTPUT",
        ]
        books.accounts.discounts = "240"
        books.accounts.surcharges = "241"
        books.accounts.giftCardLiability = "875"
        books.accounts.variance = "870"
        books.accounts.deposits = "620"
        books.sales.giftCardProducts = ["900"]
        books.sales.depositProducts = ["901"]
        books.sales.surchargeProducts = ["902"]
        books.sales.levyAccounts = [decimal("0.29"): Recipe.levy]
        books.sales.combinedTaxTypes = [[decimal("0.1"), decimal("0.15")]: "TAX250"]
        books.clearingAccounts = [
            "cash": "231", "card": "232", "gift card": "233", "eftpos": "234", "voucher": "235", "deposit": "620",
        ]
        books.fallbackClearingAccount = nil
        return books
    }()

    package static let accountOfMethod = [
        "Cash": "231", "Card": "232", "Gift Card": "233", "EFTPOS": "234", "Voucher": "235", "Deposit": "620",
    ]
}
