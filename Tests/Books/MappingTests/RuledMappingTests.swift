import Domain
import Mapping
import Money
import OrderRecipes
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

    @Test("the tax inside a line whose type a rule sets is worked out at that type's rate")
    func ruledTax() throws {
        let invoice = try mapping {
            $0.sales.ruleTaxRates = ["OUTPUT2": decimal("0.15")]
            $0.rules = rule(.line) { $0.taxType = TextTemplate("OUTPUT2") }
        }.invoice(for: .example(total: "23.00", lines: [.example("Pie", "1", "23.00")]))
        #expect(invoice.lines.map(\.taxType) == ["OUTPUT2"] && invoice.tax.cents == 300)
    }

    @Test("a rule writes any field of the document from any of the order: reference, due day, theme, link, tracking")
    func customFields() throws {
        var order = order
        order.notes = "PO 4711 / Ms Lee"
        order.customer = Customer(id: "77", firstName: "Ann", lastName: "Lee", email: "ann@lee.example")
        order.lines[0].notes = "no onion"
        order.lines[0].modifiers = [Modifier(id: "1", name: "Gluten free")]
        let theme = "dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01"
        let terms = TextTable([("ann@lee.example", "30")])
        var whole = Rule.Outcome()
        whole.reference = TextTemplate(parts: [.field(.text(.notes), [.first(7)])])
        whole.dueDays = TextTemplate(parts: [.field(.text(.customerEmail), [.lookup(terms)])])
        whole.brandingTheme = TextTemplate(theme)
        whole.url = TextTemplate(parts: [.literal("https://till.example/sales/"), .field(.text(.order), [])])
        whole.tracking = [.init(category: "Project", option: TextTemplate("Fete"))]
        var line = Rule.Outcome()
        line.description = TextTemplate(parts: [
            .field(.text(.product), []), .literal(", "), .field(.text(.modifier), []), .literal(", "),
            .field(.text(.lineNotes), []),
        ])
        line.tracking = [.init(category: "Project", option: TextTemplate("Kitchen"))]
        let rules = RuleBook(rules: [
            Rule(
                name: "purchase order", subject: .order, condition: .text(.notes, .begins(FoldedText("po "))),
                outcome: whole),
            Rule(
                name: "free", subject: .line, condition: .text(.modifier, .equals(FoldedText("gluten FREE"))),
                outcome: line),
        ])
        let invoice = try mapping { $0.rules = rules }.invoice(for: order)
        #expect(invoice.reference == "PO 4711" && invoice.dueDate == invoice.date.adding(days: 30))
        #expect(invoice.brandingTheme == theme && invoice.url == "https://till.example/sales/5000000001")
        #expect(invoice.lines[0].description == "Pie, Gluten free, no onion")
        #expect(invoice.lines[0].tracking == [
            Tracking(category: "Project", option: "Kitchen"), Tracking(category: "Venue", option: "Harbour Bistro"),
        ])
        var tipped = order
        tipped.payments[0].amount = decimal("13.00")
        tipped.payments[0].tip = decimal("1.00")
        let tip = try #require(try mapping { $0.rules = rules }.invoice(for: tipped).lines.last)
        #expect(tip.tracking.first == Tracking(category: "Project", option: "Fete"))
        // Another customer is in no table of terms: the rule does not apply at all.
        order.customer?.email = "other@lee.example"
        #expect(try mapping { $0.rules = rules }.invoice(for: order).reference == "5000000001")
    }

    @Test("an address made of what the till holds must be one: else it is left out, with a warning")
    func addresses() throws {
        for (notes, isTaken) in [("a", true), ("a b", false), ("\u{e9}", false), ("\"><script>", false)] {
            var order = order
            order.notes = notes
            let rules = rule(.order) {
                $0.url = TextTemplate(parts: [.literal("https://x/"), .field(.text(.notes), [])])
            }
            let invoice = try mapping { $0.rules = rules }.invoice(for: order)
            #expect((invoice.url != nil) == isTaken, "\(notes)")
            #expect(invoice.warnings.contains { $0.contains("which is none") } != isTaken)
        }
    }

    @Test("a link that contains \"xero\" is left out with a warning: Xero refuses invoices for it", arguments: [
        ("https://go.xero.com/sales/", false), ("https://till.example/XERO-sales/", false),
        ("https://Xeros.example/", false), ("https://till.example/x-ero/", true),
    ])
    func ledgersAddress(beginning: String, isTaken: Bool) throws {
        let rules = rule(.order) {
            $0.url = TextTemplate(parts: [.literal(beginning), .field(.text(.order), [])])
        }
        let invoice = try mapping { $0.rules = rules }.invoice(for: order)
        #expect(invoice.url == (isTaken ? beginning + "5000000001" : nil))
        let warning = "\"ours\" gives the address \(beginning)5000000001, and Xero takes none that contains \"xero\""
        #expect(invoice.warnings.contains { $0.contains(warning) } != isTaken, "\(invoice.warnings)")
    }

    @Test("a rule's reference stands on the payment, and the till's own name of the method stays beside it")
    func paymentReference() throws {
        let rules = rule(.payment, .text(.paymentMethod, .equals(FoldedText("Barter")))) {
            $0.account = TextTemplate("231")
            $0.reference = TextTemplate(parts: [.field(.text(.saleNumber), [.otherwise("no number")])])
        }
        let payment = try #require(try mapping { $0.rules = rules }.invoice(for: order).payments.first)
        #expect(payment.account == "231" && payment.reference == "no number" && payment.method == "Barter")
        #expect(try LedgerPayment(stored: payment.stored) == payment)
        // A day's payments are one a method all the same, whatever stands beside each order's.
        var books = VenueBooks.example
        books.rules = rules
        let summaries = SummaryMapping(books: books)
        let entries = try ["S1", "S2"].flatMap { number -> [DayEntry] in
            var order = order
            order.saleNumber = number
            return summaries.orders.entries(of: try summaries.orders.documents(for: order), for: order)
        }
        #expect(entries.map { $0.payments[0].reference } == ["S1", "S2"])
        guard case .documents(let made) = summaries.close(entries[0].day, entries) else {
            Issue.record("the day has no document")
            return
        }
        #expect(made.map { $0.payments.map(\.amount.cents) } == [[2400]])
        #expect(made[0].payments[0].reference == "Barter")
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
