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

    /// Ends the server and starts it on the same port with the same data; returns when it takes connections.
    ///
    /// - Parameter hard: with SIGKILL.
    func restart(_ server: Server, hard: Bool, log: String) async throws {
        guard let folder else { throw HarnessError("these servers are not the harness's to restart") }
        let process = try Self.spawn(
            ["/bin/bash", script, "restart", folder, server.rawValue] + (hard ? ["--hard"] : []), log: log)
        var status: Int32 = 0
        while waitpid(process, &status, WNOHANG) == 0 { try await Task.sleep(for: .milliseconds(50)) }
        guard status == 0 else { throw HarnessError("\(server.rawValue) did not come back: see \(log)") }
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
        for descriptor in Int32(3)..<256 { posix_spawn_file_actions_addclose(&actions, descriptor) }
        let values = arguments.map { strdup($0) }
        defer { for value in values { free(value) } }
        var process: pid_t = 0
        let code = posix_spawn(&process, arguments[0], &actions, nil, values + [nil], environ)
        guard code == 0 else { throw HarnessError("\(arguments[1]) cannot be started: error \(code)") }
        return process
    }
}
