import Credentials
package import Settings
import Crypto
import FoundationEssentials

/// One request for a person's consent: the address to open, and the secrets that tie the answer to it.
package struct ConsentRequest: Sendable {
    /// Comes back with the answer; nobody else knows it.
    package let state: Secret
    /// PKCE (RFC 7636): whoever sees the code cannot trade it without this.
    package let verifier: Secret
    package let redirect: String
    private let page: String
    private let clientID: String
    private let scope: String?

    /// `redirect` must be registered with the app, letter by letter.
    package static func xero(login: String, clientID: String, redirect: String) -> ConsentRequest {
        ConsentRequest(
            page: login + "/identity/connect/authorize", clientID: clientID, redirect: redirect,
            scope: "offline_access accounting.invoices accounting.payments accounting.contacts accounting.settings "
                + "accounting.attachments")
    }

    package static func kounta(login: String, clientID: String, redirect: String) -> ConsentRequest {
        ConsentRequest(page: login + "/authorize", clientID: clientID, redirect: redirect, scope: nil)
    }

    private init(page: String, clientID: String, redirect: String, scope: String?) {
        state = Secret(Self.random())
        verifier = Secret(Self.random())
        self.redirect = redirect
        self.page = page
        self.clientID = clientID
        self.scope = scope
    }

    /// What the person opens. Kounta is not known to offer PKCE; a service without it leaves the challenge aside.
    package var address: String {
        var query = [
            ("response_type", "code"), ("client_id", clientID), ("redirect_uri", redirect), ("state", state.revealed),
            ("code_challenge", Self.challenge(verifier.revealed)), ("code_challenge_method", "S256"),
        ]
        if let scope { query.append(("scope", scope)) }
        return page + "?" + query.map { "\($0)=\(FormText.escaped($1))" }.joined(separator: "&")
    }

    /// 256 bits, 43 characters.
    private static func random() -> String {
        base64URL(SymmetricKey(size: .bits256).withUnsafeBytes { Data($0) })
    }

    package static func challenge(_ verifier: String) -> String {
        base64URL(Data(SHA256.hash(data: Data(verifier.utf8))))
    }

    private static func base64URL(_ bytes: Data) -> String {
        bytes.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }
}
