import AMQP
import Domain
import HTTP
import Kounta
import Logging
import Messaging
import Polling
import Postgres
import ServiceLifecycle
import Settings
import Store
import Telemetry
import UnixSignals

/// One worker put together from live parts, run until SIGTERM or SIGINT, then drained.
struct LiveWorker: Sendable {
    private let worker: Worker
    private let settings: Settings
    let parts: LiveParts

    init(_ worker: Worker, settings: Settings, configuration: ConfigurationFile? = nil) throws {
        self.worker = worker
        self.settings = settings
        parts = try LiveParts(worker, settings, configuration: configuration)
    }

    func run() async throws {
        let parts = parts
        guard let health = HealthServer(
            address: settings.connections.health, health: parts.health, metrics: parts.metrics, logger: parts.logger)
        else { throw StartError("TILLBRIDGE_HEALTH_ADDRESS is `\(settings.connections.health)`, not host:port") }
        let work = BrokeredWork(parts: parts) { try await services(parts) }
        var configuration = ServiceGroupConfiguration(
            services: [
                .init(service: health),
                .init(service: work, successTerminationBehavior: .gracefullyShutdownGroup),
            ], gracefulShutdownSignals: [.sigterm, .sigint], logger: parts.quietLogger)
        configuration.maximumGracefulShutdownDuration = settings.connections.grace
        try await ServiceGroup(configuration: configuration).run()
        parts.logger.info("ended")
    }

    /// The worker's own services, made once broker and database are there.
    private func services(_ parts: LiveParts) async throws -> [any Service] {
        switch worker {
        case .poller: try await parts.pollers()
        case .mapper: try await parts.mappers()
        case .writer: try await parts.writers()
        case .deadLetterHandler: await parts.deadLetterHandlers()
        }
    }
}

/// Broker, database and the worker's services, in the order in which they may start and end: connections first and
/// last.
struct BrokeredWork: Service {
    let parts: LiveParts
    let services: @Sendable () async throws -> [any Service]

    /// How often an idle worker looks whether its database is there: `/ready` shall not tell the state of an hour ago.
    private static let lookInterval = Duration.seconds(5)

    func run() async throws {
        let parts = parts
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await parts.broker.run() }
            group.addTask {
                // The pool tells `/ready` what comes of it.
                while (try? await parts.clock.sleep(Self.lookInterval)) != nil {
                    _ = try? await parts.pool.withSession { try $0.query("SELECT 1") }
                }
            }
            let error = await work()
            parts.health.beginDraining()
            // Whatever is unconfirmed is flushed before the connections end.
            await parts.broker.close()
            await parts.pool.close()
            await parts.credentialPool.close()
            await parts.http.close()
            await parts.identityHTTP.close()
            group.cancelAll()
            if let error { throw error }
        }
    }

    private func work() async -> (any Error)? {
        do {
            let isUp = try await parts.waitForServers()
            guard isUp else { return nil }
            let services = try await services()
            parts.logger.notice("ready")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for service in services { group.addTask { try await service.run() } }
                try await group.waitForAll()
            }
            return nil
        } catch is CancellationError {
            return nil
        } catch {
            parts.logger.critical("\(error)")
            return error
        }
    }
}
