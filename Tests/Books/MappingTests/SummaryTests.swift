import Domain
import Mapping
import Money
import OrderRecipes
import Testing

@Suite struct SummaryTests {
    private let day = CalendarDate("2026-11-23")!

    private func books(_ grouping: [PostingPlan.Grouping] = []) -> VenueBooks {
        var books = VenueBooks.complete
        books.posting = PostingPlan(initial: .dailySummary, grouping: grouping)
        return books
    }

    private func entries(_ orders: [Order], _ mapping: SummaryMapping) throws -> [DayEntry] {
        try orders.flatMap { order in
            mapping.orders.entries(of: try mapping.orders.documents(for: order), for: order)
        }
    }

    private func sale(_ id: Int, _ total: String, rates: [String] = ["0.1"], by method: String = "Card") -> Order {
        var order = Order.example(
            total: total, lines: [.example("Item \(id % 2)", "1", total, rates: rates)],
            payments: [tender(method, total)])
        order.id = OrderID("50000000\(id)")
        order.lines[0].categories = [id % 2 == 0 ? "Food" : "Drinks"]
        return order
    }

    private func refund(_ id: Int, _ total: String, by method: String = "Card") -> Order {
        var order = sale(id, total, by: method)
        order.isRefund = true
        return order
    }

    private func closed(_ orders: [Order], _ mapping: SummaryMapping) throws -> [LedgerDocument] {
        guard case .documents(let documents) = mapping.close(day, try entries(orders, mapping)) else { return [] }
        return documents
    }

    @Test("a day is one invoice: a line an account and tax type, a payment a method, refunds netted")
    func oneInvoice() throws {
        let mapping = SummaryMapping(books: books())
        let orders = [
            sale(10, "10.00"), sale(11, "20.00", by: "Cash"), sale(12, "5.00", rates: []), refund(13, "4.00"),
        ]
        let documents = try closed(orders, mapping)
        let invoice = try #require(documents.first)
        #expect(documents.count == 1 && invoice.kind == .invoice)
        #expect(invoice.number.text == "HBR-D20261123" && invoice.date == day)
        #expect(invoice.lines.map(\.taxType) == ["EXEMPTOUTPUT", "OUTPUT"])
        #expect(invoice.lines.map(\.amount.cents) == [500, 2600])
        #expect(invoice.lines.map(\.tax.cents) == [0, 236])
        #expect(invoice.payments.map(\.reference) == ["Cash", "Card"])
        #expect(invoice.payments.map(\.amount.cents) == [2000, 1100])
        #expect(invoice.due == .zero)
    }

    @Test("lines are split by what the operator groups by")
    func grouping() throws {
        let orders = [sale(10, "10.00"), sale(11, "20.00"), sale(12, "5.00")]
        let byCategory = try closed(orders, SummaryMapping(books: books([.category])))
        #expect(byCategory.first?.lines.map(\.description) == ["Drinks", "Food"])
        #expect(byCategory.first?.lines.map(\.amount.cents) == [2000, 1500])
        var named = orders
        named[2].lines[0].name = "Item 1"
        let byProduct = try closed(named, SummaryMapping(books: books([.product])))
        #expect(byProduct.first?.lines.map(\.description) == ["Item 0", "Item 1"])
        #expect(byProduct.first?.lines.map(\.amount.cents) == [1000, 2500])
        #expect(byProduct.first?.lines.map(\.tax.cents) == [91, 227])
        let lines = try closed(named, SummaryMapping(books: books([.product, .category]))).first?.lines
        #expect(lines?.map(\.description) == ["Item 0, Food", "Item 1, Drinks", "Item 1, Food"])
        var dinner = orders
        (dinner[0].type, dinner[0].register) = ("dine_in", "1")
        let byBoth = try closed(dinner, SummaryMapping(books: books([.register, .orderType])))
        #expect(
            byBoth.first?.lines.map(\.description) == ["No register, No order type", "Register 1, dine_in"])
    }

    @Test("more given back than sold is a credit note; by one tender only, two documents")
    func negativeDays() throws {
        let mapping = SummaryMapping(books: books())
        let credit = try closed([sale(10, "10.00"), refund(11, "14.00")], mapping)
        #expect(credit.map(\.kind) == [.creditNote] && credit[0].total.cents == 400)
        #expect(credit[0].payments.map(\.amount.cents) == [400])
        let two = try closed([sale(10, "10.00"), refund(11, "4.00", by: "Cash")], mapping)
        #expect(two.map(\.kind) == [.invoice, .creditNote])
        #expect(two.map(\.number.text) == ["HBR-D20261123", "HBR-D20261123-c"])
        #expect(two.map(\.total.cents) == [1000, 400] && two.allSatisfy { $0.due == .zero })
    }

    @Test("a day without sales is recorded as such, a day of free sales is an invoice of 0.00")
    func emptyDays() throws {
        let mapping = SummaryMapping(books: books())
        guard case .noSales(let recorded) = mapping.close(day, []) else {
            Issue.record("a document of nothing")
            return
        }
        #expect(recorded == day)
        var free = sale(10, "8.00")
        (free.total, free.priceVariation, free.payments) = (.zero, .zero, [])
        #expect(try closed([free], mapping).map(\.total) == [.zero])
    }

    @Test("what a customer owes is no part of the day's summary")
    func onAccount() throws {
        let mapping = SummaryMapping(books: books())
        var order = sale(10, "10.00")
        (order.payments, order.customer) = ([], Customer(id: "7"))
        #expect(try entries([order], mapping).isEmpty)
        // Nor is a sale in another currency: one document has one currency.
        var books = books()
        books.sales.otherCurrencies = ["NZD"]
        var foreign = sale(11, "10.00")
        foreign.currency = "NZD"
        #expect(try entries([foreign], SummaryMapping(books: books)).isEmpty)
    }

    @Test("after the close a late, an edited, a refunded and a deleted order each change the day by an own document")
    func adjustments() throws {
        let mapping = SummaryMapping(books: books())
        let before = try entries([sale(10, "10.00"), sale(11, "20.00"), sale(12, "5.00")], mapping)
        func adjusted(_ orders: [Order]) throws -> [LedgerDocument] {
            mapping.adjustment(of: day, from: before, to: try entries(orders, mapping), turn: 1)
        }
        let same = [sale(10, "10.00"), sale(11, "20.00"), sale(12, "5.00")]
        #expect(try adjusted(same.reversed()).isEmpty)
        let late = try adjusted(same + [sale(13, "7.00")])
        #expect(late.map(\.number.text) == ["HBR-D20261123-a1"] && late.map(\.total.cents) == [700])
        #expect(late[0].day == day && late[0].reasons[0].contains("1 came late"))
        let less = try adjusted([sale(10, "9.00"), sale(11, "20.00"), sale(12, "5.00")])
        #expect(less.map(\.kind) == [.creditNote] && less.map(\.total.cents) == [100])
        #expect(try adjusted([sale(10, "10.00"), sale(11, "20.00")]).map(\.signedTotal.cents) == [-500])
        // A refund order that comes late, and money paid back on a sale of the day itself: of its own day.
        let refunded = try adjusted(same + [refund(14, "4.00")])
        #expect(refunded.map(\.kind) == [.creditNote] && refunded.map(\.total.cents) == [400])
        #expect(refunded[0].payments.map(\.amount.cents) == [400] && refunded[0].lines.map(\.tax.cents) == [36])
        #expect(refunded[0].day == day && refunded[0].reasons[0].contains("1 came late, 0 changed, 0 went"))
        var back = sale(10, "10.00")
        back.payments.append(tender("Cash", "-3.00", at: "2026-11-23T11:00:00Z"))
        let paidBack = try adjusted([back, sale(11, "20.00"), sale(12, "5.00")])
        #expect(paidBack.map(\.kind) == [.creditNote] && paidBack.map(\.total.cents) == [300])
        #expect(paidBack[0].payments.map(\.reference) == ["Cash"])
        // Another tender: nothing in all, and each direction has its own document.
        let tender = try adjusted([sale(10, "10.00", by: "Cash"), sale(11, "20.00"), sale(12, "5.00")])
        #expect(tender.map(\.signedTotal.cents) == [1000, -1000])
        #expect(tender.map { $0.payments.map(\.reference) } == [["Cash"], ["Card"]])
    }

    @Test("an adjustment of a locked day is dated on the first open one and names its day")
    func lockedDay() throws {
        let mapping = SummaryMapping(books: books())
        let adjustment = mapping.adjustment(
            of: day, from: [], to: try entries([sale(10, "10.00")], mapping), turn: 2,
            locks: LedgerLocks(lockedThrough: CalendarDate("2026-11-30")))
        #expect(adjustment.map(\.date.description) == ["2026-12-01"] && adjustment.map(\.day) == [day])
        #expect(adjustment.first?.payments.map(\.date.description) == ["2026-12-01"])
        #expect(adjustment.first?.reasons.contains { $0.contains("locked") } == true)
    }

    @Test("money paid back on a later day is part of that day")
    func laterDay() throws {
        let mapping = SummaryMapping(books: books())
        var order = sale(10, "10.00")
        order.payments = [tender("Card", "10.00"), tender("Card", "-4.00", at: "2026-11-25T10:00:00Z")]
        let entries = try entries([order], mapping)
        #expect(entries.map(\.day.description) == ["2026-11-23", "2026-11-25"])
        #expect(entries.map(\.signedTotal.cents) == [1000, -400])
    }

    @Test("till variance is counted less recorded: what was counted is banked, the rest has an account of its own")
    func variance() throws {
        let mapping = SummaryMapping(books: books())
        let takings = [
            Takings(method: "Cash", recorded: Money(cents: 142_465), counted: Money(cents: 141_580)),
            Takings(method: "Card", recorded: Money(cents: 1000), counted: Money(cents: 1000)),
        ]
        let orders = [sale(10, "1424.65", by: "Cash"), sale(11, "10.00")]
        let sales = try entries(orders, mapping)
        #expect(mapping.disagreements(of: takings, with: sales).isEmpty)
        guard case .documents(let documents) = mapping.close(day, sales + (try mapping.entries(of: takings, on: day)))
        else {
            Issue.record("no document")
            return
        }
        let invoice = try #require(documents.first)
        #expect(documents.count == 1)
        #expect(invoice.lines.filter { $0.account == "870" }.map(\.amount.cents) == [-885])
        #expect(invoice.payments.map(\.amount.cents) == [141_580, 1000])
        #expect(invoice.due == .zero)
        // An order the till does not know of, or the other way round, is said with both figures.
        let odd = mapping.disagreements(of: takings, with: Array(sales.dropFirst()))
        #expect(odd.count == 1 && odd[0].contains("1424.65") && odd[0].contains("0.00"))
        var bare = books()
        bare.accounts.variance = nil
        let park = #expect(throws: Park.self) { try SummaryMapping(books: bare).entries(of: takings, on: day) }
        #expect(park?.cause.contains("-8.85") == true)
    }

    @Test("an order goes one way only, whatever becomes of the plan, its day and its account")
    func routes() {
        let plan = PostingPlan(
            initial: .perOrder, periods: [.init(from: CalendarDate("2026-12-01")!, mode: .dailySummary)])
        func route(_ day: String, onAccount: Bool = false, posted: PostingRoute? = nil) -> PostingRoute {
            PostingRoute.route(on: CalendarDate(day)!, standsAlone: onAccount, posted: posted, plan: plan)
        }
        #expect(route("2026-11-30") == .order)
        #expect(route("2026-12-01") == .summary)
        #expect(route("2026-12-01", onAccount: true) == .order)
        #expect(route("2026-12-01", posted: .order) == .order)
        #expect(route("2026-11-30", posted: .summary) == .summary)
    }
}

@Suite struct OrderListingTests {
    private func listing(_ change: (inout Order) -> Void) throws -> String {
        var order = Order.example(total: "11.00", lines: [.example("Pie", "1", "11.00")])
        change(&order)
        var listing = OrderListing(zone: .utc)
        listing.add(order, try OrderMapping(books: .example).documents(for: order))
        return String(decoding: listing.bytes, as: UTF8.self)
    }

    @Test("an order is a row with its figures, a refund's are negative")
    func rows() throws {
        let sale = try listing { $0.saleNumber = "A-17" }
        #expect(
            sale == "Order,Sale number,Kind,Time,Register,Type,Staff,Customer,Total,Tax,Payments,On account\r\n"
                + "5000000001,A-17,Sale,2026-11-23 10:00,,,,,11.00,1.00,Card 11.00,\r\n")
        let refund = try listing { $0.isRefund = true }
        #expect(refund.contains(",Refund,") && refund.contains(",-11.00,-1.00,Card -11.00,"))
    }

    @Test("commas, quotes and line ends are quoted")
    func quoting() throws {
        let text = try listing { $0.customer = Customer(id: "1", firstName: "Ann \"Bo\"", lastName: "X, Y\nZ") }
        #expect(text.contains(",\"Ann \"\"Bo\"\" X, Y\nZ\","))
    }

    @Test(
        "no text is taken for a formula",
        arguments: ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1", "=HYPERLINK(\"http://x\",\"y\")"])
    func formulas(text: String) throws {
        let row = try listing { $0.saleNumber = text }
        #expect(row.contains(",'" + text) || row.contains(",\"'" + text.replacing("\"", with: "\"\"")))
    }
}
