package import ArgumentParser
import Logging
import Settings
import Threads

/// What every worker's command line has in common. An executable names its worker and nothing else.
package protocol WorkerCommand: AsyncParsableCommand {
    static var worker: Worker { get }
    var options: WorkerOptions { get }
}

package struct WorkerOptions: ParsableArguments {
    @Option(name: .long, help: "The configuration file. Also TILLBRIDGE_CONFIG.")
    package var config: String?

    @Flag(name: .long, help: "Print the effective configuration, secrets masked, and end.")
    package var checkConfig = false

    package init() {}
}

extension WorkerCommand {
    package static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: worker.rawValue, abstract: worker.purpose)
    }

    package mutating func run() async throws {
        ProcessMemory.limitArenas(to: 2)
        let (settings, file) = try LiveSettings.loadWithFile(path: options.config, for: Self.worker)
        if options.checkConfig { return print(settings.rendered()) }
        try LiveTrap.arm(Self.worker)
        try await LiveWorker(
            Self.worker, settings: settings, configuration: ConfigurationFile(path: options.config, bytes: file)
        ).run()
    }
}

/// The fleet's workers.
package enum Worker: String, Sendable {
    case poller
    case mapper
    case writer
    case deadLetterHandler = "dead-letter-handler"

    var purpose: String {
        switch self {
        case .poller: "Reads completed orders from Kounta and queues them."
        case .mapper: "Makes an invoice of each order and stores it for the writers."
        case .writer: "Writes invoices and payments into Xero."
        case .deadLetterHandler: "Takes what failed onto the desk."
        }
    }

    var speaksKounta: Bool { self == .poller }
    var speaksXero: Bool { self == .writer }
}
