package import HTTP
package import JSON
package import Settings

/// Which company a grant opens: Kounta's `companies/me`.
package struct KountaDirectory: Sendable {
    private let http: HTTPClient
    private let base: String

    package init(http: HTTPClient, base: String) {
        self.http = http
        self.base = base.hasSuffix("/") ? String(base.dropLast()) : base
    }

    package struct Company: Sendable {
        package let id: String
        package let name: String
        /// What the company keeps its money in, such as AUD; nil where the record does not say.
        package let currency: String?

        /// Nil for a record without an id.
        package init?(_ json: JSON) {
            guard let id = json["id"]?.numberText ?? json["id"]?.string else { return nil }
            self.id = id
            name = json["name"]?.string ?? id
            currency = json["currency"]?.filledString
        }
    }

    package func company(_ token: Secret) async throws(KountaError) -> Company {
        let path = "/v1/companies/me.json"
        let request = HTTPRequest(
            method: .get, url: base + path,
            headers: [("Authorization", "Bearer \(token.revealed)"), ("Accept", "application/json")],
            followRedirects: 3)
        switch await http.send(request) {
        case .neverSent(let error), .unknown(let error): throw .unreachable("\(error)")
        case .answered(let response) where response.status == 200:
            guard let company = (try? JSON(parsing: response.body)).flatMap({ Company($0) }) else {
                throw .unexpectedShape(path: path, "it has no `id`")
            }
            return company
        case .answered(let response): throw .answered(status: response.status, path: path)
        }
    }
}
