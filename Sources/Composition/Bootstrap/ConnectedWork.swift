import Credentials
import Domain
import Logging
import Messaging
import ServiceLifecycle
import Telemetry

/// A worker's service that needs a connection somebody granted: waits for it before it takes any message, says what it
/// waits for, and keeps looking after the tokens as long as the service runs, so that they are renewed ahead of their
/// end also where nothing is to be done.
struct ConnectedWork: Service {
    /// `xero` or `kounta`, and the key of the organisation or company.
    let service: ConnectedService
    let key: String
    let tokens: any AccessTokens
    let clock: WorkClock
    let health: Health
    let metrics: Metrics
    let logger: Logger
    let make: @Sendable () async throws -> any Service

    /// Between two looks at a connection that works, and at one that does not: what a person mends is used soon.
    private static let interval = Duration.seconds(10)
    private static let waitInterval = Duration.seconds(2)

    func run() async throws {
        guard await waitForConnection() else { return }
        let service = try await make()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await cancelWhenGracefulShutdown { await watch() } }
            try await service.run()
            group.cancelAll()
        }
        await tokens.settle()
    }

    /// - Returns: false when the process is to end first.
    private func waitForConnection() async -> Bool {
        await cancelWhenGracefulShutdown {
            var last: String?
            while !Task.isCancelled {
                if await look(&last) { return true }
                do { try await clock.sleep(Self.waitInterval) } catch { break }
            }
            return false
        }
    }

    private func watch() async {
        var last: String?
        while !Task.isCancelled {
            let isUsable = await look(&last)
            do { try await clock.sleep(isUsable ? Self.interval : Self.waitInterval) } catch { return }
        }
    }

    /// Logs a change only; `/ready` says it all the time.
    private func look(_ last: inout String?) async -> Bool {
        let part = "\(service.rawValue) \(key)"
        do {
            _ = try await tokens.accessToken()
            if last != nil { logger.notice("the connection is there", metadata: ["for": "\(part)"]) }
            last = nil
        } catch {
            if last != error.description {
                logger.log(
                    level: error.isForPerson ? .error : .warning, "waiting: \(error)", metadata: ["for": "\(part)"])
            }
            last = error.description
        }
        health.set(part, waitingFor: last)
        metrics.set("tillbridge_connection_usable", ["service": service.rawValue, "key": key], to: last == nil ? 1 : 0)
        return last == nil
    }
}

extension TokenTrouble {
    fileprivate var isForPerson: Bool { if case .needsPerson = self { true } else { false } }
}
