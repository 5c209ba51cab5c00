import Credentials
import Domain
import HTTP
import Kounta
import Logging
import Settings
import Store
import Telemetry
import Xero

/// The credentials of this process, put together: what an organisation or a company has of its own in the environment,
/// else what somebody granted with `tillbridge connect`.
struct LiveConnections: Sendable {
    private let parts: LiveParts
    private let book: ConnectionBook?

    init(_ parts: LiveParts) throws {
        self.parts = parts
        guard let keys = parts.settings.apps.keys else {
            book = nil
            return
        }
        let (settings, http) = (parts.settings, parts.identityHTTP)
        let (logger, metrics) = (parts.logger, parts.metrics)
        book = ConnectionBook(
            store: PostgresCredentials(
                store: PostgresStore(pool: parts.credentialPool, holder: "tokens"),
                keys: try LiveSettings.keyRing(keys)),
            endpoint: { LiveConnections.endpoint($0, settings, http) },
            onEvent: { ConnectionEvents.note($1, of: $0, logger: logger, metrics: metrics) })
    }

    static func endpoint(_ service: ConnectedService, _ settings: Settings, _ http: HTTPClient) -> TokenEndpoint? {
        switch service {
        case .xero: settings.apps.xero.map { .xero(http, identity: settings.connections.xeroIdentity, app: $0) }
        case .kounta: settings.apps.kounta.map { .kounta(http, base: settings.connections.kounta, app: $0) }
        }
    }

    /// - Returns: nil where the settings name no way in; they were checked at start.
    func tokens(of organisation: OrganisationSettings) -> (any AccessTokens)? {
        if let credential = organisation.credential {
            let tokens = XeroTokens(
                http: parts.identityHTTP, identity: parts.settings.connections.xeroIdentity, credential: credential)
            let store = PostgresStore(pool: parts.credentialPool, holder: "tokens")
            return WatchedTokens(tokens) { [parts, key = organisation.key] why in
                guard try await store.setClosed(key, why: why) || why != nil else { return }
                Self.tell(why, key, remedy: "authorise its custom connection again at developer.xero.com", parts)
            }
        }
        guard let book, let tenant = organisation.tenant else { return nil }
        return TenantTokens(tenant: tenant, title: organisation.key.text, book: book) {
            [parts, key = organisation.key] why in
            Self.tell(why, key, remedy: "run `tillbridge connect xero`", parts)
        }
    }

    private static func tell(_ why: String?, _ organisation: OrganisationKey, remedy: String, _ parts: LiveParts) {
        parts.metrics.set(
            "tillbridge_organisation_disconnected", ["organisation": organisation.text], to: why == nil ? 0 : 1)
        let place: Logger.Metadata = ["organisation": "\(organisation)"]
        if let why {
            parts.logger.error("Xero no longer lets us into this organisation (\(why)): \(remedy)", metadata: place)
        } else {
            parts.logger.notice("Xero lets us into this organisation", metadata: place)
        }
    }

    func access(to company: CompanySettings) async throws -> KountaAccess? {
        if let credential = company.credential { return .basic(credential) }
        return try await book.asyncMap { .granted(try await $0.tokens(.kounta(company.key))) }
    }
}

extension Optional {
    fileprivate func asyncMap<Result>(_ transform: (Wrapped) async throws -> Result) async rethrows -> Result? {
        guard let self else { return nil }
        return try await transform(self)
    }
}

/// What happens to the connections, for log and metrics. No event carries a token.
enum ConnectionEvents {
    static func note(_ event: SharedTokens.Event, of name: ConnectionName, logger: Logger, metrics: Metrics) {
        let metadata: Logger.Metadata = ["connection": "\(name)"]
        func count(_ outcome: String) {
            metrics.count("tillbridge_token_renewals_total", ["connection": name.text, "outcome": outcome])
        }
        switch event {
        case .renewed(let generation):
            count("renewed")
            logger.info("tokens renewed", metadata: metadata.merging(["generation": "\(generation)"]) { $1 })
        case .adopted(let generation):
            count("adopted")
            logger.debug("tokens taken over", metadata: metadata.merging(["generation": "\(generation)"]) { $1 })
        case .unanswered(let detail):
            count("unanswered")
            logger.warning("a renewal was not answered, the same one is sent again: \(detail)", metadata: metadata)
        case .postponed(let detail):
            count("postponed")
            logger.warning("tokens are not renewed yet: \(detail)", metadata: metadata)
        case .died(let why):
            count("dead")
            metrics.set("tillbridge_connection_dead", ["connection": name.text], to: 1)
            logger.error("the connection is DEAD, run `\(name.connectCommand)`: \(why)", metadata: metadata)
        case .revived:
            metrics.set("tillbridge_connection_dead", ["connection": name.text], to: 0)
            logger.notice("the connection works again", metadata: metadata)
        }
    }
}
