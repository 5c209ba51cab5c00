import Domain
package import Money

/// What a venue's books say about the less usual sales. The defaults fit a venue that has none of them.
package struct SalePolicy: Sendable {
    /// Several taxes on one line → the one tax type in Xero that holds them all, as its components do. The key: the
    /// rates, ascending.
    package var combinedTaxTypes: [[ExactDecimal]: String] = [:]
    /// A tax that Xero has no type for (a levy) → the liability account its part of the line is booked to.
    package var levyAccounts: [ExactDecimal: String] = [:]
    /// Tax types that rules set and no rate of the till's belongs to, with their rates in Xero.
    package var ruleTaxRates: [String: ExactDecimal] = [:]
    /// Payment methods, lower case, that are no money but a customer's promise.
    package var accountMethods: Set<String> = ["account", "on account", "house account", "charge to account"]
    /// Kounta's ids of the products that are gift cards or deposits, besides those whose tags or categories say so.
    package var giftCardProducts: Set<String> = []
    package var depositProducts: Set<String> = []
    /// Likewise surcharges that the till sells as a product: for a weekend, a public holiday, a card.
    package var surchargeProducts: Set<String> = []
    /// What Kounta's company keeps its money in; nil: as the organisation's base currency.
    package var companyCurrency: String?
    /// The currencies the organisation has switched on besides its base currency.
    package var otherCurrencies: Set<String> = []
    /// A completed sale to a named customer that was not paid in full is owed by that customer; else it is parked.
    package var leavesCustomersUnpaid = true

    package init() {}

    /// Types that hold no tax wherever Xero has them.
    package static let untaxedTypes: Set<String> = [
        "NONE", "BASEXCLUDED", "EXEMPTOUTPUT", "EXEMPTEXPORT", "ZERORATEDOUTPUT",
    ]

    private static let giftCardWords: Set<String> = ["gift card", "gift cards", "gift-card", "gift voucher"]
    private static let depositWords: Set<String> = ["deposit", "deposits", "lay-by", "layby"]
    private static let surchargeWords: Set<String> = ["surcharge", "surcharges"]

    /// Whether a payment method is coins and notes: one of the words of its name is `cash`.
    static func isCash(_ method: String) -> Bool {
        method.lowercased().split { !$0.isLetter }.contains("cash")
    }

    /// The part that a product plays in the books, by its id, or by what the record or the catalogue call it.
    func part(of line: OrderLine, catalogue: Product?) -> LineFacts.Part? {
        if let product = line.product {
            if giftCardProducts.contains(product) { return .giftCard }
            if depositProducts.contains(product) { return .deposit }
            if surchargeProducts.contains(product) { return .surcharge }
        }
        if line.tags.isEmpty, line.categories.isEmpty, catalogue == nil { return nil }
        let words = line.tags + line.categories + (catalogue?.tags ?? []) + (catalogue?.categories ?? [])
        for word in words {
            let word = word.lowercased()
            if Self.giftCardWords.contains(word) { return .giftCard }
            if Self.depositWords.contains(word) { return .deposit }
            if Self.surchargeWords.contains(word) { return .surcharge }
        }
        return nil
    }
}
