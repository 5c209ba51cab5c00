import Foundation
import Glibc
import Testing

@testable import FleetHarness

/// What stands between a newcomer's command and the fleet: the check of what is missing, and the end of what runs.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct ScriptTests {
    @Test(
        "without Swift, with an old one or one that does not work, the first command says so and where to get it",
        arguments: [
            (nil, "There is no Swift here"),
            ("echo 'Swift version 5.9.2 (swift-5.9.2-RELEASE)'", "This is Swift 5.9"),
            ("exit 127", "`swift --version` does not work here"),
        ] as [(String?, String)])
    func swift(_ swift: String?, _ sentence: String) async throws {
        try await Stage.with { stage in
            if let swift { try stage.command("swift", swift) }
            let (status, output) = try await stage.require("build")
            #expect(status == 1)
            #expect(output.contains(sentence), "\(output)")
            #expect(output.contains("or later.") && output.contains("https://www.swift.org/install/linux/"))
            #expect(!output.contains("installed"))
        }
    }

    @Test("packages missing, no administrator and no sudo: the command to ask for is printed, nothing is installed")
    func noSudo() async throws {
        try await Stage.with { stage in
            try stage.command("swift", "echo 'Swift version 99.0 (swift-99.0-RELEASE)'")
            try stage.command("id", "echo 1000")
            try stage.command("apt-get", "touch \(stage.folder)/apt-was-run")
            let (status, output) = try await stage.require("build")
            #expect(status == 1)
            #expect(output.contains("you are not root and there is no sudo"), "\(output)")
            // A line of its own, to be copied.
            let command = output.split(separator: "\n").first { $0.contains("apt-get install") }
            #expect(command?.hasPrefix("  apt-get update && apt-get install -y") == true, "\(output)")
            for package in ["librabbitmq-dev", "libpq-dev", "libcurl4-openssl-dev"] {
                #expect(command?.contains(package) == true, "\(output)")
            }
            #expect(!FileManager.default.fileExists(atPath: "\(stage.folder)/apt-was-run"))
        }
    }

    @Test("a sudo that wants a password where nobody can type one is not asked; the command is printed")
    func sudoWithPassword() async throws {
        try await Stage.with { stage in
            try stage.command("swift", "echo 'Swift version 99.0 (swift-99.0-RELEASE)'")
            try stage.command("id", "echo 1000")
            try stage.command("apt-get", "touch \(stage.folder)/apt-was-run")
            try stage.command("sudo", "[ \"$1\" != -n ] && touch \(stage.folder)/sudo-was-asked; exit 1")
            let (status, output) = try await stage.require("build")
            #expect(status == 1)
            #expect(output.contains("sudo sh -c 'apt-get update"), "\(output)")
            for file in ["apt-was-run", "sudo-was-asked"] {
                #expect(!FileManager.default.fileExists(atPath: "\(stage.folder)/\(file)"), "\(file)")
            }
        }
    }

    @Test(
        "`make up` ends everything at Ctrl-C; killed too hard to do so, its processes are ended by the script",
        .enabled(if: Servers.areThere, Servers.absence), arguments: [SIGINT, SIGKILL])
    func up(_ signal: Int32) async throws {
        try await Stage.with { stage in
            let notes = "\(stage.folder)/children"
            try FileManager.default.createDirectory(atPath: notes, withIntermediateDirectories: true)
            var environment = ProcessInfo.processInfo.environment
            environment["TILLBRIDGE_RABBITMQ_URL"] = Servers.rabbitMQ
            environment["TILLBRIDGE_DATABASE_URL"] = Servers.database
            environment["TILLBRIDGE_CHILDREN"] = notes
            let log = "\(stage.folder)/up.log"
            let fleet = try ChildProcess(
                name: "fleet", executable: "\(RunningFleet.programs)/fleet",
                arguments: [
                    "up", "--orders-per-venue", "1", "--folder", "\(stage.folder)/fleet", "--config",
                    RunningFleet.root.appendingPathComponent("config/example.yaml").path,
                ], environment: environment, log: log)
            // Two simulators, a poller, a mapper, two writers and a handler.
            try await stage.wait("the fleet", log) { stage.noted().count == 7 && stage.text(log).contains("is up") }
            let processes = stage.noted()
            #expect(processes.allSatisfy(stage.runs))
            fleet.signal(signal)
            let status = await fleet.waitForExit()
            if signal == SIGINT {
                #expect(status == 0)
                #expect(stage.text(log).contains("everything is stopped"), "\(stage.text(log))")
            } else {
                #expect(processes.contains(where: stage.runs), "they ended by themselves: this shows nothing")
                let (status, output) = try await stage.run(
                    "\(RunningFleet.root.path)/scripts/servers.sh", ["stop", stage.folder], environment: environment)
                #expect(status == 0, "\(output)")
            }
            #expect(processes.filter(stage.runs).isEmpty)
            #expect(stage.noted().isEmpty)
        }
    }
}

/// A folder with a PATH of its own, in which there is only what a test puts there beside the plainest tools.
private struct Stage {
    let folder: String
    private var path: String { "\(folder)/bin" }

    static func with(_ work: (Stage) async throws -> Void) async throws {
        let stage = Stage(
            folder: FileManager.default.temporaryDirectory
                .appendingPathComponent("tillbridge-stage-\(UUID().uuidString)").path)
        try FileManager.default.createDirectory(atPath: stage.path, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: stage.folder) }
        for tool in [
            "bash", "cat", "dirname", "fold", "git", "grep", "head", "id", "mkdir", "rm", "sed", "sort", "tail", "test",
            "touch", "tr",
        ] {
            guard let place = ["/usr/bin", "/bin"].map({ "\($0)/\(tool)" }).first(where: access) else { continue }
            try FileManager.default.createSymbolicLink(atPath: "\(stage.path)/\(tool)", withDestinationPath: place)
        }
        try await work(stage)
    }

    private static func access(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

    func command(_ name: String, _ body: String) throws {
        try? FileManager.default.removeItem(atPath: "\(path)/\(name)")
        try "#!/bin/bash\n\(body)\n".write(toFile: "\(path)/\(name)", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: "\(path)/\(name)")
    }

    func require(_ group: String) async throws -> (status: Int32, output: String) {
        let script = RunningFleet.root.appendingPathComponent("scripts/require.sh").path
        return try await run(script, [group], environment: ["PATH": path])
    }

    /// In a session without a terminal: nobody can be asked for a password.
    func run(
        _ script: String, _ arguments: [String], environment: [String: String]
    ) async throws -> (status: Int32, output: String) {
        let log = "\(folder)/\(UUID().uuidString).log"
        let child = try ChildProcess(
            name: "script", executable: "/usr/bin/setsid", arguments: ["--wait", "/bin/bash", script] + arguments,
            environment: environment, log: log)
        return (await child.waitForExit(), text(log))
    }

    func text(_ file: String) -> String { (try? String(contentsOfFile: file, encoding: .utf8)) ?? "" }

    /// One that has ended, and that nobody has asked about yet, runs no more.
    func runs(_ process: pid_t) -> Bool {
        let stat = text("/proc/\(process)/stat")
        return !stat.isEmpty && stat.split(separator: ")").last?.hasPrefix(" Z") == false
    }

    /// The processes on record in the folder.
    func noted() -> [pid_t] {
        ((try? FileManager.default.contentsOfDirectory(atPath: "\(folder)/children")) ?? [])
            .filter { $0.hasSuffix(".pid") }.compactMap { pid_t($0.dropLast(4)) }
    }

    func wait(_ what: String, _ log: String, until condition: () -> Bool) async throws {
        let start = ContinuousClock.now
        while !condition() {
            guard .now - start < .seconds(180) else { throw HarnessError("no \(what): \(text(log))") }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
