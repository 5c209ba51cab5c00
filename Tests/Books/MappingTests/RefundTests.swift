import Domain
import Mapping
import Money
import OrderRecipes
import Testing

@Suite struct RefundTests {
    private let mapping = OrderMapping(books: .example)

    /// A refund order as the POS makes it, in any of the ways its signs are written.
    private func refund(total: Int, lines: Int, payments: Int, paid: String = "22.00") -> Order {
        func signed(_ sign: Int, _ text: String) -> String { sign < 0 ? "-" + text : text }
        var order = Order.example(
            total: signed(total, "22.00"),
            lines: [
                .example("Pie", signed(lines, "2"), signed(lines, "11.00")),
                .example("Bread", signed(lines, "1"), signed(lines, "11.00"), rates: []),
            ],
            payments: [tender("Cash", signed(payments, paid))])
        order.id = OrderID("5000000009")
        order.isRefund = true
        order.refundedOrder = OrderID("5000000001")
        return order
    }

    @Test("a refund order is a credit note paid back through its tender, whatever its signs", arguments: [
        (-1, -1, -1), (1, 1, 1), (-1, 1, 1), (-1, -1, 1), (1, 1, -1), (1, -1, -1),
    ])
    func signs(total: Int, lines: Int, payments: Int) throws {
        let documents = try mapping.documents(for: refund(total: total, lines: lines, payments: payments))
        let note = try #require(documents.first)
        #expect(documents.count == 1 && note.kind == .creditNote)
        #expect(note.number.text == "HBR-5000000009")
        #expect(note.total.cents == 2200 && note.signedTotal.cents == -2200)
        #expect(note.tax.cents == 100)
        #expect(note.lines.map(\.quantity.description) == ["2", "1"])
        #expect(note.payments.map(\.amount.cents) == [2200] && note.payments.map(\.account) == ["231"])
        #expect(note.allocations.isEmpty)
        #expect(note.reasons.first?.contains("5000000001") == true)
    }

    @Test("a line's own surcharge may turn the sign of what the lines come to", arguments: [1, -1])
    func turned(sign: Int) throws {
        var order = refund(total: 1, lines: 1, payments: 1)
        let minus = sign < 0 ? "-" : ""
        order.total = decimal("0.27")
        // 2.44 and 15 % are 2.81; less 2.54.
        order.lines = [
            .example("Pie", "\(sign)", "\(minus)2.44"),
            .example("Voucher", "\(sign)", sign < 0 ? "2.54" : "-2.54"),
        ]
        order.lines[0].priceVariation = decimal("1.15")
        order.payments = [tender("Cash", "0.25")]
        let note = try #require(try mapping.documents(for: order).first)
        #expect(note.kind == .creditNote && note.total.cents == 25)
        #expect(note.lines.map(\.amount.cents) == [281, -254, -2])
        #expect(note.lines.prefix(2).map(\.quantity.description) == ["1", "1"])
    }

    @Test("a negative total is a refund though nothing else says so")
    func negativeTotal() throws {
        let order = Order.example(total: "-10.00", lines: [.example("Pie", "-1", "-10.00")])
        let note = try #require(try mapping.documents(for: order).first)
        #expect(note.kind == .creditNote && note.total.cents == 1000 && note.payments.map(\.amount.cents) == [1000])
    }

    @Test("a negative total over positive lines is no refund but a mistake, and is parked with all three figures")
    func mistake() {
        let order = Order.example(
            total: "-10.00", lines: [.example("Pie", "1", "10.00")], payments: [tender("Card", "10.00")])
        let park = #expect(throws: Park.self) { try mapping.documents(for: order) }
        #expect(park?.cause.contains("-10.00") == true && park?.cause.contains("payments to 10.00") == true)
    }

    @Test("what was not paid back settles the sale that the customer still owes")
    func allocation() throws {
        var order = refund(total: 1, lines: 1, payments: 1, paid: "2.00")
        order.customer = Customer(id: "3842")
        let note = try #require(try mapping.documents(for: order).first)
        #expect(note.payments.map(\.amount.cents) == [200])
        #expect(note.allocations.map(\.invoice.text) == ["HBR-5000000001"])
        #expect(note.allocations.map(\.amount.cents) == [2000])
        #expect(note.due == .zero && note.contactNumber == "3842")
        order.refundedOrder = nil
        let park = #expect(throws: Park.self) { try mapping.documents(for: order) }
        #expect(park?.cause.contains("22.00") == true && park?.cause.contains("2.00") == true)
    }

    @Test("a correction inside a refund is netted, not taken for a refund of the refund")
    func correction() throws {
        var order = refund(total: -1, lines: -1, payments: -1)
        order.payments = [tender("Card", "-24.00"), tender("Card", "2.00")]
        let documents = try mapping.documents(for: order)
        #expect(documents.count == 1 && documents[0].payments.map(\.amount.cents) == [2200])
        order.payments = [tender("Card", "-22.00"), tender("Card", "2.00")]
        #expect(try mapping.documents(for: order).first?.allocations.map(\.amount.cents) == [200])
    }

    @Test("a refund's cash is rounded to five cents as a sale's is")
    func cashRounding() throws {
        let note = try #require(
            try mapping.documents(for: refund(total: -1, lines: -1, payments: -1, paid: "21.98")).first)
        #expect(note.lines.last?.description == "Cash rounding" && note.lines.last?.amount.cents == -2)
        #expect(note.due == .zero)
    }

    @Test(
        "money back as large as the tip, by another method or days later, is no change: what was paid held the tip",
        arguments: [("Card", "2026-11-23T11:00:00Z"), ("Cash", "2026-11-25T10:00:00Z")])
    func tipSizedPayback(method: String, time: String) throws {
        let order = Order.example(
            total: "23.00", lines: [.example("Pie", "1", "20.00")],
            payments: [tender("Cash", "23.00", tip: "3.00"), tender(method, "-3.00", at: time)])
        let documents = try mapping.documents(for: order)
        #expect(documents.map(\.total.cents) == [2300, 300])
        #expect(documents.map(\.kind) == [.invoice, .creditNote])
        let payments = documents.flatMap(\.payments).map { "\($0.amount) \($0.reference)" }
        #expect(payments == ["23.00 Cash", "3.00 \(method)"])
    }

    @Test("a tip given back goes out of the tips account")
    func tip() throws {
        var order = refund(total: -1, lines: -1, payments: -1)
        order.payments = [tender("Card", "-22.00", tip: "-3.00")]
        order.tips = decimal("-3.00")
        let note = try #require(try mapping.documents(for: order).first)
        #expect(note.total.cents == 2500 && note.lines.last?.account == "825")
    }

    @Test("money paid back on the sale itself is a credit note besides it, spread over what was sold")
    func negativePayment() throws {
        let order = Order.example(
            total: "33.00",
            lines: [.example("Pie", "1", "22.00"), .example("Bread", "1", "11.00", rates: [])],
            payments: [tender("Card", "33.00"), tender("Cash", "-10.00", at: "2026-11-25T10:00:00Z")])
        let documents = try mapping.documents(for: order)
        #expect(documents.map(\.number.text) == ["HBR-5000000001", "HBR-5000000001-c1"])
        #expect(documents.map(\.kind) == [.invoice, .creditNote])
        #expect(documents.map(\.total.cents) == [3300, 1000])
        #expect(documents[0].payments.map(\.amount.cents) == [3300])
        #expect(documents[1].lines.map(\.amount.cents) == [667, 333])
        #expect(documents[1].lines.map(\.tax.cents) == [61, 0])
        #expect(documents[1].payments.map(\.account) == ["231"])
        #expect(documents[1].date.description == "2026-11-25")
        // One invoice cannot say this, so the narrow door says so.
        #expect(throws: Park.self) { try mapping.invoice(for: order) }
    }

    @Test("a whole sale paid back is its mirror; change before it is no refund; each day has its own credit note")
    func wholeAndChange() throws {
        let whole = Order.example(
            total: "17.00", lines: [.example("Pie", "2", "17.00")],
            payments: [tender("Cash", "20.00"), tender("Cash", "-3.00"), tender("Cash", "-17.00")])
        let documents = try mapping.documents(for: whole)
        #expect(documents.map(\.payments).map { $0.map(\.amount.cents) } == [[1700], [1700]])
        #expect(documents[0].lines == documents[1].lines)
        let twice = Order.example(
            total: "20.00", lines: [.example("Pie", "1", "20.00")],
            payments: [
                tender("Card", "20.00"), tender("Card", "-5.00", at: "2026-11-24T10:00:00Z"),
                tender("Cash", "-6.00", at: "2026-11-25T10:00:00Z"),
            ])
        #expect(try mapping.documents(for: twice).map(\.total.cents) == [2000, 500, 600])
        #expect(
            try mapping.documents(for: twice).map(\.number.text)
                == ["HBR-5000000001", "HBR-5000000001-c1", "HBR-5000000001-c2"])
    }

    @Test("what was paid back and explains nothing is parked with both figures")
    func unexplained() {
        let order = Order.example(
            total: "20.00", lines: [.example("Pie", "1", "20.00")],
            payments: [tender("Card", "15.00"), tender("Cash", "-3.00")])
        let park = #expect(throws: Park.self) { try mapping.documents(for: order) }
        #expect(park?.cause.contains("12.00") == true && park?.cause.contains("20.00") == true)
    }
}
