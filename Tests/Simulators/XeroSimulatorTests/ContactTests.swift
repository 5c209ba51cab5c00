import JSON
import NIOHTTP1
import Testing
import XeroSimulator

@Suite(.timeLimit(.minutes(1))) struct ContactTests {
    @Test("a name is taken once among the active contacts, whatever its case")
    func uniqueNames() async throws {
        try await withSimulator { world in
            let id = try await world.contact("Cafe Uno")
            let body = #"{"Contacts":[{"Name":"CAFE UNO"}]}"#
            let reply = try await world.call(.PUT, "Contacts?summarizeErrors=false", body)
            #expect(
                try reply.messages("Contacts") == [
                    "The contact name CAFE UNO is already assigned to another contact. The contact name must be unique "
                        + "across all active contacts."
                ])
            _ = try await world.call(.POST, "Contacts/\(id)", #"{"ContactStatus":"ARCHIVED"}"#)
            #expect(try await world.call(.PUT, "Contacts", body).status == 200)
        }
    }

    @Test("POST updates the contact of that identifier, number or name")
    func upsert() async throws {
        try await withSimulator { world in
            let body = #"{"Contacts":[{"Name":"Ann","ContactNumber":"k-1"}]}"#
            let id = try await world.call(.POST, "Contacts", body).only("Contacts")["ContactID"]?.string
            let changed = #"{"Contacts":[{"Name":"Ann B","ContactNumber":"k-1","EmailAddress":"a@b.example"}]}"#
            #expect(try await world.call(.POST, "Contacts", changed).only("Contacts")["ContactID"]?.string == id)
            let named = #"{"Contacts":[{"Name":"Ann B","FirstName":"Ann"}]}"#
            let last = try await world.call(.POST, "Contacts", named).only("Contacts")
            #expect(last["ContactID"]?.string == id)
            #expect(last["EmailAddress"]?.string == "a@b.example")
            #expect(try await world.ledger()["contacts"]?.elements.count == 1)
        }
    }

    @Test("an archived contact cannot be edited, is not listed, and gets no invoice")
    func archived() async throws {
        try await withSimulator { world in
            let id = try await world.contact("Gone")
            _ = try await world.call(.POST, "Contacts/\(id)", #"{"ContactStatus":"ARCHIVED"}"#)
            #expect(try await world.call(.POST, "Contacts/\(id)", #"{"FirstName":"x"}"#).status == 400)
            #expect(try await world.call(.GET, "Contacts").json["Contacts"]?.elements.count == 0)
            #expect(try await world.call(.GET, "Contacts?includeArchived=true").json["Contacts"]?.elements.count == 1)
            let reply = try await world.invoice("A", contact: id, query: "?summarizeErrors=false")
            #expect(try reply.messages("Invoices").first?.contains("has been archived") == true)
        }
    }

    @Test("contacts are found by number, by e-mail whatever its case, by term and by identifier")
    func finding() async throws {
        try await withSimulator { world in
            let body = """
                {"Contacts":[{"Name":"Ann","ContactNumber":"k-1","EmailAddress":"Ann@Mail.example"},
                {"Name":"Bob","ContactNumber":"k-2"}]}
                """
            _ = try await world.call(.PUT, "Contacts", body)
            for query in [
                "where=ContactNumber==%22k-1%22", "where=EmailAddress==%22ann@mail.EXAMPLE%22", "searchTerm=AN",
            ] {
                #expect(try await world.call(.GET, "Contacts?\(query)").only("Contacts")["Name"]?.string == "Ann")
            }
            let id = try await world.contact("Cy")
            #expect(try await world.call(.GET, "Contacts?IDs=\(id)").only("Contacts")["Name"]?.string == "Cy")
            #expect(try await world.call(.GET, "Contacts/\(id)").only("Contacts")["Name"]?.string == "Cy")
        }
    }

    @Test(
        "a name with angle brackets, doubled spaces, or none at all is refused",
        arguments: ["a<b", "a  b", "", String(repeating: "n", count: 256)])
    func names(name: String) async throws {
        try await withSimulator { world in
            let reply = try await world.call(.PUT, "Contacts", #"{"Contacts":[{"Name":"\#(name)"}]}"#)
            #expect(reply.status == 400)
        }
    }

    @Test("fields beside the identifier in an invoice's contact are applied to the contact")
    func appliedByInvoice() async throws {
        try await withSimulator { world in
            let id = try await world.contact("Ann")
            let element = World.element("A", contact: id)
                .split(separator: "\"\(id)\"").joined(separator: "\"\(id)\",\"Name\":\"Renamed\"")
            _ = try await world.call(.PUT, "Invoices", "{\"Invoices\":[\(element)]}")
            #expect(try await world.ledger()["contacts"]?.elements.first?["Name"]?.string == "Renamed")
        }
    }

    @Test("items are created, upserted by code, and give their price, account and tax to lines")
    func items() async throws {
        try await withSimulator { world in
            let item = """
                {"Items":[{"Code":"FLAT","Name":"Flat white","Description":"Flat white",\
                "SalesDetails":{"UnitPrice":4.5,"AccountCode":"260","TaxType":"OUTPUT"}}]}
                """
            #expect(try await world.call(.PUT, "Items", item).status == 200)
            #expect(try await world.call(.PUT, "Items", item).status == 400)
            #expect(try await world.call(.POST, "Items", item).status == 200)
            #expect(try await world.call(.GET, "Items/FLAT").only("Items")["Name"]?.string == "Flat white")
            let line = #"{"ItemCode":"FLAT","Quantity":2}"#
            let contact = try await world.contact()
            let invoice = try await world.invoice("A", contact: contact, lines: line).only("Invoices")
            #expect(invoice.digits("Total") == "9.0")
            #expect(invoice["LineItems"]?.elements.first?["AccountCode"]?.string == "260")
        }
    }
}
