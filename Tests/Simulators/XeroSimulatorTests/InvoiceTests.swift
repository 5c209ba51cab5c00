import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct InvoiceTests {
    @Test("PUT refuses a used number and POST overwrites the invoice of that number")
    func numbers() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let first = try await world.invoice("A-1", contact: contact)
            let again = try await world.invoice("A-1", contact: contact, query: "?summarizeErrors=false")
            #expect(again.status == 200)
            #expect(try again.messages("Invoices") == ["Invoice # must be unique."])
            #expect(try again.only("Invoices")["InvoiceID"]?.string == "00000000-0000-0000-0000-000000000000")
            let over = try await world.invoice("A-1", contact: contact, lines: World.line("1", "22.00"), method: .POST)
            #expect(try over.only("Invoices")["InvoiceID"]?.string == first.only("Invoices")["InvoiceID"]?.string)
            let invoices = try await world.ledger()["invoices"]?.elements
            #expect(invoices?.map { $0.digits("Total") } == ["22.00"])
        }
    }

    struct Refused: Sendable, CustomTestStringConvertible {
        let why: String
        var line = World.line("1", "11.00")
        var more = ""
        let sentence: String
        var testDescription: String { why }
    }

    @Test(
        "an authorised invoice is refused when something in it is wrong",
        arguments: [
            Refused(
                why: "unknown account", line: World.line("1", "1", account: "999"),
                sentence: "Account code '999' is not a valid code for this document."),
            Refused(
                why: "tax that does not fit the account", line: World.line("1", "1", tax: "INPUT"),
                sentence: "The TaxType code 'INPUT' cannot be used with account code '200'."),
            Refused(
                why: "unknown tax", line: World.line("1", "1", tax: "OUTPUT9"),
                sentence: "The TaxType code 'OUTPUT9' does not exist."),
            Refused(
                why: "unknown tracking option",
                line: World.line("1", "1", more: #","Tracking":[{"Name":"Venue","Option":"Mars"}]"#),
                sentence: "The tracking option 'Mars' does not exist in the category 'Venue'."),
            Refused(
                why: "negative total", line: World.line("-1", "1"),
                sentence: "The document total must be greater than or equal to zero."),
            Refused(
                why: "no due date", more: #""DueDate":"","#,
                sentence: "Due Date must be specified for an approved invoice."),
            Refused(
                why: "unknown contact",
                more: #""Contact":{"ContactID":"5d1ac0de-0000-4000-8000-00000000dead"},"#,
                sentence: "The Contact with ContactID 5d1ac0de-0000-4000-8000-00000000dead could not be found."),
            Refused(why: "no lines", line: "", sentence: "One or more line items must be specified"),
            Refused(why: "the vendor's name in the link", more: #""Url":"https://xero.example","#,
                sentence: "Url must not contain 'xero'"),
        ])
    func refused(_ example: Refused) async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            var element = World.element("A-1", contact: contact, lines: example.line)
            // The first member of a name counts, so what deviates goes to the front.
            element = "{" + example.more + element.dropFirst()
            let reply = try await world.call(
                .PUT, "Invoices?summarizeErrors=false", #"{"Invoices":[\#(element)]}"#)
            #expect(try reply.messages("Invoices") == [example.sentence], "\(reply.text)")
            #expect(try await world.ledger()["invoices"]?.elements.isEmpty == true)
        }
    }

    @Test("with summarizeErrors=false the good elements are kept and each element answers for itself")
    func halfAccepted() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let bad = World.element("B", contact: contact, lines: World.line("1", "1", account: "999"))
            let body = "{\"Invoices\":[\(World.element("A", contact: contact)),\(bad),"
                + "\(World.element("C", contact: contact))]}"
            let reply = try await world.call(.PUT, "Invoices?summarizeErrors=false", body)
            #expect(reply.status == 200)
            let elements = try #require(try reply.json["Invoices"]?.elements)
            #expect(elements.map { $0["StatusAttributeString"]?.string } == ["OK", "ERROR", "OK"])
            #expect(elements.map { $0["InvoiceNumber"]?.string } == ["A", "B", "C"])
            let kept = try await world.ledger()["invoices"]?.elements.map { $0["InvoiceNumber"]?.string }
            #expect(kept == ["A", "C"])
        }
    }

    @Test("without it the answer is a 400 that shows only the bad ones, while the good ones are kept")
    func halfAcceptedSummarised() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let bad = World.element("B", contact: contact, lines: World.line("1", "1", account: "999"))
            let reply = try await world.call(
                .PUT, "Invoices", "{\"Invoices\":[\(World.element("A", contact: contact)),\(bad)]}")
            #expect(reply.status == 400)
            #expect(try reply.json["Type"]?.string == "ValidationException")
            #expect(try reply.only("Elements")["InvoiceNumber"]?.string == "B")
            let kept = try await world.ledger()["invoices"]?.elements.map { $0["InvoiceNumber"]?.string }
            #expect(kept == ["A"])
        }
    }

    @Test("an authorised invoice can be voided, but not with a payment, nor deleted, nor twice")
    func voiding() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            _ = try await world.invoice("A", contact: contact)
            _ = try await world.invoice("B", contact: contact)
            _ = try await world.pay("B", "1.00")
            func set(_ number: String, _ status: String) async throws -> [String] {
                let reply = try await world.call(
                    .POST, "Invoices?summarizeErrors=false",
                    #"{"Invoices":[{"InvoiceNumber":"\#(number)","Status":"\#(status)"}]}"#)
                return try reply.messages("Invoices")
            }
            let applied = "This document cannot be edited as it has a payment or credit note allocated to it."
            #expect(try await set("B", "VOIDED") == [applied])
            #expect(try await set("A", "DELETED") == ["Invoice not of valid status for modification"])
            #expect(try await set("A", "VOIDED") == [])
            #expect(try await set("A", "VOIDED") == ["Invoice not of valid status for modification"])
            let again = try await world.invoice("A", contact: contact, query: "?summarizeErrors=false")
            #expect(try again.messages("Invoices") == ["Invoice # must be unique."])
        }
    }

    @Test("a paid invoice keeps its amounts, its reference and its accounts may change")
    func paidEdits() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            _ = try await world.invoice("A", contact: contact)
            _ = try await world.pay("A", "11.00")
            let reference = try await world.call(
                .POST, "Invoices/A",
                #"{"Reference":"late","LineItems":[\#(World.line("1", "11.00", account: "260"))]}"#)
            #expect(try reference.only("Invoices")["Reference"]?.string == "late")
            #expect(try reference.only("Invoices")["Status"]?.string == "PAID")
            let amount = try await world.invoice(
                "A", contact: contact, lines: World.line("1", "12.00"), query: "?summarizeErrors=false", method: .POST)
            #expect(
                try amount.messages("Invoices")
                    == ["This document cannot be edited as it has a payment or credit note allocated to it."])
        }
    }

    @Test("a document in a closed period is refused with the date of the lock")
    func locks() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            try await world.change(#""periodLockDate":"2026-09-14""#)
            let reply = try await world.invoice("A", contact: contact, query: "?summarizeErrors=false")
            #expect(
                try reply.messages("Invoices")
                    == ["The document date cannot be before the period lock date, currently set at 2026-09-14"])
            try await world.change(#""periodLockDate":"","endOfYearLockDate":"2026-06-30""#)
            #expect(try await world.invoice("A", contact: contact).status == 200)
            let organisation = try await world.call(.GET, "Organisation").only("Organisations")
            #expect(organisation["EndOfYearLockDate"]?.string == "/Date(1782777600000+0000)/")
        }
    }

    @Test("an archived account takes no new lines")
    func archivedAccount() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            try await world.change(#""archiveAccounts":["200"]"#)
            #expect(try await world.invoice("A", contact: contact).status == 400)
            try await world.change(#""activateAccounts":["200"]"#)
            #expect(try await world.invoice("A", contact: contact).status == 200)
        }
    }

    @Test("invoices are found by number, identifier, status, contact, filter and date of change")
    func lists() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            for number in ["A", "B", "C"] {
                _ = try await world.invoice(number, contact: contact, more: #""Reference":"r\#(number)","#)
                world.time.advance(seconds: 10)
            }
            _ = try await world.pay("B", "11.00")
            func numbers(_ query: String, _ headers: [String: String] = [:]) async throws -> [String] {
                let reply = try await world.call(.GET, "Invoices?\(query)", headers: headers)
                return try reply.json["Invoices"]?.elements.compactMap { $0["InvoiceNumber"]?.string } ?? [reply.text]
            }
            #expect(try await numbers("InvoiceNumbers=C,A,Z") == ["A", "C"])
            #expect(try await numbers("Statuses=PAID") == ["B"])
            #expect(try await numbers("ContactIDs=\(contact)").count == 3)
            #expect(try await numbers("where=Reference%3D%3D%22rC%22") == ["C"])
            #expect(try await numbers("where=Date%3E%3DDateTime(2026,09,15)") == [])
            #expect(
                try await numbers("where=Status==%22AUTHORISED%22%20AND%20InvoiceNumber==%22A%22") == ["A"])
            #expect(try await numbers("page=2&pageSize=2") == ["C"])
            #expect(try await numbers("", ["If-Modified-Since": "2026-09-14T03:00:20"]) == ["B", "C"])
            #expect(try await numbers("order=InvoiceNumber%20DESC") == ["C", "B", "A"])
            #expect(try await world.call(.GET, "Invoices?where=Colour==%22red%22").status == 400)
            let many = (0..<41).map(String.init).joined(separator: ",")
            #expect(try await world.call(.GET, "Invoices?InvoiceNumbers=\(many)").status == 400)
        }
    }

    @Test("unpaged lists and summaries leave the lines out, pages and single invoices show them")
    func lines() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            for (path, count) in [
                ("Invoices", 0), ("Invoices?page=1", 1), ("Invoices?page=1&summaryOnly=true", 0), ("Invoices/A", 1),
            ] {
                let invoice = try await world.call(.GET, path).only("Invoices")
                #expect(invoice["LineItems"]?.elements.count == count, "\(path)")
            }
        }
    }

    @Test("a history note is kept with the invoice")
    func history() async throws {
        try await withSimulator { world in
            _ = try await world.invoice("A", contact: try await world.contact())
            let body = #"{"HistoryRecords":[{"Details":"posted by the fleet"}]}"#
            let reply = try await world.call(.PUT, "Invoices/A/History", body)
            #expect(try reply.only("HistoryRecords")["Details"]?.string == "posted by the fleet")
            let kept = try await world.call(.GET, "Invoices/A/History").only("HistoryRecords")
            #expect(kept["DateUTCString"]?.string == "2026-09-14T03:00:00")
            let long = String(repeating: "x", count: 2501)
            #expect(
                try await world.call(.PUT, "Invoices/A/History", #"{"HistoryRecords":[{"Details":"\#(long)"}]}"#)
                    .status == 400)
        }
    }

    @Test("more than fifty invoices in one call are refused, and none is kept")
    func batchBound() async throws {
        try await withSimulator { world in
            let contact = try await world.contact()
            let all = (0..<51).map { World.element("N-\($0)", contact: contact) }.joined(separator: ",")
            #expect(try await world.call(.PUT, "Invoices", "{\"Invoices\":[\(all)]}").status == 400)
            #expect(try await world.ledger()["invoices"]?.elements.count == 0)
        }
    }
}
