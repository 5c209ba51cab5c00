package import ArgumentParser
import Foundation
import Glibc

/// `bench`: measures against real servers, prints a table and writes the figures as JSON.
package struct BenchCommand: AsyncParsableCommand {
    package static let configuration = CommandConfiguration(
        commandName: "bench", abstract: "Measures the fleet against real servers.")

    private static let scenarios = ["mapping", "drain", "ready", "replay", "budget", "isolation"]

    @Option(help: "Run this scenario only: mapping, drain, ready, replay, budget or isolation.")
    var only: String?
    @Option(help: "Where the figures go.")
    var output = ".local/bench.json"
    @Option(help: "The configuration.")
    var config = "config/example.yaml"
    @Option(help: "Runs of each scenario; medians are of these.")
    var runs = 3
    @Option(help: "Orders of the drain.")
    var orders = 50_000
    @Option(help: "Dead letters of the replay.")
    var letters = 10_000
    @Option(help: "Orders of the budget's backlog.")
    var backlog = 20_000

    package init() {}

    package func run() async throws {
        let environment = ProcessInfo.processInfo.environment
        guard let rabbitMQ = environment["TILLBRIDGE_RABBITMQ_URL"],
            let database = environment["TILLBRIDGE_DATABASE_URL"]
        else { throw HarnessError("set TILLBRIDGE_RABBITMQ_URL and TILLBRIDGE_DATABASE_URL, or use `make bench`") }
        guard only.map(Self.scenarios.contains) ?? true else {
            throw HarnessError(
                "there is no scenario `\(only ?? "")`; there are: \(Self.scenarios.joined(separator: ", "))")
        }
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        var options = FleetOptions(
            programs: (own as NSString).deletingLastPathComponent, configuration: config, folder: ".local/bench",
            rabbitMQ: rabbitMQ, database: database)
        options.limits = "off"
        options.ordersPerVenue = 0
        var figures = Figures()
        say("machine: \(Machine.description)", "commit: \(Machine.commit)")
        for run in 1...max(1, runs) {
            if only == nil || only == "ready" {
                say("ready, run \(run) of \(runs)…")
                try await ReadyScenario(options: options).run(into: &figures)
            }
            if only == nil || only == "mapping" {
                say("mapping, run \(run) of \(runs)…")
                try await MappingScenario(options: options).run(into: &figures)
            }
            if only == nil || only == "drain" {
                say("drain, run \(run) of \(runs)…")
                try await DrainScenario(options: options, orders: orders).run(into: &figures)
            }
            if only == nil || only == "replay" {
                say("replay, run \(run) of \(runs)…")
                try await ReplayScenario(options: options, letters: letters).run(into: &figures)
            }
        }
        // Minutes each, by the limits' own clock and whatever the machine: once.
        if only == nil || only == "budget" {
            say("budget: \(backlog) orders at the vendors' own limits, some four minutes…")
            try await BudgetScenario(options: options, orders: backlog).run(into: &figures)
        }
        if only == nil || only == "isolation" {
            say("isolation…")
            try await IsolationScenario(options: options).run(into: &figures)
        }
        for line in figures.table { say(line) }
        try figures.json(machine: Machine.description, commit: Machine.commit)
            .write(toFile: output, atomically: true, encoding: .utf8)
        say("written to \(output)")
        if !figures.missed.isEmpty { throw HarnessError(figures.missed.joined(separator: "; ")) }
    }
}

enum Machine {
    static var description: String {
        let text = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
        let model = text.split(separator: "\n").first { $0.hasPrefix("model name") }?.split(separator: ":").last ?? "?"
        let memory = (try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8))?.split(separator: "\n").first?
            .split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0
        return "\(ProcessInfo.processInfo.processorCount) cores,\(model), \(memory / 1_048_576) GiB"
            .replacingOccurrences(of: "\"", with: "'")
    }

    static var commit: String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = ["git", "rev-parse", "--short", "HEAD"]
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return "unknown" }
        let data = pipe.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        let text = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        return text.isEmpty ? "unknown" : text
    }
}
