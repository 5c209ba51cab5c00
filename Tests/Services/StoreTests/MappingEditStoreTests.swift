import Domain
import Postgres
import Settings
import Store
import Testing

/// What people set of the mapping: one row an edit, kept for good, made one after the other.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct MappingEditStoreTests {
    private static let harbour = MappingScope.organisation(OrganisationKey("harbour"))
    private static let bistro = MappingScope.venue(
        VenueKey(company: CompanyKey("harbour"), site: SiteID("923")), of: OrganisationKey("harbour"))

    private struct Refused: Error {}

    private static func set(
        _ store: PostgresStore, _ what: String, _ value: String?, of scope: MappingScope = harbour, by: String = "ana",
        check: @escaping @Sendable ([MappingEdit], [MappingEdit]) throws -> Void = { _, _ in }
    ) async throws -> (kept: KeptMappingEdit, before: String?) {
        try await store.edit(
            try #require(MappingTarget(what)), of: scope, to: value, by: by, because: "because of \(what)",
            check: check)
    }

    @Test("the latest edit of each place stands, with author, reason and moment; what is unset does not")
    func standing() async throws {
        try await Database.with("mappingedits") { _, store in
            #expect(try await store.mappingEdits().through == 0)
            #expect(try await store.lastMappingEdit() == 0)
            let first = try await Self.set(store, "accounts.sales", "231")
            #expect(first.before == nil && first.kept.value == "231" && first.kept.author == "ana")
            _ = try await Self.set(store, "accounts.sales", "241", of: Self.bistro, by: "ben")
            let second = try await Self.set(store, "accounts.sales", "232", by: "cleo")
            #expect(second.before == "231")
            _ = try await Self.set(store, "payment_methods.Cash", "251")
            let gone = try await Self.set(store, "payment_methods.cash", nil, by: "dora")
            #expect(gone.before == "251" && gone.kept.value == nil)
            let edits = try await store.mappingEdits()
            #expect(edits.through == gone.kept.id)
            #expect(try await store.lastMappingEdit() == gone.kept.id)
            // In the order in which they were made.
            #expect(edits.standing.map(\.value) == ["241", "232"])
            #expect(edits.standing.map(\.author) == ["ben", "cleo"])
            #expect(edits.standing.map(\.scope) == [Self.bistro, Self.harbour])
            #expect(edits.standing.allSatisfy { $0.reason == "because of accounts.sales" })
            #expect(edits.edits.map(\.value) == ["241", "232"])
            // Nothing of it is lost: page by page, the latest first.
            var history: [KeptMappingEdit] = []
            while true {
                let page = try await store.mappingEditHistory(before: history.last?.id, limit: 2)
                history += page
                if page.count < 2 { break }
            }
            #expect(history.map(\.author) == ["dora", "ana", "cleo", "ben", "ana"])
            #expect(history.map(\.id) == history.map(\.id).sorted(by: >))
        }
    }

    @Test("what is not in order is not kept, and what does not stand cannot be unset; rows never change")
    func refused() async throws {
        try await Database.with("mappingrefused") { pool, store in
            await #expect(throws: Refused.self) {
                try await Self.set(store, "accounts.sales", "231") { before, after in
                    #expect(before.isEmpty && after.map(\.value) == ["231"])
                    throw Refused()
                }
            }
            do {
                _ = try await Self.set(store, "accounts.sales", nil)
                Issue.record("nothing stands there")
            } catch let refusal as MappingEditRefusal { #expect(refusal.isNothing) }
            await #expect(throws: MappingEditRefusal.self) {
                try await store.edit(
                    try #require(MappingTarget("accounts.sales")), of: Self.harbour, to: "231", by: "ana",
                    because: String(repeating: "x", count: 1001)) { _, _ in }
            }
            #expect(try await store.mappingEdits().through == 0)
            _ = try await Self.set(store, "accounts.sales", "231")
            for change in ["UPDATE mapping_edit SET author = 'eve'", "DELETE FROM mapping_edit"] {
                await #expect(throws: PostgresError.self) { try await pool.withSession { try $0.execute(change) } }
            }
            #expect(try await store.mappingEdits().standing.map(\.author) == ["ana"])
        }
    }

    @Test("two people at once: each sees what the other did, so that two values that do not fit are not both kept")
    func atOnce() async throws {
        try await Database.with("mappingrace") { _, store in
            // Of each pair only one is in order.
            let kept = try await withThrowingTaskGroup(of: Bool.self) { group in
                for code in 1...8 {
                    group.addTask {
                        do {
                            _ = try await Self.set(store, "payment_methods.m\(code)", "25\(code)") { before, _ in
                                if !before.isEmpty { throw Refused() }
                            }
                            return true
                        } catch is Refused { return false }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(kept.count(where: \.self) == 1)
            #expect(try await store.mappingEdits().standing.count == 1)
        }
    }

    @Test("letters that the mapping may be the cause of are tried soon, those of the organisation alone")
    func probes() async throws {
        try await Desk.with("mappingprobe") { desk in
            var other = DeadLetter("3")
            other.organisation = OrganisationKey("lakeside")
            _ = try await desk.store.keep([
                DeadLetter("1"), DeadLetter("2", cause: "A locked day.", deadLetterClass: .lockedPeriod), other,
            ])
            try await desk.pool.withSession {
                try $0.script("UPDATE dead_letter_group SET probes = 5, next_probe = now() + interval '1 hour'")
            }
            _ = try await Self.set(desk.store, "accounts.sales", "231")
            let soon = try await desk.pool.withSession { session in
                try session.query(
                    """
                    SELECT class || ' ' || organisation AS name FROM dead_letter_group
                     WHERE next_probe BETWEEN now() AND now() + interval '6 seconds' AND probes = 0
                    """
                ).map { try $0.text("name") }
            }
            #expect(soon == ["archived harbour"])
        }
    }
}
