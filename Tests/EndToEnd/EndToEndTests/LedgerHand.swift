import Foundation
import HTTP
import JSON

@testable import FleetHarness

/// A bookkeeper's hand in the ledger: what a person would do in Xero's own pages.
struct LedgerHand {
    private let base: String
    private let tenant: String
    private let http: HTTPClient
    private let token: String

    static func with(_ running: RunningFleet, _ work: (LedgerHand) async throws -> Void) async throws {
        let http = HTTPClient(name: "tb-hand")
        let result: Result<Void, any Error>
        do { result = .success(try await work(try await LedgerHand(running, http))) } catch { result = .failure(error) }
        await http.close()
        try result.get()
    }

    private init(_ running: RunningFleet, _ http: HTTPClient) async throws {
        base = running.fleet.xero.base
        tenant = running.fleet.plan.organisations[0].tenant
        self.http = http
        let pair = Data("demo:demo".utf8).base64EncodedString()
        let request = HTTPRequest(
            method: .post, url: base + "/connect/token",
            headers: [("Authorization", "Basic \(pair)"), ("Content-Type", "application/x-www-form-urlencoded")],
            body: Array("grant_type=client_credentials".utf8))
        guard case .answered(let response) = await http.send(request), response.status == 200,
            let token = try JSON(parsing: response.body)["access_token"]?.string
        else { throw HarnessError("no token for the bookkeeper") }
        self.token = token
    }

    /// - Returns: the answer, which is a success.
    @discardableResult
    func call(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> JSON {
        let request = HTTPRequest(
            method: method, url: "\(base)/api.xro/2.0\(path)",
            headers: [
                ("Authorization", "Bearer \(token)"), ("xero-tenant-id", tenant), ("Accept", "application/json"),
                ("Content-Type", "application/json"),
            ], body: body.map { Array($0.utf8) })
        guard case .answered(let response) = await http.send(request), response.status == 200 else {
            throw HarnessError("\(method) \(path) was refused")
        }
        return try JSON(parsing: response.body)
    }

    /// Somebody else's invoice under a number.
    func enterInvoice(number: String, amount: String) async throws -> String {
        try await call(.put, "/Contacts", #"{"Contacts":[{"Name":"By hand"}]}"#)
        let answer = try await call(
            .put, "/Invoices",
            """
            {"Invoices":[{"Type":"ACCREC","Status":"AUTHORISED","InvoiceNumber":"\(number)","Date":"2026-11-20",\
            "DueDate":"2026-11-20","LineAmountTypes":"Inclusive","Contact":{"Name":"By hand"},\
            "LineItems":[{"Description":"By hand","Quantity":1,"UnitAmount":\(amount),"AccountCode":"230"}]}]}
            """)
        return answer["Invoices"]?.elements.first?["InvoiceID"]?.string ?? ""
    }

    func invoiceID(number: String) async throws -> String {
        let answer = try await call(.get, "/Invoices?InvoiceNumbers=\(number)")
        return answer["Invoices"]?.elements.first?["InvoiceID"]?.string ?? ""
    }

    func contactID(number: String) async throws -> String {
        let answer = try await call(.get, "/Contacts?where=ContactNumber%3D%3D%22\(number)%22&includeArchived=true")
        return answer["Contacts"]?.elements.first?["ContactID"]?.string ?? ""
    }
}
