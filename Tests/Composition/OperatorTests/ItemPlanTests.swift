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
