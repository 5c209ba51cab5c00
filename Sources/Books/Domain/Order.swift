package import Money

/// A completed sale as the till recorded it, read from Kounta's record but free of its wire format.
package struct Order: Sendable {
    package var id: OrderID
    package var site: SiteID
    package var saleNumber: String?
    package var status: String
    package var isDeleted = false
    package var isRefund = false
    /// The order this one gives back, where the till says so.
    package var refundedOrder: OrderID?
    /// Sold to a customer's account: goods leave now, money comes later on the same order.
    package var isOnAccount = false
    package var createdAt: Instant
    package var placedAt: Instant?
    package var updatedAt: Instant?
    /// `dine_in`, `takeaway`, … as the venue named it.
    package var type: String?
    package var register: String?
    package var staff: String?
    package var customer: Customer?
    package var customerKnowledge = CustomerKnowledge.notAsked
    package var notes: String?
    package var guests: Int?
    /// As the record says; nil where it says nothing, which is the rule.
    package var currency: String?
    /// GST-inclusive, after every variation, as the till showed it.
    package var total: ExactDecimal
    /// What the till says was paid; nil where the record does not say.
    package var paid: ExactDecimal?
    /// The tax inside ``total`` as the till worked it out; nil where the record does not say.
    package var totalTax: ExactDecimal?
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

