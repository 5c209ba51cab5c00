import Domain
import Mapping
import Money
import OrderRecipes
import Testing

func tender(_ method: String, _ amount: String, tip: String = "0", at time: String? = nil) -> Tender {
    Tender(method: method, amount: decimal(amount), tip: decimal(tip), paidAt: time.flatMap { Instant(iso8601: $0) })
}

extension OrderMapping {
    /// The documents of an order that is not left out.
    func documents(for order: Order) throws -> [LedgerDocument] {
        guard case .documents(let documents) = try outcome(for: order) else {
            Issue.record("order \(order.id) was left out")
            return []
        }
        return documents
    }
}

/// Each kind of sale, to the cent.
@Suite struct SaleKindTests {
    private let mapping = OrderMapping(books: .example)

    @Test("discounts and surcharges have accounts of their own where they are set, lines and orders alike")
    func accounts() throws {
        var books = VenueBooks.example
        books.accounts.discounts = "231D"
        books.accounts.surcharges = "232S"
        let mapping = OrderMapping(books: books)
        var order = Order.example(total: "10.35", lines: [.example("Pie", "1", "9.00")])
        order.priceVariation = decimal("1.15")
        var invoice = try mapping.invoice(for: order)
        #expect(invoice.lines.map(\.account) == ["230", "232S"])
        #expect(invoice.lines.map(\.amount.cents) == [900, 135])
        // A second discount is a product with a negative price.
        order = .example(total: "7.00", lines: [.example("Pie", "1", "9.00"), .example("Loyalty", "1", "-2.00")])
        invoice = try mapping.invoice(for: order)
        #expect(invoice.lines.map(\.account) == ["230", "231D"])
        #expect(invoice.lines.map(\.tax.cents) == [82, -18])
        #expect(invoice.total.cents == 700)
    }

    @Test("a weekend, public holiday or card surcharge is the till's own, however it is written", arguments: [
        "order", "line", "product",
    ])
    func surcharges(written: String) throws {
        var books = VenueBooks.example
        books.accounts.surcharges = "241"
        books.sales.surchargeProducts = ["615"]
        let mapping = OrderMapping(books: books)
        var order = Order.example(total: "23.00", lines: [.example("Pie", "1", "20.00")])
        switch written {
        case "order": order.priceVariation = decimal("1.15")
        case "line": order.lines[0].priceVariation = decimal("1.15")
        default:
            var line = OrderLine.example("Public holiday 15 %", "1", "3.00")
            line.product = "615"
            order.lines.append(line)
        }
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total.cents == 2300 && invoice.tax.cents == 209, "\(invoice.lines)")
        // On the line itself it is the price of the goods on that day.
        #expect(invoice.lines.map(\.account) == (written == "line" ? ["230"] : ["230", "241"]))
        #expect(invoice.lines.map(\.amount.cents) == (written == "line" ? [2300] : [2000, 300]))
    }

    @Test("a surcharge by tag goes to its account too, and a rule may send each day's to another")
    func surchargeRules() throws {
        var books = VenueBooks.example
        books.accounts.surcharges = "241"
        var sunday = Rule.Outcome()
        sunday.account = TextTemplate("242")
        books.rules = RuleBook(rules: [
            Rule(
                name: "Sundays", subject: .line,
                condition: .all([.text(.part, .equals(FoldedText("surcharge"))), .weekday(Rule.Weekdays([7]))]),
                outcome: sunday),
        ])
        var line = OrderLine.example("Card 1.5 %", "1", "0.30")
        line.tags = ["Surcharge"]
        var order = Order.example(total: "20.30", lines: [.example("Pie", "1", "20.00"), line])
        let mapping = OrderMapping(books: books)
        #expect(try mapping.invoice(for: order).lines.map(\.account) == ["230", "241"])
        order.createdAt = Instant(iso8601: "2026-11-29T10:00:00Z")!
        #expect(try mapping.invoice(for: order).lines.map(\.account) == ["230", "242"])
    }

    @Test("a voucher sold is owed; taken in, it is a payment through its own account, or a product that takes off")
    func vouchers() throws {
        var books = VenueBooks.example
        books.accounts.giftCardLiability = "875"
        books.accounts.discounts = "240"
        books.clearingAccounts["voucher"] = "236"
        let mapping = OrderMapping(books: books)
        var sold = OrderLine.example("Dinner for two", "1", "120.00", rates: [])
        sold.categories = ["Gift voucher"]
        #expect(try mapping.invoice(for: .example(total: "120.00", lines: [sold])).lines.map(\.account) == ["875"])
        let pie = OrderLine.example("Pie", "1", "30.00")
        let paid = try mapping.invoice(
            for: .example(
                total: "30.00", lines: [pie], payments: [tender("Voucher", "25.00"), tender("Cash", "5.00")]))
        #expect(paid.total.cents == 3000 && paid.payments.map(\.account) == ["236", "231"])
        // A voucher of the house's is a product with a negative price: less is sold, and less tax owed.
        let off = try mapping.invoice(
            for: .example(total: "20.00", lines: [pie, .example("House voucher", "1", "-10.00")]))
        #expect(off.lines.map(\.account) == ["230", "240"] && off.tax.cents == 273 - 91)
    }

    @Test("a fixed amount off the order is spread over the tax types by largest remainder")
    func fixedVariation() throws {
        var order = Order.example(
            total: "9.99", lines: [
                .example("Pie", "1", "5.00"), .example("Bread", "1", "5.00", rates: []),
                .example("Tea", "1", "5.00"),
            ])
        order.fixedVariation = decimal("-5.01")
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total.cents == 999)
        let discounts = invoice.lines.filter { $0.description == "Order discount" }
        #expect(discounts.map(\.amount.cents) == [-334, -167])
        #expect(discounts.map(\.tax.cents) == [-30, 0])
    }

    @Test("each line's tax is what Xero will work out: half up, by line", arguments: [
        ("0.1", "0.05", 0), ("0.1", "0.06", 1), ("0.1", "10.00", 91), ("0.15", "10.00", 130), ("0.125", "9.00", 100),
        ("0.125", "0.04", 0), ("0.125", "0.05", 1), ("0.1", "-10.00", -91), ("0.15", "0.23", 3), ("0", "99.00", 0),
    ])
    func lineTax(rate: String, amount: String, cents: Int64) throws {
        #expect(Money(exactly: decimal(amount))?.taxInside(rate: decimal(rate)).cents == cents)
        var books = VenueBooks.example
        books.taxTypes[decimal("0.15")] = "OUTPUT2"
        books.taxTypes[decimal("0.125")] = "OUTPUTOLD"
        guard !amount.hasPrefix("-") else { return }
        let line = OrderLine.example("Pie", "1", amount, rates: rate == "0" ? [] : [rate])
        let order = Order.example(total: amount, lines: [line])
        #expect(try OrderMapping(books: books).invoice(for: order).tax.cents == cents)
    }

    @Test("a half cent of tax is rounded up: 0.03 at 20 % holds exactly half a cent")
    func half() {
        #expect(Money(cents: 3).taxInside(rate: decimal("0.2")).cents == 1)
        #expect(Money(cents: -3).taxInside(rate: decimal("0.2")).cents == -1)
        #expect(Money(cents: 9).taxInside(rate: decimal("0.20")).cents == 2)
    }

    @Test("two taxes on a line go to the type that holds both, or the levy to where it is owed, or to the desk")
    func twoTaxes() throws {
        var wine = OrderLine.example("Shiraz", "1", "139.00", rates: ["0.29", "0.1"])
        wine.recordedTax = decimal("39.00")
        let order = Order.example(total: "139.00", lines: [wine])
        var books = VenueBooks.example
        let park = #expect(throws: Park.self) { try OrderMapping(books: books).invoice(for: order) }
        #expect(park?.cause.contains("39.00 of tax in 139.00") == true)

        books.sales.combinedTaxTypes = [[decimal("0.1"), decimal("0.29")]: "TAX039"]
        let combined = try OrderMapping(books: books).invoice(for: order)
        #expect(combined.lines.map(\.taxType) == ["TAX039"])
        #expect(combined.tax.cents == 3900)

        books.sales.combinedTaxTypes = [:]
        books.sales.levyAccounts = [decimal("0.29"): "825W"]
        let split = try OrderMapping(books: books).invoice(for: order)
        #expect(split.lines.map(\.account) == ["825W", "230"])
        #expect(split.lines.map(\.amount.cents) == [2900, 11_000])
        #expect(split.lines.map(\.tax.cents) == [0, 1000])
        #expect(split.total.cents == 13_900)

        // A discount of the order takes its part off the levy that is owed, too.
        var reduced = Order.example(total: "125.10", lines: [wine])
        reduced.priceVariation = decimal("0.9")
        let less = try OrderMapping(books: books).invoice(for: reduced)
        #expect(less.total.cents == 12_510 && less.tax.cents == 900)
        #expect(less.lines.filter { $0.account == "825W" }.map(\.amount).sum().cents == 2610)
    }

    @Test("a gift card sold is owed, not earned; redeemed it goes through its clearing account")
    func giftCards() throws {
        var books = VenueBooks.example
        books.accounts.giftCardLiability = "875"
        books.clearingAccounts["gift card"] = "233"
        let mapping = OrderMapping(books: books)
        var card = OrderLine.example("Gift Card $50", "1", "50.00", rates: [])
        card.tags = ["Gift Card"]
        let sold = try mapping.invoice(for: .example(total: "50.00", lines: [card]))
        #expect(sold.lines.map(\.account) == ["875"])
        #expect(sold.lines.map(\.taxType) == ["BASEXCLUDED"])
        let redeemed = try mapping.invoice(
            for: .example(
                total: "30.00", lines: [.example("Pie", "1", "30.00")],
                payments: [tender("Gift Card", "20.00"), tender("Cash", "10.00")]))
        #expect(redeemed.payments.map(\.account) == ["233", "231"])
        // The till taxed it: its tax stands, or the ledger's total would hold another tax than the till's.
        card.taxRates = [decimal("0.1")]
        #expect(
            try mapping.invoice(for: .example(total: "50.00", lines: [card])).lines.map(\.taxType) == ["OUTPUT"])
    }

    @Test("a deposit is a liability when it is paid and settles it when it is used")
    func deposits() throws {
        var books = VenueBooks.example
        books.accounts.deposits = "620"
        books.sales.depositProducts = ["77"]
        books.clearingAccounts["deposit"] = "620"
        let mapping = OrderMapping(books: books)
        var line = OrderLine.example("Function deposit", "1", "100.00", rates: [])
        line.product = "77"
        let paid = try mapping.invoice(for: .example(total: "100.00", lines: [line]))
        #expect(paid.lines.map(\.account) == ["620"])
        let used = try mapping.invoice(
            for: .example(
                total: "250.00", lines: [.example("Function", "1", "250.00")],
                payments: [tender("Deposit", "100.00"), tender("Card", "150.00")]))
        #expect(used.payments.map(\.account) == ["620", "232"])
        #expect(used.due == .zero)
    }

    @Test("the parts of an option set are counted once, whichever line holds their price")
    func optionSets() throws {
        var part = OrderLine.example("Large chips", "1", "3.00")
        part.isPartOfOptionSet = true
        let meal = OrderLine.example("Burger meal", "1", "15.00")
        let inside = try mapping.invoice(for: .example(total: "15.00", lines: [meal, part]))
        #expect(inside.lines.map(\.amount.cents) == [1500, 0])
        let onTop = try mapping.invoice(for: .example(total: "18.00", lines: [meal, part]))
        #expect(onTop.lines.map(\.amount.cents) == [1500, 300])
        #expect(throws: Park.self) { try mapping.invoice(for: .example(total: "16.50", lines: [meal, part])) }
    }

    @Test("a modifier's price counts once, whether its line holds it or not")
    func modifiers() throws {
        var line = OrderLine.example("Latte", "2", "9.00")
        line.modifiers = [
            Modifier(id: "1", name: "No sugar"), Modifier(id: "2", name: "Oat milk", price: decimal("1.00")),
        ]
        #expect(try mapping.invoice(for: .example(total: "9.00", lines: [line])).total.cents == 900)
        #expect(try mapping.invoice(for: .example(total: "10.00", lines: [line])).lines.map(\.amount.cents) == [1000])
    }

    @Test("a fractional quantity keeps its digits where they fit, else it is one unit that says how many")
    func fractions() throws {
        let lines = [OrderLine.example("Ham", "0.75", "15.00"), .example("Olives", "0.333", "4.00")]
        let invoice = try mapping.invoice(for: .example(total: "19.00", lines: lines))
        #expect(invoice.lines.map(\.quantity.description) == ["0.75", "1"])
        #expect(invoice.lines.map(\.description) == ["Ham", "0.333 × Olives"])
    }

    @Test("a service charge noted on the order alone is a tip, whether the total holds it or not")
    func orderTips() throws {
        for total in ["20.00", "22.00"] {
            var order = Order.example(
                total: total, lines: [.example("Pie", "1", "20.00")], payments: [tender("Card", "22.00")])
            order.tips = decimal("2.00")
            let invoice = try mapping.invoice(for: order)
            #expect(invoice.lines.map(\.amount.cents) == [2000, 200])
            #expect(invoice.due == .zero)
        }
    }

    @Test("a tip added later stands on a payment of 0.00 even where other amounts hold their tips")
    func mixedTips() throws {
        let order = Order.example(
            total: "20.00", lines: [.example("Pie", "1", "20.00")],
            payments: [tender("Card", "23.00", tip: "3.00"), tender("Card", "0.00", tip: "2.00")])
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.lines.map(\.amount.cents) == [2000, 500])
        #expect(invoice.payments.map(\.amount.cents) == [2300, 200])
    }

    @Test("more decimals than the currency has are parked with the field's name")
    func decimals() {
        let pie = [OrderLine.example("Pie", "1", "10.00")]
        var tips = Order.example(total: "10.00", lines: pie)
        tips.tips = decimal("0.001")
        var variation = Order.example(total: "9.99", lines: pie)
        variation.fixedVariation = decimal("-0.0125")
        let cases: [(Order, String)] = [
            (.example(total: "10.005", lines: pie), "`total` is 10.005"),
            (.example(total: "10.00", lines: pie, payments: [tender("Cash", "9.999")]), "`payments.amount` is 9.999"),
            (.example(total: "10.00", lines: pie, payments: [tender("Cash", "10", tip: "0.5001")]), "`payments.tip`"),
            (tips, "`tips` is 0.001"), (variation, "`price_fixed_variation` is -0.0125"),
            (.example(total: "100000000.01", lines: pie), "beyond"),
        ]
        for (order, words) in cases {
            let park = #expect(throws: Park.self) { try mapping.invoice(for: order) }
            #expect(park?.cause.contains(words) == true, "\(park?.cause ?? "")")
        }
    }

    @Test("four decimals of a line's amount or variation are the till's own, and noughts are no decimals")
    func finerUnits() throws {
        var line = OrderLine.example("Pie", "3", "10.0002")
        line.fixedVariation = decimal("-0.0102")
        var order = Order.example(total: "9.49", lines: [line])
        order.fixedVariation = decimal("-0.5000")
        #expect(try mapping.invoice(for: order).lines.map(\.amount.cents) == [999, -50])
    }

    @Test("a sale in another currency is parked, never converted, unless the organisation has switched it on")
    func currencies() throws {
        var books = VenueBooks.example
        let order = Order.example(total: "10.00", lines: [.example("Pie", "1", "10.00")])
        books.sales.companyCurrency = "NZD"
        let park = #expect(throws: Park.self) { try OrderMapping(books: books).invoice(for: order) }
        #expect(park?.cause.contains("NZD") == true && park?.cause.contains("AUD") == true)
        books.sales.otherCurrencies = ["NZD"]
        #expect(try OrderMapping(books: books).invoice(for: order).currency == "NZD")
        var foreign = order
        foreign.currency = "USD"
        #expect(throws: Park.self) { try OrderMapping(books: books).invoice(for: foreign) }
    }

    @Test("a sale after midnight belongs to the day before, until the cut-off")
    func tradingDay() throws {
        var order = Order.example(total: "10.00", lines: [.example("Pie", "1", "10.00")])
        order.createdAt = Instant(iso8601: "2026-11-24T03:59:59Z")!
        #expect(try mapping.invoice(for: order).date.description == "2026-11-23")
        order.createdAt = Instant(iso8601: "2026-11-24T04:00:00Z")!
        #expect(try mapping.invoice(for: order).date.description == "2026-11-24")
    }
}

@Suite struct AccountSaleTests {
    private let mapping = OrderMapping(books: .example)

    private func sale(_ payments: [Tender], customer: Bool = true) -> Order {
        var order = Order.example(total: "40.00", lines: [.example("Lunch", "2", "40.00")], payments: payments)
        if customer { order.customer = Customer(id: "3842", firstName: "Lucy", lastName: "Lavender") }
        return order
    }

    @Test("a sale on account is the customer's own invoice, left unpaid, with the venue's terms")
    func unpaid() throws {
        var books = VenueBooks.example
        books.paymentTermDays = 14
        for payments in [[], [tender("On Account", "40.00")]] as [[Tender]] {
            let invoice = try #require(try OrderMapping(books: books).documents(for: sale(payments)).first)
            #expect(invoice.isOnAccount)
            #expect(invoice.contactNumber == "3842" && invoice.contactName == "Lucy Lavender")
            #expect(invoice.payments.isEmpty && invoice.due.cents == 4000)
            #expect(invoice.dueDate == invoice.date.adding(days: 14))
        }
    }

    @Test("an open account order is booked before it is complete, any other open order is not")
    func open() throws {
        var order = sale([])
        order.status = "PENDING"
        #expect(throws: Park.self) { try mapping.invoice(for: order) }
        order.isOnAccount = true
        #expect(try mapping.documents(for: order).map(\.isOnAccount) == [true])
        // The narrow door lets nothing through that is left unpaid.
        let park = #expect(throws: Park.self) { try mapping.invoice(for: order) }
        #expect(park?.cause.contains("Lucy Lavender") == true)
        order.customer = nil
        #expect(throws: Park.self) { try mapping.documents(for: order) }
    }

    @Test("what was paid at once is applied, the rest stays open; later payments are on the same invoice")
    func partly() throws {
        let first = try #require(try mapping.documents(for: sale([tender("Cash", "15.00")])).first)
        #expect(first.payments.map(\.amount.cents) == [1500] && first.due.cents == 2500)
        let later = try mapping.invoice(
            for: sale([tender("Cash", "15.00"), tender("Card", "25.00", at: "2026-12-01T10:00:00Z")]))
        #expect(later.due == .zero && !later.isOnAccount)
        #expect(later.payments.map(\.date.description) == ["2026-11-23", "2026-12-01"])
    }

    @Test("an account that is nobody's, or not the amount that is open, is parked with both figures")
    func parks() {
        let nobody = #expect(throws: Park.self) {
            try mapping.documents(for: sale([tender("On Account", "40.00")], customer: false))
        }
        #expect(nobody?.cause.contains("nobody's") == true)
        let other = #expect(throws: Park.self) { try mapping.documents(for: sale([tender("On Account", "30.00")])) }
        #expect(other?.cause.contains("30.00") == true && other?.cause.contains("40.00") == true)
        var books = VenueBooks.example
        books.sales.leavesCustomersUnpaid = false
        #expect(throws: Park.self) {
            try OrderMapping(books: books).documents(for: sale([tender("Cash", "15.00")]))
        }
    }
}
