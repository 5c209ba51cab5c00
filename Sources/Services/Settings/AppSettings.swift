/// An app of ours at a service: its id and, unless it is a public one (PKCE alone), its secret.
package struct AppCredential: Sendable, Equatable {
    package let id: String
    package let secret: Secret?

    package init(id: String, secret: Secret?) {
        self.id = id
        self.secret = secret
    }
}

/// What connections with a person's consent need: the apps, where the consent pages are, and the keys that seal the
/// tokens. From the environment only.
package struct AppSettings: Sendable {
    package var xero: AppCredential?
    package var kounta: AppCredential?
    package var xeroLogin: String
    package var kountaLogin: String
    /// Text of the key ring; read by whoever opens tokens.
    package var keys: Secret?

    init(reading environment: Environment) {
        xero = environment.value("XERO_CLIENT_ID").map {
            AppCredential(id: $0, secret: environment.value("XERO_CLIENT_SECRET").map { Secret($0) })
        }
        kounta = environment.value("KOUNTA_CLIENT_ID").map {
            AppCredential(id: $0, secret: environment.value("KOUNTA_CLIENT_SECRET").map { Secret($0) })
        }
        xeroLogin = environment.address("XERO_LOGIN_URL", default: "https://login.xero.com")
        kountaLogin = environment.address("KOUNTA_LOGIN_URL", default: "https://my.kounta.com")
        keys = environment.value("KEY").map { Secret($0) }
    }
}

extension Environment {
    /// An address without the slash at its end.
    fileprivate func address(_ name: String, default fallback: String) -> String {
        var text = value(name) ?? fallback
        while text.hasSuffix("/") { text.removeLast() }
        return text
    }
}
