import Domain
import Mapping
import Money
import Testing

@Suite("Rules") struct RuleTests {
    private let order = OrderFacts.example

    private func line(_ name: String, _ cents: Int64 = 1000, categories: [String] = []) -> LineFacts {
        var line = LineFacts(product: Named(id: "7302", name: name), amount: Money(cents: cents))
        line.categories = categories
        return line
    }

    private func rule(_ name: String, _ condition: Rule.Condition, account: String) -> Rule {
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate(account)
        return Rule(name: name, subject: .line, condition: condition, outcome: outcome)
    }

    private func product(_ pattern: TextPattern) -> Rule.Condition { .text(.product, pattern) }

    @Test("the first rule that matches decides, and its name goes with the treatment")
    func firstMatchWins() {
        let book = RuleBook(rules: [
            rule("wine", product(.contains(FoldedText("wine"))), account: "231"),
            rule("everything", .always, account: "232"),
        ])
        #expect(book.treatment(of: line("Red Wine"), in: order).account == "231")
        #expect(book.treatment(of: line("Red Wine"), in: order).rule == "wine")
        #expect(book.treatment(of: line("Beer"), in: order).rule == "everything")
    }

    @Test("where no rule matches the defaults hold")
    func noMatch() {
        let book = RuleBook(rules: [rule("wine", product(.equals(FoldedText("Wine"))), account: "231")])
        #expect(book.treatment(of: line("Beer"), in: order) == .standard)
        #expect(book.treatment(of: line("Beer"), in: order).rule == "default")
        #expect(RuleBook.empty.treatment(of: order) == .standard)
    }

    @Test("a sale that no rule maps goes to the fallback account with a warning, or is parked; never dropped")
    func unmapped() {
        let rules = [rule("wine", product(.equals(FoldedText("Wine"))), account: "231")]
        let taken = RuleBook(rules: rules, unmapped: .account("999")).treatment(of: line("Beer"), in: order)
        #expect(taken.account == "999")
        #expect(taken.warning == "No rule maps Beer; it went to account 999.")
        let parked = RuleBook(rules: rules, unmapped: .park).treatment(of: line("Beer"), in: order)
        #expect(parked.action == .park(reason: "no rule maps Beer, and unmapped products are parked"))
        let tip = LineFacts(part: .tip, product: nil, amount: Money(cents: 100))
        #expect(RuleBook(rules: rules, unmapped: .park).treatment(of: tip, in: order) == .standard)
    }

    @Test(
        "texts are compared without regard to case, in ASCII and beyond, however an accent is written",
        arguments: [
            (TextPattern.equals(FoldedText("CAFÉ")), "cafe\u{301}", true),
            (.equals(FoldedText("Café")), "cafe", false), (.equals(FoldedText("Wine")), "wINE", true),
            (.equals(FoldedText("Wine")), "Wines", false), (.begins(FoldedText("gift")), "Gift card 50", true),
            (.begins(FoldedText("gift")), "A gift", false), (.ends(FoldedText("CARD")), "Gift card", true),
            (.ends(FoldedText("card")), "card x", false), (.contains(FoldedText("é l")), "CAFE\u{301} LATTE", true),
            (.contains(FoldedText("")), "anything", true), (.contains(FoldedText("long one")), "long", false),
            (.oneOf(TextSet(["Wine", "Crème"])), "WINE", true),
            (.oneOf(TextSet(["Wine", "Crème"])), "cre\u{300}me", true),
            (.oneOf(TextSet(["Wine"])), "Beer", false), (.oneOf(TextSet([])), "", false),
            (.equals(FoldedText("@[`{")), "@[`{", true), (.equals(FoldedText("@")), "`", false),
        ])
    func patterns(pattern: TextPattern, text: String, isMatch: Bool) {
        #expect(pattern.matches(text) == isMatch)
    }

    @Test(
        "a glob takes ? for one letter and * for any number",
        arguments: [
            ("*", "", true), ("a*c", "abbbc", true), ("a*c", "abbbd", false), ("?", "", false), ("??", "ab", true),
            ("*wine*", "Red Wine 2020", true), ("*a*b*c*", "xxaxxbxxcxx", true), ("*a*b*c*", "xxaxxcxxbxx", false),
            ("caf?", "Café", true), ("a*", "ba", false), ("*ab", "aab", true),
        ])
    func globs(pattern: String, text: String, isMatch: Bool) throws {
        #expect(try #require(Glob(pattern)).matches(text) == isMatch)
    }

    @Test("a glob with too many stars or letters is refused")
    func globBounds() {
        #expect(Glob("*****") == nil)
        #expect(Glob("****") != nil)
        #expect(Glob(String(repeating: "a", count: 201)) == nil)
    }

    @Test("a glob takes bounded time on a text made to make it go back")
    func globTime() throws {
        let glob = try #require(Glob("*a*a*a*b"))
        let text = String(repeating: "a", count: 100_000)
        let took = ContinuousClock().measure { #expect(!glob.matches(text)) }
        #expect(took < .seconds(2))
    }

    @Test("a table of many texts finds each of them, and nothing else")
    func bigTable() {
        let table = TextTable((0..<10_000).map { ("Product \($0)", "\($0)") })
        #expect(table.count == 10_000)
        #expect((0..<10_000).allSatisfy { table["PRODUCT \($0)"] == "\($0)" })
        #expect(table["Product 10000"] == nil)
    }

    @Test("amounts are compared as exact decimals, at both sides of the bound")
    func amounts() {
        let bound = ExactDecimal("10.00")!
        let tests: [(Rule.NumberTest, [Bool])] = [
            (.equals(bound), [false, true, false]), (.over(bound), [false, false, true]),
            (.atLeast(bound), [false, true, true]), (.under(bound), [true, false, false]),
            (.atMost(bound), [true, true, false]),
        ]
        for (test, expected) in tests {
            let found = [999, 1000, 1001].map { cents in
                Rule.Condition.number(.amount, test).holds(for: RuleFacts(order: order, line: line("x", cents)))
            }
            #expect(found == expected, "\(test)")
        }
    }

    @Test("all, any and not combine; a field that is absent satisfies no test")
    func combinations() {
        let facts = RuleFacts(order: order, line: line("Wine", categories: ["Drinks", "Bottles"]))
        let drinks = Rule.Condition.text(.category, .equals(FoldedText("drinks")))
        let food = Rule.Condition.text(.category, .equals(FoldedText("food")))
        #expect(Rule.Condition.all([drinks, .not(food)]).holds(for: facts))
        #expect(Rule.Condition.any([food, drinks]).holds(for: facts))
        #expect(!Rule.Condition.all([drinks, food]).holds(for: facts))
        let sku = Rule.Condition.text(.sku, .contains(FoldedText("")))
        #expect(!sku.holds(for: facts))
        #expect(Rule.Condition.not(sku).holds(for: facts))
        #expect(!Rule.Condition.isSet(.sku).holds(for: facts))
        #expect(Rule.Condition.isSet(.category).holds(for: facts))
    }

    @Test("a weekday is that of the trading day", arguments: [(1, true), (7, false)])
    func weekdays(day: Int, isMatch: Bool) {
        // 23 November 2026 is a Monday.
        #expect(Rule.Condition.weekday(Rule.Weekdays([day])).holds(for: RuleFacts(order: order)) == isMatch)
    }

    @Test("a date is that of the trading day", arguments: [(23, true), (24, false)])
    func dates(day: Int, isMatch: Bool) {
        let days: Set = [
            CalendarDate(year: 2026, month: 11, day: day), CalendarDate(year: 2026, month: 12, day: 25),
        ]
        #expect(Rule.Condition.date(days).holds(for: RuleFacts(order: order)) == isMatch)
    }

    @Test("a register, product or member of staff is found by name or by id")
    func namesAndIDs() {
        let facts = RuleFacts(order: order, line: line("Wine"))
        #expect(product(.equals(FoldedText("7302"))).holds(for: facts))
        #expect(Rule.Condition.text(.register, .equals(FoldedText("bar"))).holds(for: facts))
        #expect(Rule.Condition.text(.register, .equals(FoldedText("409"))).holds(for: facts))
    }
}

extension OrderFacts {
    static var example: OrderFacts {
        var order = OrderFacts(
            order: OrderID("5000000001"), site: SiteID("923"), venue: "Harbour Bistro",
            date: CalendarDate(year: 2026, month: 11, day: 23), total: Money(cents: 2000))
        order.register = Named(id: "409", name: "Bar")
        order.orderType = "Takeaway"
        order.customerTags = ["Member", "Staff discount"]
        order.paymentMethods = ["Cash", "Card"]
        return order
    }
}
