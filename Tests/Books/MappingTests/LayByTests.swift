import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Payments of one order on several days, each booked on its own.
@Suite struct LayByTests {
    private let mapping = OrderMapping(books: .example)

    @Test("a lay-by's earlier payments keep their own days")
    func layBy() throws {
        let order = Order.example(
            total: "30.00", lines: [.example("Hamper", "1", "30.00")],
            payments: [
                tender("Cash", "10.00", at: "2026-11-01T10:00:00Z"),
                tender("Cash", "20.00", at: "2026-11-23T10:00:00Z"),
            ])
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.payments.map(\.date.description) == ["2026-11-01", "2026-11-23"])
    }

    @Test("change is netted with what its method took on the same day, never with another day's payment")
    func layByWithChange() throws {
        func payments(_ total: String, _ tenders: [Tender]) throws -> [String] {
            let order = Order.example(total: total, lines: [.example("Hamper", "1", total)], payments: tenders)
            return try mapping.invoice(for: order).payments.map { "\($0.amount) \($0.reference) \($0.date)" }
        }
        let first = tender("Cash", "10.00", at: "2026-11-01T10:00:00Z")
        let last = tender("Cash", "30.00", at: "2026-11-23T10:00:00Z")
        let change = tender("Cash", "-10.00", at: "2026-11-23T10:01:00Z")
        let expected = ["10.00 Cash 2026-11-01", "20.00 Cash 2026-11-23"]
        #expect(try payments("30.00", [first, last, change]) == expected)
        #expect(try payments("30.00", [change, last, first]) == expected.reversed())
        // Other methods of both days stay as they are.
        let card = tender("Card", "5.00", at: "2026-11-01T10:00:00Z")
        #expect(
            try payments("35.00", [first, card, last, change]) == [expected[0], "5.00 Card 2026-11-01", expected[1]])
        // A trading day ends at the cut-off: change given after midnight is of the same day.
        let late = tender("Cash", "30.00", at: "2026-11-23T23:59:59Z")
        let small = tender("Cash", "-10.00", at: "2026-11-24T00:00:05Z")
        #expect(try payments("30.00", [first, late, small]) == expected)
        // Change over the cut-off, and a correction days later, come out of what was taken last before them.
        let next = tender("Cash", "-10.00", at: "2026-11-24T10:00:00Z")
        #expect(try payments("30.00", [first, last, next]) == expected)
        // More than was taken last: the rest comes out of the day before it.
        let more = tender("Cash", "-35.00", at: "2026-11-24T10:00:00Z")
        #expect(try payments("5.00", [first, last, more]) == ["5.00 Cash 2026-11-01"])
    }

    @Test("more paid back by a method than it took on all days is parked with the figures")
    func moreBackThanTaken() {
        let order = Order.example(
            total: "20.00", lines: [.example("Pie", "1", "20.00")],
            payments: [
                tender("Card", "25.00"), tender("Cash", "3.00", at: "2026-11-01T10:00:00Z"),
                tender("Cash", "-8.00", at: "2026-11-23T10:00:00Z"),
            ])
        let park = #expect(throws: Park.self) { try mapping.documents(for: order) }
        #expect(park?.cause.contains("by Cash than taken (-5.00)") == true, "\(park?.cause ?? "")")
        #expect(park?.cause.contains("20.00 for 20.00 owed") == true)
    }
}
