import Domain
import JSON
import Kounta
import Money
import Testing

@Suite("An order's record") struct OrderRecordTests {
    /// A record of the new shape, with one member after the other replaced; nil leaves it out.
    private func record(_ changes: [String: String?] = [:]) -> [UInt8] {
        var members = [
            "id": "93824701", "site_id": "923", "status": #""COMPLETE""#, "total": "16.5", "paid": "16.5",
            "created_at": #""2026-11-23T10:00:00+11:00""#, "sale_number": #""A-17""#,
            "lines": "[\(line())]",
            "payments": #"[{"method":{"id":1,"name":"Cash"},"amount":16.5,"tip":"1.00","ref":"R1"}]"#,
        ]
        for (name, value) in changes { members[name] = value }
        return Array(("{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}").utf8)
    }

    private func line(_ changes: [String: String?] = [:]) -> String {
        var members = [
            "number": "1", "quantity": "3", "product": #"{"id":7302,"name":"Caffé Latte"}"#,
            "line_total_ex_tax": "15.0", "line_total_tax": "1.5", "taxes": #"[{"id":1,"rate":0.1},{"id":2,"rate":0}]"#,
        ]
        for (name, value) in changes { members[name] = value }
        return "{" + members.map { "\"\($0.key)\":\($0.value)" }.joined(separator: ",") + "}"
    }

    /// The park that a record ends in.
    private func park(_ body: [UInt8]) throws -> Park {
        try #require(throws: Park.self) { _ = try OrderRecord.order(from: body) }
    }

    private func decimal(_ text: String) throws -> ExactDecimal { try #require(ExactDecimal(text)) }

    @Test("the new shape is read whole")
    func newShape() throws {
        let order = try OrderRecord.order(from: record())
        #expect(order.id == OrderID("93824701"))
        #expect(order.site == SiteID("923"))
        #expect(order.isComplete)
        #expect(order.saleNumber == "A-17")
        #expect(order.createdAt.description == "2026-11-22T23:00:00Z")
        #expect(try order.total == decimal("16.5"))
        let line = try #require(order.lines.first)
        #expect(line.name == "Caffé Latte")
        #expect(try line.recorded == decimal("16.5"))
        #expect(!line.isFromUnitPrice)
        #expect(try line.taxRates == [decimal("0.1")])
        let payment = try #require(order.payments.first)
        #expect(payment.method == "Cash")
        #expect(try payment.amount == decimal("16.5"))
        #expect(payment.tip == .one)
        #expect(payment.reference == "R1")
    }

    @Test("the old shape has no totals: its line is made of unit price and quantity, its rate of the two amounts")
    func oldShape() throws {
        let old = #"{"number":2,"quantity":6,"unit_price":1.36,"unit_tax":0.14,"price_variation":0.9}"#
        let order = try OrderRecord.order(from: record(["lines": "[\(old)]", "status": #""COMPLETED""#]))
        #expect(order.isComplete)
        let line = try #require(order.lines.first)
        #expect(try line.recorded == decimal("9.00"))
        #expect(line.isFromUnitPrice)
        #expect(try line.priceVariation == decimal("0.9"))
        #expect(try line.taxRates == [decimal("0.1")])
    }

    @Test("both readings of a line are told apart: line totals may hold the variation, unit prices never do")
    func readings() throws {
        let recorded = line(["price_variation": "0.9", "unit_price": "5.0", "unit_tax": "0.5"])
        let computed = line([
            "price_variation": "0.9", "unit_price": "5.0", "unit_tax": "0.5", "line_total_ex_tax": nil,
            "line_total_tax": nil,
        ])
        let order = try OrderRecord.order(from: record(["lines": "[\(recorded),\(computed)]"]))
        #expect(order.lines.map(\.isFromUnitPrice) == [false, true])
        #expect(try order.lines.map(\.recorded) == [decimal("16.5"), decimal("16.5")])
        #expect(try order.lines.map(\.priceVariation) == [decimal("0.9"), decimal("0.9")])
    }

    @Test(
        "a small price has the rate that fits best, not the first that fits at all",
        arguments: [
            ("0.50", "0.05", "0.1"), ("0.10", "0.01", "0.1"), ("0.60", "0.06", "0.1"), ("0.45", "0.05", "0.1"),
            ("9.09", "0.91", "0.1"), ("2.00", "0.30", "0.15"),
        ])
    func smallPrices(price: String, tax: String, rate: String) throws {
        let old = #"{"quantity":1,"unit_price":\#(price),"unit_tax":\#(tax)}"#
        let order = try OrderRecord.order(from: record(["lines": "[\(old)]"]))
        #expect(try order.lines.map(\.taxRates) == [[decimal(rate)]])
    }

    @Test("a unit's tax that is no rate in whole per cent is parked, not guessed")
    func oddRate() throws {
        let old = #"{"quantity":1,"unit_price":100,"unit_tax":8.25}"#
        let park = try park(record(["lines": "[\(old)]"]))
        #expect(park.cause.contains("unit_tax") && park.cause.contains("8.25"))
    }

    @Test("amounts may be text, and keep every digit")
    func amountsAsText() throws {
        let text = line(["line_total_ex_tax": #""15.00""#, "line_total_tax": #""1.5000""#, "quantity": #""3.0""#])
        let order = try OrderRecord.order(
            from: record(["total": #""16.50""#, "lines": "[\(text)]", "tips": #""0.30""#]))
        #expect(order.total.description == "16.50")
        #expect(try order.lines.map(\.recorded) == [decimal("16.5")])
        #expect(try order.lines.map(\.quantity) == [decimal("3")])
        #expect(order.tips.description == "0.30")
    }

    @Test("without a total the payments are what was owed, but only where the record says nothing of what was paid")
    func missingTotal() throws {
        let payments = #"[{"amount":5.5},{"amount":"13.5"}]"#
        let order = try OrderRecord.order(from: record(["total": nil, "paid": nil, "payments": payments]))
        #expect(try order.total == decimal("19"))
        #expect(try park(record(["total": nil])).cause.contains("`total`"))
        #expect(try park(record(["total": nil, "paid": nil, "payments": "[]"])).cause.contains("`total`"))
    }

    @Test("a field that is missing is named", arguments: ["site_id", "status", "created_at", "lines"])
    func missingFields(field: String) throws {
        for absent in [nil, "null"] as [String?] {
            let park = try park(record([field: absent]))
            #expect(park.deadLetterClass == .value)
            #expect(park.cause.contains("93824701") && park.cause.contains("`\(field)` is missing"))
            #expect(!park.remedy.isEmpty)
        }
    }

    @Test("a field that is missing inside of the order is named with its place")
    func missingInside() throws {
        let line = try park(record(["lines": #"[{"number":4,"quantity":1}]"#]))
        #expect(line.cause.contains("line 4") && line.cause.contains("`unit_price`"))
        let payment = try park(record(["payments": #"[{"amount":1},{"method":{"name":"Cash"}}]"#]))
        #expect(payment.cause.contains("payment 2") && payment.cause.contains("`amount`"))
        let tax = try park(record(["lines": "[\(self.line(["taxes": #"[{"name":"GST"}]"#]))]"]))
        #expect(tax.cause.contains("line 1") && tax.cause.contains("`taxes.rate`"))
    }

    @Test(
        "what is no amount is shown and refused",
        arguments: [#""12,50""#, #""""#, "true", "{}", "1e30", "12345678901234567", #""NaN""#, "[1]"])
    func noAmounts(value: String) throws {
        let park = try park(record(["total": value]))
        #expect(park.deadLetterClass == .value)
        #expect(park.cause.contains("`total`") && park.cause.contains(value.prefix(40)))
    }

    @Test("a price and a quantity whose product is out of bounds are refused, not wrapped")
    func overflow() throws {
        let huge = #"{"number":1,"quantity":999999999999999,"unit_price":999999999999999.9999}"#
        #expect(try park(record(["lines": "[\(huge)]"])).cause.contains("line 1"))
    }

    @Test("a hostile id is refused before it gets into a number, a path or a log", arguments: [
        #""../../1""#, #""1?x=2""#, #""""#, #""1 2""#, #""1\n2""#, #""é""#, "1.5", "[]", "{}", "true", "null",
        #""12345678901234567890123456789012345678901""#, #""a\u0000b""#, #""<b>""#,
    ])
    func hostileIDs(id: String) throws {
        let park = try park(record(["id": id]))
        #expect(park.deadLetterClass == .parse)
        #expect(park.cause.contains("`id`"))
    }

    @Test("the id as text wins over the number, which may be damaged")
    func idText() throws {
        let order = try OrderRecord.order(from: record(["id": "9007199254740992", "id_str": #""9007199254740993""#]))
        #expect(order.id.text == "9007199254740993")
    }

    @Test(
        "what is no order at all is parked as unreadable by this version",
        arguments: ["", "[]", "null", "{", "12", "\u{FEFF}{}", #"{"id":1}{"id":2}"#, "not json"])
    func noOrders(text: String) throws {
        #expect(try park(Array(text.utf8)).deadLetterClass == .parse)
    }

    @Test("no record makes it crash, wherever it is cut and whatever byte is damaged")
    func damaged() {
        let whole = record()
        for length in 0..<whole.count {
            #expect(throws: Park.self) { _ = try OrderRecord.order(from: Array(whole[..<length])) }
        }
        var refused = 0
        for index in whole.indices {
            for byte in [UInt8(0), 0x22, 0x2D, 0x39, 0x7B, 0xFF] {
                var bent = whole
                bent[index] = byte
                do { _ = try OrderRecord.order(from: bent) } catch {
                    #expect(!error.cause.isEmpty)
                    refused += 1
                }
            }
        }
        #expect(refused > whole.count)
    }
}
