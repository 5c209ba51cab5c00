import Credentials
import Foundation
import HTTP
import JSON
import Postgres
import Settings
import Store
import Synchronization
import Testing
import XeroSimulator

enum Database {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    static let isThere = url != nil
    static let absence: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set: use `make test`"
}

/// The service's clock, in milliseconds since 1970; stands until a test moves it.
final class ServiceTime: Sendable {
    private let value = Atomic<Int64>(1_789_344_000_000)
    var now: Int64 { value.load(ordering: .relaxed) }
    func advance(seconds: Int64) { value.add(seconds * 1000, ordering: .relaxed) }
}

/// What the tokens of one process told.
final class EventLog: Sendable {
    private let events = Mutex<[SharedTokens.Event]>([])
    func note(_ event: SharedTokens.Event) { events.withLock { $0.append(event) } }
    var all: [SharedTokens.Event] { events.withLock { $0 } }
    var deaths: [String] { all.compactMap { if case .died(let why) = $0 { why } else { nil } } }
    var renewals: Int { all.count { if case .renewed = $0 { true } else { false } } }
}

/// One process as far as tokens go: its own pool, its own HTTP client, its own memory.
struct Process: Sendable {
    let pool: PostgresPool
    let store: PostgresStore
    let credentials: PostgresCredentials
    let http: HTTPClient
    let endpoint: TokenEndpoint
    let tokens: SharedTokens
    let events: EventLog
}

/// A simulated Xero, a schema of its own, and a connection to the first two of three organisations.
struct Surroundings: Sendable {
    static let harbour = "5d1ac0de-0000-4000-8000-000000000001"
    static let lakeside = "5d1ac0de-0000-4000-8000-000000000002"
    static let name = ConnectionName("xero")!
    static let app = AppCredential(id: "app", secret: Secret("app-secret-hush"))

    let base: String
    let time: ServiceTime
    let keys: Secret
    let databaseURL: String
    private let made = MadeProcesses()

    static func with(
        _ name: String, _ work: (Surroundings) async throws -> Void
    ) async throws {
        let schema = "credentials_\(name)_\(getpid())"
        let url = try #require(Database.url)
        let separator = url.contains("?") ? "&" : "?"
        let time = ServiceTime()
        let settings = SimulatorSettings(
            organisations: [
                try OrganisationSettings(tenantID: harbour, name: "Harbour"),
                try OrganisationSettings(tenantID: lakeside, name: "Lakeside"),
                try OrganisationSettings(tenantID: "5d1ac0de-0000-4000-8000-000000000003", name: "Stranger"),
            ], clients: [Client(flag: "app:app-secret-hush")!], limits: .off, seed: 11, now: { time.now })
        try await withXeroSimulator(settings) { port in
            let surroundings = Surroundings(
                base: "http://127.0.0.1:\(port)", time: time, keys: Secret(KeyRing.newEntry(id: "k1")),
                databaseURL: "\(url)\(separator)options=-csearch_path%3D\(schema)")
            let first = try await surroundings.process()
            let result: Result<Void, any Error>
            do {
                _ = try await Migrator(pool: first.pool, schema: schema).migrate()
                try await surroundings.connect(first)
                result = .success(try await work(surroundings))
            } catch { result = .failure(error) }
            _ = try? await first.pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
            await surroundings.made.closeAll()
            try result.get()
        }
    }

    func process(keys: Secret? = nil, _ patience: SharedTokens.Patience = .short) async throws -> Process {
        let pool = PostgresPool(address: try PostgresAddress(url: databaseURL), size: 3, name: "credential-tests")
        let store = PostgresStore(pool: pool, holder: "tests")
        let credentials = PostgresCredentials(store: store, keys: try KeyRing(parsing: keys ?? self.keys))
        let http = HTTPClient(name: "tb-test")
        let endpoint = TokenEndpoint.xero(http, identity: base, app: Self.app)
        let events = EventLog()
        let tokens = SharedTokens(
            Self.name, store: credentials, endpoint: endpoint, patience: patience, onEvent: { events.note($0) })
        let process = Process(
            pool: pool, store: store, credentials: credentials, http: http, endpoint: endpoint, tokens: tokens,
            events: events)
        await made.add(process)
        return process
    }

    /// A person says yes at the consent page.
    func connect(
        _ process: Process, as name: ConnectionName = Surroundings.name, tenants: [String] = [harbour, lakeside]
    ) async throws {
        let redirect = "http://localhost:1/callback"
        let query = "response_type=code&client_id=app&redirect_uri=\(FormText.escaped(redirect))&state=s"
            + "&tenants=\(tenants.joined(separator: ","))"
        let page = HTTPRequest(method: .get, url: "\(base)/identity/connect/authorize?\(query)")
        guard case .answered(let response) = await process.http.send(page), let location = response.headers["Location"],
            let code = location.split(separator: "code=").last?.prefix(while: { $0 != "&" })
        else { throw Unexpected("no code") }
        let answer = await process.endpoint.exchange(
            code: Secret(String(code)), redirect: redirect, verifier: Secret("unused"))
        guard case .granted(let granted) = answer, let refresh = granted.refresh else { throw Unexpected("\(answer)") }
        try await process.credentials.connect(
            name, clientID: "app", tokens: TokenPair(access: granted.access, refresh: refresh), from: granted,
            tenants: tenants.map { ConnectedTenant(tenant: $0, connectionID: "c-\($0)", name: "of \($0)") })
    }

    /// Moves the connection's times so that its access token has so many seconds left of its half hour.
    func leave(_ seconds: Int, _ process: Process) async throws {
        try await process.pool.withSession { session in
            try session.execute(
                """
                UPDATE credential SET renewed_at = clock_timestamp() + ($1 - 1800) * interval '1 second',
                                      access_ends = clock_timestamp() + $1 * interval '1 second'
                """, [.int(Int64(seconds))])
        }
    }

    func sql(_ text: String, _ process: Process) async throws {
        try await process.pool.withSession { try $0.script(text) }
    }

    func control(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> JSON {
        let request = HTTPRequest(
            method: method, url: "\(base)/_control/\(path)", body: body.map { Array($0.utf8) })
        guard case .answered(let response) = await made.http.send(request), response.status == 200 else {
            throw Unexpected("the control API refuses \(path)")
        }
        return try JSON(parsing: response.body)
    }

    func fault(_ action: String, path: String = "/connect/token", count: Int? = nil) async throws {
        let count = count.map { ",\"count\":\($0)" } ?? ""
        _ = try await control(.post, "faults", #"{"match":{"path":"\#(path)"},"action":\#(action)\#(count)}"#)
    }

    func change(_ members: String, tenant: String = harbour) async throws {
        _ = try await control(.post, "organisations", #"{"tenantId":"\#(tenant)",\#(members)}"#)
    }

    /// How often the service was asked to renew; what a fault answered is not among them.
    func renewals() async throws -> Int {
        Int(try await control(.get, "counters")["tokenCalls"]?["refresh_token"]?.integer ?? 0)
    }
}

actor MadeProcesses {
    let http = HTTPClient(name: "tb-control")
    private var all: [Process] = []
    func add(_ process: Process) { all.append(process) }
    func closeAll() async {
        for process in all {
            await process.pool.close()
            await process.http.close()
        }
        await http.close()
    }
}

struct Unexpected: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

extension SharedTokens.Patience {
    /// No pauses to wait for.
    static var short: SharedTokens.Patience {
        var patience = SharedTokens.Patience()
        patience.repetitions = [.milliseconds(10), .milliseconds(10)]
        patience.saving = .milliseconds(300)
        patience.renewalInterval = .zero
        return patience
    }
}

/// Polls until `condition` holds.
func wait(_ what: String, until condition: () async throws -> Bool) async throws {
    let start = ContinuousClock.now
    while try await !condition() {
        guard ContinuousClock.now - start < .seconds(20) else { throw Unexpected("waited in vain for: \(what)") }
        try await Task.sleep(for: .milliseconds(20))
    }
}

extension TokenTrouble {
    var needsPerson: Bool { if case .needsPerson = self { true } else { false } }
}

extension SharedTokens {
    /// Why there is no token.
    func trouble(insteadOf refused: String? = nil) async -> TokenTrouble? {
        do { _ = try await accessToken(insteadOf: refused) } catch { return error }
        return nil
    }
}
