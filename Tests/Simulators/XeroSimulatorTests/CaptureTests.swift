import JSON
import NIOHTTP1
import Testing
import XeroSimulator

#if canImport(FoundationEssentials)
    import FoundationEssentials
#else
    import Foundation
#endif

/// The simulator's answers against captures of the vendor's. The captures are no part of the project.
@Suite(.timeLimit(.minutes(1))) struct CaptureTests {
    private static let folder: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/captures/xero").standardized
    }()

    static let isAbsent = !FileManager.default.fileExists(atPath: folder.path)

    private func capture(_ name: String) throws -> (status: Int64?, type: String?, body: JSON?) {
        let json = try JSON(parsing: Array(Data(contentsOf: Self.folder.appending(path: name + ".json"))))
        return (json["response"]?["status"]?.integer, json["response"]?["content_type"]?.string, json["body"])
    }

    private func names(_ json: JSON?) -> Set<String> { Set((json?.members ?? []).map(\.key)) }

    /// Members of the capture that the answer lacks, of the body and of the first element of its list.
    private func missing(_ answer: JSON, _ capture: JSON?, _ list: String) -> [String] {
        let top = names(capture).subtracting(names(answer))
        let inner = names(capture?[key: list]?.elements.first).subtracting(names(answer[key: list]?.elements.first))
        return (top.union(inner)).sorted()
    }

    @Test("answers have every member of the captured ones", .disabled(if: isAbsent, "the captures are not here"))
    func members() async throws {
        try await withSimulator(country: "NZ") { world in
            let id = try await world.contact("[TEST] Recording")
            let duplicate = try await world.call(
                .PUT, "Contacts",
                #"{"Name":"[TEST] Recording","EmailAddress":"e","Phones":[{"PhoneType":"DEFAULT","PhoneNumber":"1"}]}"#)
            var capture = try self.capture("contact_create_duplicate_name")
            #expect(Int64(duplicate.status) == capture.status)
            #expect(missing(try duplicate.json, capture.body, "Elements") == [])

            let line = World.line("2", "10.5", tax: "OUTPUT2")
            let created = try await world.invoice("INV-0055", contact: id, lines: line, types: "Exclusive")
            capture = try self.capture("invoice_create")
            #expect(missing(try created.json, capture.body, "Invoices") == [])
            let (mine, theirs) = (try created.only("Invoices"), capture.body?["Invoices"]?.elements.first)
            #expect(names(theirs?["Contact"]).subtracting(names(mine["Contact"])) == [])
            for amount in ["SubTotal", "TotalTax", "Total", "AmountDue", "AmountPaid"] {
                #expect(mine.digits(amount) == theirs?.digits(amount))
            }
            let lines = (mine["LineItems"]?.elements.first, theirs?["LineItems"]?.elements.first)
            #expect(names(lines.1).subtracting(names(lines.0)) == [])
            #expect(mine["Date"]?.string == theirs?["Date"]?.string)

            func set(_ status: String) async throws -> JSON {
                try await world.call(
                    .POST, "Invoices?summarizeErrors=False",
                    #"{"Invoices":[{"InvoiceID":"\#(mine["InvoiceID"]?.string ?? "")","Status":"\#(status)"}]}"#).json
            }
            capture = try self.capture("invoice_delete_authorised")
            let deleted = try await set("DELETED")
            #expect(missing(deleted, capture.body, "Invoices") == [])
            #expect(
                deleted["Invoices"]?.elements.first?.messages == capture.body?["Invoices"]?.elements.first?.messages)

            let note = try await world.call(
                .PUT, "Invoices/INV-0055/History", #"{"HistoryRecords":[{"Details":"Recorded by the catalogue"}]}"#)
            capture = try self.capture("invoice_history_create")
            #expect(missing(try note.json, capture.body, "HistoryRecords") == [])

            capture = try self.capture("invoice_void")
            #expect(missing(try await set("VOIDED"), capture.body, "Invoices") == [])
        }
    }

    @Test(
        "404 and 429 have the captured status, type and headers",
        .disabled(if: isAbsent, "the captures are not here"))
    func emptyBodies() async throws {
        try await withSimulator(limits: .real) { world in
            let notFound = try await world.call(.GET, "Invoices/d4ad8fd6-5c72-4924-91b1-07f1472eb4c3")
            var capture = try self.capture("invoice_not_found")
            #expect(Int64(notFound.status) == capture.status)
            #expect(try notFound.header("Content-Type") == capture.type)
            for _ in 0..<60 { _ = try await world.call(.GET, "Organisation") }
            let refused = try await world.call(.GET, "Organisation")
            capture = try self.capture("rate_limit_minute")
            #expect(Int64(refused.status) == capture.status)
            #expect(try refused.header("Content-Type") ?? "" == capture.type)
            for name in ["X-DayLimit-Remaining", "X-MinLimit-Remaining", "Retry-After", "X-Rate-Limit-Problem"] {
                #expect(try refused.header(name) != nil, "\(name)")
            }
        }
    }
}
