import Foundation
import Glibc

/// The private servers of a run, in the folder `scripts/servers.sh` started them in: they can be ended and started
/// again under the workers' feet.
package struct ChaosServers: Sendable {
    enum Server: String, Sendable { case rabbitmq, postgres }

    /// The folder of the servers; nil where they are somebody else's and stay up.
    let folder: String?
    let script: String

    package init(folder: String?, script: String) {
        self.folder = folder
        self.script = script
    }

    var canRestart: Bool { folder != nil }

    /// Private servers in a folder of their own, ended with the process `owner` at the latest.
    package static func start(in folder: String, script: String, owner: Int32) async throws -> Started {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let servers = ChaosServers(folder: folder, script: script)
        try await servers.run(["start", folder, "--for", String(owner)], log: "\(folder)/start.log")
        let text = try String(contentsOfFile: "\(folder)/env", encoding: .utf8)
        func value(_ name: String) throws -> String {
            let prefix = "export \(name)="
            guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(prefix) }) else {
                throw HarnessError("\(folder)/env has no \(name)")
            }
            // As the shell would read it: addresses are quoted with backslashes where they need it.
            return String(line.dropFirst(prefix.count)).replacing("\\", with: "")
        }
        return Started(
            servers: servers, rabbitMQ: try value("TILLBRIDGE_RABBITMQ_URL"),
            database: try value("TILLBRIDGE_DATABASE_URL"))
    }

    package struct Started: Sendable {
        package let servers: ChaosServers
        package let rabbitMQ: String
        package let database: String
    }

    /// Ends what ``start(in:script:owner:)`` started, and removes its folder.
    package func stop() async {
        guard let folder else { return }
        try? await run(["stop", folder], log: "/dev/null")
        try? FileManager.default.removeItem(atPath: folder)
    }

    /// Ends the server and starts it on the same port with the same data; returns when it takes connections.
    ///
    /// - Parameter hard: with SIGKILL.
    func restart(_ server: Server, hard: Bool, log: String) async throws {
        guard let folder else { throw HarnessError("these servers are not the harness's to restart") }
        try await run(["restart", folder, server.rawValue] + (hard ? ["--hard"] : []), log: log)
    }

    private func run(_ arguments: [String], log: String) async throws {
        let process = try Self.spawn(["/bin/bash", script] + arguments, log: log)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 { try await Task.sleep(for: .milliseconds(50)) }
        guard status == 0 else { throw HarnessError("`servers.sh \(arguments[0])` failed: see \(log)") }
    }

    /// Not Foundation's `Process`: that one takes a program for running as long as anybody holds what it inherited, and
    /// the server that the script leaves behind would.
    private static func spawn(_ arguments: [String], log: String) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0o644)
        posix_spawn_file_actions_adddup2(&actions, 1, 2)
        // Whatever else is open here, or a server would hold it; closing what is not open is no error.
        for descriptor in Int32(3)..<4096 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let values = arguments.map { strdup($0) }
        defer { for value in values { free(value) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, arguments[0], &actions, nil, values + [nil], environ)
        guard code == 0 else { throw HarnessError("\(arguments[1]) cannot be started: error \(code)") }
        return process
    }
}
