import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct MappingStoreTests {
    @Test("a record delivered twice, also by two mappers at once, is one document with its payments once")
    func twice() async throws {
        try await Database.with("twice") { pool, store in
            let records = (1...50).map { record("\($0)") }
            let outcomes = try await withThrowingTaskGroup(of: [AcceptedDocument].self) { group in
                for turn in 0..<4 {
                    group.addTask { try await store.accept(turn % 2 == 0 ? records : records.reversed()) }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(outcomes.count { $0.outcome == .created } == 50)
            #expect(outcomes.count { $0.outcome == .known(.ready) } == 150)
            let counts = try await pool.withSession { session in
                try session.query(
                    "SELECT (SELECT count(*) FROM document) AS d, (SELECT count(*) FROM payment) AS p,"
                        + " (SELECT count(*) FROM source_record) AS s, (SELECT sum(total) FROM document) AS t")[0]
            }
            #expect(try counts.int("d") == 50)
            #expect(try counts.int("p") == 100)
            #expect(try counts.int("s") == 50)
            #expect(try counts.numeric("t") == "500.00")
        }
    }

    @Test("a newer version replaces what was not sent; an older one is stale; a sent one is never touched")
    func versions() async throws {
        try await Database.with("versions") { pool, store in
            #expect(try await store.accept([record("1", cents: 1000)]).map(\.outcome) == [.created])
            #expect(try await store.accept([record("1", cents: 1200, content: "second")]).map(\.outcome) == [.replaced])
            #expect(try await store.accept([record("1", cents: 1000)]).map(\.outcome) == [.stale])
            let rows = try await pool.withSession { session in
                try session.query("SELECT total, (SELECT sum(amount) FROM payment) AS paid FROM document")
            }
            #expect(try rows.map { try $0.numeric("total") } == ["12.00"])
            #expect(try rows.map { try $0.numeric("paid") } == ["12.00"])

            let id = try await store.accept([record("1", cents: 1200, content: "second")])[0].id
            _ = try await store.claim([id], lease: .seconds(60))
            let outcome = try await store.accept([record("1", cents: 1300, content: "third")])[0].outcome
            #expect(outcome == .conflict(.claimed, total: "12.00"))
        }
    }

    @Test("a version that the till shows again counts as of then; a message that comes again as of when it was read")
    func readAgain() async throws {
        try await Database.with("read_again") { pool, store in
            func version(_ content: String, _ cents: Int64, seen: Int64) -> MappedRecord {
                var made = record("1", cents: cents, content: content)
                made.firstSeen = Instant(secondsSince1970: 1_795_000_000 + seen)
                return made
            }
            #expect(try await store.accept([version("first", 1000, seen: 0)]).map(\.outcome) == [.created])
            // One that was read earlier and stamped too late.
            #expect(try await store.accept([version("old", 900, seen: 40)]).map(\.outcome) == [.replaced])
            #expect(try await store.accept([version("first", 1000, seen: 20)]).map(\.outcome) == [.stale])
            // The next look shows what the till says, and the old message comes once more, also beside it.
            let both = [version("first", 1000, seen: 60), version("first", 1000, seen: 60)]
            #expect(try await store.accept(both).map(\.outcome).first == .replaced)
            #expect(try await store.accept([version("old", 900, seen: 40)]).map(\.outcome) == [.stale])
            #expect(try await store.accept([version("first", 1000, seen: 60)]).map(\.outcome) == [.known(.ready)])
            let rows = try await pool.withSession { session in
                try session.query("SELECT total, (SELECT count(*) FROM source_record) AS versions FROM document")
            }
            #expect(try rows.map { try $0.numeric("total") } == ["10.00"])
            #expect(try rows.map { try $0.int("versions") } == [2])
        }
    }

    @Test("what Xero refused becomes ready again when its record is replayed, changed or not")
    func replay() async throws {
        try await Database.with("replay") { _, store in
            for content in ["first", "first", "second"] {
                let accepted = try await store.accept([record("1", content: content)])[0]
                #expect(accepted.outcome == .created || accepted.outcome == .replaced)
                let claim = try #require(try await store.claim([accepted.id], lease: .seconds(60)).first?.claim)
                _ = try await store.recordSending(
                    [claim],
                    SendingAttempt(
                        organisation: OrganisationKey("harbour"), key: "\(claim.fencing)", bytes: [],
                        lease: .seconds(60)))
                try await store.recordInvoices(
                    [InvoiceResult(claim: claim, state: .refused, cause: "no")], of: nil, payments: [])
            }
        }
    }

    @Test("answers come in the order of the records, whatever order the table wants")
    func order() async throws {
        try await Database.with("order") { _, store in
            let records = ["9", "10", "1", "5"].map { record($0) }
            let accepted = try await store.accept(records)
            #expect(accepted.map(\.number.text) == ["HBR-9", "HBR-10", "HBR-1", "HBR-5"])
        }
    }
}
