package import Money

/// One payment at the till.
package struct Tender: Sendable {
    /// Kounta's id of the payment.
    package var id: String?
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

/// Who bought, as the order names them.
package struct Customer: Sendable, Hashable {
    /// Kounta's id: the `ContactNumber` of the contact in Xero.
    package var id: String
    package var firstName: String
    package var lastName: String
    package var email: String?
    /// From the customer's own record; an order's brings none, as far as is documented.
    package var tags: [String] = []

    package init(id: String, firstName: String = "", lastName: String = "", email: String? = nil) {
        self.id = id
        self.firstName = firstName
        self.lastName = lastName
        self.email = email
    }

    /// First and last name; empty where the till has neither.
    package var name: String {
        firstName.isEmpty ? lastName : lastName.isEmpty ? firstName : "\(firstName) \(lastName)"
    }
}

/// What is known of an order's customer besides what the order itself says of them.
package enum CustomerKnowledge: Sendable, Hashable {
    /// Nobody looked, since no rule asked when the order was read at the till.
    case notAsked
    /// Their own record was read with the order: tags and e-mail are in ``Order/customer``.
    case read
    /// The till no longer had them: they have no tags.
    case gone
    /// The till did not show their record for so long that the order was not kept waiting any longer.
    case unreadable(cause: String)
}
