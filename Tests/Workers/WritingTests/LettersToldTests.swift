import Domain
import HTTP
import Messaging
import Postgres
import Store
import Testing

/// A letter goes out when all of its document is done. A writer that dies before that takes it along, and leaves what
/// was refused in the table: whoever finishes the document tells of it.
@Suite(.serialized, .enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct LettersToldTests {
    private static let tenders: [(account: String, cents: Int64)] = [("200", 600), ("231", 400)]
    private static let refusal = "Account code '200' is not a bank account and does not have payments enabled"

    @Test("a payment was refused and its writer died with another open: who sends that tells of the refused one")
    func refusedPayment() async throws {
        try await SimulatedBooks.with("toldpayment") { books in
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.tenders)])
            let (claim, _) = try await books.leaveStanding(ids[0], number: "HBR-1")
            let cause = "Account 200 takes no payments in Xero. Xero refused the payment: \(Self.refusal)"
            try await books.store.recordPayments(
                [PaymentResult(id: claim.payments[0].id, state: .refused, cause: cause)], of: [claim], settled: [],
                answering: nil)
            let published = try await books.write(ids)
            #expect(try await books.invoices() == ["HBR-1 10.00 paid 4.00"])
            #expect(published.map(\.queue) == [.dead])
            let failure = try #require(published.first?.envelope.failure)
            #expect(failure.cause == cause && failure.deadLetterClass == .mapping)
            #expect(published.first?.envelope.subject.document == ids[0].value)
            // A second message finds it done, and tells the same.
            #expect(try await books.write(ids).compactMap { $0.envelope.failure?.cause } == [cause])
        }
    }

    @Test("a total in Xero that is not the till's, and a writer that died before the payments: who pays tells of it")
    func otherTotal() async throws {
        try await SimulatedBooks.with("toldtotal") { books in
            let ids = try await books.map([.init(number: "HBR-1")])
            let cause = "Xero holds invoice HBR-1 with 10.01, the till says 10.00."
            _ = try await books.leaveStanding(ids[0], number: "HBR-1", amount: "10.01", cause: cause)
            let published = try await books.write(ids)
            #expect(try await books.invoices() == ["HBR-1 10.01 paid 10.00"])
            #expect(published.compactMap { $0.envelope.failure?.cause } == [cause])
            #expect(try await books.write(ids).compactMap { $0.envelope.failure?.cause } == [cause])
        }
    }

    @Test("of both, a total and a refused payment, the one letter tells, also when it is made once more")
    func both() async throws {
        try await SimulatedBooks.with("toldboth") { books in
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.tenders)])
            let total = "Xero holds invoice HBR-1 with 10.01, the till says 10.00."
            _ = try await books.leaveStanding(ids[0], number: "HBR-1", amount: "10.01", cause: total)
            let first = try #require(try await books.write(ids).first?.envelope.failure?.cause)
            #expect(first.hasPrefix(total) && first.contains(Self.refusal), "\(first)")
            #expect(try await books.write(ids).compactMap { $0.envelope.failure?.cause } == [first])
        }
    }

    @Test("what waits beside a payment refused before is not given up for that: it comes back, and then both are told")
    func waiting() async throws {
        try await SimulatedBooks.with("toldwaiting") { books in
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.tenders)])
            let (claim, invoice) = try await books.leaveStanding(ids[0], number: "HBR-1")
            try await books.store.recordPayments(
                [PaymentResult(id: claim.payments[0].id, state: .refused, cause: Self.refusal)], of: [claim],
                settled: [], answering: nil)
            let element = PaymentElement.of(claim.payments[1], on: invoice)
            try await books.store.recordSending(
                PaymentAttempt(
                    organisation: SimulatedBooks.harbour, key: "lost-payments",
                    bytes: Array(#"{"Payments":[\#(element)]}"#.utf8), documents: [claim.id]),
                of: [claim], insteadOf: nil)
            // Too late to ask under its key, and too early to look.
            _ = try await books.pool.withSession { session in
                try session.execute("UPDATE attempt SET sent_at = clock_timestamp() - interval '300 seconds'")
            }
            let published = try await books.write(ids)
            #expect(published.count == 1 && published.allSatisfy { $0.queue != .dead })
            _ = try await books.pool.withSession { session in
                try session.execute("UPDATE attempt SET sent_at = clock_timestamp() - interval '400 seconds'")
            }
            #expect(try await books.write(ids).compactMap { $0.envelope.failure?.cause } == [Self.refusal])
            #expect(try await books.invoices() == ["HBR-1 10.00 paid 4.00"])
        }
    }
}
