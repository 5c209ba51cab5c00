import Credentials
import Domain
import HTTP
import Kounta
import Settings
import Store
import Xero

/// The ways in that an operator's command has: those of the workers, with their tokens out of the same table.
struct OperatorAccess: Sendable {
    private let settings: Settings
    private let store: PostgresStore
    private let identityHTTP: HTTPClient
    private let book: ConnectionBook?

    init(_ settings: Settings, store: PostgresStore) throws {
        self.settings = settings
        self.store = store
        let http = HTTPClient(
            name: "tb-identity",
            configuration: HTTPConfiguration(
                maxConnectionsPerHost: 4, trustedCertificates: settings.connections.trustedCertificates,
                userAgent: "Tillbridge"))
        identityHTTP = http
        book = try settings.apps.keys.map { keys in
            ConnectionBook(
                store: PostgresCredentials(store: store, keys: try LiveSettings.keyRing(keys)),
                endpoint: { LiveConnections.endpoint($0, settings, http) }, onEvent: { _, _ in })
        }
    }

    /// Nil where the organisation has neither a credential nor a connection.
    func tokens(of organisation: OrganisationSettings) -> (any AccessTokens)? {
        if let credential = organisation.credential {
            let tokens = XeroTokens(
                http: identityHTTP, identity: settings.connections.xeroIdentity, credential: credential)
            // That it works is news for everybody; that it does not may be this machine's own secrets.
            return WatchedTokens(tokens) { [store, key = organisation.key] why in
                if why == nil { _ = try await store.setClosed(key, why: nil) }
            }
        }
        guard let book, let tenant = organisation.tenant else { return nil }
        return TenantTokens(tenant: tenant, title: organisation.key.text, book: book) { _ in }
    }

    /// Nil where the company has neither a credential nor a connection.
    func way(to company: CompanySettings) async throws -> KountaAccess? {
        if let credential = company.credential { return .basic(credential) }
        guard let book else { return nil }
        return .granted(try await book.tokens(.kounta(company.key)))
    }

    func close() async { await identityHTTP.close() }
}
