import Domain
import Postgres
import Store
import Testing

/// What is stored before payments are sent.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct PaymentSendingTests {
    private let harbour = OrganisationKey("harbour")

    private func attempt(_ key: String, _ claims: [Claim]) -> PaymentAttempt {
        PaymentAttempt(organisation: harbour, key: key, bytes: Array(key.utf8), documents: claims.map(\.id))
    }

    /// Invoices that stand, in the hands of a writer whose lease is over.
    private func standing(_ count: Int, in store: PostgresStore) async throws -> [Claim] {
        let ids = try await store.accept((1...count).map { record("\($0)") }).map(\.id)
        let read = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim).sorted { $0.id < $1.id }
        let sending = SendingAttempt(organisation: harbour, key: "invoices", bytes: [1], lease: .zero)
        let held = try await store.recordSending(read, sending)
        try await store.recordInvoices(
            held.map { InvoiceResult(claim: $0, state: .written, xeroID: "x-\($0.id)") }, of: nil, payments: [])
        return held
    }

    private func keys(_ pool: PostgresPool) async throws -> [String] {
        try await pool.withSession { session in
            try session.query("SELECT idempotency_key FROM attempt WHERE kind = 'payments' ORDER BY id")
                .map { try $0.text("idempotency_key") }
        }
    }

    @Test("a writer one of whose documents was taken over stores no request of payments, in no way, and is told so")
    func fenced() async throws {
        try await Database.with("fencedsending") { pool, store in
            let slow = try await standing(3, in: store)
            let next = try #require(try await store.claim([slow[1].id], lease: .seconds(60)).first?.claim)
            await #expect(throws: LeaseLost.self) {
                try await store.recordSending(attempt("late", slow), of: slow, insteadOf: nil)
            }
            try await store.recordSending(attempt("own", [slow[0]]), of: [slow[0]], insteadOf: nil)
            await #expect(throws: LeaseLost.self) {
                try await store.recordSending(attempt("instead", slow), of: slow, insteadOf: "own")
            }
            // With the answer about another invoice, whose own payments go together with those carried from before.
            await #expect(throws: LeaseLost.self) {
                try await store.recordInvoices(
                    [InvoiceResult(claim: slow[2], state: .written, xeroID: "x-\(slow[2].id)")], of: nil,
                    payments: [(attempt("carried", [slow[1], slow[2]]), [slow[1], slow[2]])])
            }
            try await store.recordSending(attempt("next", [next]), of: [next], insteadOf: nil)
            #expect(try await keys(pool) == ["own", "next"])
            // The refused one took nothing back.
            #expect(try await store.unanswered([slow[0].id], ageMax: .seconds(60)).map(\.key) == ["own"])
        }
    }

    @Test("a request that is sent again keeps the age of its first sending: that is how long Xero has had its key")
    func age() async throws {
        try await Database.with("sendingage") { pool, store in
            let held = try await standing(1, in: store)
            try await store.recordSending(attempt("k", held), of: held, insteadOf: nil)
            func seconds(_ key: String) async throws -> Int64 {
                try await pool.withSession { session in
                    try session.query(
                        """
                        SELECT extract(epoch FROM clock_timestamp() - sent_at)::bigint AS age FROM attempt
                         WHERE idempotency_key = $1
                        """, [.text(key)]
                    ).first?.int("age") ?? 0
                }
            }
            _ = try await pool.withSession { session in
                try session.execute("UPDATE attempt SET sent_at = clock_timestamp() - interval '250 seconds'")
            }
            try await store.recordSending(attempt("k", held), of: held, insteadOf: nil)
            #expect(try await seconds("k") >= 250)
            let found = try #require(try await store.unanswered(held.map(\.id), ageMax: .seconds(360)).first)
            #expect(found.key == "k" && found.age >= .seconds(250))
            // A minute later whoever takes over looks what stands, and sends anew.
            #expect(try await store.unanswered(held.map(\.id), ageMax: .seconds(240)).isEmpty)

            // Invoices, too.
            let id = try await store.accept([record("9")])[0].id
            let read = try await store.take([id], lease: .seconds(60)).compactMap(\.claim)
            let sending = SendingAttempt(organisation: harbour, key: "i", bytes: [1], lease: .seconds(60))
            let claimed = try await store.recordSending(read, sending)
            _ = try await pool.withSession { session in
                try session.execute("UPDATE attempt SET sent_at = clock_timestamp() - interval '250 seconds'")
            }
            _ = try await store.recordSending(claimed, sending)
            #expect(try await seconds("i") >= 250)
        }
    }
}
