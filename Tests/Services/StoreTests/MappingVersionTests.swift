import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct MappingVersionTests {
    @Test("a mapping has one number, however often and by however many mappers it is taken into effect")
    func versions() async throws {
        try await Database.with("mappingversions") { _, store in
            let file = Array("rules: []".utf8)
            let versions = try await withThrowingTaskGroup(of: Int64.self) { group in
                for _ in 0..<6 { group.addTask { try await store.mappingVersion(hash: hash("one"), file: file) } }
                return try await group.reduce(into: Set()) { $0.insert($1) }
            }
            #expect(versions.count == 1)
            let other = try await store.mappingVersion(hash: hash("two"), file: file)
            #expect(!versions.contains(other))
            #expect(try await store.mappingVersion(hash: hash("one"), file: file) == versions.first)
        }
    }

    @Test("the mapping an order was booked by is the one its basis names, else the last before it was made")
    func storedMapping() async throws {
        try await Database.with("storedmapping") { pool, store in
            let (company, organisation) = (CompanyKey("harbour"), OrganisationKey("harbour"))
            func mapping(_ id: String) async throws -> StoredMapping? {
                try await store.mapping(
                    ofOrder: id, company, number: DocumentNumber("HBR-\(id)"), in: organisation)
            }
            let first = try await store.mappingVersion(hash: hash("one"), file: Array("one".utf8))
            let made = try await store.accept([record("1"), record("2")])
            let second = try await store.mappingVersion(hash: hash("two"), file: Array("two".utf8))
            #expect(try await mapping("3") == nil)
            let plain = try #require(try await mapping("1"))
            #expect(plain.version == first && !plain.isExact && plain.file == Array("one".utf8))
            #expect(plain.hash == hash("one"))
            let id = try #require(made.first { $0.number.text == "HBR-2" }?.id)
            try await store.keepBases([DocumentBasis(document: id, mappingVersion: second, rules: ["a rule"])])
            let named = try #require(try await mapping("2"))
            #expect(named.version == second && named.isExact && named.file == Array("two".utf8))
        }
    }

    @Test("items are looked at again at once when the catalogue was read")
    func itemLease() async throws {
        try await Database.with("itemlease") { _, store in
            let name = ItemLink.lease(OrganisationKey("harbour"))
            #expect(try await store.acquire(name, for: .seconds(3600)) != nil)
            #expect(try await store.acquire(name, for: .seconds(3600)) == nil)
            try await store.letItemsBeCompared(OrganisationKey("lakeside"))
            #expect(try await store.acquire(name, for: .seconds(3600)) == nil)
            try await store.letItemsBeCompared(OrganisationKey("harbour"))
            #expect(try await store.acquire(name, for: .seconds(3600)) != nil)
        }
    }

    @Test("why a document's lines are what they are is kept, whatever the rules are called; the last mapping wins")
    func bases() async throws {
        try await Database.with("bases") { _, store in
            let names = ["by category", "default", "it's \"quoted\", {braces}", "Café ☕", ""]
            try await store.keepBases([
                DocumentBasis(document: DocumentID(7), mappingVersion: 1, rules: ["old"]),
                DocumentBasis(
                    document: DocumentID(3), mappingVersion: 1, rules: names, warnings: ["No rule maps Ice."]),
                DocumentBasis(document: DocumentID(7), mappingVersion: 2, rules: ["new", "default"]),
            ])
            let basis = try #require(try await store.basis(of: DocumentID(3)))
            #expect(basis.rules == names)
            #expect(basis.warnings == ["No rule maps Ice."])
            #expect(try await store.basis(of: DocumentID(7))?.rules == ["new", "default"])
            try await store.keepBases([DocumentBasis(document: DocumentID(7), mappingVersion: 3, rules: [])])
            #expect(try await store.basis(of: DocumentID(7))?.mappingVersion == 3)
            #expect(try await store.basis(of: DocumentID(8)) == nil)
            try await store.keepBases([])
        }
    }
}
