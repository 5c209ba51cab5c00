import AMQP
import Domain
import Glibc
import HTTP
import Logging
import Messaging
import Postgres
import ServiceLifecycle
import Settings
import Store
import Telemetry

/// The live parts that every worker has.
struct LiveParts: Sendable {
    let worker: Worker
    let settings: Settings
    /// Where the settings come from, for a worker that takes changes over.
    let configuration: ConfigurationFile?
    let logger: Logger
    /// For libraries: only what a person must know.
    let quietLogger: Logger
    let health = Health()
    let metrics = Metrics()
    let clock: WorkClock
    let broker: RabbitBroker
    let pool: PostgresPool
    /// A connection is held while a token is renewed: not one of those the work needs. Connects when first used.
    let credentialPool: PostgresPool
    let store: PostgresStore
    /// One client a peer: libcurl lets a busy host delay another on the same client.
    let http: HTTPClient
    let identityHTTP: HTTPClient

    private static let poolSize = 6
    private static let credentialPoolSize = 2

    init(_ worker: Worker, _ settings: Settings, configuration: ConfigurationFile? = nil) throws {
        self.worker = worker
        self.configuration = configuration
        self.settings = settings
        logger = LiveLog.logger(worker.rawValue)
        var quiet = logger
        quiet.logLevel = .error
        quietLogger = quiet
        clock = LiveClock.clock
        let name = "tillbridge-\(worker.rawValue)"
        // The audit says who by the connection's name.
        let holder = LiveParts.holder(worker)
        pool = try LiveDatabase.pool(settings, name: holder, size: Self.poolSize, logger: logger, health: health)
        store = PostgresStore(pool: pool, holder: holder)
        credentialPool = try LiveDatabase.pool(
            settings, name: "\(name)-tokens", size: Self.credentialPoolSize, logger: logger, health: nil)
        broker = try LiveParts.broker(settings, name: name, logger: logger, health: health, metrics: metrics)
        let httpConfiguration = HTTPConfiguration(
            maxConnectionsPerHost: 32, trustedCertificates: settings.connections.trustedCertificates,
            userAgent: "Tillbridge")
        http = HTTPClient(name: "tb-http", configuration: httpConfiguration)
        identityHTTP = HTTPClient(name: "tb-identity", configuration: httpConfiguration)
    }

    private static func broker(
        _ settings: Settings, name: String, logger: Logger, health: Health, metrics: Metrics
    ) throws -> RabbitBroker {
        let endpoint: AMQPEndpoint
        do {
            endpoint = try AMQPEndpoint(
                url: settings.connections.rabbitMQ.revealed,
                trustedCertificates: settings.connections.trustedCertificates)
        } catch { throw StartError("TILLBRIDGE_RABBITMQ_URL cannot be used: \(error)") }
        return RabbitBroker(
            endpoint: endpoint, name: name,
            topology: Topology(
                prefix: settings.connections.queuePrefix, organisations: settings.organisations.map(\.key)),
            onEvent: { connection, event in
                BrokerEvents.note(event, connection: connection, logger: logger, health: health, metrics: metrics)
            },
            onConfirm: { count, duration in
                metrics.count("tillbridge_messages_confirmed_total", by: count)
                metrics.time("tillbridge_confirm_seconds", took: duration)
            })
    }

    /// Waits for broker, database and schema, and says what it waits for.
    ///
    /// - Returns: false when the process is to end before they came.
    func waitForServers() async throws -> Bool {
        health.set("database", waitingFor: "the database at \(LiveDatabase.shown(settings))")
        health.set("broker", waitingFor: "the broker")
        return try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await broker.waitUntilReady()
                health.set("broker", waitingFor: nil)
                return true
            }
            group.addTask {
                try await waitForSchema()
                health.set("database", waitingFor: nil)
                return true
            }
            group.addTask {
                try? await gracefulShutdown()
                return false
            }
            var isUp = 0
            while let part = try await group.next() {
                guard part else { break }
                isUp += 1
                if isUp == 2 { break }
            }
            group.cancelAll()
            return isUp == 2
        }
    }

    private func waitForSchema() async throws {
        let migrator = Migrator(pool: pool, schema: settings.connections.schema)
        var told = false
        while true {
            do {
                try await pool.waitUntilReady(within: .seconds(5))
                let pending = try await migrator.status().filter { !$0.isApplied }.map(\.version)
                if pending.isEmpty { return }
                let reason = "\(MigrationError.pending(pending))"
                health.set("database", waitingFor: reason)
                if !told { logger.warning("waiting: \(reason)") }
                told = true
            } catch let error as PostgresError {
                logger.warning("waiting for the database at \(LiveDatabase.shown(settings)): \(error)")
            }
            try await Task.sleep(for: .milliseconds(250))
        }
    }

    /// Names this process among its replicas, those before it included: worker, host, process id and a number of its
    /// own, because in a container every process has the same id. Short enough for a connection's name (63 bytes).
    private static func holder(_ worker: Worker) -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        gethostname(&buffer, buffer.count - 1)
        let host = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        let own = String(UInt32.random(in: 36 * 36 * 36..<36 * 36 * 36 * 36), radix: 36)
        return "\(worker.rawValue)@\(host.prefix(30))/\(getpid())-\(own)"
    }
}
