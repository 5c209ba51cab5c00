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
            #expect(try rows.map { try $0.textOrNil("why") } == [
                "made of what the till holds", "key and bytes are stored, to be sent", "Xero accepted it",
                "nothing is left to pay",
            ])
        }
    }

    @Test("every move has a reason, also those that nobody gives one for")
    func reasons() async throws {
        try await Database.with("reasons") { pool, store in
            let ids = try await store.accept((1...8).map { record("\($0)") }).map(\.id)
            func take(_ index: Int, lease: Duration = .seconds(60)) async throws -> Claim {
                let read = try await store.take([ids[index]], lease: lease)
                return try #require(read.first?.claim)
            }
            func send(_ index: Int, lease: Duration = .seconds(60)) async throws -> [Claim] {
                try await store.recordSending(
                    [try await take(index)],
                    SendingAttempt(organisation: harbour, key: "k\(index)", bytes: [1], lease: lease))
            }
            func whys(_ index: Int) async throws -> [String?] {
                try await pool.withSession { session in
                    try session.query(
                        "SELECT why FROM audit_move WHERE document = $1 ORDER BY audit_id", [.int(ids[index].value)]
                    ).dropFirst().map { try $0.textOrNil("why") }
                }
            }
            let stored = "key and bytes are stored, to be sent"
            // Unclear, put off, found.
            let unclear = try await send(0)
            try await store.recordUncertain(unclear, of: AnsweredCall(key: "k0"), cause: "500: it failed inside")
            try await store.putOff(unclear, for: .zero)
            let again = try await take(0)
            try await store.recordInvoices(
                [InvoiceResult(claim: again, state: .written, xeroID: "x0")], of: nil, payments: [])
            #expect(try await whys(0) == [
                stored, "500: it failed inside", "taken up again after it was put off",
                "it stands in Xero under its number",
            ])
            // Its writer died.
            _ = try await send(1, lease: .zero)
            _ = try await take(1)
            #expect(try await whys(1) == [stored, "taken over: the lease of its writer ran out"])
            // Refused for a limit.
            try await store.recordNotTaken(try await send(2), of: AnsweredCall(key: "k2"), cause: "a limit")
            #expect(try await whys(2) == [stored, "not taken for a limit: nothing happened"])
            // Claimed, let go, changed before it was sent, given up, mended.
            let claimed = try #require(try await store.claim([ids[3]], lease: .seconds(60)).first?.claim)
            try await store.release([claimed])
            _ = try await store.accept([record("4", cents: 1200, content: "second")])
            _ = try await store.giveUp([ids[3]], because: "it kills")
            _ = try await store.accept([record("4", cents: 1300, content: "third")])
            #expect(try await whys(3) == [
                "claimed, to be sent", "let go of before it was sent", "its order changed before it was sent",
                "it kills", "something is left to do after all: changed, or sent again from the desk",
            ])
            // Xero adds it up otherwise; its writer died before the payments.
            let standing = try await send(4, lease: .zero)
            try await store.recordInvoices(
                standing.map { InvoiceResult(claim: $0, state: .written, xeroID: "x4", cause: "9.99, not 10.00") },
                of: AnsweredCall(key: "k4"), payments: [])
            _ = try await take(4)
            #expect(try await whys(4) == [stored, "9.99, not 10.00", "taken over: the lease of its writer ran out"])
            let nameless = try await pool.withSession { session in
                try session.query("SELECT count(*) AS n FROM audit WHERE coalesce(why, '') = ''")
            }
            #expect(try nameless[0].int("n") == 0)
        }
    }

    @Test("a reason is known for every legal move, whatever holds the document")
    func everyReason() async throws {
        try await Database.with("everyreason") { pool, _ in
            let rows = try await pool.withSession { session in
                try session.query(
                    """
                    SELECT count(*) AS n, count(*) FILTER (WHERE length(why) < 10) AS short, count(why) AS told
                      FROM unnest($1::text[]) AS b (before), unnest($1::text[]) AS a (after),
                           unnest(ARRAY[true, false]) AS w (was_closed), unnest(ARRAY[true, false]) AS i (is_closed),
                           unnest(ARRAY[true, false]) AS h (was_held), unnest(ARRAY[true, false]) AS c (is_answered),
                           ordinary_reason(before, after, was_closed, is_closed, was_held, is_answered) AS r (why)
                     WHERE is_legal_move(before, after)
                    """, [.texts(DocumentState.allCases.map(\.rawValue))])
            }
            #expect(try rows[0].int("n") > 300)
            #expect(try rows[0].int("told") == rows[0].int("n"))
            #expect(try rows[0].int("short") == 0)
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
