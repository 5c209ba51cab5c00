import Domain
import Postgres
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct WritingStoreTests {
    let harbour = OrganisationKey("harbour")

    private func sending(_ key: String, lease: Duration = .seconds(60)) -> SendingAttempt {
        SendingAttempt(organisation: harbour, key: key, bytes: [1], lease: lease)
    }

    @Test("a document that was only read is claimed by who sends first; the other is told and nothing of his is stored")
    func readAndSent() async throws {
        try await Database.with("read") { pool, store in
            let ids = try await store.accept((1...3).map { record("\($0)") }).map(\.id)
            let mine = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim)
            let theirs = try await store.take([ids[0]], lease: .seconds(60)).compactMap(\.claim)
            #expect(mine.count == 3 && theirs.count == 1)
            #expect((mine + theirs).allSatisfy { !$0.isHeld })
            let held = try await store.recordSending(theirs, sending("theirs"))
            #expect(held.map(\.isHeld) == [true])
            let taken = await #expect(throws: TakenByOthers.self) {
                _ = try await store.recordSending(mine, sending("mine"))
            }
            #expect(taken?.documents == [ids[0]])
            let rows = try await pool.withSession { session in
                try session.query(
                    "SELECT state FROM document WHERE id = ANY($1)", [.ints(ids.dropFirst().map(\.value))])
            }
            #expect(try rows.map { try $0.text("state") } == ["ready", "ready"])
            let attempts = try await pool.withSession { try $0.query("SELECT idempotency_key FROM attempt") }
            #expect(try attempts.map { try $0.text("idempotency_key") } == ["theirs"])
        }
    }

    @Test("a version that replaces a document after it was read cannot be overtaken by the old content")
    func readAndReplaced() async throws {
        try await Database.with("replaced") { _, store in
            let id = try await store.accept([record("1", cents: 1000)])[0].id
            let old = try await store.take([id], lease: .seconds(60)).compactMap(\.claim)
            #expect(try await store.accept([record("1", cents: 1200, content: "second")]).map(\.outcome) == [.replaced])
            await #expect(throws: TakenByOthers.self) { _ = try await store.recordSending(old, sending("old")) }
            let new = try #require(try await store.take([id], lease: .seconds(60)).first?.claim)
            #expect(new.total == "12.00")
        }
    }

    @Test("what was refused before anything happened is as if never sent: held by nobody, and nothing to look up")
    func notTaken() async throws {
        try await Database.with("nottaken") { pool, store in
            let ids = try await store.accept((1...2).map { record("\($0)") }).map(\.id)
            let read = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim)
            let held = try await store.recordSending(read, sending("k"))
            // One of them is another's by now.
            var lost = held
            lost[1].fencing -= 1
            try await store.recordNotTaken(lost, of: AnsweredCall(key: "k"), cause: "a limit")
            let again = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim)
            #expect(again.map(\.id) == [ids[0]] && again.allSatisfy { $0.before == .ready && !$0.isHeld })
            let attempts = try await pool.withSession { try $0.query("SELECT outcome FROM attempt") }
            #expect(try attempts.map { try $0.textOrNil("outcome") } == ["not taken: a limit"])
            // It is still ours to put off, or to give up.
            try await store.putOff([held[0]], for: .seconds(3600))
            #expect(try await store.takeForgotten(of: harbour, olderThan: .seconds(-5), limit: 10).isEmpty)
            try await store.recordInvoices(
                [InvoiceResult(claim: held[0], state: .refused, cause: "a limit")], of: nil, payments: [])
        }
    }

    @Test("documents that are put off can be claimed at once, and no sweeper takes them for forgotten meanwhile")
    func putOff() async throws {
        try await Database.with("putoff") { _, store in
            let ids = try await store.accept((1...2).map { record("\($0)") }).map(\.id)
            let read = try await store.take([ids[0]], lease: .seconds(60)).compactMap(\.claim)
            let held = try await store.recordSending(read, sending("k"))
            try await store.recordUncertain(held, of: AnsweredCall(key: "k"), cause: "500")
            #expect(try await store.claim([ids[0]], lease: .seconds(60)).first?.claim == nil)
            try await store.putOff(held, for: .seconds(3600))
            // As if five seconds had passed.
            let forgotten = try await store.takeForgotten(of: harbour, olderThan: .seconds(-5), limit: 10)
            #expect(forgotten.map(\.id) == [ids[1]])
            let again = try #require(try await store.claim([ids[0]], lease: .seconds(60)).first?.claim)
            #expect(again.before == .uncertain)
            // Whoever let it go changes nothing of it any more.
            await #expect(throws: LeaseLost.self) {
                try await store.recordInvoices(
                    held.map { InvoiceResult(claim: $0, state: .refused, cause: "late") }, of: nil, payments: [])
            }
        }
    }

    @Test("what is given up counts as refused, invoice or payments, whoever holds it")
    func giveUp() async throws {
        try await Database.with("giveup") { pool, store in
            let ids = try await store.accept((1...2).map { record("\($0)") }).map(\.id)
            let read = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim)
            let held = try await store.recordSending(read, sending("k"))
            let standing = held.filter { $0.id == ids[1] }
            try await store.recordInvoices(
                standing.map { InvoiceResult(claim: $0, state: .written, xeroID: "x") }, of: nil, payments: [])
            #expect(try await store.giveUp(ids, because: "it kills").sorted() == ids)
            // Nothing is left to do of them, so nobody need be told a second time.
            #expect(try await store.giveUp(ids, because: "again").isEmpty)
            let rows = try await pool.withSession { session in
                try session.query(
                    "SELECT state, closed_at IS NOT NULL AS closed, cause FROM document ORDER BY id")
            }
            #expect(try rows.map { try $0.text("state") } == ["refused", "written"])
            #expect(try rows.allSatisfy { try $0.bool("closed") && $0.textOrNil("cause") == "it kills" })
            let payments = try await pool.withSession { session in
                try session.query(
                    "SELECT state FROM payment WHERE document_id = $1", [.int(ids[1].value)])
            }
            #expect(try !payments.isEmpty && payments.allSatisfy { try $0.text("state") == "refused" })
            let results = try await store.claim(ids, lease: .seconds(60))
            #expect(results.allSatisfy { $0.claim == nil && $0.refusal?.cause.hasPrefix("it kills") == true })
            // Sent again and paid: a copy of the old message that comes late makes no second letter of it.
            #expect(try await store.accept([record("2")]).map(\.outcome) == [.replaced])
            let again = try #require(try await store.take([ids[1]], lease: .seconds(60)).first?.claim)
            try await store.recordPayments(
                again.payments.map { PaymentResult(id: $0.id, state: .written, xeroID: "p-\($0.id.ordinal)") },
                of: [again], settled: [again], answering: nil)
            let late = try #require(try await store.take([ids[1]], lease: .seconds(60)).first)
            #expect(late.claim == nil && late.refusal == nil)
        }
    }

    @Test("requests of payments without an answer are found by documents; those answered, replaced, given up are not")
    func unanswered() async throws {
        try await Database.with("unanswered") { _, store in
            let ids = try await store.accept((1...3).map { record("\($0)") }).map(\.id)
            func attempt(_ key: String, _ documents: [DocumentID]) -> PaymentAttempt {
                PaymentAttempt(organisation: harbour, key: key, bytes: Array(key.utf8), documents: documents)
            }
            func keys(_ document: DocumentID, ageMax: Duration = .seconds(60)) async throws -> [String] {
                try await store.unanswered([document], ageMax: ageMax).map(\.key)
            }
            let claims = try await store.take(ids, lease: .seconds(60)).compactMap(\.claim)
            func send(_ key: String, _ documents: [DocumentID], insteadOf other: String? = nil) async throws {
                let own = claims.filter { documents.contains($0.id) }
                try await store.recordSending(attempt(key, documents), of: own, insteadOf: other)
            }
            try await send("a", [ids[0], ids[1]])
            try await send("b", [ids[1]])
            #expect(try await keys(ids[0]) == ["a"])
            #expect(try await keys(ids[1]) == ["a", "b"])
            #expect(try await keys(ids[2]).isEmpty)
            #expect(try await keys(ids[0], ageMax: .zero).isEmpty)
            let found = try #require(try await store.unanswered([ids[0]], ageMax: .seconds(60)).first)
            #expect(found.bytes == Array("a".utf8) && found.documents == [ids[0], ids[1]])
            try await store.recordPayments([], of: [], settled: [], answering: AnsweredCall(key: "a"))
            #expect(try await keys(ids[1]) == ["b"])
            try await send("c", [ids[1]], insteadOf: "b")
            #expect(try await keys(ids[1]) == ["c"])
            _ = try await store.giveUp([ids[1]], because: "it kills")
            #expect(try await keys(ids[1]).isEmpty)
        }
    }

    @Test("a writer whose document was taken over says nothing of its payments any more")
    func fencedPayments() async throws {
        try await Database.with("fenced") { pool, store in
            let id = try await store.accept([record("1")])[0].id
            let read = try await store.take([id], lease: .seconds(60)).compactMap(\.claim)
            let slow = try await store.recordSending(read, sending("k", lease: .zero))
            try await store.recordInvoices(
                slow.map { InvoiceResult(claim: $0, state: .written, xeroID: "x") }, of: nil, payments: [])
            let next = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            func say(_ state: PaymentResult.State, _ claim: Claim) async throws -> Set<String> {
                try await store.recordPayments(
                    claim.payments.map { PaymentResult(id: $0.id, state: state, cause: "late") }, of: [claim],
                    settled: [], answering: nil)
                return try await pool.withSession { session in
                    Set(try session.query("SELECT state FROM payment").map { try $0.text("state") })
                }
            }
            #expect(try await say(.refused, slow[0]) == ["ready"])
            #expect(try await say(.uncertain, next) == ["uncertain"])
        }
    }

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
            _ = try await store.recordSending([first], sending("k1", lease: .zero))
            let second = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(second.before == .sent)
            #expect(second.fencing > first.fencing)
            await #expect(throws: LeaseLost.self) {
                try await store.recordInvoices(
                    [InvoiceResult(claim: first, state: .written, xeroID: "x")], of: AnsweredCall(key: "k1"),
                    payments: [])
            }
            await #expect(throws: LeaseLost.self) { try await store.extend([first], lease: .seconds(60)) }
            try await store.recordInvoices(
                [InvoiceResult(claim: second, state: .written, xeroID: "x")], of: AnsweredCall(key: "k1"), payments: [])
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
            _ = try await store.recordSending([claim], sending("k"))
            try await store.recordInvoices(
                [InvoiceResult(claim: claim, state: .written, xeroID: "x")], of: AnsweredCall(key: "k"), payments: [])
            try await store.recordPayments(
                claim.payments.map { PaymentResult(id: $0.id, state: .written, xeroID: "p\($0.id.ordinal)") },
                of: [claim], settled: [claim], answering: nil)
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
            _ = try await store.recordSending([claim], sending("k", lease: .zero))
            let payments = PaymentAttempt(organisation: harbour, key: "p", bytes: [2], documents: [claim.id])
            try await store.recordInvoices(
                [InvoiceResult(claim: claim, state: .written, xeroID: "x")], of: AnsweredCall(key: "k"),
                payments: [(payments, [claim])])
            let next = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(next.before == .written)
            #expect(next.xeroID == "x")
            #expect(next.payments.count == 2)
            #expect(next.hasOpenPayments)
        }
    }

    @Test("what is published again is as old as the till's record that it was made of")
    func sweptAge() async throws {
        try await Database.with("sweptage") { pool, store in
            var known = record("1")
            known.firstSeen = Instant(secondsSince1970: 1_795_000_000)
            let ids = try await store.accept([known, record("2")]).map(\.id)
            _ = try await pool.withSession { session in
                try session.execute("DELETE FROM source_record WHERE id = '2'")
            }
            let made = try await pool.withSession { session in
                try session.query("SELECT created_at FROM document WHERE id = $1", [.int(ids[1].value)])
            }
            let forgotten = try await store.takeForgotten(of: harbour, olderThan: .seconds(-5), limit: 10)
            let seen = Dictionary(uniqueKeysWithValues: forgotten.map { ($0.id, $0.firstSeen) })
            #expect(seen[ids[0]] == known.firstSeen)
            #expect(seen[ids[1]]?.microseconds == (try made.first?.timestamp("created_at")))
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
            #expect(Set(forgotten.map(\.id)) == Set(ids.dropFirst()))
            #expect(try await store.takeForgotten(of: harbour, olderThan: .seconds(60), limit: 100).isEmpty)
            #expect(try await store.openDocuments(dueAfter: .zero).mapValues(\.all) == [harbour: 5])
        }
    }
}
