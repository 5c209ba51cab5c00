import Domain
import Mapping
import Money
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct ProductStoreTests {
    @Test("products come back as they were kept, each company's apart; a later reading replaces the earlier")
    func products() async throws {
        try await Database.with("products") { _, store in
            let harbour = CompanyKey("harbour")
            var pie = Product(
                id: "7", name: "Pie \"hot\"\u{0}", sku: "P,{7}", categories: ["Food", "Pies & more"], tags: [],
                price: ExactDecimal("12.30"), taxRates: [ExactDecimal("0.1")!])
            let tea = Product(id: "8", name: "Tea")
            try await store.keepProducts([pie, tea, pie], of: harbour)
            try await store.keepProducts([tea], of: CompanyKey("lakeside"))
            pie.name = "Pie \"hot\""
            #expect(try await store.products(of: harbour) == [pie, tea])
            pie.tags = ["New"]
            try await store.keepProducts([pie], of: harbour)
            #expect(try await store.products(of: harbour) == [pie, tea])
            #expect(try await store.products(of: CompanyKey("lakeside")) == [tea])
        }
    }

    @Test("an item's link holds what it was last made over, in its organisation only")
    func links() async throws {
        try await Database.with("itemlinks") { _, store in
            let harbour = OrganisationKey("harbour")
            try await store.linkItems(
                [
                    ItemLink(code: "B", product: "2", hash: hash("b"), xeroID: "x2"),
                    ItemLink(code: "A", product: "1", hash: hash("a"), xeroID: "x1"),
                ], in: harbour)
            try await store.linkItems([ItemLink(code: "A", product: "1", hash: hash("c"), xeroID: "x1")], in: harbour)
            #expect(try await store.itemHashes(in: harbour) == ["A": hash("c"), "B": hash("b")])
            #expect(try await store.itemCodes(in: harbour) == ["1": "A", "2": "B"])
            #expect(try await store.itemHashes(in: OrganisationKey("lakeside")).isEmpty)
        }
    }
}
