package import Money

/// One line of an order as the till recorded it.
package struct OrderLine: Sendable {
    package var number: Int
    package var id: String?
    package var name: String
    /// Kounta's id of the product; nil for open-price lines.
    package var product: String?
    /// The product's SKU, categories and tags, in records that bring them; most leave them to the catalogue.
    package var sku: String?
    package var categories: [String] = []
    package var tags: [String] = []
    package var notes: String?
    package var quantity: ExactDecimal
    /// The line's GST-inclusive amount as recorded: from the line's totals, or from unit price and quantity in
    /// records that have none. Whether it already holds variations is found out per order, see `LineReading`.
    package var recorded: ExactDecimal
    /// The tax inside ``recorded``; nil where the record shows no line totals.
    package var recordedTax: ExactDecimal?
    /// Made from unit price × quantity, so it certainly holds no variation.
    package var isFromUnitPrice: Bool
    package var priceVariation: ExactDecimal = .one
    package var fixedVariation: ExactDecimal = .zero
    /// Factors, 0.1 = 10 %; taxes of rate 0 left out.
    package var taxRates: [ExactDecimal]
    /// Chosen inside a set: its amount may already be inside the set's own line.
    package var isPartOfOptionSet = false
    package var modifiers: [Modifier] = []

    package init(
        number: Int, name: String, quantity: ExactDecimal, recorded: ExactDecimal, isFromUnitPrice: Bool,
        taxRates: [ExactDecimal]
    ) {
        self.number = number
        self.name = name
        self.quantity = quantity
        self.recorded = recorded
        self.isFromUnitPrice = isFromUnitPrice
        self.taxRates = taxRates
    }
}

/// A change to a product: "no onion", or "extra shot" with a price.
package struct Modifier: Sendable, Hashable {
    package var id: String?
    package var name: String?
    /// GST-inclusive, for the whole line; nil where the record gives no price. Whether the line's amount holds it
    /// already is found out per order, see `LineReading`.
    package var price: ExactDecimal?

    package init(id: String?, name: String?, price: ExactDecimal? = nil) {
        self.id = id
        self.name = name
        self.price = price
    }
}
