package import ArgumentParser
import Foundation
import Telemetry

/// `chaos`: real processes, a seed, and everything that can go wrong.
package struct ChaosCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "chaos",
        abstract: "Kills, cuts and confuses a fleet, seed by seed, and proves its books each time.")

    @Option(help: "Run this seed only.")
    var seed: UInt64?
    @Option(help: "How many seeds, from the first on.")
    var seeds = 100
    @Option(help: "The first seed.")
    var from: UInt64 = 1
    @Option(help: "End after so many minutes; what ran by then counts.")
    var minutes: Int?
    @Flag(help: "Print the plans and run nothing.")
    var plan = false
    @Flag(help: "Go on after a seed that failed.")
    var keepGoing = false
    @Option(help: "The configuration.")
    var config = "config/example.yaml"
    @Option(help: "Where logs go. Those of seeds that hold are removed.")
    var folder = ".local/chaos"

    private static let seedsOfAllPoints = 100

    package init() {}

    package func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        let servers = ChaosServers(
            folder: environment["TILLBRIDGE_CHAOS_SERVERS"].flatMap { $0.isEmpty ? nil : $0 },
            script: "scripts/servers.sh")
        let chosen = seed.map { [$0] } ?? (0..<UInt64(max(seeds, 1))).map { from + $0 }
        if plan {
            for seed in chosen {
                for line in ChaosPlan(seed: seed, canRestart: servers.canRestart).lines { say(line) }
            }
            return
        }
        guard let rabbitMQ = environment["TILLBRIDGE_RABBITMQ_URL"],
            let database = environment["TILLBRIDGE_DATABASE_URL"]
        else { throw HarnessError("set TILLBRIDGE_RABBITMQ_URL and TILLBRIDGE_DATABASE_URL, or use `make chaos`") }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let series = ChaosSeries(
            programs: (own as NSString).deletingLastPathComponent, configuration: config, folder: folder,
            rabbitMQ: rabbitMQ, database: database, servers: servers)
        let interruption = Interruption()
        let report = try await series.run(
            chosen, within: minutes.map { .seconds($0 * 60) }, keepGoing: keepGoing,
            isInterrupted: { interruption.isRaised }, say: { say($0) })
        for line in report.lines { say(line) }
        guard report.failed.isEmpty else { throw ExitCode.failure }
        // So many seeds pass everywhere: a point that none of them reached is not tried at all.
        if chosen.count >= Self.seedsOfAllPoints, report.held == chosen.count, !report.missed.isEmpty {
            throw ExitCode.failure
        }
        if interruption.isRaised { throw ExitCode(130) }
    }
}

/// Seeds one after the other on the same servers, each in queues and tables of its own.
package struct ChaosSeries: Sendable {
    let programs: String
    let configuration: String
    let folder: String
    let rabbitMQ: String
    let database: String
    let servers: ChaosServers

    package init(
        programs: String, configuration: String, folder: String, rabbitMQ: String, database: String,
        servers: ChaosServers
    ) {
        self.programs = programs
        self.configuration = configuration
        self.folder = folder
        self.rabbitMQ = rabbitMQ
        self.database = database
        self.servers = servers
    }

    package struct Report: Sendable {
        package var held = 0
        package var failed: [UInt64] = []
        package var problems: [String] = []
        var orders = 0
        var starts = 0
        var sprung: [String: Int] = [:]
        var took: [Duration] = []

        /// Points at which nobody died or stopped.
        var missed: [String] { ChaosPlan.points.map(\.rawValue).filter { sprung[$0] == nil } }

        package var lines: [String] {
            let seconds = took.map { $0 / .seconds(1) }.sorted()
            let points = ChaosPlan.points.compactMap { point in
                sprung[point.rawValue].map { "\(point.rawValue) \($0)" }
            }
            var lines = ["points passed with an end or a stop: \(points.joined(separator: ", "))"]
            if !missed.isEmpty { lines.append("not reached: \(missed.joined(separator: ", "))") }
            if let longest = seconds.last {
                let median = seconds[seconds.count / 2]
                lines.append(String(format: "a seed took %.0f s (median), %.0f s at most", median, longest))
            }
            lines.append(
                "chaos: \(held) seeds held, \(failed.count) failed\(failed.isEmpty ? "" : " (\(failed))"), "
                    + "\(orders) orders booked to the cent by \(starts) processes")
            return lines
        }
    }

    /// - Parameters:
    ///   - limit: no seed is begun after it.
    ///   - say: a line for whoever watches.
    package func run(
        _ seeds: [UInt64], within limit: Duration?, keepGoing: Bool, isInterrupted: @Sendable () -> Bool,
        say: @Sendable (String) -> Void
    ) async throws -> Report {
        let start = ContinuousClock.now
        var report = Report()
        for seed in seeds {
            if isInterrupted() { break }
            if let limit, .now - start > limit {
                say("the time is over: \(seeds.count - report.held - report.failed.count) seeds are left out")
                break
            }
            let plan = ChaosPlan(seed: seed, canRestart: servers.canRestart)
            let options = options(plan)
            let outcome = try await ChaosRun(plan: plan, options: options, servers: servers).run()
            for point in outcome.sprung { report.sprung[point, default: 0] += 1 }
            report.starts += outcome.starts
            report.took.append(outcome.took)
            let seconds = Int(outcome.took / .seconds(1))
            if outcome.problems.isEmpty {
                report.held += 1
                report.orders += outcome.orders
                let points = Set(outcome.sprung).sorted().joined(separator: ", ")
                say(
                    "seed \(seed) held: \(outcome.orders) orders, \(outcome.starts) processes, \(seconds) s, died or "
                        + "stopped at: \(points.isEmpty ? "no point" : points)")
                try? FileManager.default.removeItem(atPath: options.folder)
                continue
            }
            report.failed.append(seed)
            let lines = failure(plan, outcome, options.folder)
            report.problems += lines
            for line in lines { say(line) }
            if !keepGoing { break }
        }
        return report
    }

    private func options(_ plan: ChaosPlan) -> FleetOptions {
        var options = FleetOptions(
            programs: programs, configuration: configuration, folder: "\(folder)/seed-\(plan.seed)",
            rabbitMQ: rabbitMQ, database: database)
        options.run = "chaos-\(plan.seed)-\(ProcessInfo.processInfo.processIdentifier)"
        options.limits = plan.limits
        // The till's would only make a seed last.
        options.tillLimits = "off"
        options.ordersPerVenue = plan.ordersPerVenue
        options.duration = plan.duration
        options.tillArguments = [
            "--seed", String(plan.seed), "--late-seconds", "2", "--bad-orders", String(plan.badOrders),
        ]
        func seconds(_ duration: Duration) -> String { "\(duration.components.seconds)s" }
        options.environment = [
            "TILLBRIDGE_POLLING_INTERVAL": "300ms", "TILLBRIDGE_POLLING_CORRECTIONS_INTERVAL": "500ms",
            "TILLBRIDGE_POLLING_LEASE": seconds(ChaosPlan.pollingLease),
            "TILLBRIDGE_WRITING_LEASE": seconds(ChaosPlan.writingLease), "TILLBRIDGE_MAPPING_BATCH": "20",
            "LOG_LEVEL": "debug",
        ]
        return options
    }

    /// Everything a person needs to look into it.
    private func failure(_ plan: ChaosPlan, _ outcome: ChaosRun.Outcome, _ folder: String) -> [String] {
        var lines = ["seed \(plan.seed) FAILED after \(Int(outcome.took / .seconds(1))) s"]
        lines += plan.lines
        lines += outcome.problems.map { "  ✗ \($0)" }
        lines.append("replay: make chaos SEED=\(plan.seed)")
        lines.append("logs: \(folder)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names.filter({ $0.hasSuffix(".log") }).sorted() {
            let text = (try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8)) ?? ""
            let tail = text.split(separator: "\n").suffix(4)
            if !tail.isEmpty { lines += ["  \(name):"] + tail.map { "    \($0.prefix(220))" } }
        }
        return lines
    }
}
