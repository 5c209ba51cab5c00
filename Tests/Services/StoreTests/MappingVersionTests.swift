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
