import Crypto
import Domain
import Foundation
import HTTP
import JSON
import Kounta
import KountaSimulator
import Logging
import Mapping
import Messaging
import Polling
import Postgres
import Settings
import Store
import Telemetry
import Testing

/// A schema of its own on the test run's PostgreSQL; skipped with a message where there is none.
enum Database {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    static let isThere = url != nil
    static let absence: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set: use `make test`"
}

/// A simulated till with 40 customers a company, real tables, and rules that write back into company 162.
struct TillWorld: Sendable {
    let pool: PostgresPool
    let store: PostgresStore
    let base: String
    let http = HTTPClient(name: "polling-tests")
    let metrics = Metrics()
    let lines = LogLines()

    static let company = CompanyKey("harbour")
    static let organisation = OrganisationKey("harbour")

    static func with<Value: Sendable>(
        _ name: String, replaces: Bool = false, limits: KountaSettings.Limits = .off, ordersPerSite: Int = 12,
        _ work: @escaping @Sendable (TillWorld) async throws -> Value
    ) async throws -> Value {
        // Two tests may call theirs the same.
        let schema = "polling_\(name)_\(getpid())_\(UInt32.random(in: .min ... .max))"
        let url = try #require(Database.url)
        let separator = url.contains("?") ? "&" : "?"
        let pool = PostgresPool(
            address: try PostgresAddress(url: "\(url)\(separator)options=-csearch_path%3D\(schema)"), size: 3,
            name: "polling-tests")
        var settings = KountaSettings()
        settings.limits = limits
        settings.putsReplace = replaces
        settings.ordersPerSite = ordersPerSite
        let result: Result<Value, any Error>
        do {
            _ = try await Migrator(pool: pool, schema: schema).migrate()
            result = .success(try await withKountaSimulator(settings) { base in
                let world = TillWorld(pool: pool, store: PostgresStore(pool: pool, holder: "tests"), base: base)
                let value = try await work(world)
                await world.http.close()
                return value
            })
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        return try result.get()
    }

    /// Rules as an operator writes them.
    static func rules(_ yaml: String) throws -> LoadedWriteBack {
        let settings = try settings(yaml)
        let own = settings.organisations[0]
        let hash = Array(SHA256.hash(data: Array(own.writeBackText.utf8)))
        return LoadedWriteBack(
            rules: own.writeBack, hash: try #require(ContentHash(bytes: hash)), version: 3)
    }

    static let byID = "write_back: [{set: {reference_id: \"{contact_id}\"}}]"

    static func settings(_ rules: String) throws -> Settings {
        let yaml = """
            organisations:
              - key: harbour
                name: Harbour
                timezone: UTC
                accounts: {sales: "230", tips: "825", rounding: "860"}
                taxes: {"0.1": OUTPUT}
                \(rules)
            companies:
              - key: harbour
                kounta_company: "162"
                organisation: harbour
                start_from: 2015-01-01
                venues: [{site: "923", name: Harbour Bistro, prefix: HBR}]
            """
        return try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: yaml,
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://a:b@broker/", "TILLBRIDGE_DATABASE_URL": "postgresql://a@b/c",
                ], readFile: { _ in nil }, readTimeZone: { _ in .utc }))
    }

    /// As a poller's process has it, with a budget of its own.
    func writingBack(callsPerMinute: Int = 0) throws -> WritingBack {
        let company = try Self.settings("").companies[0]
        let clock = WorkClock(
            now: { Instant(secondsSince1970: Int64(Date().timeIntervalSince1970)) },
            sleep: { try await Task.sleep(for: $0) }, randomInteger: { $0.lowerBound })
        let client = KountaClient(
            http: http, base: base, company: "162",
            access: .basic(ClientCredential(id: "a", secret: Secret("b"))),
            budget: KountaBudget(callsPerMinute: callsPerMinute, now: clock.now, sleep: clock.sleep))
        let lines = lines
        var logger = Logger(label: "tests") { _ in lines }
        logger.logLevel = .debug
        return WritingBack(
            company: company, client: client, store: store, load: { throw CancellationError() }, clock: clock,
            metrics: metrics, logger: logger)
    }

    // MARK: facts

    /// A customer's document is made, and their contact stands in the ledger.
    func sell(to customer: Int, contact id: String, order: String = "1") async throws {
        let number = "\(customer)"
        let contact = try #require(CustomerContact(customer: number, number: number))
        let hash = try #require(ContentHash(bytes: Array(SHA256.hash(data: Array(order.utf8)))))
        var request = PostingRequest(
            source: SourceKey(company: Self.company, kind: .order, id: order), hash: hash, body: [1], firstSeen: nil,
            organisation: Self.organisation, number: DocumentNumber("HBR-\(order)"), original: nil)
        request.contact = contact
        _ = try await store.post(request) { _ in (moves: [], ending: true) }
        try await store.link(number, to: id, in: Self.organisation)
    }

    func outcomes() async throws -> [String: String] {
        let rows = try await pool.withSession {
            try $0.query("SELECT id, coalesce(outcome, 'none') AS outcome, due_at IS NOT NULL AS due FROM till_write")
        }
        var outcomes: [String: String] = [:]
        for row in rows { outcomes[try row.text("id")] = try row.text("outcome") + (row.bool("due") ? " due" : "") }
        return outcomes
    }

    func makeEverythingDue() async throws {
        _ = try await pool.withSession {
            try $0.execute("UPDATE till_write SET due_at = now() - interval '1 second' WHERE due_at IS NOT NULL")
        }
    }

    // MARK: the till

    func call(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> JSON? {
        let request = HTTPRequest(
            method: method, url: base + path,
            headers: [
                ("Content-Type", "application/json"), ("Accept", "application/json"), ("Authorization", "Basic YTpi"),
            ], body: body.map { Array($0.utf8) })
        guard case .answered(let response) = await http.send(request), (200..<300).contains(response.status) else {
            throw TillTrouble(path: path)
        }
        return try? JSON(parsing: response.body)
    }

    func reference(of customer: Int) async throws -> String? {
        try await call(.get, "/v1/companies/162/customers/\(customer).json")?["reference_id"]?.string
    }

    /// How often a customer was written.
    func puts(of customer: Int) async throws -> Int64 {
        let report = try await call(.get, "/_control/written")
        return report?["customers"]?.elements.first { $0["id"]?.integer == Int64(customer) }?["puts"]?.integer ?? 0
    }

    func set(_ reference: String, of customer: Int) async throws {
        _ = try await call(
            .put, "/v1/companies/162/customers/\(customer).json", #"{"reference_id":"\#(reference)"}"#)
    }

    func fault(_ method: String, _ action: String, count: Int) async throws {
        let match = #"{"method":"\#(method)","path":"/companies/162/"}"#
        _ = try await call(.post, "/_control/faults", #"{"match":\#(match),"action":\#(action),"count":\#(count)}"#)
    }
}

struct TillTrouble: Error {
    let path: String
}

/// What was logged, at which level.
final class LogLines: LogHandler, @unchecked Sendable {
    // Unchecked: `kept` is touched only under `lock`; the others are set before anybody else sees it.
    private let lock = NSLock()
    private var kept: [(level: Logger.Level, text: String)] = []
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.debug
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { nil }
        set {}
    }

    func log(event: LogEvent) { lock.withLock { kept.append((event.level, "\(event.message)")) } }

    func lines(_ level: Logger.Level) -> [String] { lock.withLock { kept.filter { $0.level == level }.map(\.text) } }
}
