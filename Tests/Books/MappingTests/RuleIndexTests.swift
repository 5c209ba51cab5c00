import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Rules by the thousand, made up: what the index decides is what trying them one by one decides.
@Suite struct RuleIndexTests {
    /// Few, short and alike, so that they meet; some begin or end another, some are no ASCII.
    private static let words = [
        "ab", "abc", "bc", "c", "Flat white", "flat", "WHITE", "white wine", "wine", "café", "CAFÉ au lait", "é",
        "a?c", "abcabcabcabcabcabcabc", "7302", "73", "\u{212A}g", "kg",
    ]

    private struct Maker {
        var generator: Seeded

        mutating func chance(_ percent: Int) -> Bool { Int.random(in: 0..<100, using: &generator) < percent }
        mutating func word() -> String { RuleIndexTests.words.randomElement(using: &generator)! }
        mutating func words(_ most: Int) -> [String] {
            (0..<Int.random(in: 1...most, using: &generator)).map { _ in word() }
        }

        mutating func text() -> Rule.Condition {
            let field = Rule.TextField.allCases.randomElement(using: &generator)!
            let word = word()
            switch Int.random(in: 0..<8, using: &generator) {
            case 0, 1: return .text(field, .equals(FoldedText(word)))
            case 2: return .text(field, .oneOf(TextSet(words(4))))
            case 3: return .text(field, .begins(FoldedText(word)))
            case 4: return .text(field, .ends(FoldedText(word)))
            case 5: return .text(field, .contains(FoldedText(chance(3) ? "" : word)))
            case 6: return .text(field, .glob(glob()))
            default: return .isSet(field)
            }
        }

        mutating func glob() -> Glob {
            Glob(["*", "?", "a*", "*ine", "f*t?w*", "*é*", "??c"].randomElement(using: &generator)!)!
        }

        mutating func condition(_ depth: Int = 0) -> Rule.Condition {
            let kind = Int.random(in: 0..<(depth > 2 ? 6 : 12), using: &generator)
            func list(_ maker: inout Maker, _ least: Int) -> [Rule.Condition] {
                (0..<Int.random(in: least...3, using: &maker.generator)).map { _ in maker.condition(depth + 1) }
            }
            switch kind {
            case 0: return .number(.amount, .over(decimal("5")))
            case 1: return .weekday(Rule.Weekdays([6, 7]))
            case 2...5: return text()
            case 6, 7: return .all(list(&self, chance(3) ? 0 : 1))
            case 8, 9: return .any(list(&self, chance(3) ? 0 : 1))
            case 10: return .not(condition(depth + 1))
            default: return chance(10) ? .always : text()
            }
        }

        mutating func rule(_ place: Int) -> Rule {
            var outcome = Rule.Outcome()
            outcome.account = chance(90) ? TextTemplate("\(place)") : TextTemplate(parts: [
                .field(.text(.product), [.lookup(TextTable([("abc", "900"), ("flat white", "901")]))]),
            ])
            return Rule(
                name: "rule \(place)", subject: Rule.Subject.allCases.randomElement(using: &generator)!,
                condition: condition(), outcome: outcome)
        }

        mutating func named() -> Named? { chance(80) ? Named(id: word(), name: chance(70) ? word() : nil) : nil }

        mutating func order() -> OrderFacts {
            var facts = OrderFacts(
                order: OrderID(word()), site: SiteID("923"), venue: word(),
                date: CalendarDate(daysSince1970: Int.random(in: 20_000...20_007, using: &generator)),
                total: Money(cents: Int64.random(in: -500...2000, using: &generator)))
            (facts.register, facts.staff, facts.customer) = (named(), named(), named())
            (facts.saleNumber, facts.orderType) = (word(), chance(50) ? word() : nil)
            (facts.customerTags, facts.paymentMethods) = (words(2), words(2))
            return facts
        }

        mutating func line() -> LineFacts {
            var facts = LineFacts(
                part: LineFacts.Part.allCases.randomElement(using: &generator)!, product: named(),
                amount: Money(cents: Int64.random(in: -500...2000, using: &generator)))
            (facts.sku, facts.categories) = (chance(50) ? word() : nil, words(3))
            if chance(50) { facts.tags = words(2) }
            return facts
        }
    }

    /// One rule after the other, as the operator reads them.
    private static func plainly(_ rules: [Rule], _ subject: Rule.Subject, _ facts: RuleFacts) -> Treatment {
        for rule in rules where rule.subject == subject {
            if let treatment = rule.treatment(of: facts) { return treatment }
        }
        return .standard
    }

    @Test("the index decides what the rules decide one after the other, whatever they are: property")
    func property() throws {
        var maker = Maker(generator: Seeded(seed: PropertyRun.seed))
        var decided = 0
        for round in 0..<max(1, PropertyRun.cases(20_000) / 40) {
            // Now and then more than one group holds.
            let count = round % 50 == 0 ? 700 : Int.random(in: 1...60, using: &maker.generator)
            let rules = (0..<count).map { maker.rule($0) }
            let book = RuleBook(rules: rules)
            for _ in 0..<20 {
                let (order, line) = (maker.order(), maker.line())
                let tender = TenderFacts(method: maker.word(), amount: line.amount)
                let all = [
                    (Rule.Subject.line, book.treatment(of: line, in: order), RuleFacts(order: order, line: line)),
                    (.payment, book.treatment(of: tender, in: order), RuleFacts(order: order, tender: tender)),
                    (.order, book.treatment(of: order), RuleFacts(order: order)),
                ]
                for (subject, indexed, facts) in all {
                    let plain = Self.plainly(rules, subject, facts)
                    if !plain.isStandard { decided += 1 }
                    let again = "round \(round); again: TILLBRIDGE_PROPERTY_SEED=\(PropertyRun.seed)"
                    try #require(indexed == plain, "\(plain.rule) decides, the index says \(indexed.rule); \(again)")
                }
            }
        }
        #expect(decided > 1000, "\(decided) decisions are no proof")
    }

    @Test("of a thousand rules the first that holds decides, whichever way each is found")
    func order() {
        var rules = (0..<1000).map { place -> Rule in
            var outcome = Rule.Outcome()
            outcome.account = TextTemplate("\(place)")
            return Rule(
                name: "\(place)", subject: .line, condition: .text(.product, .equals(FoldedText("p\(place)"))),
                outcome: outcome)
        }
        let book = RuleBook(rules: rules)
        let order = OrderFacts(
            order: OrderID("1"), site: SiteID("1"), venue: "V", date: CalendarDate(daysSince1970: 0), total: .zero)
        for place in [0, 511, 512, 999] {
            let line = LineFacts(product: Named(id: "P\(place)"), amount: .zero)
            #expect(book.treatment(of: line, in: order).account == "\(place)")
        }
        rules.insert(
            Rule(name: "first", subject: .line, condition: .text(.product, .contains(FoldedText("51"))),
                 outcome: Rule.Outcome()), at: 500)
        let line = LineFacts(product: Named(id: "p511"), amount: .zero)
        #expect(RuleBook(rules: rules).treatment(of: line, in: order).rule == "first")
    }
}
