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

    private func rule(
        _ subject: Rule.Subject, _ condition: Rule.Condition = .always, _ change: (inout Rule.Outcome) -> Void
    ) -> RuleBook {
        var outcome = Rule.Outcome()
        change(&outcome)
        return RuleBook(rules: [Rule(name: "ours", subject: subject, condition: condition, outcome: outcome)])
    }

    @Test("what a rule says of a line stands on it, tax worked out by the tax type it chose, and its name beside it")
    func lines() throws {
        let rules = rule(.line, .text(.product, .equals(FoldedText("Pie")))) {
            $0.account = TextTemplate("235")
            $0.taxType = TextTemplate("EXEMPTOUTPUT")
            $0.itemCode = TextTemplate("PIE")
            $0.description = TextTemplate("A pie")
            $0.tracking = [.init(category: "Venue", option: TextTemplate("Kitchen"))]
        }
        let line = try #require(try mapping { $0.rules = rules }.invoice(for: order).lines.first)
        #expect(line.account == "235" && line.taxType == "EXEMPTOUTPUT" && line.tax == .zero)
        #expect(line.itemCode == "PIE" && line.description == "A pie" && line.rule == "ours")
        #expect(line.tracking == [Tracking(category: "Venue", option: "Kitchen")])
    }

    @Test("tips, discounts and roundings are lines a rule may decide about, too")
    func otherParts() throws {
        var order = Order.example(
            total: "10.79", lines: [.example("Pie", "1", "12.00")],
            payments: [tender("Cash", "10.80", tip: "2.00")])
        order.priceVariation = decimal("0.9")
        let rules = rule(.line, .text(.part, .equals(FoldedText("tip")))) { $0.account = TextTemplate("826") }
        let invoice = try mapping { $0.rules = rules }.invoice(for: order)
        #expect(invoice.lines.first { $0.description == "Tips" }?.account == "826")
        #expect(invoice.lines.first { $0.description == "Tips" }?.rule == "ours")
        #expect(invoice.lines.first { $0.description == "Order discount" }?.rule == "default")
    }

    @Test("a line without an amount may be left out, one with an amount may not: the total would be wrong")
    func leavingOut() throws {
        let rules = rule(.line, .text(.product, .equals(FoldedText("Note")))) {
            $0.action = .skip(TextTemplate("no sale"))
        }
        func order(_ cents: String, total: String) -> Order {
            .example(total: total, lines: [.example("Pie", "1", "12.00"), .example("Note", "1", cents)])
        }
        let mapping = mapping { $0.rules = rules }
        #expect(try mapping.invoice(for: order("0.00", total: "12.00")).lines.map(\.description) == ["Pie"])
        let park = #expect(throws: Park.self) { try mapping.invoice(for: order("1.00", total: "13.00")) }
        #expect(park?.cause.contains("\"ours\"") == true && park?.cause.contains("1.00") == true)
    }

    @Test("a rule lays an order on the desk, leaves it out, or names its contact and reference")
    func orders() throws {
        let parked = rule(.order) { $0.action = .park(TextTemplate("ask Ann")) }
        let park = #expect(throws: Park.self) { try mapping { $0.rules = parked }.invoice(for: order) }
        #expect(park?.cause.contains("ask Ann") == true)
        let skipped = rule(.order) { $0.action = .skip(TextTemplate("training")) }
        #expect(
            try mapping { $0.rules = skipped }.outcome(for: order) == .skipped(rule: "ours", reason: "training"))
        let named = rule(.order) {
            $0.contact = TextTemplate("C-1")
            $0.contactName = TextTemplate("Club")
            $0.reference = TextTemplate("Event")
        }
        let invoice = try mapping { $0.rules = named }.invoice(for: order)
        #expect(invoice.contactNumber == "C-1" && invoice.contactName == "Club" && invoice.reference == "Event")
    }

    @Test("a rule sends a tender to an account of its own, or leaves it to be booked elsewhere, with a warning")
    func ruledTenders() throws {
        let other = rule(.payment, .text(.paymentMethod, .equals(FoldedText("barter")))) {
            $0.account = TextTemplate("239")
        }
        #expect(try mapping { $0.rules = other }.invoice(for: order).payments.map(\.account) == ["239"])
        let elsewhere = rule(.payment) { $0.action = .skip(TextTemplate("the bank feed has it")) }
        let invoice = try mapping { $0.rules = elsewhere }.invoice(for: order)
        #expect(invoice.payments.isEmpty && invoice.due.cents == 1200 && !invoice.isOnAccount)
        #expect(invoice.warnings.contains { $0.contains("bank feed") && $0.contains("12.00") })
    }
}
