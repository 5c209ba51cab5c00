import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// One line for all that is rounded, one bound over it, and only cash is rounded by the till.
@Suite struct RoundingTests {
    private func mapping(upTo cents: Int64 = 5) -> OrderMapping {
        var books = VenueBooks.example
        books.roundingMax = Money(cents: cents)
        return OrderMapping(books: books)
    }

    /// A pie of 10.00 that the till sold for `total`.
    private func order(_ total: String, _ payments: [Tender]) -> Order {
        .example(total: total, lines: [.example("Pie", "1", "10.00")], payments: payments)
    }

    private func roundings(_ document: LedgerDocument) -> [String] {
        document.lines.filter { $0.account == "860" }.map { "\($0.description) \($0.amount)" }
    }

    @Test("the cent that lines leave and the till's cash rounding are one line")
    func together() throws {
        let cases: [(total: String, paid: String, expected: [String])] = [
            ("10.01", "10.01", ["Rounding 0.01"]), ("10.00", "10.02", ["Cash rounding 0.02"]),
            ("10.03", "10.05", ["Rounding and cash rounding 0.05"]), ("10.02", "10.00", []),
            ("9.98", "10.00", []), ("9.97", "9.95", ["Rounding and cash rounding -0.05"]),
        ]
        for (total, paid, expected) in cases {
            let invoice = try mapping().invoice(for: order(total, [tender("Cash", paid)]))
            #expect(roundings(invoice) == expected, "\(total) \(paid)")
            #expect(invoice.total == invoice.paid && invoice.paid.description == paid)
        }
        // A refund's likewise.
        var refund = order("10.03", [tender("Cash", "10.05")])
        refund.isRefund = true
        let note = try #require(try mapping().documents(for: refund).first)
        #expect(note.kind == .creditNote && roundings(note) == ["Rounding and cash rounding 0.05"] && note.due == .zero)
    }

    @Test("exactly the bound is booked, a cent more is parked with both figures", arguments: [0, 5, 10] as [Int64])
    func bounds(bound: Int64) throws {
        for sign in [1, -1] as [Int64] {
            let (edge, beyond) = (Money(cents: 1000 + sign * bound), Money(cents: 1000 + sign * (bound + 1)))
            // The lines', the till's, and both together.
            let half = Money(cents: 1000 + sign * (bound / 2))
            for (total, paid) in [(edge, edge), (Money(cents: 1000), edge), (half, edge)] {
                let order = order(total.description, [tender("Cash", paid.description)])
                let invoice = try mapping(upTo: bound).invoice(for: order)
                let rounded = invoice.lines.filter { $0.account == "860" }.map(\.amount.cents)
                #expect(rounded == (bound == 0 ? [] : [sign * bound]))
                #expect(invoice.total == edge && invoice.paid == edge)
            }
            for (total, paid, other) in [
                (beyond, beyond, "10.00"), (Money(cents: 1000), beyond, "10.00"), (edge, beyond, "10.00"),
            ] {
                let order = order(total.description, [tender("Cash", paid.description)])
                let park = #expect(throws: Park.self) { try mapping(upTo: bound).documents(for: order) }
                let cause = park?.cause ?? ""
                #expect(cause.contains(" \(beyond)") && (cause.contains(" \(other)") || bound == 0), "\(cause)")
                #expect(park?.deadLetterClass == .value)
            }
        }
    }

    @Test("both within the bound but not together: all the figures are told")
    func tooMuchTogether() {
        let order = order("10.04", [tender("Cash", "10.06")])
        let park = #expect(throws: Park.self) { try mapping().documents(for: order) }
        let figures = "come to 10.00, but the till took 10.06 for 10.04: a rounding of 0.06, more than 0.05"
        #expect(park?.cause.contains(figures) == true, "\(park?.cause ?? "")")
    }

    @Test(
        "what differs though no cash was paid is no rounding: it is parked with both figures, by a cent too",
        arguments: ["9.99", "9.95", "10.01", "10.05"])
    func notCash(paid: String) throws {
        func park(_ payments: [Tender], customer: Bool = false, isRefund: Bool = false) throws -> String {
            var order = order("10.00", payments)
            if customer { order.customer = Customer(id: "7", firstName: "Ann") }
            order.isRefund = isRefund
            return try #require(throws: Park.self) { try mapping().documents(for: order) }.cause
        }
        let figures = "the till took \(paid), but total and tips come to 10.00, and none of it is cash"
        #expect(try park([tender("Card", paid)]).contains(figures))
        #expect(try park([tender("Cashless", paid)]).contains(figures))
        // Nor does a customer who is merely named get an invoice over a cent.
        #expect(try park([tender("Card", paid)], customer: true).contains(figures))
        #expect(try park([tender("Card", paid)], isRefund: true).contains(figures))
        // With some cash among it, it is.
        let half = Money(exactly: decimal(paid))! - Money(cents: 400)
        for cash in ["Cash", "CASH", "Petty cash", "Cash (bar)"] {
            let mixed = order("10.00", [tender("Card", "4.00"), tender(cash, half.description)])
            #expect(try mapping().invoice(for: mixed).total.description == paid)
        }
    }

    @Test("a few cents left on an account are owed, not rounded away; paid back by card they are a refund")
    func fewCents() throws {
        var sale = order("10.00", [tender("Card", "9.96")])
        (sale.isOnAccount, sale.customer) = (true, Customer(id: "7", firstName: "Ann"))
        let owed = try #require(try mapping().documents(for: sale).first)
        #expect(owed.isOnAccount && owed.due.cents == 4 && roundings(owed).isEmpty)
        let back = try mapping().documents(for: order("10.00", [tender("Card", "10.00"), tender("Card", "-0.04")]))
        #expect(back.map(\.total.cents) == [1000, 4] && back.allSatisfy { $0.due == .zero })
        // An unpaid sale is nobody's rounding either.
        let unpaid = try #require(throws: Park.self) {
            try mapping().documents(for: .example(total: "0.02", lines: [.example("Bag", "1", "0.02")], payments: []))
        }
        #expect(unpaid.cause.contains("took 0.00") && unpaid.cause.contains("0.02"))
    }
}
