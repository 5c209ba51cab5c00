import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Rules over what the catalogue knows of a product, and books of another country.
@Suite struct CatalogueRuleTests {
    private func rule(_ name: String, _ field: Rule.TextField, _ word: String, _ account: String) -> Rule {
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate(account)
        return Rule(name: name, subject: .line, condition: .text(field, .equals(FoldedText(word))), outcome: outcome)
    }

    private func line(_ name: String, product: String) -> OrderLine {
        var line = OrderLine.example(name, "1", "11.00")
        line.product = product
        return line
    }

    private var books: VenueBooks {
        var books = VenueBooks.example
        books.products = [
            "7": Product(
                id: "7", name: "Shiraz", sku: "W-7", categories: ["Wine", "Bottles"], tags: ["Organic", "Local"]),
            "8": Product(id: "8", name: "Pie", sku: "P-8", categories: ["Food"], tags: []),
        ]
        return books
    }

    @Test("category, tag and SKU that only the catalogue knows decide about a line", arguments: [
        (.category, "bottles"), (.tag, "ORGANIC"), (.sku, "w-7"),
    ] as [(Rule.TextField, String)])
    func catalogue(field: Rule.TextField, word: String) throws {
        var books = books
        books.rules = RuleBook(rules: [rule("ours", field, word, "205")])
        let order = Order.example(total: "33.00", lines: [
            line("Shiraz", product: "7"), line("Pie", product: "8"), line("Open price", product: "9"),
        ])
        let invoice = try OrderMapping(books: books).invoice(for: order)
        #expect(invoice.lines.map(\.account) == ["205", "230", "230"])
        #expect(invoice.lines.map(\.rule) == ["ours", "default", "default"])
        // Without the catalogue nothing is known of it.
        books.products = [:]
        #expect(try OrderMapping(books: books).invoice(for: order).lines.map(\.account) == ["230", "230", "230"])
    }

    @Test("what the record itself says of a product comes before the catalogue")
    func recordFirst() throws {
        var books = books
        books.rules = RuleBook(rules: [
            rule("tag", .tag, "Imported", "206"), rule("category", .category, "Spirits", "207"),
            rule("sku", .sku, "S-1", "208"), rule("catalogue", .category, "Wine", "205"),
        ])
        let mapping = OrderMapping(books: books)
        func account(_ change: (inout OrderLine) -> Void) throws -> [String] {
            var line = line("Shiraz", product: "7")
            change(&line)
            return try mapping.invoice(for: .example(total: "11.00", lines: [line])).lines.map(\.account)
        }
        #expect(try account { _ in } == ["205"])
        #expect(try account { $0.tags = ["Imported"] } == ["206"])
        #expect(try account { $0.categories = ["Spirits"] } == ["207"])
        #expect(try account { $0.sku = "S-1" } == ["208"])
    }

    @Test("a sale in New Zealand at 15 %: tax types, what is no supply, and rules as its organisation says")
    func newZealand() throws {
        var books = VenueBooks.example
        (books.currency, books.accounts.outsideTaxType) = ("NZD", "NONE")
        books.taxTypes = [decimal("0.15"): "OUTPUT2", .zero: "ZERORATED"]
        var export = Rule.Outcome()
        (export.account, export.taxType) = (TextTemplate("235"), TextTemplate("ZERORATED"))
        books.products = ["8": Product(id: "8", name: "Hamper", categories: ["Export"])]
        books.rules = RuleBook(rules: [
            Rule(
                name: "export", subject: .line, condition: .text(.category, .equals(FoldedText("export"))),
                outcome: export),
        ])
        var hamper = OrderLine.example("Hamper", "1", "40.00", rates: ["0.15"])
        hamper.product = "8"
        var order = Order.example(
            total: "72.49", lines: [
                .example("Lamb", "1", "23.00", rates: ["0.15"]), .example("Rates", "1", "10.00", rates: []), hamper,
            ],
            payments: [tender("Card", "50.00", tip: "5.00"), tender("Cash", "27.50")])
        order.fixedVariation = decimal("-0.51")
        let invoice = try OrderMapping(books: books).invoice(for: order)
        #expect(invoice.currency == "NZD" && invoice.total.cents == 7750 && invoice.due == .zero)
        #expect(
            invoice.lines.map { "\($0.account) \($0.taxType) \($0.amount) \($0.tax)" } == [
                "230 OUTPUT2 23.00 3.00", "230 ZERORATED 10.00 0.00", "235 ZERORATED 40.00 0.00",
                "230 OUTPUT2 -0.16 -0.02", "230 ZERORATED -0.35 0.00", "825 NONE 5.00 0.00", "860 NONE 0.01 0.00",
            ])
        #expect(invoice.payments.map { "\($0.account) \($0.amount)" } == ["232 50.00", "231 27.50"])
        // A rate of the neighbours has no tax type here.
        let foreign = Order.example(total: "11.00", lines: [.example("Pie", "1", "11.00")])
        let park = #expect(throws: Park.self) { try OrderMapping(books: books).invoice(for: foreign) }
        #expect(park?.cause.contains("no tax type is set for a rate of 0.1") == true)
    }
}
