import Domain
import Foundation
import HTTP
import JSON
import Testing
@testable import Xero

@Suite("The elements of a batch's answer") struct ElementResultTests {
    private func read(_ text: String) -> [ElementResult]? {
        ElementResult.read("Invoices", idField: "InvoiceID", from: Array(text.utf8))
    }

    private static let zero = "00000000-0000-0000-0000-000000000000"

    @Test("of a batch taken by halves each element says for itself what became of it")
    func halves() throws {
        let results = try #require(
            read(
                #"{"Status":"OK","Invoices":[{"InvoiceID":"i-1","InvoiceNumber":"A-1","Total":9.10,"#
                    + #""StatusAttributeString":"OK","HasErrors":false,"ValidationErrors":[]},"#
                    + #"{"InvoiceID":"\#(Self.zero)","InvoiceNumber":"A-2","StatusAttributeString":"ERROR","#
                    + #""ValidationErrors":[{"Message":"Invoice # must be unique."},{"Description":"And more."}]},"#
                    + #"{"InvoiceID":"i-3","InvoiceNumber":"A-3","Total":1.0,"StatusAttributeString":"WARNING"}]}"#))
        #expect(results.map(\.isAccepted) == [true, false, true])
        #expect(results.map(\.number) == ["A-1", "A-2", "A-3"])
        #expect(results.map(\.id) == ["i-1", nil, "i-3"])
        #expect(results.map(\.amount) == ["9.10", nil, "1.0"])
        #expect(results[1].errors == ["Invoice # must be unique.", "And more."])
        #expect(RefusalReading.saysAlreadyThere(results[1].errors))
    }

    @Test("no attribute is no error; an error without a sentence is one all the same")
    func attributes() throws {
        #expect(try #require(read(#"{"Invoices":[{"InvoiceID":"i"}]}"#))[0].isAccepted)
        for flag in [#""StatusAttributeString":"ERROR""#, #""HasErrors":true"#] {
            let result = try #require(read(#"{"Invoices":[{"InvoiceID":"i",\#(flag)}]}"#))[0]
            #expect(!result.isAccepted)
            #expect(result.errors == ["Xero gave no reason."])
        }
        #expect(try !#require(read(#"{"Invoices":[{"InvoiceID":"\#(Self.zero)"}]}"#))[0].isAccepted)
        #expect(try !#require(read(#"{"Invoices":[{}]}"#))[0].isAccepted)
    }

    @Test("payments are told apart by invoice and account")
    func payments() throws {
        let body =
            #"{"Payments":[{"PaymentID":"p-1","Invoice":{"InvoiceID":"i-1"},"Account":{"Code":"231"},"Amount":5.50}]}"#
        let result = try #require(ElementResult.read("Payments", idField: "PaymentID", from: Array(body.utf8)))[0]
        #expect(result.id == "p-1" && result.documentID == "i-1" && result.account == "231" && result.amount == "5.50")
    }

    @Test(
        "what is no such list gives nothing rather than an empty list",
        arguments: ["", "{}", "[]", "<html>", #"{"Invoices":null}"#, #"{"Invoices":{}}"#, #"{"Payments":[]}"#])
    func noList(text: String) {
        #expect(read(text) == nil)
        #expect(read(#"{"Invoices":[]}"#)?.isEmpty == true)
    }
}

/// Real answers of the service. They are no part of the project.
private enum Captures {
    static let folder: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/captures/xero").standardized
    }()

    static let areThere = FileManager.default.fileExists(atPath: folder.path)

    static func read(_ name: String) throws -> JSON {
        try JSON(parsing: Array(Data(contentsOf: folder.appending(path: name + ".json"))))
    }

    /// The captured answer as the client would have got it.
    static func response(_ name: String) throws -> HTTPResponse {
        let capture = try read(name)
        let answer = try #require(capture["response"])
        let headers = (answer["headers"]?.members ?? []).map { member in
            HTTPHeaders.Entry(name: member.key, value: member.value.string ?? "")
        }
        return HTTPResponse(
            status: Int(try #require(answer["status"]?.integer)), headers: HTTPHeaders(headers),
            body: capture["body"].map { Array($0.raw) } ?? [], httpVersion: .http1_1)
    }
}

@Suite("Captured answers", .enabled(if: Captures.areThere, "../shared/captures/xero is not here"))
struct CapturedAnswerTests {
    private func only(_ name: String) throws -> ElementResult {
        let body = try Captures.response(name).body
        let results = try #require(ElementResult.read("Invoices", idField: "InvoiceID", from: body))
        try #require(results.count == 1)
        return results[0]
    }

    @Test("every capture is one that some test here reads, or known as one that nothing reads")
    func all() throws {
        let read: Set = [
            "contact_create_duplicate_name.json", "invoice_create.json", "invoice_delete_authorised.json",
            "invoice_not_found.json", "invoice_void.json", "rate_limit_minute.json",
        ]
        // The fleet writes no history notes; its answer has the form of all others.
        let unread: Set = ["invoice_history_create.json"]
        let there = try FileManager.default.contentsOfDirectory(atPath: Captures.folder.path)
        #expect(Set(there) == read.union(unread))
        for name in unread {
            let response = try Captures.response(String(name.dropLast(5)))
            guard case .answered = XeroOutcome(response) else {
                Issue.record("\(name) is no answer")
                continue
            }
        }
    }

    @Test("a created invoice is accepted, with its number, id and exact total")
    func created() throws {
        let result = try only("invoice_create")
        #expect(result.isAccepted)
        #expect(result.number == "INV-0055")
        #expect(result.id == "60aa5d55-a47e-4665-a974-874bb50263b9")
        #expect(result.amount == "24.15")
    }

    @Test("a voided one is accepted; one that may not be deleted is refused with its sentence though it has an id")
    func changed() throws {
        #expect(try only("invoice_void").isAccepted)
        let refused = try only("invoice_delete_authorised")
        #expect(!refused.isAccepted)
        #expect(refused.id != nil)
        #expect(refused.errors == ["Invoice not of valid status for modification"])
    }

    @Test("the captured limit waits its 26 seconds; the captured 404 is final; the captured 400 gives its sentence")
    func outcomes() throws {
        guard case .limited(.seconds(26), "minute") = XeroOutcome(try Captures.response("rate_limit_minute")) else {
            Issue.record("the captured 429 is no limit")
            return
        }
        guard case .refused(404, "no reason given") = XeroOutcome(try Captures.response("invoice_not_found")) else {
            Issue.record("the captured 404 is not refused")
            return
        }
        guard case .refused(400, let text) = XeroOutcome(try Captures.response("contact_create_duplicate_name")) else {
            Issue.record("the captured 400 is not refused")
            return
        }
        #expect(text.contains("is already assigned to another contact"))
        #expect(RefusalReading.park([text], document: "contact").deadLetterClass == .duplicate)
    }
}
