import Credentials
import Settings

extension AppSettings {
    /// For `--check-config`: ids as they are, secrets masked, of the key ring the ids alone.
    func rendered() -> [String] {
        [
            "# TILLBRIDGE_XERO_LOGIN_URL: \(xeroLogin)", "# TILLBRIDGE_KOUNTA_LOGIN_URL: \(kountaLogin)",
            "# TILLBRIDGE_XERO_CLIENT_ID: \(Self.rendered(xero))",
            "# TILLBRIDGE_KOUNTA_CLIENT_ID: \(Self.rendered(kounta))",
            "# TILLBRIDGE_KEY: \(keys.map(Self.rendered) ?? "not set")",
        ]
    }

    private static func rendered(_ keys: Secret) -> String {
        (try? KeyRing(parsing: keys)).map { "\($0)" } ?? "\(keys)"
    }

    private static func rendered(_ app: AppCredential?) -> String {
        guard let app else { return "not set" }
        return app.secret.map { "\(app.id) / \($0)" } ?? "\(app.id), without a secret"
    }
}
