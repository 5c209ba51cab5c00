package import ArgumentParser
internal import Hummingbird
internal import JSON
internal import Logging

#if canImport(FoundationEssentials)
    internal import FoundationEssentials
#else
    internal import Foundation
#endif

/// The command line of `xero-sim`.
package struct SimulatorCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "xero-sim", abstract: "A Xero accounting service in memory, for demos, tests and benchmarks.")

    @Option(help: "The address to listen on.")
    var host = "127.0.0.1"

    @Option(help: "The port to listen on; 0 takes a free one.")
    var port = 0

    @Option(help: "A file that gets the chosen port once the simulator listens.")
    var portFile: String?

    @Option(
        help: """
            real, off, or x<N>: the vendor's limits, none, or N times as much. N multiplies the calls a minute (60), \
            the calls a day (5,000) and the calls in flight (5) of each organisation; the 10,000 a minute of the \
            whole app stay.
            """)
    var limits = "real"

    @Option(help: "A JSON file with a list of organisations (tenantId, name, country, currency, timezone, venues).")
    var organisations: String?

    @Option(help: "An organisation: 'tenantId|Name|AU|AUD|Australia/Sydney|Venue 1,Venue 2'. May be repeated.")
    var organisation: [String] = []

    @Option(help: "The seed of identifiers and faults.")
    var seed: UInt64 = 1

    @Option(
        help: """
            An accepted client: 'id:secret', 'id:secret=tenantId' for a custom connection, 'id:' for a public app. May \
            be repeated; none accepts any.
            """)
    var client: [String] = []

    @Option(help: "Seconds an access token is good for.")
    var tokenSeconds = 1800

    @Option(help: "How long first answers are kept by idempotency key, in seconds.")
    var idempotencySeconds = 360

    @Option(help: "How many megabytes of first answers an organisation keeps at most; the oldest go first.")
    var idempotencyMegabytes = 128

    package init() {}

    package func run() async throws {
        LoggingSystem.bootstrap(StreamLogHandler.standardError)
        let simulator = Simulator(try settings())
        let portFile = portFile
        var logger = Logger(label: "xero-sim")
        logger.logLevel = .error
        try await simulator.application(host: host, port: port, logger: logger) { [logger] port in
            guard let portFile else { return }
            do { try Data("\(port)\n".utf8).write(to: URL(filePath: portFile), options: .atomic) } catch {
                // Whoever waits for the file learns nothing else: say why it does not come.
                logger.error("the port file cannot be written", metadata: ["error": "\(error)"])
            }
        }.runService()
    }

    func settings() throws -> SimulatorSettings {
        var known = try organisation.map { try OrganisationSettings(flag: $0) }
        if let organisations {
            let json = try JSON(parsing: Array(Data(contentsOf: URL(filePath: organisations))))
            known += try json.elements.map { try OrganisationSettings($0) }
        }
        if known.isEmpty {
            known = [
                try OrganisationSettings(
                    tenantID: "11111111-1111-4111-8111-111111111111", name: "Demo Hospitality", venues: ["Main Street"])
            ]
        }
        guard let scale = LimitScale(limits) else { throw ValidationError("--limits is real, off or x<N>") }
        guard tokenSeconds > 0 else { throw ValidationError("--token-seconds is a number above 0") }
        let clients = try client.map { text in
            guard let client = Client(flag: text) else {
                throw ValidationError("--client is id:secret[=tenantId], or id: for a public app")
            }
            return client
        }
        return SimulatorSettings(
            organisations: known, clients: clients, limits: scale, idempotencySeconds: idempotencySeconds,
            idempotencyMegabytes: idempotencyMegabytes, accessSeconds: tokenSeconds, seed: seed)
    }
}
