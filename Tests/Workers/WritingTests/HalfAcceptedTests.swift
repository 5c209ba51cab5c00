import Domain
import Messaging
import Postgres
import Testing

/// A batch of which Xero takes one part and refuses the other.
@Suite(.enabled(if: LiveServers.areThere, LiveServers.absence), .timeLimit(.minutes(2)))
struct HalfAcceptedTests {
    @Test("good ones are kept and paid; each bad one is parked with Xero's own sentence, and no payment is sent for it")
    func halfAccepted() async throws {
        try await SimulatedBooks.with("halfaccepted") { books in
            let bad: [(order: SimulatedBooks.Order, sentence: String)] = [
                (.init(number: "HBR-2", account: "999"), "Account code '999' is not a valid code for this document."),
                (
                    .init(number: "HBR-4", tax: "INPUT"),
                    "The TaxType code 'INPUT' cannot be used with account code '200'."
                ),
                (
                    .init(number: "HBR-6", tracking: #","Tracking":[{"Name":"Venue","Option":"Mars"}]"#),
                    "The tracking option 'Mars' does not exist in the category 'Venue'."
                ),
            ]
            let good = [1, 3, 5].map { SimulatedBooks.Order(number: "HBR-\($0)") }
            // An invoice that is taken, and a payment of it that is not.
            let unpayable = SimulatedBooks.Order(number: "HBR-7", tenders: [("231", 400), ("200", 600)])
            let orders = (good + bad.map(\.order) + [unpayable]).sorted { $0.number < $1.number }
            let ids = Dictionary(uniqueKeysWithValues: zip(orders.map(\.number), try await books.map(orders)))
            let published = try await books.write(orders.compactMap { ids[$0.number] })

            #expect(try await books.invoices() == [
                "HBR-1 10.00 paid 10.00", "HBR-3 10.00 paid 10.00", "HBR-5 10.00 paid 10.00", "HBR-7 10.00 paid 4.00",
            ])
            #expect(try await books.payments() == ["HBR-1", "HBR-3", "HBR-5", "HBR-7"])
            let letters = published.filter { $0.queue == .dead }
            #expect(letters.count == published.count && letters.count == bad.count + 1)
            let states = try await books.states()
            for (order, sentence) in bad {
                let letter = letters.first { $0.envelope.subject.document == ids[order.number]?.value }
                let cause = try #require(letter?.envelope.failure?.cause)
                #expect(cause.contains(order.number) && cause.contains(sentence), "\(cause)")
                #expect(bad.allSatisfy { $0.sentence == sentence || !cause.contains($0.sentence) }, "\(cause)")
                #expect(states[order.number] == "refused: \(cause)")
            }
            let last = letters.first { $0.envelope.subject.document == ids["HBR-7"]?.value }
            let unpaid = try #require(last?.envelope.failure?.cause)
            #expect(unpaid.contains("HBR-7") && unpaid.contains("payments enabled"), "\(unpaid)")

            // What was, or was to be, sent for payments names none of the refused.
            let rows = try await books.pool.withSession { session in
                try session.query(
                    """
                    SELECT DISTINCT d.number
                      FROM attempt AS a CROSS JOIN unnest(a.ids) AS i (id) JOIN document AS d ON d.id = i.id
                     WHERE a.kind = 'payments' ORDER BY 1
                    """)
            }
            #expect(try rows.map { try $0.text("number") } == ["HBR-1", "HBR-3", "HBR-5", "HBR-7"])

            // The same messages once more: nothing is sent, and the letters are the same.
            let calls = try await books.calls()
            let again = try await books.write(orders.compactMap { ids[$0.number] })
            #expect(try await books.calls() == calls)
            let causes = { (messages: [OutgoingMessage]) in Set(messages.compactMap { $0.envelope.failure?.cause }) }
            #expect(causes(again) == causes(letters))
        }
    }
}
