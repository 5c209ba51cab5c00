import Domain
import HTTP
import Messaging
import Money
import Postgres
import Store
import Testing

/// Payments of one document that are alike: a bill split evenly by card, instalments.
@Suite(.serialized, .enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct EqualPaymentsTests {
    private static let pair: [(account: String, cents: Int64)] = [("231", 500), ("231", 500)]

    @Test("of two equal payments in two requests, of which the second fails, each is made once")
    func inTwoRequests() async throws {
        try await SimulatedBooks.with("equalpair") { books in
            // 51 payments: the last pair is the fiftieth and the first of the next request.
            let orders = [SimulatedBooks.Order(number: "HBR-1")]
                + (2...26).map { SimulatedBooks.Order(number: "HBR-\($0)", tenders: Self.pair) }
            let ids = try await books.map(orders)
            for action in [#"{"delayMs":0}"#, #"{"status":500}"#] {
                _ = try await books.control(
                    .post, "faults",
                    #"{"match":{"method":"PUT","path":"/api.xro/2.0/Payments"},"action":\#(action),"count":1}"#)
            }
            let published = try await books.write(ids)
            #expect(try await books.payments().count == 50)
            // It comes back from the delay queue.
            let again = published.filter { $0.queue != .dead }.compactMap { WriterServiceTests.document(of: $0) }
            #expect(again.count == 1 && published.count == 1)
            #expect(try await books.write(again).isEmpty)
            #expect(try await books.payments().count == 51)
            #expect(try await books.invoices().allSatisfy { $0.hasSuffix("10.00 paid 10.00") })
            #expect(try await books.payments(named: "HBR-26").count == 2)
            let names = try await books.recordedPayments()
            #expect(names.count == 51 && Set(names).count == 51)
        }
    }

    @Test("a writer died with one of two equal payments sent and the other carried: its successor makes the other")
    func carried() async throws {
        try await SimulatedBooks.with("equalcarried") { books in
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.pair)])
            let (claim, invoice) = try await books.leaveStanding(ids[0], number: "HBR-1")
            let element = PaymentElement.of(claim.payments[0], on: invoice)
            try await books.store.recordSending(
                PaymentAttempt(
                    organisation: SimulatedBooks.harbour, key: "lost-payments",
                    bytes: Array(#"{"Payments":[\#(element)]}"#.utf8), documents: [claim.id]),
                of: [claim], insteadOf: nil)
            #expect(try await books.write(ids).isEmpty)
            #expect(try await books.invoices() == ["HBR-1 10.00 paid 10.00"])
            #expect(try await books.payments() == ["HBR-1", "HBR-1"])
            #expect(Set(try await books.recordedPayments()).count == 2)
        }
    }

    @Test("one of two equal payments is taken and the other exceeds what is owed: the other gets a letter")
    func excessive() async throws {
        try await SimulatedBooks.with("equalexcess") { books in
            let contact = try await books.contact("Walk-in", number: SimulatedBooks.contactNumber)
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.pair)])
            try await books.hand(.put, "Invoices", AdoptionTests.body(.init(difference: nil), contact: contact))
            // 4.00 by hand: 6.00 is owed, and one of the two fits.
            try await books.hand(
                .put, "Payments",
                """
                {"Payments":[{"Invoice":{"InvoiceNumber":"HBR-1"},"Account":{"Code":"231"},"Date":"2026-11-20",\
                "Amount":4.00,"Reference":"By hand"}]}
                """)
            let published = try await books.write(ids)
            #expect(published.map(\.queue) == [.dead])
            let cause = try #require(published.first?.envelope.failure?.cause)
            #expect(cause.contains("exceeds the amount outstanding"), "\(cause)")
            #expect(try await books.invoices() == ["HBR-1 10.00 paid 9.00"])
            #expect(try await books.recordedPayments().count == 1)
        }
    }

    @Test("of two instalments of one amount the later stands: the earlier is sent, and not the later once more")
    func instalments() async throws {
        try await SimulatedBooks.with("instalments") { books in
            let monday = CalendarDate(year: 2026, month: 11, day: 23)
            let ids = try await books.map([.init(number: "HBR-1", tenders: Self.pair)])
            _ = try await books.pool.withSession { session in
                try session.execute(
                    "UPDATE payment SET paid_on = $1::date + ordinal", [.date("\(monday)")])
            }
            let (claim, invoice) = try await books.leaveStanding(ids[0], number: "HBR-1")
            #expect(claim.payments.map(\.date) == [monday, CalendarDate(daysSince1970: monday.daysSince1970 + 1)])
            let element = PaymentElement.of(claim.payments[1], on: invoice)
            try await books.hand(.put, "Payments", #"{"Payments":[\#(element)]}"#)
            #expect(try await books.write(ids).isEmpty)
            #expect(try await books.payments(named: "HBR-1").sorted() == ["2026-11-23 5.00", "2026-11-24 5.00"])
        }
    }
}

enum PaymentElement {
    static func of(_ payment: ClaimedPayment, on invoice: String) -> String {
        """
        {"Invoice":{"InvoiceID":"\(invoice)"},"Account":{"Code":"\(payment.account)"},"Date":"\(payment.date)",\
        "Amount":\(payment.amount),"Reference":"\(payment.reference)"}
        """
    }
}
