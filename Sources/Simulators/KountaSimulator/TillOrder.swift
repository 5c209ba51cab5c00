/// An order as the till holds it, in whole numbers, before it is written as JSON. Amounts are cents and include tax
/// unless they say otherwise.
package struct TillOrder: Sendable {
    struct Line: Sendable {
        var productID: Int64
        var name: String
        var unitCents: Int64
        /// Ten-thousandths: 35_000 is 3.5.
        var quantity: Int64 = 10_000
        var isGSTFree = false
        /// Ten-thousandths: 9_000 is 10 % off.
        var variation: Int64 = 10_000
        var fixedVariationCents: Int64 = 0
        var isOption = false
        /// A change to the dish that costs nothing.
        var modifier: MenuItem?
        var notes = ""
        /// What is charged for the line, after its own and its share of the order's variation. Set by `settle()`.
        var chargedCents: Int64 = 0

        /// Price times quantity, before any variation.
        var listedCents: Int64 { Amounts.rounded(unitCents * quantity, over: 10_000) }
        /// The same after the line's own variation.
        var variedCents: Int64 { Amounts.rounded(listedCents * variation, over: 10_000) + fixedVariationCents }
        /// Whether the coefficient leaves a whole number of cents.
        func isExact(under coefficient: Int64) -> Bool { listedCents * coefficient % 10_000 == 0 }
        var chargedTaxCents: Int64 { isGSTFree ? 0 : Amounts.gst(inside: chargedCents) }
    }

    struct Payment: Sendable {
        var method: Int64
        /// Without the tip.
        var amountCents: Int64
        var tipCents: Int64 = 0
        /// Seconds after the order was opened.
        var delay: Int64 = 60
    }

    struct Customer: Sendable {
        var id: Int64
        var firstName: String
        var lastName: String
        var email: String
    }

    package let id: Int64
    let company: Int64
    let site: Int64
    let register: Int64
    let createdAt: Int64
    var saleNumber: String
    var staff: Int64 = 389_427
    var guests: Int64 = 0
    var type = "takeaway"
    var notes = ""
    var lines: [Line] = []
    var payments: [Payment] = []
    var customer: Customer?
    /// Ten-thousandths.
    var variation: Int64 = 10_000
    var fixedVariationCents: Int64 = 0
    var hasOldShape = false
    var quotesAmounts = false
    var omitsTotalTax = false
    var isGSTFreeByRate = false

    /// What the goods cost in the end. Set by `settle()`.
    private(set) var goodsCents: Int64 = 0

    init(id: Int64, company: Int64, site: Int64, register: Int64, createdAt: Int64, saleNumber: String) {
        (self.id, self.company, self.site, self.register) = (id, company, site, register)
        (self.createdAt, self.saleNumber) = (createdAt, saleNumber)
    }

    package var tipsCents: Int64 { payments.reduce(0) { $0 + $1.tipCents } }
    var taxCents: Int64 { lines.reduce(0) { $0 + $1.chargedTaxCents } }
    /// What was handed over in all, tips and cash rounding included.
    package var paidCents: Int64 { payments.reduce(0) { $0 + $1.amountCents + $1.tipCents } }
    /// What the customer owes in all: goods and tips.
    package var dueCents: Int64 { goodsCents + tipsCents }

    /// Works out what the goods cost and each line's exact share of it. To be called when the lines are complete.
    mutating func settle() {
        let varied = lines.map(\.variedCents)
        let sum = varied.reduce(0, +)
        goodsCents = Amounts.rounded(sum * variation, over: 10_000) + fixedVariationCents
        let shares = Amounts.allocation(of: goodsCents, over: varied)
        for index in lines.indices { lines[index].chargedCents = shares[index] }
    }
}

/// How the service words what its documentation leaves open. One value for a whole simulation.
package struct OrderShape: Sendable {
    /// Only simple orders: whole quantities, one payment, no variation, tip, customer or old record.
    package var isPlain = false
    /// `line_total_*` are after the line's and the order's variation; else before both.
    package var lineTotalsIncludeVariations = true
    /// An order's `total` includes the tips.
    package var tipsInTotal = false
    /// A payment's `amount` includes its `tip` (never so for a tip added later: its amount is 0).
    package var tipsInAmounts = false

    package init() {}
}

/// Where an order stands.
package enum OrderStage: Sendable {
    case pending, onHold, complete

    var status: StaticString {
        switch self {
        case .pending: "PENDING"
        case .onHold: "ON_HOLD"
        case .complete: "COMPLETE"
        }
    }
}
