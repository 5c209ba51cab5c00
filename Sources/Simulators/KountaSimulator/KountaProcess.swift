import Logging
import ServiceLifecycle
import UnixSignals

#if canImport(FoundationEssentials)
import FoundationEssentials
#else
import Foundation
#endif

/// The simulator as a process of its own: listens, tells its port, stops at SIGTERM or SIGINT.
package enum KountaProcess {
    package static func run(_ options: KountaOptions) async throws {
        let level: Logger.Level = options.verbose ? .info : .warning
        var logger = Logger(label: "kounta-sim") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = level
        let announced = logger
        let portFile = options.portFile
        let server = try await KountaServer(
            settings: try options.settings(), host: options.host, port: options.port, logger: logger
        ) { port in
            announced.info("listening on port \(port)")
            guard let portFile else { return }
            do {
                // Atomic: who waits for the file never reads half of it.
                try Data("\(port)\n".utf8).write(to: URL(filePath: portFile), options: .atomic)
            } catch {
                announced.error("the port file \(portFile) cannot be written: \(error)")
            }
        }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [server], gracefulShutdownSignals: [.sigterm, .sigint], logger: logger))
        try await group.run()
    }
}
