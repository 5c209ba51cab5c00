import Domain
import HTTP
import Settings
import Store
import Xero

/// The ledgers as an operator's command reaches them: with the fleet's own credentials and out of its allowance, so
/// that no command can use up what the writers count on.
struct OperatorLedgers: Sendable {
    private let settings: Settings
    private let http: HTTPClient
    private let access: OperatorAccess
    private let budget: PostgresBudget
    private let store: PostgresStore

    init(_ settings: Settings, store: PostgresStore) throws {
        self.settings = settings
        self.store = store
        access = try OperatorAccess(settings, store: store)
        let configuration = HTTPConfiguration(
            maxConnectionsPerHost: 4, trustedCertificates: settings.connections.trustedCertificates,
            userAgent: "Tillbridge")
        http = HTTPClient(name: "tb-http", configuration: configuration)
        budget = PostgresBudget(
            store: store, limits: Dictionary(uniqueKeysWithValues: settings.organisations.map { ($0.key, $0.limits) }),
            sharingApp: settings.sharingApp, sleep: { try await Task.sleep(for: $0) })
    }

    /// Nil where the organisation has no way in. An open circuit breaker is tried at once: a person asks whether what
    /// opened it is mended, and would else wait for minutes.
    func client(of organisation: OrganisationSettings) async throws -> XeroClient? {
        guard let tokens = access.tokens(of: organisation) else { return nil }
        try await store.endBreakerPause(of: organisation.key)
        return XeroClient(
            organisation: organisation.key, http: http, base: settings.connections.xero, tenant: organisation.tenant,
            tokens: tokens, budget: budget, onCall: { _, _, _ in })
    }

    func close() async {
        await http.close()
        await access.close()
    }
}
