import Domain
import Mapping
import Money
import Testing

@Suite("What a rule says") struct RuleOutcomeTests {
    private let facts: RuleFacts = {
        var line = LineFacts(product: Named(id: "7302", name: "  flat WHITE "), amount: Money(cents: 450))
        line.categories = ["Hot drinks", "Coffee"]
        return RuleFacts(order: .example, line: line)
    }()

    private func text(_ field: Rule.TextField, _ transforms: TextTemplate.Transform...) -> String? {
        TextTemplate(parts: [.field(.text(field), transforms)]).text(for: facts)
    }

    @Test("transforms trim, change case, replace, cut and stand in")
    func transforms() throws {
        #expect(text(.product, .trim) == "flat WHITE")
        #expect(text(.product, .trim, .title) == "Flat White")
        #expect(text(.product, .trim, .upper) == "FLAT WHITE")
        #expect(text(.product, .trim, .lower, .replace("flat", with: "long")) == "long white")
        #expect(text(.product, .trim, .first(4)) == "flat")
        #expect(text(.sku, .otherwise("none")) == "none")
        #expect(text(.sku) == "")
        #expect(text(.register) == "Bar")
    }

    @Test("a table is looked up with every value of the field; without a result the rule does not apply")
    func lookUps() throws {
        let table = TextTable([("coffee", "231")])
        #expect(text(.category, .lookup(table)) == "231")
        #expect(text(.product, .lookup(table)) == nil)
        #expect(text(.product, .lookup(table), .otherwise("230")) == "230")
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate(parts: [.field(.text(.product), [.lookup(table)])])
        let rule = Rule(name: "by table", subject: .line, condition: .always, outcome: outcome)
        #expect(rule.treatment(of: facts) == nil)
    }

    @Test(
        "days are shown as asked",
        arguments: [
            ("dd/MM/yyyy", "23/11/2026"), ("d MMM yy", "23 Nov 26"), ("EEE d.M.", "Mon 23.11."),
            ("yyyyMMdd", "20261123"),
        ])
    func dates(format: String, shown: String) throws {
        #expect(try #require(DateFormat(format)).text(of: facts.order.date) == shown)
    }

    @Test("a date format with letters that mean nothing is refused", arguments: ["", "hh:mm", "yyy", "dddd", "MMMM"])
    func badDates(format: String) { #expect(DateFormat(format) == nil) }

    @Test("amounts are shown with their cents, quantities without trailing zeros")
    func numbers() {
        var facts = facts
        facts.line?.quantity = ExactDecimal("1.500")!
        let template = TextTemplate(parts: [
            .field(.number(.quantity), []), .literal(" x "), .field(.number(.amount), []),
        ])
        #expect(template.text(for: facts) == "1.5 x 4.50")
    }

    @Test("every field of an outcome arrives; what the ledger would find too long is cut")
    func allFields() throws {
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate("231")
        outcome.taxType = TextTemplate("OUTPUT")
        outcome.itemCode = TextTemplate(String(repeating: "x", count: 40))
        outcome.description = TextTemplate(parts: [.literal("A "), .field(.text(.product), [.trim])])
        outcome.tracking = [.init(category: "Till", option: TextTemplate(parts: [.field(.text(.register), [])]))]
        let rule = Rule(name: "all", subject: .line, condition: .always, outcome: outcome)
        let treatment = try #require(rule.treatment(of: facts))
        #expect(treatment.account == "231")
        #expect(treatment.taxType == "OUTPUT")
        #expect(treatment.itemCode?.count == 30)
        #expect(treatment.description == "A flat WHITE")
        #expect(treatment.tracking == [Tracking(category: "Till", option: "Bar")])
        #expect(treatment.rule == "all")
    }

    @Test("skipping and parking carry the reason")
    func reasons() {
        for (action, expected) in [
            (Rule.Outcome.Action.skip(TextTemplate("staff meal")), Treatment.Action.skip(reason: "staff meal")),
            (.park(TextTemplate(parts: [.field(.text(.venue), [])])), .park(reason: "Harbour Bistro")),
        ] {
            var outcome = Rule.Outcome()
            outcome.action = action
            let rule = Rule(name: "r", subject: .order, condition: .always, outcome: outcome)
            #expect(RuleBook(rules: [rule]).treatment(of: facts.order).action == expected)
        }
    }

    @Test("a rule's tracking replaces the default option of its category, and at most two are left")
    func tracking() {
        let defaults = [Tracking(category: "Venue", option: "A"), Tracking(category: "Till", option: "B")]
        #expect(defaults.replaced(by: []) == defaults)
        #expect(
            defaults.replaced(by: [Tracking(category: "Till", option: "C")])
                == [Tracking(category: "Till", option: "C"), Tracking(category: "Venue", option: "A")])
        #expect(defaults.replaced(by: [Tracking(category: "X", option: "C")]).count == 2)
    }

    @Test("a posting mode holds from its day on, and each day has one")
    func posting() {
        func day(_ day: Int) -> CalendarDate { CalendarDate(year: 2026, month: 11, day: day) }
        let plan = PostingPlan(periods: [
            .init(from: day(20), mode: .perOrder), .init(from: day(10), mode: .dailySummary),
        ])
        #expect([9, 10, 19, 20].map { plan.mode(on: day($0)) } == [.perOrder, .dailySummary, .dailySummary, .perOrder])
    }
}
