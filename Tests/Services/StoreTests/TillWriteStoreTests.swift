import Domain
import Mapping
import Money
import Postgres
import Settings
import Store
import Testing

private let company = CompanyKey("harbour")
private let organisation = OrganisationKey("harbour")
private let noon = Instant(secondsSince1970: 1_795_000_000)
private let rules = hash("rules")

/// An order of a named customer, whose document goes to a contact of theirs.
private func sale(_ id: String, to customer: String, contact: String? = nil, seen: Int64 = 0) -> MappedRecord {
    var sale = record(id)
    sale.document?.contactNumber = contact ?? customer
    sale.firstSeen = noon.adding(seconds: seen)
    sale.contact = CustomerContact(customer: customer, number: contact ?? customer)
    return sale
}

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct TillWriteStoreTests {
    private func due(_ store: PostgresStore) async throws -> [DueCustomer] {
        try await store.dueCustomers(of: company, limit: 100)
    }

    private func first(_ store: PostgresStore) async throws -> DueCustomer { try #require(await due(store).first) }

    private func written(_ value: String) -> TillWriteResult {
        TillWriteResult(.written, value: value, rules: rules, mappingVersion: 7)
    }

    @Test("a customer is due once the document and the contact are there, whichever comes first, and not twice")
    func due() async throws {
        try await Database.with("till_due") { pool, store in
            _ = try await store.accept([sale("1", to: "501"), record("2")])
            #expect(try await due(store).isEmpty)
            try await store.link("501", to: "x-501", in: organisation)
            try await store.link("502", to: "x-502", in: organisation)
            #expect(try await due(store).map(\.contact) == [ContactFacts(id: "x-501", number: "501")])
            let only = try await first(store)
            #expect(only.ours.isEmpty)
            _ = try await store.accept([sale("3", to: "502")])
            #expect(try await due(store).map(\.write.id) == ["501", "502"])
            // Another order of the same customer is no reason to look again, delivered again it is none either.
            try await store.settle(only.write, written("x-501"))
            _ = try await store.accept([sale("4", to: "501", seen: 5)])
            _ = try await store.accept([sale("1", to: "501")])
            #expect(try await due(store).map(\.write.id) == ["502"])
            // The link being found again neither; another contact behind the number is one.
            try await store.link("501", to: "x-501", in: organisation)
            #expect(try await due(store).map(\.write.id) == ["502"])
            try await store.link("501", to: "x-merged", in: organisation)
            let again = try await due(store).first { $0.write.id == "501" }
            #expect(again?.contact.id == "x-merged" && again?.ours == ["x-501"])
        }
    }

    @Test("the newer of two orders says which contact is the customer's, in whatever order they come")
    func newest() async throws {
        try await Database.with("till_newest") { pool, store in
            for number in ["A", "B", "C"] { try await store.link(number, to: "x-\(number)", in: organisation) }
            _ = try await store.accept([sale("1", to: "501", contact: "B", seen: 10)])
            _ = try await store.accept([sale("2", to: "501", contact: "A", seen: 5)])
            #expect(try await due(store).map(\.contact.number) == ["B"])
            _ = try await store.accept([
                sale("3", to: "501", contact: "C", seen: 30), sale("4", to: "501", contact: "A", seen: 20),
            ])
            #expect(try await due(store).map(\.contact.number) == ["C"])
        }
    }

    @Test("an order that is decided upon by itself notes its customer in the same transaction")
    func posting() async throws {
        try await Database.with("till_posting") { pool, store in
            try await store.link("501", to: "x-501", in: organisation)
            var request = PostingRequest(
                source: SourceKey(company: company, kind: .order, id: "1"), hash: hash("1"), body: [1],
                firstSeen: noon, organisation: organisation, number: DocumentNumber("HBR-1"), original: nil)
            request.contact = CustomerContact(customer: "501", number: "501")
            #expect(try await store.post(request) { _ in (moves: [], ending: true) } != nil)
            #expect(try await due(store).map(\.write.id) == ["501"])
            // A version that is older than one that was seen says nothing.
            request.hash = hash("older")
            request.firstSeen = noon.adding(seconds: -5)
            request.contact = CustomerContact(customer: "777", number: "501")
            #expect(try await store.post(request) { _ in (moves: [], ending: true) } == nil)
            #expect(try await due(store).map(\.write.id) == ["501"])
        }
    }

    @Test("an id that could lead a path elsewhere is no customer's")
    func ids() {
        #expect(CustomerContact(customer: "../sites/1", number: "1") == nil)
        #expect(CustomerContact(customer: "", number: "1") == nil)
        #expect(CustomerContact(customer: "162003", number: "1") != nil)
    }

    @Test("who looked before a newer reason came does not settle it, and what may have been sent stays known as ours")
    func revisions() async throws {
        try await Database.with("till_revision") { pool, store in
            try await store.link("501", to: "x-1", in: organisation)
            _ = try await store.accept([sale("1", to: "501")])
            let before = try await first(store)
            #expect(try await store.intend("x-1", over: nil, before.write))
            try await store.link("501", to: "x-2", in: organisation)
            try await store.settle(before.write, written("x-1"))
            let after = try await first(store)
            #expect(after.contact.id == "x-2" && after.ours == ["x-1"])
            #expect(try await store.intend("x-1", over: nil, before.write) == false)
            #expect(try await store.intend("x-2", over: "x-1", after.write))
            #expect(try await first(store).ours == ["x-1", "x-2"])
            try await store.settle(after.write, written("x-2"))
            #expect(try await due(store).isEmpty)
            try await store.link("501", to: "x-3", in: organisation)
            #expect(try await first(store).ours == ["x-2"])
        }
    }

    @Test("other rules have all of a kind looked at again, the same rules nothing")
    func reconsidering() async throws {
        try await Database.with("till_rules") { pool, store in
            try await store.link("501", to: "x-1", in: organisation)
            _ = try await store.accept([sale("1", to: "501")])
            let first = try await first(store)
            try await store.settle(first.write, TillWriteResult(.foreign, cause: "c", rules: rules, mappingVersion: 7))
            #expect(try await store.tillWritesLeft(of: company) == [.foreign: 1])
            try await store.reconsider(.customer, of: company, under: rules)
            try await store.reconsider(.takings, of: company, under: hash("other"))
            #expect(try await due(store).isEmpty)
            try await store.reconsider(.customer, of: company, under: hash("other"))
            let again = try await due(store)
            #expect(again.map(\.write.before) == [.foreign])
            #expect(try await store.tillWritesLeft(of: company).isEmpty)
        }
    }

    @Test("what failed waits its time, counts its attempts, and comes again with the customer's next document")
    func failing() async throws {
        try await Database.with("till_failing") { pool, store in
            try await store.link("501", to: "x-1", in: organisation)
            _ = try await store.accept([sale("1", to: "501")])
            try await store.putOff(try await first(store).write, for: .seconds(3600), because: "it rains")
            #expect(try await due(store).isEmpty)
            try await pool.withSession { _ = try $0.execute("UPDATE till_write SET due_at = now()") }
            let second = try await first(store).write
            #expect(second.attempts == 1)
            try await store.settle(second, TillWriteResult(.failed, cause: "c", rules: rules, mappingVersion: 7))
            #expect(try await due(store).isEmpty)
            _ = try await store.accept([sale("2", to: "501", seen: 60)])
            #expect(try await due(store).map(\.write.attempts) == [0])
        }
    }

    @Test("takings are due once every document of their day stands, and again when they were counted again")
    func takings() async throws {
        try await Database.with("till_takings") { pool, store in
            let day = CalendarDate(year: 2026, month: 11, day: 20)
            @Sendable func count(_ id: String, _ body: String, isProcessed: Bool = false) async throws {
                var takings = DayTakings(
                    key: DayKey(company: company, site: SiteID("923"), day: day), id: id, hash: hash(body),
                    body: Array(body.utf8), countedAt: noon, firstSeen: noon, organisation: organisation,
                    venue: "Harbour Bistro", mode: .dailySummary)
                takings.isProcessed = isProcessed
                try await store.takeIn(takings, at: noon) { _, _ in [] }
            }
            func set(_ change: String) async throws {
                _ = try await pool.withSession { try $0.execute("UPDATE venue_day SET \(change)") }
            }
            try await count("77", "a")
            try await count("78", "b", isProcessed: true)
            #expect(try await store.dueTakings(of: company, limit: 10).isEmpty)
            try await set("state = 'posted', closed_at = now(), changed_at = now()")
            #expect(try await store.dueTakings(of: company, limit: 10).isEmpty)
            try await set("changed_at = NULL")
            let due = try await store.dueTakings(of: company, limit: 10)
            #expect(due.map { "\($0.write.id) \($0.site) \($0.venue) \($0.day)" } == ["77 923 Harbour Bistro \(day)"])
            try await store.settle(#require(due.first).write, written("processed"))
            // What our own write made of them is no news, the same delivered again neither.
            try await count("77", "a with processed", isProcessed: true)
            try await count("77", "a with processed", isProcessed: true)
            #expect(try await store.dueTakings(of: company, limit: 10).isEmpty)
            try await count("77", "counted again")
            #expect(try await store.dueTakings(of: company, limit: 10).map(\.write.id) == ["77"])
        }
    }
}
