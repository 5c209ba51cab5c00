import JSON
import NIOHTTP1
import Testing
import XeroSimulator

/// Amounts worked out by hand.
@Suite(.timeLimit(.minutes(1))) struct RoundingTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let lines: [String]
        let types: String
        /// Net, tax, total.
        let expected: [String]
        var query = ""
        var country = "AU"

        var testDescription: String { "\(types) \(lines) \(query)" }
    }

    @Test(
        "tax is rounded half up on each line and then summed",
        arguments: [
            // 13.65 × 10 / 110 = 1.2409…
            Case(lines: [World.line("3", "4.55")], types: "Inclusive", expected: ["12.41", "1.24", "13.65"]),
            // 0.05 × 10 % = 0.005: half a cent goes up. On three lines thrice, though 0.15 × 10 % would be 0.015.
            Case(lines: [World.line("1", "0.05")], types: "Exclusive", expected: ["0.05", "0.01", "0.06"]),
            Case(
                lines: Array(repeating: World.line("1", "0.05"), count: 3), types: "Exclusive",
                expected: ["0.15", "0.03", "0.18"]),
            // 0.44 × 10 % = 0.044 goes down.
            Case(lines: [World.line("1", "0.44")], types: "Exclusive", expected: ["0.44", "0.04", "0.48"]),
            // A refund inside an invoice mirrors the sale: −0.005 becomes −0.01.
            Case(
                lines: [World.line("1", "1.00"), World.line("-1", "0.05")], types: "Exclusive",
                expected: ["0.95", "0.09", "1.04"]),
            // 0.055 gross × 10 / 110: the unit amount of 2 places first becomes 0.06, so 0.06 / 11 = 0.0054… → 0.01.
            Case(lines: [World.line("1", "0.055")], types: "Inclusive", expected: ["0.05", "0.01", "0.06"]),
            // With four places: 100 × 0.0555 = 5.55; 5.55 / 11 = 0.5045… → 0.50.
            Case(
                lines: [World.line("100", "0.0555")], types: "Inclusive", expected: ["5.05", "0.5", "5.55"],
                query: "?unitdp=4"),
            // Without: 100 × 0.06 = 6.00; 6 / 11 = 0.5454… → 0.55.
            Case(lines: [World.line("100", "0.0555")], types: "Inclusive", expected: ["5.45", "0.55", "6.0"]),
            // 0.333 × 9.99 = 3.32667 → 3.33, of which 3.33 / 11 = 0.3027… → 0.30.
            Case(lines: [World.line("0.333", "9.99")], types: "Inclusive", expected: ["3.03", "0.3", "3.33"]),
            // 10 % off 9.95 = 8.955 → 8.96; / 11 = 0.8145… → 0.81.
            Case(
                lines: [World.line("1", "9.95", more: #","DiscountRate":10"#)], types: "Inclusive",
                expected: ["8.15", "0.81", "8.96"]),
            Case(lines: [World.line("2", "5.00")], types: "NoTax", expected: ["10.0", "0.0", "10.0"]),
            Case(
                lines: [World.line("2", "5.00", tax: "EXEMPTOUTPUT")], types: "Inclusive",
                expected: ["10.0", "0.0", "10.0"]),
            // An overridden tax amount stands.
            Case(
                lines: [World.line("1", "11.00", more: #","TaxAmount":0.99"#)], types: "Inclusive",
                expected: ["10.01", "0.99", "11.0"]),
            // New Zealand, the captured invoice: 2 × 10.50 and 15 % on top. And 15 / 115 of 10.00 = 1.3043…
            Case(
                lines: [World.line("2", "10.50", tax: "OUTPUT2")], types: "Exclusive",
                expected: ["21.0", "3.15", "24.15"], country: "NZ"),
            Case(
                lines: [World.line("1", "10.00", tax: "OUTPUT2")], types: "Inclusive",
                expected: ["8.7", "1.3", "10.0"], country: "NZ"),
            // Great Britain: 20 / 120 of 9.99 = 1.665, half a cent, goes up.
            Case(
                lines: [World.line("1", "9.99", tax: "OUTPUT2")], types: "Inclusive",
                expected: ["8.32", "1.67", "9.99"], country: "GB"),
        ])
    func tax(_ example: Case) async throws {
        try await withSimulator(country: example.country) { world in
            let reply = try await world.invoice(
                "A-1", contact: try await world.contact(), lines: example.lines.joined(separator: ","),
                types: example.types, query: example.query)
            let invoice = try reply.only("Invoices")
            #expect(
                ["SubTotal", "TotalTax", "Total"].map { invoice.digits($0) } == example.expected, "\(reply.text)")
        }
    }

    @Test("a line amount that is not quantity times unit amount is refused with both totals")
    func mismatch() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let wrong = World.line("3", "4.55", more: #","LineAmount":13.66"#)
            let reply = try await world.invoice("A-1", contact: contact, lines: wrong, query: "?summarizeErrors=false")
            #expect(
                try reply.messages("Invoices")
                    == ["The line total 13.66 does not match the expected line total 13.65"])
            let right = World.line("3", "4.55", more: #","LineAmount":13.65"#)
            #expect(try await world.invoice("A-1", contact: contact, lines: right).status == 200)
        }
    }

    @Test("amounts beyond the ledger's bounds are refused, not wrapped")
    func overflow() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            for line in [
                World.line("1", "99999999999999999999"), World.line("999999999999", "999999999999"),
                World.line("1", "1e12") + "," + World.line("1", "1e12"),
            ] {
                let reply = try await world.invoice("A-1", contact: contact, lines: line)
                #expect(reply.status == 400, "\(line)")
            }
            let exact = World.line("1", "999999999999.99")
            let reply = try await world.invoice("A-2", contact: contact, lines: exact)
            #expect(try reply.only("Invoices").digits("Total") == "999999999999.99")
        }
    }

    @Test("the control ledger shows amounts as numbers with exactly two decimals")
    func ledgerDecimals() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A-1", contact: try await world.contact(), lines: World.line("2", "5"))
            let invoice = try #require(try await world.ledger()["invoices"]?.elements.first)
            #expect(invoice.digits("Total") == "10.00")
            #expect(invoice.digits("TotalTax") == "0.91")
            #expect(invoice.digits("AmountDue") == "10.00")
        }
    }
}
