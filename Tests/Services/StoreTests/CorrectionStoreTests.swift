import Domain
import Mapping
import Money
import Postgres
import Store
import Testing
import Xero

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct CorrectionStoreTests {
    private let harbour = OrganisationKey("harbour")

    private func request(_ id: String) -> PostingRequest {
        PostingRequest(
            source: SourceKey(company: CompanyKey("harbour"), kind: .order, id: id), hash: hash("later"),
            body: Array("later".utf8), firstSeen: nil, organisation: harbour, number: DocumentNumber("HBR-\(id)"),
            original: nil)
    }

    /// What is decided about is read from the body, so it is a real one.
    private func body(_ number: String) -> [UInt8] {
        let day = CalendarDate(year: 2026, month: 11, day: 20)
        let line = LedgerLine(
            description: "Pie", amount: Money(cents: 1000), account: "230", taxType: "OUTPUT", tracking: [])
        return InvoiceBody.element(
            LedgerDocument(
                number: DocumentNumber(number), reference: "T1", date: day, dueDate: day, currency: "AUD",
                contactNumber: "WALKIN-HBR", lines: [line], payments: []))
    }

    /// An invoice that stands in the ledger with both its payments.
    private func written(_ id: String, _ store: PostgresStore) async throws -> DocumentID {
        var made = record(id)
        made.document?.body = body("HBR-\(id)")
        let document = try await store.accept([made])[0].id
        let claims = try await store.take([document], lease: .seconds(60)).compactMap(\.claim)
        let held = try await store.recordSending(
            claims, SendingAttempt(organisation: harbour, key: "create \(id)", bytes: [1], lease: .seconds(60)))
        try await store.recordInvoices(
            held.map { InvoiceResult(claim: $0, state: .written, xeroID: "x-\(id)") }, of: nil, payments: [])
        try await store.recordPayments(
            held[0].payments.enumerated().map { index, payment in
                PaymentResult(id: payment.id, state: .written, xeroID: "p-\(id)-\(index)")
            }, of: held, settled: held, answering: nil)
        return document
    }

    /// What was decided the last time it was looked at.
    private func standing(_ id: String, _ store: PostgresStore) async throws -> StandingOrder {
        let posted = try await store.post(request(id)) { order in (moves: [], ending: order) }
        return try #require(posted).ending
    }

    private func begin(_ move: PostingMove, _ id: String, _ store: PostgresStore) async throws -> Claim {
        let posted = try await store.post(request(id)) { _ in (moves: [move], ending: true) }
        let announced = try #require(posted).announced
        return try #require(try await store.take(announced, lease: .seconds(60)).first?.claim)
    }

    @Test("what Xero would not do is told once to whoever decides, in no letter; what went before does not count")
    func refused() async throws {
        try await Database.with("refused_task") { _, store in
            let document = try await written("1", store)
            let claim = try await begin(.void(DocumentNumber("HBR-1"), because: "it was deleted"), "1", store)
            #expect(claim.task == .void && claim.payments.count == 2)
            try await store.recordRemoved(claim, leaving: ["p-1-1"], settledBy: [])
            try await store.recordTask(claim, .refused("A payment is reconciled.", .reconciled), of: nil)
            // A writer that is told of it again makes no letter of it: the mapper knows what to do instead.
            let again = try #require(try await store.take([document], lease: .seconds(60)).first)
            #expect(again.refusal == nil)
            let first = try await standing("1", store)
            #expect(first.refusals == [DocumentNumber("HBR-1"): "A payment is reconciled."])
            #expect(first.documents.map(\.isReconciled) == [true])
            #expect(first.documents[0].document.payments.map(\.account) == ["232"])
            #expect(try await standing("1", store).refusals.isEmpty)
        }
    }

    @Test("of many mappers that decide about one order at a moment, one posts it again; the others see that it did")
    func race() async throws {
        try await Database.with("race") { pool, store in
            _ = try await written("1", store)
            for revision in 1...15 {
                let number = DocumentNumber("HBR-1-r\(revision)")
                var made = try #require(record("1").document)
                made.number = number
                made.body = body(number.text)
                made.revision = revision
                let again = made
                let moves = try await withThrowingTaskGroup(of: Int.self) { group in
                    for _ in 0..<6 {
                        group.addTask {
                            try await store.post(request("1")) { order in
                                let isThere = order.documents.contains { $0.number == number }
                                return (moves: isThere ? [] : [.create(again)], ending: isThere ? 0 : 1)
                            }?.ending ?? 0
                        }
                    }
                    return try await group.reduce(0, +)
                }
                #expect(moves == 1)
            }
            let rows = try await pool.withSession { try $0.query("SELECT count(*) AS n FROM document") }
            #expect(try rows[0].int("n") == 16)
        }
    }

    @Test("of two versions of an order that come at one moment the newer counts, whoever had to wait")
    func versions() async throws {
        try await Database.with("race_versions") { pool, store in
            func version(_ number: Int) -> MappedRecord {
                var made = record("1", cents: Int64(1000 + number), content: "\(number)")
                made.firstSeen = Instant(secondsSince1970: 1_795_000_000 + Int64(number))
                return made
            }
            _ = try await store.accept([version(0)])
            for round in 1...20 {
                let (old, new) = (round * 2, round * 2 + 1)
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for number in [old, new, old, new].shuffled() {
                        group.addTask { _ = try await store.accept([version(number)]) }
                    }
                    try await group.waitForAll()
                }
                let rows = try await pool.withSession { try $0.query("SELECT total FROM document") }
                let total = try rows.map { try $0.numeric("total") }
                #expect(total == [Money(cents: Int64(1000 + new)).description])
            }
        }
    }

    @Test("a version that the till shows again is decided about as what it says now; an older one that comes is not")
    func readAgain() async throws {
        try await Database.with("read_again_posting") { _, store in
            var made = record("1")
            made.document?.body = body("HBR-1")
            made.firstSeen = Instant(secondsSince1970: 1_795_000_060)
            _ = try await store.accept([made])
            func isDecided(_ hash: ContentHash, seen: Int64) async throws -> Bool {
                var request = request("1")
                (request.hash, request.firstSeen) = (hash, Instant(secondsSince1970: 1_795_000_000 + seen))
                return try await store.post(request) { _ in (moves: [], ending: true) } != nil
            }
            #expect(try await !isDecided(hash("later"), seen: 40))
            #expect(try await isDecided(hash("later"), seen: 80))
            #expect(try await isDecided(hash("later"), seen: 40), "its message, once more")
            #expect(try await !isDecided(made.hash, seen: 60))
        }
    }

    @Test("a writer that lost its claim sends no change, and stores nothing of what it did")
    func fenced() async throws {
        try await Database.with("fenced_task") { pool, store in
            let document = try await written("1", store)
            let late = try await begin(.void(DocumentNumber("HBR-1"), because: "it was deleted"), "1", store)
            _ = try await pool.withSession { session in
                try session.execute("UPDATE document SET lease_until = now() - interval '1 second'")
            }
            let present = try #require(try await store.take([document], lease: .seconds(60)).first?.claim)
            func change(_ key: String) -> PaymentAttempt {
                PaymentAttempt(organisation: harbour, kind: .changes, key: key, bytes: [1], documents: [document])
            }
            await #expect(throws: LeaseLost.self) { try await store.recordChange(late, change("late")) }
            try await store.recordChange(present, change("present"))
            await #expect(throws: LeaseLost.self) { try await store.recordTask(late, .voided, of: nil) }
            try await store.recordTask(present, .voided, of: nil)
            let rows = try await pool.withSession { session in
                try session.query("SELECT state FROM payment UNION ALL SELECT idempotency_key FROM attempt ORDER BY 1")
            }
            #expect(try rows.map { try $0.text("state") } == ["create 1", "present", "removed", "removed"])
        }
    }

    @Test("a change that Xero refused leaves none of its payments to be sent another time")
    func refusedChange() async throws {
        try await Database.with("refused_change") { pool, store in
            _ = try await written("1", store)
            let more = try #require(record("1", cents: 500).document?.payments)
            let claim = try await begin(.pay(DocumentNumber("HBR-1"), more, because: "paid further"), "1", store)
            #expect(claim.payments.filter(\.isOpen).count == 2)
            try await store.recordTask(claim, .refused("Invoice not of valid status for modification", .other), of: nil)
            let rows = try await pool.withSession { try $0.query("SELECT state FROM payment") }
            #expect(try rows.map { try $0.text("state") } == ["written", "written"])
        }
    }
}
