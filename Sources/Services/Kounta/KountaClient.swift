import Credentials
package import Domain
import FoundationEssentials
package import HTTP
import JSON
package import Mapping
import Settings

/// Kounta's REST API as the poller needs it: lists of completed orders and single orders, within the rate limit.
package struct KountaClient: Sendable {
    private let http: HTTPClient
    private let base: String
    let company: String
    private let access: KountaAccess
    private let budget: KountaBudget

    /// - Parameter base: `https://api.kounta.com`, without the version.
    package init(http: HTTPClient, base: String, company: String, access: KountaAccess, budget: KountaBudget) {
        self.http = http
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
        self.company = company
        self.access = access
        self.budget = budget
    }

    /// One row of a list: enough to see whether the record is new or changed.
    package struct Row: Sendable {
        package let id: OrderID
        package let createdAt: Instant
        /// The row's bytes; their hash changes when anything the list shows changes.
        package let bytes: [UInt8]
    }

    package struct Page: Sendable {
        package let rows: [Row]
        package let next: String?
    }

    /// The lists of a site's orders that are read.
    package enum OrderList: String, Sendable {
        case complete
        /// No other list shows an order that was deleted.
        case deleted
        /// Left on customers' accounts, not paid yet.
        case openAccounts = "pending/accounts"
    }

    /// The first page of the orders of a site that were created in a span of time, newest first.
    package func firstPagePath(
        _ list: OrderList = .complete, site: SiteID, from: Instant, until: Instant
    ) -> String {
        "/v1/companies/\(company)/sites/\(site)/orders/\(list.rawValue).json"
            + "?created_gte=\(from)&created_lt=\(until)"
    }

    package func page(_ path: String, priority: KountaBudget.Priority) async throws -> Page {
        let response = try await get(path, priority: priority)
        let json: JSON
        do { json = try JSON(parsing: response.body) } catch {
            throw KountaError.unexpectedShape(path: path, "\(error)")
        }
        guard json.kind == .array else { throw KountaError.unexpectedShape(path: path, "the page is no list") }
        var rows: [Row] = []
        for element in json.elements {
            guard let id = element.orderID else { throw KountaError.unexpectedShape(path: path, "a row has no `id`") }
            guard let created = element["created_at"]?.string.flatMap({ Instant(iso8601: $0) }) else {
                throw KountaError.unexpectedShape(path: path, "row \(id) has no usable `created_at`")
            }
            rows.append(Row(id: OrderID(id), createdAt: created, bytes: Array(element.raw)))
        }
        return Page(rows: rows, next: try next(after: path, in: response.headers))
    }

    /// A site's end-of-day takings that were counted since a day, as they came.
    ///
    /// - Parameter onlyUnprocessed: leaves out what somebody has marked as carried to the ledger.
    package func takings(
        site: SiteID, since day: CalendarDate, onlyUnprocessed: Bool = false
    ) async throws -> [(id: String, body: [UInt8])] {
        var found: [(id: String, body: [UInt8])] = []
        let list = onlyUnprocessed ? "reconciliations/unprocessed" : "reconciliations"
        var path: String? = "/v1/companies/\(company)/sites/\(site)/\(list)/since/\(day).json"
        var pages = 0
        while let here = path {
            pages += 1
            guard pages <= 4000 else { throw KountaError.unexpectedShape(path: here, "the takings have no end") }
            let response = try await get(here, priority: .rescan)
            guard let json = try? JSON(parsing: response.body), json.kind == .array else {
                throw KountaError.unexpectedShape(path: here, "the page is no list")
            }
            for element in json.elements {
                guard let id = element["id"]?.identifierText else {
                    throw KountaError.unexpectedShape(path: here, "takings have no `id`")
                }
                found.append((id, Array(element.raw)))
            }
            path = try next(after: here, in: response.headers)
        }
        return found
    }

    /// The company's own record.
    package func record() async throws -> KountaDirectory.Company {
        let path = "/v1/companies/\(company).json"
        let response = try await get(path, priority: .newOrders)
        guard let record = (try? JSON(parsing: response.body)).flatMap({ KountaDirectory.Company($0) }) else {
            throw KountaError.unexpectedShape(path: path, "it has no `id`")
        }
        return record
    }

    /// The company's whole catalogue, page by page.
    ///
    /// - Throws: ``KountaError/unexpectedShape`` after so many pages that they cannot be a catalogue.
    package func products() async throws -> [Product] {
        var products: [Product] = []
        var path: String? = "/v1/companies/\(company)/products.json"
        var pages = 0
        while let here = path {
            pages += 1
            guard pages <= 4000 else { throw KountaError.unexpectedShape(path: here, "the catalogue has no end") }
            let response = try await get(here, priority: .rescan)
            guard let json = try? JSON(parsing: response.body), json.kind == .array else {
                throw KountaError.unexpectedShape(path: here, "the page is no list")
            }
            products += json.elements.compactMap(ProductRecord.product)
            path = try next(after: here, in: response.headers)
        }
        return products
    }

    /// The whole record as it came, or nil where Kounta no longer has it.
    package func order(_ id: OrderID, priority: KountaBudget.Priority) async throws -> [UInt8]? {
        do {
            return try await get("/v1/companies/\(company)/orders/\(id).json", priority: priority).body
        } catch KountaError.notFound { return nil }
    }

    /// `X-Next-Page` is an absolute URL; it is followed on the configured host only, so that no answer can lead the
    /// credential elsewhere.
    private func next(after path: String, in headers: HTTPHeaders) throws -> String? {
        guard let next = headers["X-Next-Page"], !next.isEmpty else { return nil }
        if next.hasPrefix("/") { return next }
        guard next.hasPrefix(base + "/") else {
            throw KountaError.unexpectedShape(path: path, "the next page lies on another host")
        }
        return String(next.dropFirst(base.count))
    }

    func get(_ path: String, priority: KountaBudget.Priority) async throws -> HTTPResponse {
        try await call(.get, path, nil, priority)
    }

    /// Writes a part of a record. What is written may be written again: the second time changes nothing.
    func put(_ path: String, _ body: [UInt8], priority: KountaBudget.Priority) async throws -> HTTPResponse {
        try await call(.put, path, body, priority)
    }

    private func call(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, _ priority: KountaBudget.Priority
    ) async throws -> HTTPResponse {
        let token: String
        switch access {
        case .basic(let credential):
            let pair = "\(credential.id):\(credential.secret.revealed)"
            let response = try await send(
                method, path, body, "Basic " + Data(pair.utf8).base64EncodedString(), priority)
            return try accepted(response, path)
        case .granted(let tokens):
            token = try await accessToken(tokens, insteadOf: nil)
            let response = try await send(method, path, body, "Bearer \(token)", priority)
            guard Self.saysExpired(response) else { return try accepted(response, path) }
            // One fresh token, one more try.
            let fresh = try await accessToken(tokens, insteadOf: token)
            let second = try await send(method, path, body, "Bearer \(fresh)", priority)
            // An empty 401 may be about the one record that was asked for: no reason to give the connection up.
            if Self.saysExpired(second), !second.body.isEmpty {
                await tokens.refusedFresh(fresh, saying: "status \(second.status)")
            }
            return try accepted(second, path)
        }
    }

    private func accessToken(_ tokens: any AccessTokens, insteadOf refused: String?) async throws -> String {
        do { return try await tokens.accessToken(insteadOf: refused) } catch {
            throw KountaError.noToken("\(error)")
        }
    }

    private func send(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, _ authorization: String,
        _ priority: KountaBudget.Priority
    ) async throws -> HTTPResponse {
        try await budget.take(priority)
        var headers = [("Accept", "application/json"), ("Authorization", authorization)]
        if body != nil { headers.append(("Content-Type", "application/json")) }
        let request = HTTPRequest(
            method: method, url: base + path, headers: headers, body: body, timeout: .seconds(30),
            followRedirects: method.isSafe ? 3 : 0)
        switch await http.send(request) {
        case .neverSent(let error), .unknown(let error): throw KountaError.unreachable("\(error)")
        case .answered(let response):
            await budget.correct(by: response.headers, status: response.status)
            return response
        }
    }

    /// Kounta says it with 401, or with 400 and the word.
    private static func saysExpired(_ response: HTTPResponse) -> Bool {
        response.status == 401 || response.status == 400 && mentionsExpiry(response)
    }

    private static func mentionsExpiry(_ response: HTTPResponse) -> Bool {
        String(decoding: response.body.prefix(1000), as: UTF8.self).contains("expired")
    }

    private func accepted(_ response: HTTPResponse, _ path: String) throws -> HTTPResponse {
        switch response.status {
        // A write may be answered without a body.
        case 200...204: return response
        case 401, 403: throw KountaError.refusedCredential(status: response.status)
        case 404: throw KountaError.notFound
        case 429: throw KountaError.rateLimited
        case 400 where Self.mentionsExpiry(response):
            throw KountaError.refusedCredential(status: 400)
        default: throw KountaError.answered(status: response.status, path: path)
        }
    }
}

package enum KountaError: Error, Sendable, CustomStringConvertible {
    case unreachable(String)
    case refusedCredential(status: Int)
    /// There is no token to call with; the sentence says what a person must do, if it is a person's to mend.
    case noToken(String)
    case rateLimited
    case notFound
    case answered(status: Int, path: String)
    /// The answer is not what this version understands: stop and tell, rather than guess.
    case unexpectedShape(path: String, String)

    package var description: String {
        switch self {
        case .unreachable(let detail): "Kounta cannot be reached: \(detail)"
        case .refusedCredential(let status):
            "Kounta refused the credential (\(status)): check the client id and secret of this company, or run "
                + "`tillbridge connect kounta` again"
        case .noToken(let detail): detail
        case .rateLimited: "Kounta's rate limit is used up for the moment"
        case .notFound: "Kounta does not have this record"
        case .answered(let status, let path): "Kounta answered \(status) to \(path)"
        case .unexpectedShape(let path, let detail): "Kounta's answer to \(path) is not understood: \(detail)"
        }
    }
}
