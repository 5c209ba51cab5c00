import Foundation

extension Fleet {
    /// Runs `tillbridge` with this fleet's addresses, to its end.
    ///
    /// - Returns: the exit status and what it printed, errors included.
    func tillbridge(_ arguments: [String], log: String) async throws -> (status: Int32, output: String) {
        let path = "\(options.folder)/\(log).log"
        let child = try ChildProcess(
            name: "tillbridge", executable: "\(options.programs)/tillbridge", arguments: arguments,
            environment: environment, log: path)
        let status = await child.waitForExit()
        return (status, try String(contentsOfFile: path, encoding: .utf8))
    }
}
