import Domain
import JSON
import Mapping
import Money
import Testing
import Xero

/// Every call the fleet can make, held against Xero's own description of its interface.
@Suite(
    "Xero's contract",
    .enabled(if: Contract.isThere, "../shared/contracts/xero_accounting.yaml is not here"), .timeLimit(.minutes(5)))
struct ContractTests {
    /// As many as `PUT /Invoices` takes at once.
    private static func batches(_ name: StaticString, _ elements: [[UInt8]]) -> [[UInt8]] {
        stride(from: 0, to: elements.count, by: 50).map { start in
            InvoiceBody.batch(name, of: Array(elements[start..<min(start + 50, elements.count)]))
        }
    }

    private static func permit() -> CallPermit { CallPermit(organisation: OrganisationKey("harbour"), id: nil) }

    private static func expectNone(_ calls: [WireCall], atLeast count: Int) throws {
        #expect(calls.count >= count, "\(calls.count) calls")
        let contract = try Contract.xero.get()
        for problem in Set(calls.flatMap(contract.problems)).sorted().prefix(20) { Issue.record("\(problem)") }
    }

    @Test("invoices, credit notes, payments and contacts of generated orders, single and summed, are as described")
    func documents() async throws {
        let made = FleetDocuments(orders: 2_000)
        try #require(made.elements[.invoice]?.count ?? 0 > 1_500 && made.elements[.creditNote]?.count ?? 0 > 100)
        try Self.expectRuled(made)
        let calls = try await NotingLedger.calls { client in
            for kind in LedgerDocument.Kind.allCases {
                for body in Self.batches(kind.endpoint, made.elements[kind] ?? []) {
                    _ = try await client.create(kind, body, key: "key-1", permit: Self.permit())
                }
            }
            for body in Self.batches("Payments", made.payments.map(\.element)) {
                _ = try await client.createPayments(body, key: "key-2", permit: Self.permit())
            }
            for contact in made.contacts where contact.firstName != "" || contact.name.count > 200 {
                _ = try await client.create(contact, key: "key-3")
            }
            let ruled = try #require(made.contacts.first { $0.number == FleetDocuments.ruledContact })
            _ = try await client.create(ruled, key: "key-3")
        }
        try Self.expectNone(calls, atLeast: 200)
        // What the description leaves open, and the fleet must not: one bad invoice may not take the others with it,
        // no part of a cent is lost, and whatever is created can be sent twice.
        let whole: Set = ["summarizeErrors=false", "unitdp=4"]
        let wanted = [
            "/Invoices": (whole, "key-1"), "/CreditNotes": (whole, "key-1"),
            "/Payments": (["summarizeErrors=false"], "key-2"), "/Contacts": (["summarizeErrors=false"], "key-3"),
        ]
        #expect(Set(calls.map(\.title)) == Set(wanted.keys.map { "PUT \($0)" }))
        for call in calls {
            let (query, key) = try #require(wanted[call.path])
            #expect(Set(call.query.map { "\($0.name)=\($0.value)" }) == query, "\(call.title)")
            #expect(call.headers["idempotency-key"] == key, "\(call.title)")
        }
        #expect(calls.contains { String(decoding: $0.body, as: UTF8.self).contains(FleetDocuments.ruledContact) })
    }

    /// What rules write is on the documents: else nothing of it would be held against the contract.
    private static func expectRuled(_ made: FleetDocuments) throws {
        let invoices = try (made.elements[.invoice] ?? []).map { try JSON(parsing: $0) }
        let lines = invoices.flatMap { $0["LineItems"]?.elements ?? [] }
        #expect(invoices.count { $0["Url"]?.string?.hasPrefix(FleetDocuments.link) == true } > 100)
        #expect(invoices.contains { $0["Reference"]?.string?.hasSuffix(" at Harbour Bistro") == true })
        #expect(lines.contains { $0["ItemCode"]?.string == FleetDocuments.ruledItem })
        let tracking = lines.map { Set(($0["Tracking"]?.elements ?? []).compactMap { $0["Name"]?.string }) }
        for pair in [["Order type", "Venue"], ["Project", "Order type"]] as [Set<String>] {
            #expect(tracking.contains(pair), "\(pair)")
        }
        #expect(made.payments.contains { $0.reference.hasSuffix(" by card") })
        #expect(made.contacts.contains { $0.number == FleetDocuments.ruledContact })
    }

    @Test("changes of what stands are as described: void, changed, payments and allocations set and taken away")
    func changes() async throws {
        let made = FleetDocuments(orders: 300)
        let id = FleetDocuments.document
        let allocation = try #require(made.allocations.first)
        var changes: [LedgerChange] = [
            .removePayment(id), .removeAllocation(id, of: id),
            .allocate(allocation.amount.description, of: id, to: id, on: allocation.date.description),
        ]
        for kind in LedgerDocument.Kind.allCases {
            changes.append(.void(kind, id))
            for element in made.stored[kind] ?? [] {
                // Once with Xero's names of the lines, once where their number has changed.
                let lines = try JSON(parsing: element)["LineItems"]?.elements.count ?? 0
                for count in [lines, lines + 1] {
                    let ids = Array(repeating: FleetDocuments.document, count: count)
                    let change = try InvoiceBody.change(
                        element, contact: FleetDocuments.contact, lineIDs: ids)
                    changes.append(.update(kind, id, to: change))
                }
            }
        }
        let calls = try await NotingLedger.calls { [changes] client in
            for change in changes { _ = try await client.change(change, key: "key", permit: Self.permit()) }
        }
        try Self.expectNone(calls, atLeast: 300)
    }

    @Test("items are as described, whatever the catalogue holds")
    func items() async throws {
        let long = String(repeating: "Crème ", count: 30)
        let items = [("LATTE", "Caffè latte", "4.50"), ("1", long, "0.12345"), ("é", "\u{1F370}", "99999.99")]
            .compactMap { code, name, price in
                LedgerItem(code: code, name: name, price: ExactDecimal(price), account: "230", taxType: "OUTPUT")
            }
        try #require(items.count == 3)
        let calls = try await NotingLedger.calls { client in _ = try await client.upsertItems(items) }
        try Self.expectNone(calls, atLeast: 1)
    }

    @Test("look-ups are as described: paths, filters and the tenant that each of them needs")
    func reads() async throws {
        let calls = try await NotingLedger.calls { client in
            _ = try await client.documents(.invoice, numbers: ["HBR-1", "HBR-2"])
            _ = try await client.documents(.creditNote, numbers: ["HBR-1-c1"])
            for kind in LedgerDocument.Kind.allCases {
                _ = try await client.document(kind, id: FleetDocuments.document)
            }
            _ = try await client.contact(number: "WALKIN-HBR")
            _ = try await client.lockedThrough()
            _ = try await client.chart()
            _ = try await client.items()
        }
        try Self.expectNone(calls, atLeast: 8)
        #expect(calls.contains { $0.method == "GET" && $0.path == "/Items" })
    }

    @Test("a day's listing is looked for and attached as described")
    func attachments() async throws {
        let file = FileToAttach(name: "HBR 2026-11-20.csv", mediaType: "text/csv", body: Array("order,total\n".utf8))
        let calls = try await NotingLedger.calls { client in
            for kind in LedgerDocument.Kind.allCases {
                _ = try await client.attachments(of: kind, id: FleetDocuments.document)
                _ = try await client.attach(file, to: kind, id: FleetDocuments.document, key: "key")
            }
        }
        try Self.expectNone(calls, atLeast: 4)
        #expect(calls.filter { $0.method == "PUT" }.allSatisfy { $0.body == file.body })
    }

    // MARK: the check itself

    private static let invoice = #"{"Invoices":[{"Type":"ACCREC","Contact":{"ContactID":""# + FleetDocuments.contact
        + #""},"InvoiceNumber":"HBR-1","Reference":"S1","Date":"2026-11-23","DueDate":"2026-11-23","#
        + #""CurrencyCode":"AUD","LineAmountTypes":"Inclusive","Status":"AUTHORISED","LineItems":[{"#
        + #""Description":"Pie","Quantity":1,"UnitAmount":5.5,"LineAmount":5.50,"#
        + #""AccountCode":"230","TaxType":"OUTPUT"}]}]}"#

    private static func call(_ body: String) -> WireCall {
        WireCall(
            method: "PUT", path: "/Invoices", query: [("summarizeErrors", "false")],
            headers: ["xero-tenant-id": "t", "content-type": "application/json"], body: Array(body.utf8))
    }

    @Test("a good invoice has no problem")
    func good() throws {
        #expect(try Contract.xero.get().problems(of: Self.call(Self.invoice)) == [])
    }

    @Test("a planted mistake in a body is found", arguments: [
        ("\"LineItems\"", "\"LineItem\"", "no such field"),
        ("HBR-1", String(repeating: "1", count: 256), "256 letters"),
        ("\"ACCREC\"", "\"ACCREX\"", "none of"), ("5.50", "\"5.50\"", "no number"),
        ("\"AUD\"", "\"AUT\"", "none of"), ("2026-11-23", "23/11/2026", "no day"), ("a3675fc4-", "a3675fc4", "no uuid"),
        ("5.50", "5.5e0", "no plain number"), ("\"Inclusive\"", "true", "no text"),
        ("\"Reference\"", "\"Type\"", "there twice"),
        ("\"TaxType\":\"OUTPUT\"", "\"HasErrors\":false", "no such field"),
        ("\"Status\":\"AUTHORISED\"", "\"AmountDue\":1", "only Xero says this"),
        ("[{\"Desc", "[1,{\"Desc", "no object"), ("\"Reference\":\"S1\"", "\"Url\":5", "no text"),
        ("\"TaxType\":\"OUTPUT\"", "\"ItemCode\":7", "no text"),
        ("\"TaxType\":\"OUTPUT\"", "\"Tracking\":[{\"Nam\":\"Venue\"}]", "no such field"),
    ])
    func plantedInBody(old: String, new: String, expected: String) throws {
        let problems = try Contract.xero.get().problems(of: Self.call(Self.invoice.replacing(old, with: new)))
        #expect(problems.contains { $0.contains(expected) }, "\(problems)")
    }

    @Test("a planted mistake in an address or a header is found")
    func plantedInAddress() throws {
        let contract = try Contract.xero.get()
        let good = Self.call(Self.invoice)
        let planted: [(String, (inout WireCall) -> Void)] = [
            ("no such call", { $0.path = "/Invoice" }), ("no such call", { $0.method = "DELETE" }),
            ("there is no parameter", { $0.query.append(("unitDP", "4")) }),
            ("neither true nor false", { $0.query[0].value = "no" }),
            ("no number", { $0.query = [("unitdp", "four")] }),
            ("xero-tenant-id is missing", { $0.headers["xero-tenant-id"] = nil }),
            ("not called JSON", { $0.headers["content-type"] = "text/plain" }), ("needs a body", { $0.body = [] }),
            ("no uuid", { ($0.method, $0.path) = ("POST", "/Invoices/HBR 1") }),
            ("a key of 129", { $0.headers["idempotency-key"] = String(repeating: "k", count: 129) }),
        ]
        for (expected, plant) in planted {
            var call = good
            plant(&call)
            let problems = contract.problems(of: call)
            #expect(problems.contains { $0.contains(expected) }, "\(expected): \(problems)")
        }
    }
}
