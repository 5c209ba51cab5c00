package import Money

/// One line of a document, GST-inclusive.
package struct LedgerLine: Sendable, Equatable {
    package var description: String
    package var quantity: ExactDecimal
    /// `quantity × unitAmount` is `amount` exactly; at most four decimals, as Xero takes with `unitdp=4`.
    package var unitAmount: ExactDecimal
    package var amount: Money
    package var account: String
    package var taxType: String
    /// The tax inside `amount`, as Xero works it out: by line, half up to the cent.
    package var tax: Money
    package var itemCode: String?
    /// At most two, as Xero takes.
    package var tracking: [Tracking]
    /// The order's line this one is made of, by its place; nil for discounts, tips and rounding.
    package var source: Int?
    /// The mapping rule that decided, or `default`.
    package var rule = "default"

    package init(
        description: String, quantity: ExactDecimal = .one, unitAmount: ExactDecimal? = nil, amount: Money,
        account: String, taxType: String, tax: Money = .zero, tracking: [Tracking]
    ) {
        self.description = description
        self.quantity = quantity
        self.unitAmount = unitAmount ?? amount.decimal
        self.amount = amount
        self.account = account
        self.taxType = taxType
        self.tax = tax
        self.tracking = tracking
    }

    package init(
        description: String, quantity: ExactDecimal = .one, unitAmount: ExactDecimal? = nil, amount: Money,
        account: String, taxType: String, tracking: Tracking?
    ) {
        self.init(
            description: description, quantity: quantity, unitAmount: unitAmount, amount: amount, account: account,
            taxType: taxType, tracking: tracking.map { [$0] } ?? [])
    }
}
