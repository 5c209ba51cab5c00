import Credentials
import Glibc
import HTTP
import Postgres
import Settings
import Store

/// What the commands about connections work with.
struct OperatorDesk: Sendable {
    let settings: Settings
    let store: PostgresStore
    let http: HTTPClient
    private let pool: PostgresPool

    /// Runs `work` with the database there and its tables up to date.
    static func with(_ options: WorkerOptions, _ work: (OperatorDesk) async throws -> Void) async throws {
        let settings = try LiveSettings.load(path: options.config, for: nil)
        let pool = try LiveDatabase.pool(
            settings, name: "tillbridge", size: 1, logger: LiveLog.logger("tillbridge"), health: nil)
        let http = HTTPClient(
            name: "tb-operator",
            configuration: HTTPConfiguration(
                trustedCertificates: settings.connections.trustedCertificates, userAgent: "Tillbridge"))
        let desk = OperatorDesk(
            settings: settings, store: PostgresStore(pool: pool, holder: "tillbridge/\(getpid())"), http: http,
            pool: pool)
        let result: Result<Void, any Error>
        do {
            try await pool.waitUntilReady(within: .seconds(30))
            let pending = try await Migrator(pool: pool, schema: settings.connections.schema).status()
                .filter { !$0.isApplied }.map(\.version)
            guard pending.isEmpty else { throw MigrationError.pending(pending) }
            result = .success(try await work(desk))
        } catch { result = .failure(error) }
        await pool.close()
        await http.close()
        try result.get()
    }

    func credentials() throws -> PostgresCredentials {
        guard let keys = settings.apps.keys else {
            throw StartError(
                "TILLBRIDGE_KEY is not set, so tokens can neither be sealed nor opened: make a key with "
                    + "`tillbridge keys new` and name its file in TILLBRIDGE_KEY_FILE")
        }
        return PostgresCredentials(store: store, keys: try LiveSettings.keyRing(keys))
    }

    func endpoint(_ service: ConnectedService) throws(StartError) -> TokenEndpoint {
        guard let endpoint = LiveConnections.endpoint(service, settings, http) else {
            let name = "TILLBRIDGE_\(service.rawValue.uppercased())_CLIENT_ID"
            throw StartError("\(name) is not set: the id of your app at \(service.title)")
        }
        return endpoint
    }

    /// At once, also where standard output is a file: a person waits for the address.
    static func say(_ lines: String...) {
        let bytes = Array((lines.joined(separator: "\n") + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
    }
}
