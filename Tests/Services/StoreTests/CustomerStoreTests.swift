import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct CustomerStoreTests {
    private let harbour = CompanyKey("harbour")
    private func at(_ seconds: Int64) -> Instant { Instant(secondsSince1970: seconds) }

    @Test("customers come back as they were kept, each company's apart; only a later look replaces an earlier one")
    func kept() async throws {
        try await Database.with("customers") { _, store in
            var ana = KnownCustomer(
                id: "7", tags: ["Staff", "Gold \"A\", {1}\u{0}"], email: "ana@lee.example", lookedAt: at(100))
            let gone = KnownCustomer(id: "8", isGone: true, lookedAt: at(100))
            let failing = KnownCustomer(
                id: "9", lookedAt: at(100), failure: .init(since: at(40), cause: "Kounta answered 500"))
            try await store.keep([failing, ana, gone], of: harbour, forgetting: at(0))
            ana.tags[1] = "Gold \"A\", {1}"
            let found = try await store.customers(["7", "8", "9", "10"], of: harbour)
            #expect(found == ["7": ana, "8": gone, "9": failing])
            #expect(try await store.customers(["8"], of: harbour) == ["8": gone])
            #expect(try await store.customers(["7"], of: CompanyKey("lakeside")).isEmpty)
            #expect(try await store.customers([], of: harbour).isEmpty)

            // A poller that lost its lease may be late with what it read before.
            try await store.keep([KnownCustomer(id: "7", lookedAt: at(99))], of: harbour, forgetting: at(0))
            #expect(try await store.customers(["7"], of: harbour) == ["7": ana])
            let mended = KnownCustomer(id: "9", tags: ["Staff"], lookedAt: at(101))
            try await store.keep([mended], of: harbour, forgetting: at(0))
            #expect(try await store.customers(["9"], of: harbour) == ["9": mended])
        }
    }

    @Test("whom nobody looked at any more is forgotten, of that company alone")
    func forgotten() async throws {
        try await Database.with("customers_old") { pool, store in
            func count() async throws -> Int64 {
                try await pool.withSession { try $0.query("SELECT count(*) AS n FROM till_customer")[0].int("n") }
            }
            for company in [harbour, CompanyKey("lakeside")] {
                try await store.keep([KnownCustomer(id: "7", lookedAt: at(100))], of: company, forgetting: at(0))
            }
            try await store.keep([KnownCustomer(id: "8", lookedAt: at(200))], of: harbour, forgetting: at(100))
            #expect(try await count() == 3)
            try await store.keep([KnownCustomer(id: "9", lookedAt: at(300))], of: harbour, forgetting: at(101))
            #expect(try await count() == 3)
            #expect(try await store.customers(["7", "8", "9"], of: harbour).keys.sorted() == ["8", "9"])
            #expect(try await store.customers(["7"], of: CompanyKey("lakeside")).count == 1)
        }
    }

    @Test("the newest version of each order that is known")
    func records() async throws {
        try await Database.with("customers_records") { pool, store in
            _ = try await pool.withSession { session in
                try session.script(
                    """
                    INSERT INTO source_record (company, kind, id, hash, body, first_seen)
                    SELECT company, kind, id, sha256(body::bytea), body::bytea, first_seen::timestamptz
                      FROM (VALUES ('harbour', 'order', '1', 'a', '2026-01-01Z'),
                                   ('harbour', 'order', '1', 'b', '2026-01-03Z'),
                                   ('harbour', 'order', '1', 'c', '2026-01-02Z'),
                                   ('harbour', 'order', '2', 'd', '2026-01-01Z'),
                                   ('harbour', 'takings', '3', 'e', '2026-01-01Z'),
                                   ('lakeside', 'order', '4', 'f', '2026-01-01Z'))
                        AS r (company, kind, id, body, first_seen)
                    """)
            }
            let ids = Set(["1", "2", "3", "4"].map { OrderID($0) })
            let found = try await store.latestRecords(orders: ids, of: harbour)
            #expect(found == [OrderID("1"): Array("b".utf8), OrderID("2"): Array("d".utf8)])
            #expect(try await store.latestRecords(orders: [], of: harbour).isEmpty)
        }
    }
}
