import Foundation

extension Fleet {
    /// Runs an operator's command in the fleet's environment, until it ends.
    ///
    /// - Returns: its exit status and what it printed, both streams.
    func command(_ arguments: [String]) async throws -> (status: Int32, output: String) {
        let log = "\(options.folder)/command-\(UUID().uuidString).log"
        let child = try ChildProcess(
            name: "tillbridge", executable: "\(options.programs)/tillbridge", arguments: arguments,
            environment: environment, log: log)
        let status = await child.waitForExit()
        let output = try String(contentsOfFile: log, encoding: .utf8)
        try? FileManager.default.removeItem(atPath: log)
        return (status, output)
    }
}
