import Domain
import Foundation
import Mapping
import Money
import Settings
import Testing

/// Configurations with rules, to be bent.
enum RulesExample {
    static func yaml(_ rules: String) -> String {
        let lines = rules.split(separator: "\n", omittingEmptySubsequences: false).map { "    \($0)" }
        return SettingsExample.yaml.replacing(
            "    limits:", with: lines.joined(separator: "\n") + "\n    limits:")
    }

    static func book(_ rules: String) throws -> RuleBook {
        try SettingsExample.load(yaml(rules)).organisations[0].rules
    }

    static func problems(_ rules: String) -> [SettingsProblem] { SettingsExample.problems(yaml(rules)) }

    static let order: OrderFacts = {
        var order = OrderFacts(
            order: OrderID("7000016118"), site: SiteID("923"), venue: "Harbour Bistro",
            date: CalendarDate(year: 2026, month: 11, day: 22), total: Money(cents: 5000))
        order.register = Named(id: "409", name: "Bar")
        order.orderType = "Takeaway"
        order.staff = Named(id: "17", name: "Kim")
        order.customerTags = ["Member"]
        order.paymentMethods = ["Cash"]
        return order
    }()

    static func line(_ name: String, _ cents: Int64 = 1000, category: String? = nil) -> LineFacts {
        var line = LineFacts(product: Named(id: "7302", name: name), amount: Money(cents: cents))
        line.categories = category.map { [$0] } ?? []
        return line
    }
}

@Suite("Reading rules") struct RuleReadingTests {
    @Test("a configuration of rules says what it seems to say")
    func wholeExample() throws {
        let book = try RulesExample.book(
            """
            tables:
              by_category:
                Coffee: "231"
                Wine: "232"
            rules:
              - name: gift cards
                when:
                  product: {begins: [Gift card, Voucher]}
                  amount: {over: 20, at_most: "100.00"}
                set: {account: "875", tax_type: BASEXCLUDED}
              - name: staff meals
                when:
                  any:
                    - customer_tag: Staff
                    - all: [{staff: Kim}, {order_type: [Dine in, Staff]}]
                  not: {weekday: weekend}
                skip: "staff meal at {venue}"
              - name: by category
                set:
                  account: "{category | lookup by_category}"
                  description: "{product | trim | title} ({date | date 'd MMM'})"
                  tracking: {Till: "{register}"}
              - name: petty cash
                for: payment
                when: {payment_method: {glob: "*cash*"}}
                set: {account: "231"}
              - name: members
                for: order
                when: {customer_tag: member, total: {at_least: 50}}
                set: {contact: "{customer_tag}", reference: "{sale_number | else 'none'}"}
            unmapped_products: "999"
            """)
        let order = RulesExample.order
        let gift = book.treatment(of: RulesExample.line("Gift Card 50", 5000), in: order)
        #expect((gift.account, gift.taxType, gift.rule) == ("875", "BASEXCLUDED", "gift cards"))
        #expect(book.treatment(of: RulesExample.line("Gift card", 10001), in: order).rule == "fallback")
        let coffee = book.treatment(of: RulesExample.line(" flat white", category: "coffee"), in: order)
        #expect(coffee.account == "231")
        #expect(coffee.description == "Flat White (22 Nov)")
        #expect(coffee.tracking == [Tracking(category: "Till", option: "Bar")])
        let unknown = book.treatment(of: RulesExample.line("Ice"), in: order)
        #expect((unknown.account, unknown.rule) == ("999", "fallback"))
        #expect(unknown.warning?.contains("Ice") == true)
        var staff = order
        staff.customerTags = ["staff"]
        staff.date = CalendarDate(year: 2026, month: 11, day: 23)
        #expect(
            book.treatment(of: RulesExample.line("Ice"), in: staff).action
                == .skip(reason: "staff meal at Harbour Bistro"))
        let tender = TenderFacts(method: "Petty cash box", amount: Money(cents: 100))
        #expect(book.treatment(of: tender, in: order).account == "231")
        #expect(book.treatment(of: order).contact == "Member")
        #expect(book.treatment(of: order).reference == "none")
    }

    @Test("custom fields of the document are read, and those that can be known beforehand are checked")
    func customFields() throws {
        let theme = "dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01"
        let rules = """
            tables:
              terms: {Gold: 30, Silver: 14}
            rules:
              - name: purchase orders
                for: order
                when: {notes: {begins: "PO "}}
                set:
                  reference: "{notes | first 20}"
                  due_days: "{customer_tag | lookup terms | else '0'}"
                  branding_theme: \(theme)
                  url: "https://till.example/{order}"
                  tracking: {Venue: Functions}
            """
        var order = RulesExample.order
        order.notes = "PO 4711"
        order.customerTags = ["silver"]
        let treatment = try RulesExample.book(rules).treatment(of: order)
        #expect((treatment.reference, treatment.dueDays, treatment.brandingTheme) == ("PO 4711", 14, theme))
        #expect(treatment.url == "https://till.example/7000016118")
        #expect(treatment.tracking == [Tracking(category: "Venue", option: "Functions")])
        let settings = try SettingsExample.load(RulesExample.yaml(rules))
        #expect(settings.organisations[0].references.contains { $0.target == .brandingTheme(theme) })
        for (old, new, message) in [
            ("Gold: 30", "Gold: 400", "number of days"), ("Gold: 30", "Gold: soon", "number of days"),
            (theme, "nice", "no id of Xero's"), ("https://till", "till", "begins with https"),
            ("lookup terms | else '0'", "lower", "goes through a table"),
        ] {
            let found = RulesExample.problems(rules.replacing(old, with: new))
            #expect(found.contains { $0.message.contains(message) }, "\(new): \(found)")
        }
    }

    @Test("public holidays are listed in a rule, or once in a table that rules name")
    func dates() throws {
        let book = try RulesExample.book(
            """
            tables:
              holidays: {2026-11-22: Harbour Day, "2026-12-25": Christmas Day}
            rules:
              - name: listed
                when: {date: [2026-11-21, 2026-11-23]}
                set: {account: "241"}
              - name: not on a holiday
                when: {not: {date: {in: holidays}}}
                set: {account: "242"}
              - name: one day
                when: {date: 2026-12-25}
                set: {account: "243"}
              - name: holidays
                when: {date: {in: holidays}}
                set: {account: "244"}
            """)
        var order = RulesExample.order
        for (date, rule) in [
            ("2026-11-21", "listed"), ("2026-11-22", "holidays"), ("2026-11-24", "not on a holiday"),
            ("2026-12-25", "one day"),
        ] {
            order.date = try #require(CalendarDate(date))
            #expect(book.treatment(of: RulesExample.line("Pie"), in: order).rule == rule, "\(date)")
        }
        for (when, message) in [
            ("{date: 2026-13-01}", "`2026-13-01` is not a day such as 2026-12-25"),
            ("{date: [2026-12-25, 2026-12-25]}", "2026-12-25 is there twice"),
            ("{date: {in: holiday}}", "there is no table `holiday`, did you mean `holidays`?"),
            ("{date: {in: names}}", "`Monday` is not a day"), ("{date: {after: 2026-12-25}}", "or `{in: TABLE}`"),
            ("{date: []}", "must be a text or a list of texts"),
        ] {
            let found = RulesExample.problems(
                """
                tables:
                  holidays: {2026-12-25: Christmas Day}
                  names: {Monday: x}
                rules:
                  - name: one
                    when: \(when)
                    set: {account: "241"}
                """)
            #expect(found.contains { $0.message.contains(message) }, "\(when): \(found)")
        }
    }

    @Test("every problem of the rules is told at once, each with its own line and the nearest valid word")
    func allAtOnce() throws {
        let found = RulesExample.problems(
            """
            tables:
              accounts: {Wine: "231"}
            rules:
              - name: one
                when:
                  prodcut: Wine
                  amount: {begins: "1"}
                set: {acount: "231"}
              - name: two
                when: {product: {over: 3}}
                set: {account: "{category | lookup acounts}"}
              - name: three
                fro: line
                when: {weekday: Mnday, venue: Harbor Bistro}
                set: {description: "{prodct | uper}"}
                park: also
            """)
        let messages = Dictionary(found.map { ($0.path, $0) }) { first, _ in first }
        func expect(_ path: String, _ line: Int, _ message: String) {
            let problem = messages["organisations[0]." + path]
            #expect(problem?.line == line, "\(path): \(found)")
            #expect(problem?.message.contains(message) == true, "\(path): \(problem?.message ?? "none")")
        }
        expect("rules[0].when.prodcut", 19, "did you mean `product`?")
        expect("rules[0].when.amount.begins", 20, "compares texts, and `amount` is an amount")
        expect("rules[0].set.acount", 21, "did you mean `account`?")
        expect("rules[1].when.product.over", 23, "compares amounts, and `product` is a text")
        expect("rules[1].set.account", 24, "there is no table `acounts`, did you mean `accounts`?")
        expect("rules[2].fro", 26, "did you mean `for`?")
        expect("rules[2].when.weekday", 27, "`Mnday` is no day, did you mean `monday`?")
        expect("rules[2].when.venue", 27, "has no venue `Harbor Bistro`, did you mean `Harbour Bistro`?")
        expect("rules[2].set.description", 28, "`{prodct}` is no field, did you mean `product`?")
        expect("rules[2]", 25, "say one of `set`, `skip` and `park`")
        #expect(found.map { $0.line ?? 0 } == found.map { $0.line ?? 0 }.sorted())
    }

    @Test(
        "a rule that makes no sense is told why",
        arguments: [
            ("rules: {a: b}", "must be a list"), ("rules: [a]", "must hold keys and values"),
            ("rules: [{set: {account: '1'}, when: [a]}]", "must hold fields"),
            ("rules: [{set: {account: '1'}, when: {}}]", "is empty"),
            ("rules: [{set: {account: '1'}, when: {product: {}}}]", "is empty"),
            ("rules: [{set: {account: '1'}, when: {product: {glob: '*a*b*c*d*e'}}}]", "more than 4 stars"),
            ("rules: [{set: {account: '1'}, when: {product: {regex: '.*'}}}]", "is no comparison"),
            ("rules: [{set: {account: '1'}, when: {product: {set: maybe}}}]", "is true or false"),
            ("rules: [{set: {account: '1'}, when: {product: [a, {b: c}]}}]", "a text or a list of texts"),
            ("rules: [{set: {account: '1'}, when: {amount: ten}}]", "is not an amount such as 12.50"),
            ("rules: [{set: {account: '1'}, when: {amount: 1.005}}]", "is not an amount such as 12.50"),
            ("rules: [{set: {account: '1'}, when: {amount: [1, 2]}}]", "must be an amount"),
            ("rules: [{set: {account: '1'}, when: {all: []}}]", "must be a list of conditions"),
            ("rules: [{set: {account: '1'}, when: {part: tips}}]", "did you mean `tip`?"),
            ("rules: [{set: {account: '12345678901'}}]", "has not 1 to 10 letters"),
            ("rules: [{set: {account: '{product}'}}]", "a field that goes through a table"),
            ("rules: [{set: {account: '{product | lookup t | upper}'}}]", "there is no table `t`"),
            ("rules: [{set: {}}]", "must hold what to set"),
            ("rules: [{set: {account: [a]}}]", "must be a single value"),
            ("rules: [{set: {tracking: {a: b, c: d, e: f}}}]", "one or two tracking categories"),
            ("rules: [{for: payment, set: {tax_type: X}}]", "sets no `tax_type`"),
            ("rules: [{set: {account: '1', tax_type: OUTPUT7}}]", "which rate `OUTPUT7` is: add it to `other_taxes`"),
            ("other_taxes: {OUTPUT7: 15}", "is not a rate such as 0.15"),
            ("rules: [{for: order, when: {product: a}, set: {contact: X}}]", "is of a line"),
            ("rules: [{for: payment, set: {reference: '{tag}'}}]", "is of a line"),
            ("rules: [{for: orders, set: {contact: X}}]", "did you mean `order`?"),
            ("rules: [{for: order, set: {contact_name: '<b>'}}]", "no < or >"),
            ("rules: [{set: {description: '{product'}}]", "opened and not closed"),
            ("rules: [{set: {description: 'a}'}}]", "closed that was not opened"),
            ("rules: [{set: {description: '{}'}}]", "cannot be read"),
            ("rules: [{set: {description: '{product |}'}}]", "cannot be read"),
            ("rules: [{set: {description: '{product | first 0}'}}]", "from 1 to 1000"),
            ("rules: [{set: {description: '{product | replace a}'}}]", "does not take 1 values"),
            ("rules: [{set: {description: '{product | date d}'}}]", "follows `{date`"),
            ("rules: [{set: {description: '{date | date hh}'}}]", "is no date format"),
            ("rules: [{set: {account: '1'}}, {set: {account: '2'}}]", "is never reached"),
            ("rules: [{name: default, set: {account: '1'}}]", "stands for no rule"),
            ("rules: [{name: a, park: x}, {name: a, park: y}]", "is there twice"),
            ("tables: [a]", "must hold keys and values"), ("tables: {a: b}", "must hold keys and values"),
            ("tables: {a: {b: [c]}}", "must be a single value"), ("tables: {a: {b: c, B: d}}", "is there twice"),
            ("unmapped_products: '12345678901'", "longer than the 10 characters"),
        ])
    func nonsense(rules: String, message: String) {
        let found = RulesExample.problems(rules)
        #expect(found.contains { $0.message.contains(message) }, "\(found)")
        #expect(found.allSatisfy { $0.line != nil })
    }

    @Test("a file made to grow beyond all bounds ends with a sentence, not with the machine")
    func hostile() {
        let deep = String(repeating: "{not: ", count: 40) + "{product: a}" + String(repeating: "}", count: 40)
        let nested = RulesExample.problems("rules: [{park: x, when: \(deep)}]")
        #expect(nested.contains { $0.message.contains("nested more than 8 deep") })

        // Each list holds the one before it ten times.
        var bomb = "rules:\n  - park: x\n    when:\n      any:\n        - &a0 {product: a}\n"
        for level in 1...6 {
            let inner = Array(repeating: "*a\(level - 1)", count: 20).joined(separator: ", ")
            bomb += "        - &a\(level) {any: [\(inner)]}\n"
        }
        let took = ContinuousClock().measure {
            #expect(RulesExample.problems(bomb).contains { $0.message.contains("more than 50000 values") })
        }
        #expect(took < .seconds(20))

        let many = "rules:\n" + (0...500).map { "  - {name: r\($0), park: x, when: {product: p\($0)}}\n" }.joined()
        #expect(RulesExample.problems(many).contains { $0.message.contains("holds 501 rules, more than 500") })
        let list = (0...10_000).map { "p\($0)" }.joined(separator: ", ")
        let long = RulesExample.problems("rules: [{park: x, when: {product: [\(list)]}}]")
        #expect(long.contains { $0.message.contains("more than 10000 values") })
        let table = (0...20_000).map { "k\($0): v" }.joined(separator: ", ")
        let wide = RulesExample.problems("tables: {t: {\(table)}}")
        #expect(wide.contains { $0.message.contains("more than 20000 entries") })
    }

    @Test("a table may be as large as it is allowed, and every entry is found")
    func largeTable() throws {
        let table = (0..<20_000).map { "      product \($0): \"\($0 % 100)\"" }.joined(separator: "\n")
        let book = try RulesExample.book(
            "tables:\n  t:\n\(table)\nrules:\n  - name: all\n    set: {account: \"{product | lookup t}\"}")
        let found = book.treatment(of: RulesExample.line("Product 12345"), in: RulesExample.order)
        #expect(found.account == "45")
    }

    @Test("the README's example of rules is in order, and every field and transform is named in the README")
    func readme() throws {
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let afterFence = try #require(readme.split(separator: "```yaml\n").dropFirst().first)
        let example = try #require(afterFence.split(separator: "```").first)
        #expect(RulesExample.problems(String(example)) == [])
        for field in Rule.TextField.allCases.map(\.rawValue) + Rule.NumberField.allCases.map(\.rawValue) {
            #expect(readme.contains("`\(field)`"), "\(field)")
        }
    }

    @Test("an alias to itself is not followed")
    func cycle() {
        #expect(!RulesExample.problems("rules: [{park: x, when: &a {not: *a}}]").isEmpty)
    }
}
