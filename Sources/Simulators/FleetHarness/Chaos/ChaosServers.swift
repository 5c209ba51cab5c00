import Foundation

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
        let child = try ChildProcess(
            name: "restart \(server)", executable: "/bin/bash",
            arguments: [script, "restart", folder, server.rawValue] + (hard ? ["--hard"] : []),
            environment: ProcessInfo.processInfo.environment, log: log)
        let status = await child.waitForExit()
        guard status == 0 else { throw HarnessError("\(server.rawValue) did not come back: see \(log)") }
    }
}
