package import Credentials
import FoundationEssentials
package import HTTP
import JSON
package import Settings

/// The access token of one organisation's custom connection (client credentials): fetched when first needed, kept in
/// memory only, fetched anew ahead of its end. However many calls ask at once, one request is made.
package actor XeroTokens: AccessTokens {
    private let http: HTTPClient
    private let identity: String
    private let credential: ClientCredential
    private let clock = ContinuousClock()
    private var token: (value: String, until: ContinuousClock.Instant)?
    private var refresh: Task<Result<String, TokenTrouble>, Never>?

    /// A token is not used within so long of its end: a call may take half a minute.
    private static let margin = Duration.seconds(120)
    private static let scope =
        "accounting.invoices accounting.payments accounting.contacts accounting.settings accounting.attachments"

    package init(http: HTTPClient, identity: String, credential: ClientCredential) {
        self.http = http
        self.identity = identity
        self.credential = credential
    }

    /// - Parameter refused: a token the API just refused with 401; it is not handed out again.
    package func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String {
        if let token, token.until > clock.now, token.value != refused { return token.value }
        // Unstructured: the request serves every caller that waits, so one caller's cancellation must not end it.
        let task = refresh ?? Task {
            let result = await self.fetch()
            self.refresh = nil
            return result
        }
        refresh = task
        return try await task.value.get()
    }

    private func fetch() async -> Result<String, TokenTrouble> {
        let pair = Data("\(credential.id):\(credential.secret.revealed)".utf8).base64EncodedString()
        let form = "grant_type=client_credentials&scope=" + Self.scope.replacing(" ", with: "%20")
        let request = HTTPRequest(
            method: .post, url: identity + "/connect/token",
            headers: [
                ("Authorization", "Basic \(pair)"), ("Accept", "application/json"),
                ("Content-Type", "application/x-www-form-urlencoded"),
            ], body: Array(form.utf8))
        switch await http.send(request) {
        case .neverSent(let error), .unknown(let error):
            return .failure(.unavailable("Xero's identity service gives no token: \(error)"))
        case .answered(let response) where response.status == 200:
            guard let json = try? JSON(parsing: response.body), let value = json["access_token"]?.string, !value.isEmpty
            else { return .failure(.unavailable("the answer of Xero's identity service holds no access_token")) }
            let lifetime = Duration.seconds(json["expires_in"]?.integer ?? 1800)
            token = (value, clock.now + max(lifetime - Self.margin, lifetime / 2))
            return .success(value)
        case .answered(let response) where (400..<500).contains(response.status) && response.status != 429:
            let word = (try? JSON(parsing: response.body))?["error"]?.string ?? "status \(response.status)"
            return .failure(
                .needsPerson("Xero refuses the client credential (\(word)): correct this organisation's id and secret"))
        case .answered(let response):
            return .failure(
                .unavailable("Xero's identity service gives no token: status \(response.status)"))
        }
    }
}
