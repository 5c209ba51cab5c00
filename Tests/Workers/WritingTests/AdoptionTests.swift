import Domain
import HTTP
import JSON
import Messaging
import Postgres
import Store
import Testing

/// What stands in Xero under our number: ours is adopted, somebody else's is parked and left alone.
@Suite(.serialized, .enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct AdoptionTests {
    /// How a writer comes to look.
    enum Way: String, CaseIterable, Sendable {
        /// Xero answers a creation with "Invoice # must be unique."
        case duplicateNumber
        /// A writer that died had sent it.
        case inDoubt
    }

    /// What stands there.
    struct Standing: Sendable, CustomTestStringConvertible {
        var date = "2026-11-20"
        var amount = "10.00"
        var isOurContact = true
        var isVoid = false
        /// What the letter says of it; nil where it is ours.
        let difference: String?
        var testDescription: String { difference ?? "ours" }
    }

    static let all = [
        Standing(difference: nil),
        Standing(date: "2026-11-21", difference: "its date is 2026-11-21, ours 2026-11-20"),
        Standing(amount: "10.01", difference: "its total is 10.01, ours 10.00"),
        Standing(isOurContact: false, difference: "it is another contact's"),
        Standing(isVoid: true, difference: "it is VOIDED"),
    ]

    @Test("one with our number is adopted and paid where contact, date and total are ours; else parked, and left alone",
        arguments: Way.allCases, all)
    func look(way: Way, standing: Standing) async throws {
        try await SimulatedBooks.with("adopt\(way == .inDoubt ? "d" : "u")\(Self.name(standing))") { books in
            let ours = try await books.contact("Walk-in", number: SimulatedBooks.contactNumber)
            let other = try await books.contact("By hand", number: "BY-HAND")
            let invoice = try await books.hand(
                .put, "Invoices", Self.body(standing, contact: standing.isOurContact ? ours : other))
            let invoiceID = try #require(invoice["Invoices"]?.elements.first?["InvoiceID"]?.string)
            if standing.isVoid { try await books.hand(.post, "Invoices/\(invoiceID)", #"{"Status":"VOIDED"}"#) }
            let ids = try await books.map([.init(number: "HBR-1"), .init(number: "HBR-2")])
            if way == .inDoubt { try await books.leaveInDoubt(ids) }
            let before = try await books.calls()["PUT /Invoices", default: 0]
            let published = try await books.write(ids)

            // Its neighbour does not stand there: it is sent, under a new key, and paid.
            let states = try await books.states()
            #expect(states["HBR-2"] == "written")
            #expect(try await books.invoices().contains("HBR-2 10.00 paid 10.00"))
            #expect(try await books.invoices().count == 2)
            // What is in doubt is looked for before anything is sent: one call creates, that of the neighbour.
            #expect(try await books.calls()["PUT /Invoices", default: 0] == before + 1)
            if let difference = standing.difference {
                let cause = "Xero holds another document under the number HBR-1: \(difference)."
                #expect(states["HBR-1"] == "refused: \(cause)")
                #expect(published.map(\.queue) == [.dead])
                let failure = try #require(published.first?.envelope.failure)
                #expect(failure.deadLetterClass == .duplicate && failure.cause == cause)
                // To rename a void one frees nothing.
                #expect(failure.remedy.contains("Rename that document") == !standing.isVoid)
                #expect(failure.remedy.contains("keeps its number") == standing.isVoid)
                #expect(published.first?.envelope.subject.document == ids[0].value)
                #expect(try await books.payments() == ["HBR-2"])
            } else {
                #expect(states["HBR-1"] == "written")
                #expect(published.isEmpty)
                #expect(try await books.payments() == ["HBR-1", "HBR-2"])
                #expect(try await books.invoices().contains("HBR-1 10.00 paid 10.00"))
            }
        }
    }

    @Test("of an adopted invoice only the payments that are missing are sent", arguments: Way.allCases)
    func halfPaid(way: Way) async throws {
        try await SimulatedBooks.with("half\(way == .inDoubt ? "d" : "u")") { books in
            let contact = try await books.contact("Walk-in", number: SimulatedBooks.contactNumber)
            try await books.hand(.put, "Invoices", Self.body(Standing(difference: nil), contact: contact))
            try await books.hand(
                .put, "Payments",
                """
                {"Payments":[{"Invoice":{"InvoiceNumber":"HBR-1"},"Account":{"Code":"231"},"Date":"2026-11-20",\
                "Amount":4.00,"Reference":"Cash"}]}
                """)
            let ids = try await books.map([.init(number: "HBR-1", tenders: [("231", 400), ("231", 600)])])
            if way == .inDoubt { try await books.leaveInDoubt(ids) }
            #expect(try await books.write(ids).isEmpty)
            #expect(try await books.states() == ["HBR-1": "written"])
            #expect(try await books.payments() == ["HBR-1", "HBR-1"])
            #expect(try await books.invoices() == ["HBR-1 10.00 paid 10.00"])
        }
    }

    @Test("what stands is an earlier version of the same order: the letter says so, and not to keep it beside this one")
    func earlierVersion() async throws {
        try await SimulatedBooks.with("earlier") { books in
            let contact = try await books.contact("Walk-in", number: SimulatedBooks.contactNumber)
            let ids = try await books.map([.init(number: "HBR-1")])
            let read = try await books.store.take(ids, lease: .zero).compactMap { result in
                if case .claimed(let claim) = result.outcome { claim } else { nil }
            }
            // The till said 12.00: it was sent, and its writer died of it.
            let element = """
                {"Type":"ACCREC","InvoiceNumber":"HBR-1","Contact":{"ContactID":"\(contact)"},"Reference":"#1",\
                "Date":"2026-11-20","DueDate":"2026-11-20","CurrencyCode":"AUD","LineAmountTypes":"Inclusive",\
                "Status":"AUTHORISED","LineItems":[{"Description":"Coffee","Quantity":1,"UnitAmount":12.00,\
                "LineAmount":12.00,"AccountCode":"200","TaxType":"OUTPUT"}]}
                """
            let body = #"{"Invoices":[\#(element)]}"#
            _ = try await books.store.recordSending(
                read, SendingAttempt(
                    organisation: SimulatedBooks.harbour, key: "first", bytes: Array(body.utf8), lease: .zero))
            try await books.hand(.put, "Invoices", body)
            _ = try await books.store.giveUp(ids, because: "Three workers died of it.")
            // It says 10.00 now.
            _ = try await books.pool.withSession { session in
                try session.execute("UPDATE document SET state = 'ready', closed_at = NULL, cause = NULL")
            }
            let published = try await books.write(ids)
            let failure = try #require(published.first?.envelope.failure)
            #expect(failure.deadLetterClass == .duplicate)
            #expect(failure.cause == "Xero holds an earlier version of this order under the number HBR-1: "
                + "its total is 12.0, ours 10.00.")
            #expect(failure.remedy.contains("count twice") && failure.remedy.contains("void it"))
            #expect(!failure.remedy.contains("Rename that document"))
            // Made again of what is stored, the letter is the same.
            let again = try #require(try await books.write(ids).first?.envelope.failure)
            #expect(again.cause == failure.cause && again.remedy == failure.remedy)
            #expect(again.deadLetterClass == .duplicate)
            #expect(try await books.invoices() == ["HBR-1 12.00 paid 0.00"])
        }
    }

    private static func name(_ standing: Standing) -> String {
        "\(all.firstIndex { $0.testDescription == standing.testDescription } ?? 9)"
    }

    static func body(_ standing: Standing, contact: String, number: String = "HBR-1") -> String {
        """
        {"Invoices":[{"Type":"ACCREC","InvoiceNumber":"\(number)","Contact":{"ContactID":"\(contact)"},\
        "Date":"\(standing.date)","DueDate":"\(standing.date)","LineAmountTypes":"Inclusive","Status":"AUTHORISED",\
        "LineItems":[{"Description":"Coffee","Quantity":1,"UnitAmount":\(standing.amount),"AccountCode":"200",\
        "TaxType":"OUTPUT"}]}]}
        """
    }
}
