import Domain
import Kounta
import Money
import Testing

@Suite("What an order's record tells besides its amounts") struct OrderCircumstanceTests {
    private func order(_ members: String = "", line: String = "") throws -> Order {
        let text = """
            {"id":93824701,"site_id":923,"status":"COMPLETE","created_at":"2026-11-23T10:00:00+11:00","total":11,
             "lines":[{"number":1,"quantity":2,"product":{"id":7302,"name":"Latte"},"line_total_ex_tax":10,
             "line_total_tax":1\(line)}],"payments":[{"id":5,"method":{"id":1,"name":"Cash"},"amount":11}]\(members)}
            """
        return try OrderRecord.order(from: Array(text.utf8))
    }

    @Test("register, staff under either name, type, guests and times are read")
    func circumstances() throws {
        let whole = try order(
            #","register_id":409,"staff_member_id":77,"order_type":"dine_in","guests":4,"paid":11,"total_tax":"1.00","#
                + #""updated_at":"2026-11-23T10:05:00+11:00","placed_at":"2026-11-23T09:00:00+11:00","currency":"NZD""#)
        #expect(whole.register == "409")
        #expect(whole.staff == "77")
        #expect(whole.type == "dine_in")
        #expect(whole.guests == 4)
        #expect(whole.paid == ExactDecimal(11))
        #expect(whole.totalTax == .one)
        #expect(whole.updatedAt?.description == "2026-11-22T23:05:00Z")
        #expect(whole.placedAt?.description == "2026-11-22T22:00:00Z")
        #expect(whole.currency == "NZD")
        #expect(try order(#","staff_id":"78""#).staff == "78")
    }

    @Test("what money does not depend on never keeps an order back")
    func lenient() throws {
        let odd = try order(
            #","register_id":{},"staff_member_id":[],"order_type":7,"guests":"four","placed_at":"soon","notes":3,"#
                + #""customer":{"id":null,"first_name":"X"},"order_payment_type":5"#)
        #expect(odd.register == nil && odd.staff == nil && odd.type == nil && odd.guests == nil)
        #expect(odd.placedAt == nil && odd.notes == nil && odd.customer == nil && !odd.isOnAccount)
    }

    @Test("a refund names the order it gives back, unless the name could do harm in a number")
    func refund() throws {
        let refund = try order(#","is_refund":true,"refunded_order_id":5000000001"#)
        #expect(refund.isRefund && refund.refundedOrder == OrderID("5000000001"))
        #expect(try order(#","is_refund":true,"refunded_order_id":"1/../2""#).refundedOrder == nil)
    }

    @Test("a customer is read with the names of either record")
    func customer() throws {
        let customer = try #require(
            try order(#","customer":{"id":3842,"first_name":"Lucy","last_name":"Lavender","email":"l@x.y"}"#).customer)
        #expect(customer.id == "3842" && customer.name == "Lucy Lavender" && customer.email == "l@x.y")
        let other = try #require(
            try order(#","customer":{"id":"9","first_name":"Bo","primary_email_address":"b@x.y","tags":["VIP",""]}"#)
                .customer)
        #expect(other.name == "Bo" && other.email == "b@x.y" && other.tags == ["VIP"])
    }

    @Test("an account sale is known by the way it is to be paid")
    func account() throws {
        #expect(try order(#","order_payment_type":"account""#).isOnAccount)
        #expect(try !order(#","order_payment_type":"sale""#).isOnAccount)
    }

    @Test("products bring SKU, categories and tags where the record has them")
    func product() throws {
        let text = #"{"id":1,"site_id":2,"status":"COMPLETE","created_at":"2026-11-23T10:00:00Z","total":1,"lines":["#
            + #"{"quantity":1,"unit_price":1,"product":{"id":8,"name":"Pie","code":"P-8","tags":["Hot"],"#
            + #""categories":[{"id":1,"name":"Food"},{"id":2,"name":"Lunch"}]}}]}"#
        let line = try #require(try OrderRecord.order(from: Array(text.utf8)).lines.first)
        #expect(line.product == "8" && line.sku == "P-8" && line.tags == ["Hot"])
        #expect(line.categories == ["Food", "Lunch"])
    }

    @Test("modifiers are ids, names or objects, and only those with a price have one, for the whole line")
    func modifiers() throws {
        let line = try #require(
            try order(
                line: #","modifiers":[41,"no onion",{"id":42,"name":"Oat milk"},{"id":43,"name":"Shot","price":0.55},"#
                    + #"{"id":44,"name":"Bacon","unit_price":"2.00","unit_tax":0.2},{"id":45,"price":0}]"#
            ).lines.first)
        #expect(line.modifiers.map(\.id) == ["41", "no onion", "42", "43", "44", "45"])
        #expect(
            line.modifiers.map { $0.price?.description } == [nil, nil, nil, "1.10", "4.40", nil])
        #expect(line.recordedTax == .one)
    }

    @Test(
        "a part of an option set is told by a boolean, a number or the set's id",
        arguments: [("true", true), ("false", false), ("1", true), ("0", false), (#""17""#, true), ("null", false)])
    func optionSets(value: String, expected: Bool) throws {
        #expect(try order(line: #","part_of_option_set":\#(value)"#).lines.map(\.isPartOfOptionSet) == [expected])
    }

    @Test("a modifier's price that is no amount is refused with its line")
    func badModifier() {
        let park = #expect(throws: Park.self) { try order(line: #","modifiers":[{"price":"free"}]"#) }
        #expect(park?.cause.contains("line 1") == true && park?.cause.contains("`price`") == true)
    }
}
