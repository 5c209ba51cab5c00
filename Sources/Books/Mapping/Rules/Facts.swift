package import Domain
package import Money

/// A thing of the till's with its id and, where known, its name. A rule may name either.
package struct Named: Sendable, Hashable {
    package var id: String
    /// Nil where Kounta sent only the id and nobody gave it a name.
    package var name: String?

    package init(id: String, name: String? = nil) {
        self.id = id
        self.name = name
    }

    /// For people: the name, else the id.
    package var shown: String { name ?? id }
}

/// What a rule may know of an order as a whole. Built once an order, shared by its lines and tenders.
package struct OrderFacts: Sendable {
    package var order: OrderID
    package var saleNumber: String?
    package var site: SiteID
    /// The venue's name in the configuration.
    package var venue: String
    package var register: Named?
    package var orderType: String?
    package var staff: Named?
    package var customer: Named?
    package var customerTags: [String] = []
    package var customerEmail: String?
    /// What was typed on the order: some venues keep a purchase order's number there.
    package var notes: String?
    /// The methods of all the order's tenders; a rule for lines matches where any of them does.
    package var paymentMethods: [String] = []
    /// The trading day, in the venue's own time zone and after its cut-off.
    package var date: CalendarDate
    package var total: Money

    package init(order: OrderID, site: SiteID, venue: String, date: CalendarDate, total: Money) {
        self.order = order
        self.site = site
        self.venue = venue
        self.date = date
        self.total = total
    }
}

/// What a rule may know of one line of an order.
package struct LineFacts: Sendable {
    /// What a line is: most are sales; the others have no product, or one that plays another part.
    package enum Part: String, Sendable, CaseIterable {
        case sale, discount, surcharge, tip, rounding, variance, deposit
        case giftCard = "gift_card"
    }

    package var part: Part
    package var product: Named?
    package var sku: String?
    package var categories: [String] = []
    package var tags: [String] = []
    /// Names of what was changed about the product.
    package var modifiers: [String] = []
    package var notes: String?
    /// GST-inclusive, as it will stand on the document.
    package var amount: Money
    package var quantity: ExactDecimal

    package init(part: Part = .sale, product: Named?, amount: Money, quantity: ExactDecimal = .one) {
        self.part = part
        self.product = product
        self.amount = amount
        self.quantity = quantity
    }
}

/// What a rule may know of one tender of an order.
package struct TenderFacts: Sendable {
    package var method: String
    package var amount: Money

    package init(method: String, amount: Money) {
        self.method = method
        self.amount = amount
    }
}

/// What Kounta's catalogue says of a product: order lines carry its id and name only.
package struct Product: Sendable, Hashable {
    package var id: String
    package var name: String
    package var sku: String?
    package var categories: [String]
    package var tags: [String]
    /// GST-inclusive; nil where the catalogue has none.
    package var price: ExactDecimal?
    /// Factors; empty for tax-free goods.
    package var taxRates: [ExactDecimal]

    package init(
        id: String, name: String, sku: String? = nil, categories: [String] = [], tags: [String] = [],
        price: ExactDecimal? = nil, taxRates: [ExactDecimal] = []
    ) {
        self.id = id
        self.name = name
        self.sku = sku
        self.categories = categories
        self.tags = tags
        self.price = price
        self.taxRates = taxRates
    }
}

extension LineFacts {
    /// Adds what the catalogue knows of the line's product.
    package mutating func complete(from catalogue: [String: Product]) {
        guard let product, let known = catalogue[product.id] else { return }
        sku = known.sku
        categories = known.categories
        tags = known.tags
    }
}
