import Domain
import Mapping
import Money
import Operator
import Settings
import Testing
import Xero

@Suite("Products as items") struct ItemPlanTests {
    private func product(_ id: String, _ name: String, sku: String? = nil, category: String = "") -> Product {
        Product(
            id: id, name: name, sku: sku, categories: category.isEmpty ? [] : [category], price: ExactDecimal("4.50"),
            taxRates: [ExactDecimal("0.1")!])
    }

    private func organisation(_ old: String = "", _ new: String = "") throws -> Settings {
        try ChartCheckTests.settings(ChartCheckTests.yaml.replacing(old, with: new))
    }

    @Test("an item has the product's SKU, price, and the account and tax type its lines have")
    func plain() throws {
        let products = [
            product("1", "Flat white", sku: "FW", category: "Coffee"),
            product("2", String(repeating: "x", count: 60), category: "Food"),
        ]
        let plan = ItemPlan(try organisation().organisations[0], products: products)
        #expect(plan.entries.map(\.item.code) == ["FW", "2"])
        #expect(plan.entries.map(\.item.account) == ["200", "230"])
        #expect(plan.entries.map(\.item.taxType) == ["OUTPUT", "OUTPUT"])
        #expect(plan.entries[1].item.name.count == 50)
        #expect(plan.problems.isEmpty)
        #expect(
            String(decoding: plan.entries[0].item.element, as: UTF8.self)
                == #"{"Code":"FW","Name":"Flat white","IsSold":true,"SalesDetails":{"UnitPrice":4.5,"#
                + #""AccountCode":"200","TaxType":"OUTPUT"}}"#)
    }

    @Test("two products with one SKU are two items, a code too long is none, and both are told")
    func hostile() throws {
        var taxed = product("4", "Odd")
        taxed.taxRates = [ExactDecimal("0.33")!]
        let plan = ItemPlan(
            try organisation().organisations[0],
            products: [
                product("1", "A", sku: "X"), product("2", "B", sku: "X"),
                product("3", "C", sku: String(repeating: "9", count: 31)), taxed, product("5", "", sku: "\u{0}"),
            ])
        #expect(plan.entries.map(\.item.code) == ["X", "2"])
        #expect(plan.problems.count == 4)
        #expect(plan.problems[0].contains("goes by its id"))
    }

    @Test(
        "no two items have one code: a SKU comes before any id, and what is taken twice is told",
        arguments: [false, true])
    func codes(isReversed: Bool) throws {
        let products = [
            // A SKU that is another product's id, one that is a doubled SKU's id, and one that is the way out of both.
            product("1", "By its id"), product("2", "Takes an id", sku: "1"), product("3", "First", sku: "X"),
            product("4", "Second", sku: "X"), product("5", "In its way", sku: "4"),
            product("6", "Plain", sku: "Y\u{1}"), product("7", "Same but for a letter none sees", sku: "Y"),
            product("8", "All taken"),
            product("9", "Takes that too", sku: "8"), product("10", "And that", sku: "K-8"),
        ]
        let plan = ItemPlan(
            try organisation().organisations[0], products: isReversed ? products.reversed() : products)
        #expect(
            plan.entries.map { "\($0.product) \($0.item.code)" } == [
                "1 K-1", "10 K-8", "2 1", "3 X", "4 K-4", "5 4", "6 Y", "7 7", "9 8",
            ])
        #expect(
            plan.problems == [
                "By its id (1) goes by `K-1`: product 2 has the code `1` already",
                "Second (4) goes by `K-4`: product 3 has the code `X` already",
                "Same but for a letter none sees (7) goes by its id: product 6 has the code `Y` already",
                "All taken (8) has no item: product 9 has the code `8` already",
            ])
    }

    @Test("a rule that looks at more than the product says nothing of its item, however deep it looks", arguments: [
        ("", "200"), ("when: {category: Coffee}", "200"), ("when: {not: {tag: Wine}}", "200"),
        ("when: {any: [{sku: FW}, {product: Nothing}]}", "200"), ("when: {register: {not: Bar}}", "230"),
        ("when: {category: Coffee, weekday: [thursday]}", "230"), ("when: {amount: {under: 99}}", "230"),
        ("when: {not: {venue: Harbour Bistro}}", "230"), ("when: {any: [{category: Coffee}, {staff: Ann}]}", "230"),
        ("when: {all: [{category: Coffee}, {not: {any: [{date: [2026-01-01]}]}}]}", "230"),
        ("when: {category: Coffee, not: {customer_tag: Staff}}", "230"), ("when: {total: {under: 99}}", "230"),
    ])
    func productAlone(when: String, account: String) throws {
        let rules = "      - name: by category\n"
        let yaml = ChartCheckTests.yaml.replacing(rules, with: rules + (when.isEmpty ? "" : "        \(when)\n"))
        #expect(when.isEmpty || yaml != ChartCheckTests.yaml)
        let plan = ItemPlan(
            try ChartCheckTests.settings(yaml).organisations[0],
            products: [product("1", "Flat white", sku: "FW", category: "Coffee")])
        #expect(plan.entries.map(\.item.account) == [account])
    }

    @Test("an account looked up by what an order holds is no item's; the next rule that knows the product decides")
    func accountOfOrder() throws {
        let rules = "    rules:\n"
        let first = "      - name: by register\n        when: {category: Coffee}\n"
            + "        set: {account: \"{register | lookup by_category | else 205}\"}\n"
        let yaml = ChartCheckTests.yaml.replacing(rules, with: rules + first)
        #expect(yaml != ChartCheckTests.yaml)
        let plan = ItemPlan(
            try ChartCheckTests.settings(yaml).organisations[0],
            products: [product("1", "Flat white", sku: "FW", category: "Coffee")])
        #expect(plan.entries.map(\.item.account) == ["200"])
    }

    @Test("five hundred and one products go in two calls, each once")
    func batches() async throws {
        let settings = try organisation()
        let products = (1...501).map { product("\($0)", "Product \($0)", sku: "P\($0)") }
        let plan = ItemPlan(settings.organisations[0], products: products)
        #expect(ItemPlan.batches(of: []).isEmpty)
        #expect(ItemPlan.batches(of: Array(plan.entries.prefix(500))).map(\.count) == [500])
        try await SimulatedLedger.with { client, _, _ in
            let changed = plan.changes(over: try await client.items().value(), known: [:]).changed
            let batches = ItemPlan.batches(of: changed)
            #expect(batches.map(\.count) == [500, 1])
            for batch in batches {
                let results = try await client.upsertItems(batch.map(\.item)).value()
                #expect(results.map(\.code) == batch.map(\.item.code) && results.allSatisfy { $0.id != nil })
            }
            let standing = try await client.items().value()
            #expect(standing.count == 501 && Set(standing.map(\.code)) == Set(plan.entries.map(\.item.code)))
            #expect(plan.changes(over: standing, known: [:]).changed.isEmpty)
        }
    }

    @Test("an item that somebody edited in Xero is sent again; one that stands there already is linked, not sent")
    func standing() async throws {
        let settings = try organisation()
        try await SimulatedLedger.with { client, _, _ in
            let products = (1...3).map { product("\($0)", "Product \($0)", sku: "P\($0)") }
            let plan = ItemPlan(settings.organisations[0], products: products)
            // Somebody had made one of them before, as it should be, and another at an old price.
            let dear = try #require(
                LedgerItem(
                    code: "P2", name: "Product 2", price: ExactDecimal("9.99"), account: "230", taxType: "OUTPUT"))
            _ = try await client.upsertItems([plan.entries[0].item, dear]).value()
            let found = plan.changes(over: try await client.items().value(), known: [:])
            #expect(found.changed.map(\.item.code) == ["P2", "P3"])
            #expect(found.settled.map(\.entry.item.code) == ["P1"])
            #expect(found.settled.allSatisfy { !$0.id.isEmpty })
            _ = try await client.upsertItems(found.changed.map(\.item)).value()
            let known = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.item.code, $0.hash) })
            let edited = try #require(
                LedgerItem(
                    code: "P3", name: "Renamed", price: ExactDecimal("4.50"), account: "230", taxType: "OUTPUT"))
            _ = try await client.upsertItems([edited]).value()
            let again = plan.changes(over: try await client.items().value(), known: known)
            #expect(again.changed.map(\.item.code) == ["P3"] && again.settled.isEmpty)
        }
    }

    @Test("items reach Xero once; only what changed is sent again; a refused one does not hold up its neighbours")
    func upsert() async throws {
        let settings = try organisation()
        try await SimulatedLedger.with { client, _, _ in
            let products = (1...3).map { product("\($0)", "Product \($0)", sku: "P\($0)") }
            let plan = ItemPlan(settings.organisations[0], products: products)
            let first = plan.changes(over: try await client.items().value(), known: [:])
            let results = try await client.upsertItems(first.changed.map(\.item)).value()
            #expect(results.map(\.code) == ["P1", "P2", "P3"])
            #expect(Set(results.compactMap(\.id)).count == 3)
            let known = Dictionary(uniqueKeysWithValues: plan.entries.map { ($0.item.code, $0.hash) })
            let standing = try await client.items().value()
            let second = plan.changes(over: standing, known: known)
            #expect(second.changed.isEmpty && second.settled.isEmpty)
            var dearer = products
            dearer[1].price = ExactDecimal("5.00")
            let changed = ItemPlan(settings.organisations[0], products: dearer)
                .changes(over: standing, known: known).changed
            #expect(changed.map(\.item.code) == ["P2"])
            let again = try await client.upsertItems(changed.map(\.item)).value()
            #expect(again[0].id == results[1].id)

            let bad = try #require(
                LedgerItem(code: "BAD", name: "Bad", price: nil, account: "nowhere", taxType: "OUTPUT"))
            let mixed = try await client.upsertItems([bad, plan.entries[0].item]).value()
            #expect(mixed.first { $0.code == "BAD" }?.id == nil)
            #expect(mixed.first { $0.code == "BAD" }?.errors.isEmpty == false)
            #expect(mixed.first { $0.code == "P1" }?.id == results[0].id)
        }
    }
}
