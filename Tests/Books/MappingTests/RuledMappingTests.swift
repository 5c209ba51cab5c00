import Domain
import Mapping
import Money
import Testing

/// How the operator's rules show on a document.
@Suite struct RuledMappingTests {
    private func mapping(_ change: (inout VenueBooks) -> Void) -> OrderMapping {
        var books = VenueBooks.example
        change(&books)
        return OrderMapping(books: books)
    }

    private let order = Order.example(
        total: "12.00", lines: [.example("Pie", "1", "12.00")], payments: [tender("Barter", "12.00")])

    @Test("an unmapped product goes to the fallback account with a warning, or to the desk, as configured")
    func unmapped() throws {
        let invoice = try mapping { $0.rules = RuleBook(rules: [], unmapped: .account("299")) }.invoice(for: order)
        #expect(invoice.lines.map(\.account) == ["299"] && invoice.lines.map(\.rule) == ["fallback"])
        #expect(invoice.warnings.contains { $0.contains("299") })
        let park = #expect(throws: Park.self) {
            try mapping { $0.rules = RuleBook(rules: [], unmapped: .park) }.invoice(for: order)
        }
        #expect(park?.deadLetterClass == .mapping)
    }

    @Test("an unmapped tender goes to the fallback account with a warning, or to the desk")
    func tenders() throws {
        let invoice = try mapping { _ in }.invoice(for: order)
        #expect(invoice.payments.map(\.account) == ["232"])
        #expect(invoice.warnings.contains { $0.contains("Barter") })
        #expect(throws: Park.self) { try mapping { $0.fallbackClearingAccount = nil }.invoice(for: order) }
    }

    @Test("tracking comes from register, type and staff, at most two options, and only those that have a name")
    func tracking() throws {
        var order = order
        order.register = "409"
        order.staff = "77"
        let mapping = mapping {
            $0.registers = ["409": "Front bar"]
            $0.trackingSources = [.register: "Till", .staff: "Person"]
        }
        let invoice = try mapping.invoice(for: order)
        #expect(
            invoice.lines.map(\.tracking) == [
                [Tracking(category: "Till", option: "Front bar"), Tracking(category: "Venue", option: "Harbour Bistro")]
            ])
    }
}
