import Domain
import Mapping
import Money
import OrderRecipes
import Testing

@Suite("Leaving out a part of an order") struct LeavingOutTests {
    private func mapping(_ rules: [Rule]) -> OrderMapping {
        var books = VenueBooks.example
        books.rules = RuleBook(rules: rules)
        return OrderMapping(books: books)
    }

    private func skip(_ subject: Rule.Subject, _ condition: Rule.Condition, _ reason: String) -> Rule {
        var outcome = Rule.Outcome()
        outcome.action = .skip(TextTemplate(reason))
        return Rule(name: "ours", subject: subject, condition: condition, outcome: outcome)
    }

    private var order: Order {
        var order = Order.example(
            total: "13.00", lines: [.example("Pie", "1", "12.00"), .example("Bus ticket", "1", "1.00")])
        order.payments = [
            tender("Cash", "12.00"), tender("Agency", "1.00"),
        ]
        return order
    }

    @Test("a line goes with the payment for it: the rest is paid in full, and both reasons are kept")
    func both() throws {
        let mapping = mapping([
            skip(.line, .text(.product, .equals(FoldedText("Bus ticket"))), "sold for the bus company"),
            skip(.payment, .text(.paymentMethod, .equals(FoldedText("Agency"))), "the bus company's money"),
        ])
        let invoice = try mapping.invoice(for: order)
        #expect(invoice.total.cents == 1200 && invoice.due == .zero)
        #expect(invoice.warnings.contains { $0.contains("bus company") && $0.contains("1.00") })
        #expect(invoice.warnings.count { $0.contains("ours") } == 2)
    }

    @Test("a line whose money stays is parked with both figures: the invoice would not come to what was paid")
    func moneyStays() throws {
        let mapping = mapping([skip(.line, .text(.product, .equals(FoldedText("Bus ticket"))), "not ours")])
        let park = #expect(throws: Park.self) { try mapping.outcome(for: order) }
        #expect(park?.cause.contains("lines of 1.00 and payments of 0.00") == true)
        #expect(park?.cause.contains("not ours") == true)
    }
}
