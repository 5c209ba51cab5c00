import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct AuditTests {
    private let harbour = OrganisationKey("harbour")

    private func sending(_ key: String) -> SendingAttempt {
        SendingAttempt(organisation: harbour, key: key, bytes: [1], lease: .seconds(60))
    }

    @Test("the database and the program agree on every legal move, and on every illegal one")
    func moves() async throws {
        try await Database.with("moves") { pool, _ in
            for before in DocumentState.allCases {
                for after in DocumentState.allCases where before != after {
                    let rows = try await pool.withSession { session in
                        try session.query(
                            "SELECT is_legal_move($1, $2) AS legal", [.text(before.rawValue), .text(after.rawValue)])
                    }
                    #expect(try rows[0].bool("legal") == before.canMove(to: after), "\(before) → \(after)")
                }
            }
        }
    }

    @Test("an illegal move is refused by the database, whoever tries it, and changes nothing")
    func illegal() async throws {
        try await Database.with("illegal") { pool, store in
            let id = try await store.accept([record("1")])[0].id
            let error = await #expect(throws: PostgresError.self) {
                try await pool.withSession {
                    try $0.execute("UPDATE document SET state = 'written', xero_id = 'x' WHERE id = \(id)")
                }
            }
            #expect(error?.code == .checkViolation)
            #expect(error?.constraint == "document_legal_move")
            let rows = try await pool.withSession { try $0.query("SELECT state FROM document") }
            #expect(try rows.map { try $0.text("state") } == ["ready"])
        }
    }

    @Test("a document's life stands in the audit: who, from where to where, why, and Xero's name for the call")
    func life() async throws {
        try await Database.with("life") { pool, store in
            let id = try await store.accept([record("1")])[0].id
            let read = try await store.take([id], lease: .seconds(60)).compactMap(\.claim)
            let claims = try await store.recordSending(read, sending("k"))
            try await store.recordInvoices(
                claims.map { InvoiceResult(claim: $0, state: .written, xeroID: "x") },
                of: AnsweredCall(key: "k", correlationID: "corr-1"), payments: [])
            try await store.recordPayments(
                claims[0].payments.map { PaymentResult(id: $0.id, state: .written, xeroID: "p") }, of: claims,
                settled: claims, answering: AnsweredCall(key: "p", correlationID: "corr-2"))
            let rows = try await pool.withSession { session in
                try session.query("SELECT * FROM audit_move WHERE document = $1 ORDER BY audit_id", [.int(id.value)])
            }
            #expect(try rows.map { try $0.textOrNil("before") ?? "-" } == ["-", "ready", "sent", "written"])
            #expect(try rows.map { try $0.text("after") } == ["ready", "sent", "written", "written"])
            #expect(try rows.map { try $0.bool("is_closed") } == [false, false, false, true])
            #expect(try rows.map { try $0.textOrNil("correlation_id") } == [nil, nil, "corr-1", "corr-2"])
            #expect(try rows.allSatisfy { try $0.text("who") == "store-tests" })
        }
    }

    @Test("a refusal is in the audit with its reason; nothing in it can be changed or removed")
    func appendOnly() async throws {
        try await Database.with("append") { pool, store in
            let id = try await store.accept([record("1")])[0].id
            let read = try await store.take([id], lease: .seconds(60)).compactMap(\.claim)
            let claims = try await store.recordSending(read, sending("k"))
            try await store.recordInvoices(
                claims.map { InvoiceResult(claim: $0, state: .refused, cause: "Account 230 is archived.") },
                of: AnsweredCall(key: "k"), payments: [])
            let rows = try await pool.withSession { try $0.query("SELECT why FROM audit WHERE after = 'refused'") }
            #expect(try rows.map { try $0.textOrNil("why") } == ["Account 230 is archived."])
            for sql in ["UPDATE audit SET why = 'nothing'", "DELETE FROM audit", "TRUNCATE audit"] {
                await #expect(throws: PostgresError.self) { try await pool.withSession { try $0.execute(sql) } }
            }
        }
    }
}
