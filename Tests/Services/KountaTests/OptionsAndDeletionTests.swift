import Domain
import Kounta
import Money
import Testing

@Suite("An order's own options, and orders that are gone") struct OptionsAndDeletionTests {
    private static let gst = #""taxes":[{"id":1,"name":"GST","rate":0.1}]"#

    private func order(options: String) throws -> Order {
        let text = """
            {"id":93824702,"site_id":923,"status":"COMPLETE","created_at":"2026-11-23T10:00:00+11:00","total":26.40,
             "lines":[{"number":1,"quantity":2,"product":{"id":70,"name":"Meal"},"line_total_ex_tax":20,
             "line_total_tax":2,\(Self.gst)},
             {"number":2,"quantity":1,"product":{"id":71,"name":"Salad"},"line_total_ex_tax":0,"line_total_tax":0,
             "part_of_option_set":true,\(Self.gst)}],
             "payments":[{"id":5,"method":{"id":1,"name":"Cash"},"amount":26.40}],"options":\(options)}
            """
        return try OrderRecord.order(from: Array(text.utf8))
    }

    @Test("a priced option joins the line it names, once a unit, also out of a set inside a set")
    func joins() throws {
        let nested = """
            [{"product_id":70,"name":"Meal","unit_price":10,"unit_tax":1,"line_number":1,\(Self.gst),"option_sets":[
              {"name":"Side","option_set_id":4,"options":[
                {"product_id":72,"name":"Chips","unit_price":"1.50","unit_tax":0.15,\(Self.gst),"option_sets":[
                  {"options":[{"product_id":73,"name":"Gravy","unit_price":0.5,"unit_tax":0.05,\(Self.gst)}]}]}]}]}]
            """
        let modifiers = try order(options: nested).lines[0].modifiers
        // The meal itself is the line: its price is not a further one.
        #expect(modifiers.map(\.name) == ["Chips", "Gravy"])
        #expect(modifiers.map(\.price) == [ExactDecimal("3.30"), ExactDecimal("1.10")])
    }

    @Test("an option that is a line by itself, costs nothing, is taxed otherwise or names no line adds nothing")
    func addsNothing() throws {
        for option in [
            #"{"product_id":71,"unit_price":2,"unit_tax":0.2,"line_number":1,\#(Self.gst)}"#,
            #"{"product_id":72,"unit_price":0,"unit_tax":0,"line_number":1,\#(Self.gst)}"#,
            #"{"product_id":72,"unit_price":2,"unit_tax":0,"line_number":1,"taxes":[]}"#,
            #"{"product_id":72,"unit_price":2,"unit_tax":0.2,"line_number":9,\#(Self.gst)}"#,
            #"{"product_id":72,"unit_price":2,"unit_tax":0.2,\#(Self.gst)}"#, "7", "null",
        ] { #expect(try order(options: "[\(option)]").lines.allSatisfy { $0.modifiers.isEmpty }, "\(option)") }
        for none in ["[]", "null", "{}", "\"\""] {
            #expect(try order(options: none).lines.allSatisfy { $0.modifiers.isEmpty })
        }
        #expect(throws: Park.self) { try order(options: #"[{"unit_price":"much","line_number":1}]"#) }
    }

    private static let row = #"{"id":7,"site_id":923,"status":"COMPLETE","created_at":"2026-11-23T10:00:00+11:00"}"#

    @Test("what stands in the list of deleted orders is deleted, however little its record says of it")
    func deleted() throws {
        func record(_ detail: String?, _ row: String = Self.row) throws -> Order? {
            try DeletedOrder.record(detail.map { Array($0.utf8) }, row: Array(row.utf8)).map(OrderRecord.order(from:))
        }
        // No longer had by itself: the list's row has to do, without lines or total.
        let gone = try #require(try record(nil))
        #expect(gone.isDeleted && gone.id.text == "7" && gone.lines.isEmpty)
        let contrary = Self.row.replacing("}", with: #","deleted":false}"#)
        #expect(try record(nil, contrary)?.isDeleted == true)
        #expect(try record(Self.row)?.isDeleted == true)
        #expect(try record(Self.row.replacing("}", with: #","deleted":null}"#))?.isDeleted == true)
        for mark in ["true", "1", "\"1\""] {
            #expect(try record(Self.row.replacing("}", with: #","deleted":\#(mark)}"#))?.isDeleted == true)
        }
        // Brought back between the two looks.
        #expect(try record(contrary) == nil)
    }

    @Test("of the list of open accounts only what a named customer owes is a sale; the rest waits for its completion")
    func openAccount() {
        func isSale(_ status: String, _ extra: String) -> Bool {
            OpenAccountOrder.isSale(
                Array(
                    (#"{"id":7,"site_id":923,"status":"\#(status)","created_at":"2026-11-23T10:00:00+11:00","total":0,"#
                        + #""lines":[]\#(extra)}"#).utf8))
        }
        let ada = #","customer":{"id":1,"first_name":"Ada"}"#
        #expect(isSale("PENDING", ada + #","order_payment_type":"Account""#))
        #expect(!isSale("PENDING", #","order_payment_type":"Account""#))
        #expect(!isSale("PENDING", ada + #","order_payment_type":"sale""#))
        #expect(isSale("COMPLETE", ada))
        #expect(OpenAccountOrder.isSale(Array("broken".utf8)))
    }
}
