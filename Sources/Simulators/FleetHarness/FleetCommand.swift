package import ArgumentParser
import Foundation
import Glibc

/// `fleet`: starts a whole fleet with simulators at both ends; `demo` proves a service, `up` stays up.
package struct FleetCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "fleet", abstract: "Starts a fleet with simulators at both ends.",
        subcommands: [DemoCommand.self, UpCommand.self])

    package init() {}
}

struct FleetFlags: ParsableArguments {
    @Option(help: "The configuration.")
    var config = "config/example.yaml"
    @Option(help: "Play the orders of this file instead of made-up ones.")
    var orders: String?
    @Option(help: "The simulators' rate limits: real, off, or x<N> times the vendors'.")
    var limits = "x200"
    @Option(help: "Made-up orders a venue.")
    var ordersPerVenue = 400
    @Option(help: "Seconds over which made-up orders appear.")
    var duration = 30
    @Option(help: "Where logs go.")
    var folder = ".local/fleet"

    func options() throws -> FleetOptions {
        let environment = ProcessInfo.processInfo.environment
        guard let rabbitMQ = environment["TILLBRIDGE_RABBITMQ_URL"],
            let database = environment["TILLBRIDGE_DATABASE_URL"]
        else { throw HarnessError("set TILLBRIDGE_RABBITMQ_URL and TILLBRIDGE_DATABASE_URL, or use `make demo`") }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var options = FleetOptions(
            programs: (own as NSString).deletingLastPathComponent, configuration: config, folder: folder,
            rabbitMQ: rabbitMQ, database: database)
        options.ordersFile = orders
        options.limits = limits
        options.ordersPerVenue = ordersPerVenue
        options.duration = duration
        // The demo need not wait for a quiet five seconds between polls.
        if limits != "real" { options.environment["TILLBRIDGE_POLLING_INTERVAL"] = "1s" }
        return options
    }
}

struct DemoCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Plays a busy service through the fleet and proves the books.")

    @OptionGroup var flags: FleetFlags
    @Option(help: "How sales are posted: as the configuration says, or daily, one invoice a venue and day.")
    var posting: Posting?

    enum Posting: String, ExpressibleByArgument, CaseIterable { case daily }

    /// With nothing moving for so long, the run is over and the proof says what is missing. Longer than a minute,
    /// because real limits make everybody wait for the next one.
    private static let standstillMax = Duration.seconds(150)

    func run() async throws {
        let options = try options()
        let interruption = Interruption()
        say("limits: \(describe(options))", "logs: \(options.folder)")
        let fleet = try await Fleet(options)
        let result: Result<(any BookProof)?, any Error>
        do {
            try await fleet.startWorkers(fleet.usualWorkers)
            result = .success(try await play(fleet, interruption))
        } catch { result = .failure(error) }
        let disorderly = await fleet.stop()
        let proof = try result.get()
        for problem in disorderly { say(problem) }
        guard let proof else { throw ExitCode(130) }
        for line in proof.lines { say(line) }
        guard proof.holds, disorderly.isEmpty else { throw ExitCode.failure }
    }

    private func options() throws -> FleetOptions {
        var options = try flags.options()
        guard posting == .daily else { return options }
        let configuration = "\(options.folder)/daily.yaml"
        try DailyConfiguration.write(from: options.configuration, to: configuration)
        options.configuration = configuration
        options.postsDays = true
        // Sales of the last days, all there at once: today's could not be closed before tomorrow.
        options.duration = 0
        // Nothing is on its way any more on days that are long over.
        options.environment["TILLBRIDGE_MAPPING_CLOSE_DELAY"] = "1s"
        return options
    }

    private func describe(_ options: FleetOptions) -> String {
        switch options.limits {
        case "real": "the vendors' own"
        case "off": "none"
        default: "\(options.limits.dropFirst()) times the vendors' own"
        }
    }

    /// Nil when it was interrupted.
    private func play(_ fleet: Fleet, _ interruption: Interruption) async throws -> (any BookProof)? {
        let watch = try await Watch(fleet)
        let start = ContinuousClock.now
        var line = ProgressLine()
        var last = Progress()
        var moved = start
        while !interruption.isRaised {
            let progress = try await fleet.progress(watch)
            if progress != last { moved = .now }
            last = progress
            line.show(progress, after: .now - start)
            let ended = await fleet.children.ended()
            guard ended.isEmpty else { throw HarnessError("ended by itself: \(ended.joined(separator: ", "))") }
            if progress.isDone || .now - moved > Self.standstillMax { break }
            try await Task.sleep(for: .milliseconds(500))
        }
        line.end()
        if interruption.isRaised {
            await watch.close()
            return nil
        }
        await watch.close()
        let till = try await fleet.kounta.get("/_control/ledger?orders=1")
        let ledger = try await fleet.xero.get("/_control/ledger")
        guard fleet.options.postsDays else {
            return try Proof(plan: fleet.plan, till: till, ledger: ledger, dead: last.dead, queued: last.queued)
        }
        return try DayProof(plan: fleet.plan, till: till, ledger: ledger, dead: last.dead, queued: last.queued)
    }
}

struct UpCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "up", abstract: "Starts the fleet and keeps it up until Ctrl-C.")

    @OptionGroup var flags: FleetFlags

    func run() async throws {
        var options = try flags.options()
        // The orders of an hour's service, then quiet.
        if options.ordersFile == nil { options.duration = max(options.duration, 3600) }
        let interruption = Interruption()
        let fleet = try await Fleet(options)
        var failure: (any Error)?
        do {
            try await fleet.startWorkers(fleet.usualWorkers)
            try fleet.writeEnvironment()
            say(
                "the fleet is up; Ctrl-C ends it", "  Kounta simulator: \(fleet.kounta.base)/_control/ledger",
                "  Xero simulator:   \(fleet.xero.base)/_control/ledger?summary=1", "  logs: \(options.folder)",
                "  for commands in another terminal: source \(options.folder)/env")
            let watch = try await Watch(fleet)
            let start = ContinuousClock.now
            var line = ProgressLine()
            while !interruption.isRaised {
                line.show(try await fleet.progress(watch), after: .now - start)
                let ended = await fleet.children.ended()
                guard ended.isEmpty else { throw HarnessError("ended by itself: \(ended.joined(separator: ", "))") }
                try await Task.sleep(for: .seconds(1))
            }
            line.end()
            await watch.close()
        } catch { failure = error }
        let disorderly = await fleet.stop()
        for problem in disorderly { say(problem) }
        if let failure { throw failure }
        say("everything is stopped")
        if !disorderly.isEmpty { throw ExitCode.failure }
    }
}

/// Printed at once, also into a pipe, in order with the progress line.
func say(_ lines: String...) {
    FileHandle.standardOutput.write(Data((lines.joined(separator: "\n") + "\n").utf8))
}

/// One line that is written over on a terminal, and a line every few seconds elsewhere.
struct ProgressLine {
    private let isTerminal = isatty(STDOUT_FILENO) != 0
    private var shown = ContinuousClock.now - .seconds(60)

    mutating func show(_ progress: Progress, after elapsed: Duration) {
        guard isTerminal || ContinuousClock.now - shown > .seconds(5) || progress.isDone else { return }
        shown = .now
        let text = progress.line(after: elapsed)
        write(isTerminal ? "\r\u{1B}[K\(text)" : "\(text)\n")
    }

    func end() { if isTerminal { write("\n") } }

    private func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }
}

/// Ctrl-C and SIGTERM, noted instead of obeyed: the fleet is stopped in order first.
final class Interruption: @unchecked Sendable {
    // Unchecked: the sources are only kept alive here and never touched again.
    private let sources: [any DispatchSourceSignal]
    private let raised = RaisedFlag()

    init() {
        let raised = raised
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number)
            source.setEventHandler { raised.raise() }
            source.resume()
            return source
        }
    }

    var isRaised: Bool { raised.isRaised }
}
