import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct WritingStoreTests {
    let harbour = OrganisationKey("harbour")

    @Test("of many writers who want the same documents, each document goes to one")
    func claims() async throws {
        try await Database.with("claims") { _, store in
            let ids = try await store.accept((1...60).map { record("\($0)") }).map(\.id)
            let claimed = try await withThrowingTaskGroup(of: [DocumentID].self) { group in
                for _ in 0..<6 {
                    group.addTask {
                        try await store.claim(ids.shuffled(), lease: .seconds(60)).compactMap(\.claim).map(\.id)
                    }
                }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(claimed.sorted() == ids.sorted())
        }
    }

    @Test("a claim carries what the writer needs, exact digits and payments in order")
    func content() async throws {
        try await Database.with("content") { _, store in
            let id = try await store.accept([record("7", cents: 1001)])[0].id
            let claim = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(claim.before == .ready)
            #expect(claim.total == "10.01")
            #expect(claim.payments.map(\.amount) == ["5.00", "5.01"])
            #expect(claim.date == "2026-11-20")
            #expect(String(decoding: claim.body, as: UTF8.self).contains("HBR-7"))
        }
    }

    @Test("a writer whose lease ran out changes nothing; the next one sees what it left")
    func fencing() async throws {
        try await Database.with("fencing") { _, store in
            let id = try await store.accept([record("1")])[0].id
            let first = try #require(try await store.claim([id], lease: .zero).first?.claim)
            try await store.recordSending([first], organisation: harbour, key: "k1", bytes: [1])
            let second = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(second.before == .sent)
            #expect(second.fencing > first.fencing)
            await #expect(throws: LeaseLost.self) {
                try await store.recordInvoices(
                    [InvoiceResult(claim: first, state: .written, xeroID: "x")], key: "k1", payments: nil)
            }
            await #expect(throws: LeaseLost.self) { try await store.extend([first], lease: .seconds(60)) }
            try await store.recordInvoices(
                [InvoiceResult(claim: second, state: .written, xeroID: "x")], key: "k1", payments: nil)
        }
    }

    @Test("a document whose lease holds is busy for others; a finished one needs nobody; an unknown one is absent")
    func outcomes() async throws {
        try await Database.with("outcomes") { _, store in
            let id = try await store.accept([record("1")])[0].id
            let claim = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            guard case .busy = try await store.claim([id], lease: .seconds(60))[0].outcome else {
                Issue.record("not busy")
                return
            }
            try await store.recordSending([claim], organisation: harbour, key: "k", bytes: [1])
            try await store.recordInvoices(
                [InvoiceResult(claim: claim, state: .written, xeroID: "x")], key: "k", payments: nil)
            try await store.recordPayments(
                claim.payments.map { PaymentResult(id: $0.id, state: .written, xeroID: "p\($0.id)") },
                settled: [claim], key: nil)
            guard case .finished(.written) = try await store.claim([id], lease: .seconds(60))[0].outcome else {
                Issue.record("not finished")
                return
            }
            guard case .absent = try await store.claim([DocumentID(999_999)], lease: .seconds(60))[0].outcome else {
                Issue.record("not absent")
                return
            }
        }
    }

    @Test("written with open payments is taken up again when its writer died, and only then")
    func openPayments() async throws {
        try await Database.with("open") { _, store in
            let id = try await store.accept([record("1")])[0].id
            let claim = try #require(try await store.claim([id], lease: .zero).first?.claim)
            try await store.recordSending([claim], organisation: harbour, key: "k", bytes: [1])
            let payments = PaymentAttempt(
                organisation: harbour, key: "p", bytes: [2], ids: claim.payments.map(\.id))
            try await store.recordInvoices(
                [InvoiceResult(claim: claim, state: .written, xeroID: "x")], key: "k", payments: payments)
            let next = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(next.before == .written)
            #expect(next.xeroID == "x")
            #expect(next.payments.allSatisfy { $0.state == "sent" })
        }
    }

    @Test("the sweeper finds what nobody works on, once, and leaves leased documents alone")
    func sweeping() async throws {
        try await Database.with("sweep") { pool, store in
            let ids = try await store.accept((1...5).map { record("\($0)") }).map(\.id)
            _ = try await store.claim([ids[0]], lease: .seconds(60))
            _ = try await pool.withSession {
                try $0.execute("UPDATE document SET published_at = now() - interval '1 hour'")
            }
            let forgotten = try await store.takeForgotten(of: harbour, olderThan: .seconds(60), limit: 100)
            #expect(Set(forgotten) == Set(ids.dropFirst()))
            #expect(try await store.takeForgotten(of: harbour, olderThan: .seconds(60), limit: 100).isEmpty)
            #expect(try await store.openCounts() == [harbour: 5])
        }
    }
}
