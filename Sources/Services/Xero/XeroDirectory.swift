package import Credentials
package import HTTP
import JSON
package import Settings

/// `/connections`: which organisations a token opens.
package struct XeroDirectory: Sendable {
    private let http: HTTPClient
    private let base: String

    package init(http: HTTPClient, base: String) {
        self.http = http
        self.base = base
    }

    /// Organisations only: practices and others are not booked into.
    package func tenants(_ token: Secret) async throws(XeroDirectoryError) -> [ConnectedTenant] {
        let response = try await call(.get, "", token)
        guard let json = try? JSON(parsing: response.body), json.kind == .array else {
            throw XeroDirectoryError("Xero's list of connections is not understood")
        }
        return json.elements.compactMap { element in
            guard element["tenantType"]?.string == "ORGANISATION", let id = element["id"]?.string,
                let tenant = element["tenantId"]?.string
            else { return nil }
            return ConnectedTenant(tenant: tenant, connectionID: id, name: element["tenantName"]?.string ?? tenant)
        }
    }

    /// Ends the link between our app and one organisation.
    package func remove(_ connectionID: String, _ token: Secret) async throws(XeroDirectoryError) {
        let isPlain = connectionID.utf8.allSatisfy { byte in
            byte == 0x2D || (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte | 0x20)
        }
        guard isPlain else { throw XeroDirectoryError("the connection's id is no id of Xero's") }
        _ = try await call(.delete, "/" + connectionID, token)
    }

    private func call(
        _ method: HTTPMethod, _ path: String, _ token: Secret
    ) async throws(XeroDirectoryError) -> HTTPResponse {
        let request = HTTPRequest(
            method: method, url: base + "/connections" + path,
            headers: [("Authorization", "Bearer \(token.revealed)"), ("Accept", "application/json")])
        switch await http.send(request) {
        case .answered(let response) where (200..<300).contains(response.status): return response
        case .answered(let response):
            throw XeroDirectoryError("Xero answers \(response.status) to \(method.rawValue) /connections")
        case .neverSent(let error), .unknown(let error): throw XeroDirectoryError("Xero cannot be reached: \(error)")
        }
    }
}

package struct XeroDirectoryError: Error, Sendable, CustomStringConvertible {
    package let description: String
    init(_ description: String) { self.description = description }
}
