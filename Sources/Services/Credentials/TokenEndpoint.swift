import FoundationEssentials
package import HTTP
import JSON
package import Settings

/// A service's OAuth 2 token endpoint, as one app of ours sees it.
package struct TokenEndpoint: Sendable {
    /// How the app says who it is.
    package enum Signature: Sendable {
        /// HTTP Basic (Xero), or the id alone in the form where the app has no secret.
        case basic
        /// Id and secret in the form (Kounta).
        case form
    }

    package let service: ConnectedService
    package let clientID: String
    private let http: HTTPClient
    private let tokenURL: String
    private let revocationURL: String?
    private let secret: Secret?
    private let signature: Signature
    /// How long a refresh token lives unused.
    private let refreshLifetime: Duration?

    /// Xero: refresh tokens last 60 days unused. Kounta does not say.
    package static func xero(_ http: HTTPClient, identity: String, app: AppCredential) -> TokenEndpoint {
        TokenEndpoint(
            service: .xero, clientID: app.id, http: http, tokenURL: identity + "/connect/token",
            revocationURL: identity + "/connect/revocation", secret: app.secret, signature: .basic,
            refreshLifetime: .seconds(60 * 86_400))
    }

    package static func kounta(_ http: HTTPClient, base: String, app: AppCredential) -> TokenEndpoint {
        TokenEndpoint(
            service: .kounta, clientID: app.id, http: http, tokenURL: base + "/v1/token", revocationURL: nil,
            secret: app.secret, signature: .form, refreshLifetime: nil)
    }

    private init(
        service: ConnectedService, clientID: String, http: HTTPClient, tokenURL: String, revocationURL: String?,
        secret: Secret?, signature: Signature, refreshLifetime: Duration?
    ) {
        self.service = service
        self.clientID = clientID
        self.http = http
        self.tokenURL = tokenURL
        self.revocationURL = revocationURL
        self.secret = secret
        self.signature = signature
        self.refreshLifetime = refreshLifetime
    }

    /// What became of a request for tokens.
    package enum Answer: Sendable {
        case granted(GrantedTokens)
        /// `invalid_grant`: the code or the refresh token is not, or no longer, good.
        case grantRefused
        /// The app itself is refused, or asked for something it may not: its id or secret is wrong.
        case appRefused(String)
        /// The request did nothing.
        case unavailable(String)
        /// It may have been carried out, and a new pair may be on its way to nobody.
        case lost(String)
    }

    /// Trades the code of the consent page for a pair.
    package func exchange(code: Secret, redirect: String, verifier: Secret) async -> Answer {
        await ask([
            ("grant_type", "authorization_code"), ("code", code.revealed), ("redirect_uri", redirect),
            ("code_verifier", verifier.revealed),
        ])
    }

    package func renew(_ refresh: Secret) async -> Answer {
        await ask([("grant_type", "refresh_token"), ("refresh_token", refresh.revealed)])
    }

    /// Ends a grant at the service.
    ///
    /// - Returns: nil when it is done, else why not. Kounta has no such call: the sentence says what a person does.
    package func revoke(_ refresh: Secret) async -> String? {
        guard let revocationURL else {
            return "\(service.title) has no call for it: remove the app in \(service.title)"
        }
        switch await post(revocationURL, [("token", refresh.revealed), ("token_type_hint", "refresh_token")]) {
        case .answered(let response) where response.status == 200: return nil
        case .answered(let response): return "\(service.title) answered \(response.status)"
        case .neverSent(let error), .unknown(let error): return "\(error)"
        }
    }

    private func ask(_ form: [(String, String)]) async -> Answer {
        let start = ContinuousClock.now
        switch await post(tokenURL, form) {
        case .neverSent(let error): return .unavailable("\(error)")
        case .unknown(let error): return .lost("\(error)")
        case .answered(let response):
            return answer(response, took: .now - start)
        }
    }

    private func answer(_ response: HTTPResponse, took: Duration) -> Answer {
        switch response.status {
        case 200:
            guard let json = try? JSON(parsing: response.body), let access = json["access_token"]?.string,
                !access.isEmpty
            else { return .lost("its answer holds no access_token") }
            let seconds = max(1, json["expires_in"]?.integer ?? 1800)
            let refresh = json["refresh_token"]?.string
            return .granted(
                GrantedTokens(
                    access: Secret(access), refresh: refresh.flatMap { $0.isEmpty ? nil : Secret($0) },
                    lifetime: max(.seconds(min(seconds, Self.lifetimeMax)) - took, .seconds(1)),
                    refreshLifetime: refreshLifetime))
        case 429: return .unavailable("status 429")
        case 400..<500:
            // Only the code of the error: a description may quote what was sent.
            let word = (try? JSON(parsing: response.body))?["error"]?.string
            let code = word.map(Self.plain) ?? "status \(response.status)"
            return code == "invalid_grant" ? .grantRefused : .appRefused(code)
        default: return .lost("status \(response.status)")
        }
    }

    /// A day: whatever a service says beyond that, its tokens are renewed daily.
    private static let lifetimeMax: Int64 = 86_400

    /// An error code is a short word; anything else is not repeated in logs.
    private static func plain(_ code: String) -> String {
        let isPlain = code.utf8.allSatisfy { (0x61...0x7A).contains($0) || $0 == 0x5F }
        return isPlain && code.utf8.count <= 40 ? code : "an unreadable error"
    }

    private func post(_ url: String, _ fields: [(String, String)]) async -> HTTPOutcome {
        var form = fields
        var headers = [("Accept", "application/json"), ("Content-Type", "application/x-www-form-urlencoded")]
        if signature == .basic, let secret {
            let pair = Data("\(clientID):\(secret.revealed)".utf8).base64EncodedString()
            headers.append(("Authorization", "Basic \(pair)"))
        } else {
            form.append(("client_id", clientID))
            if let secret { form.append(("client_secret", secret.revealed)) }
        }
        let body = form.map { "\($0)=\(FormText.escaped($1))" }.joined(separator: "&")
        return await http.send(
            HTTPRequest(method: .post, url: url, headers: headers, body: Array(body.utf8), timeout: Self.timeout))
    }

    /// The lock on a connection is waited for longer than one such call takes.
    package static let timeout = Duration.seconds(20)
}

/// Escapes for forms and queries: all but letters, digits and `-._~`.
package enum FormText {
    package static func escaped(_ text: String) -> String {
        var result = ""
        for byte in text.utf8 {
            let isPlain = (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
                || "-._~".utf8.contains(byte)
            if isPlain {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
