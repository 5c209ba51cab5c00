package import Money

/// A completed sale as the till recorded it, read from Kounta's record but free of its wire format.
package struct Order: Sendable {
    package var id: OrderID
    package var site: SiteID
    package var saleNumber: String?
    package var status: String
    package var isDeleted = false
    package var isRefund = false
    package var createdAt: Instant
    /// GST-inclusive, after every variation, as the till showed it.
    package var total: ExactDecimal
    /// Tips noted on the order itself; those on payments are on the payments.
    package var tips: ExactDecimal = .zero
    /// Multiplies the whole order, 0.9 = 10 % off.
    package var priceVariation: ExactDecimal = .one
    /// Added to the whole order.
    package var fixedVariation: ExactDecimal = .zero
    package var lines: [OrderLine]
    package var payments: [Tender]

    package init(
        id: OrderID, site: SiteID, status: String, createdAt: Instant, total: ExactDecimal, lines: [OrderLine],
        payments: [Tender]
    ) {
        self.id = id
        self.site = site
        self.status = status
        self.createdAt = createdAt
        self.total = total
        self.lines = lines
        self.payments = payments
    }

    /// Kounta says COMPLETE; older records COMPLETED.
    package var isComplete: Bool { status == "COMPLETE" || status == "COMPLETED" }
}

package struct OrderLine: Sendable {
    package var number: Int
    package var name: String
    package var quantity: ExactDecimal
    /// The line's GST-inclusive amount as recorded: from the line's totals, or from unit price and quantity in
    /// records that have none. Whether it already holds variations is found out per order, see `LineReading`.
    package var recorded: ExactDecimal
    /// Made from unit price × quantity, so it certainly holds no variation.
    package var isFromUnitPrice: Bool
    package var priceVariation: ExactDecimal = .one
    package var fixedVariation: ExactDecimal = .zero
    /// Factors, 0.1 = 10 %; taxes of rate 0 left out.
    package var taxRates: [ExactDecimal]

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

/// One payment at the till.
package struct Tender: Sendable {
    package var method: String
    package var amount: ExactDecimal
    package var tip: ExactDecimal
    package var paidAt: Instant?
    package var reference: String?

    package init(method: String, amount: ExactDecimal, tip: ExactDecimal = .zero, paidAt: Instant? = nil) {
        self.method = method
        self.amount = amount
        self.tip = tip
        self.paidAt = paidAt
    }
}
