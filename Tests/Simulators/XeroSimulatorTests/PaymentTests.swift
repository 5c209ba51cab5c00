import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct PaymentTests {
    @Test("payments lower what is due, and the invoice is paid at zero")
    func paying() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            let first = try await world.pay("A", "4.00").only("Payments")
            #expect(first["Invoice"]?["Status"]?.string == "AUTHORISED")
            #expect(first["Invoice"]?.digits("AmountDue") == "7.0")
            let second = try await world.pay("A", "7.00", account: "232").only("Payments")
            #expect(second["Invoice"]?["Status"]?.string == "PAID")
            let invoice = try await world.call(.GET, "Invoices/A").only("Invoices")
            #expect(invoice["Payments"]?.elements.map { $0.digits("Amount") } == ["4.0", "7.0"])
            #expect(invoice["FullyPaidOnDate"]?.string == "/Date(1789344000000+0000)/")
        }
    }

    @Test(
        "a payment is refused with the vendor's sentence",
        arguments: [
            ("11.01", "231", "Payment amount exceeds the amount outstanding on this document"),
            ("1.00", "200", "Account code '200' is not a bank account and does not have payments enabled"),
            ("1.00", "999", "Account code '999' is not a valid code for this document."),
            ("0", "231", "Payment amount must be greater than zero"),
        ])
    func refused(amount: String, account: String, sentence: String) async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            let reply = try await world.pay("A", amount, account: account, query: "?summarizeErrors=false")
            #expect(try reply.messages("Payments") == [sentence])
            #expect(try reply.only("Payments")["PaymentID"]?.string == "00000000-0000-0000-0000-000000000000")
            #expect(try await world.ledger()["invoices"]?.elements.first?.digits("AmountPaid") == "0.00")
        }
    }

    @Test("a payment on a draft, on nothing and on a voided invoice is refused")
    func wrongDocument() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let draft = World.element("D", contact: contact)
                .split(separator: "AUTHORISED", omittingEmptySubsequences: false).joined(separator: "DRAFT")
            _ = try await world.call(.PUT, "Invoices", "{\"Invoices\":[\(draft)]}")
            let query = "?summarizeErrors=false"
            #expect(
                try await world.pay("D", "1.00", query: query).messages("Payments")
                    == ["Payments can only be made against Authorised documents"])
            #expect(
                try await world.pay("nothing", "1.00", query: query).messages("Payments")
                    == ["Invoice could not be found"])
        }
    }

    @Test("in a batch of payments the second of two that fit only alone is refused")
    func batch() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            let one = #"{"Invoice":{"InvoiceNumber":"A"},"Account":{"Code":"231"},"Date":"2026-09-14","Amount":6.00}"#
            let reply = try await world.call(
                .PUT, "Payments?summarizeErrors=false", "{\"Payments\":[\(one),\(one)]}")
            let statuses = try reply.json["Payments"]?.elements.map { $0["StatusAttributeString"]?.string }
            #expect(statuses == ["OK", "ERROR"])
            let other = try await world.call(.PUT, "Payments", "{\"Payments\":[\(one)]}")
            #expect(other.status == 400)
            #expect(try await world.ledger()["payments"]?.elements.count == 1)
        }
    }

    @Test("a deleted payment makes the invoice due again, once")
    func deleting() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            let id = try #require(try await world.pay("A", "11.00").only("Payments")["PaymentID"]?.string)
            let reply = try await world.call(.POST, "Payments/\(id)", #"{"Status":"DELETED"}"#)
            #expect(try reply.only("Payments")["Status"]?.string == "DELETED")
            let invoice = try #require(try await world.ledger()["invoices"]?.elements.first)
            #expect(invoice["Status"]?.string == "AUTHORISED")
            #expect(invoice.digits("AmountDue") == "11.00")
            #expect(try await world.call(.POST, "Payments/\(id)", #"{"Status":"DELETED"}"#).status == 400)
            #expect(try await world.call(.GET, "Payments/\(id)").only("Payments")["Status"]?.string == "DELETED")
        }
    }

    @Test("payments are listed by their invoice and by the date of change")
    func lists() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            for number in ["A", "B"] {
                _ = try await world.invoice(number, contact: contact)
                _ = try await world.pay(number, "2.00")
                world.time.advance(seconds: 10)
            }
            let byNumber = try await world.call(.GET, "Payments?where=Invoice.InvoiceNumber==%22B%22")
            #expect(try byNumber.only("Payments")["Invoice"]?["InvoiceNumber"]?.string == "B")
            let since = try await world.call(
                .GET, "Payments", headers: ["If-Modified-Since": "2026-09-14T03:00:05"])
            #expect(try since.json["Payments"]?.elements.count == 1)
        }
    }

    @Test("a credit note is allocated to an invoice, the rest is refunded, and neither can be overdrawn")
    func creditNotes() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            _ = try await world.invoice("A", contact: contact, lines: World.line("1", "8.00"))
            let note = World.element("X", contact: contact, lines: World.line("1", "11.00"))
                .replacing("ACCREC", with: "ACCRECCREDIT").replacing("InvoiceNumber", with: "CreditNoteNumber")
            let created = try await world.call(.PUT, "CreditNotes", "{\"CreditNotes\":[\(note)]}")
            let id = try #require(try created.only("CreditNotes")["CreditNoteID"]?.string)
            #expect(try await world.call(.PUT, "CreditNotes", "{\"CreditNotes\":[\(note)]}").status == 400)
            func allocate(_ amount: String) async throws -> Reply {
                try await world.call(
                    .PUT, "CreditNotes/\(id)/Allocations",
                    #"{"Allocations":[{"Invoice":{"InvoiceNumber":"A"},"Amount":\#(amount),"Date":"2026-09-14"}]}"#)
            }
            #expect(try await allocate("8.01").status == 400)
            #expect(try await allocate("8.00").status == 200)
            func refund(_ amount: String) async throws -> Reply {
                try await world.call(
                    .PUT, "Payments",
                    #"{"Payments":[{"CreditNote":{"CreditNoteNumber":"X"},"Account":{"Code":"231"},"#
                        + #""Amount":\#(amount)}]}"#)
            }
            #expect(try await refund("3.01").status == 400)
            #expect(try await refund("3.00").only("Payments")["PaymentType"]?.string == "ARCREDITPAYMENT")
            let ledger = try await world.ledger()
            #expect(ledger["invoices"]?.elements.first?["Status"]?.string == "PAID")
            #expect(ledger["invoices"]?.elements.first?.digits("AmountCredited") == "8.00")
            #expect(ledger["creditNotes"]?.elements.first?["Status"]?.string == "PAID")
        }
    }
}

extension String {
    fileprivate func replacing(_ text: String, with other: String) -> String {
        split(separator: text, omittingEmptySubsequences: false).joined(separator: other)
    }
}
