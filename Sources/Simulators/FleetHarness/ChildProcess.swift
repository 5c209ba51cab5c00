import Foundation
import Threads

/// A program of the fleet, started by the harness and stopped by it, by process id.
final class ChildProcess: Sendable {
    let name: String
    private let log: String
    private let process: Locked<Box>
    private let exit: AsyncStream<Int32>
    private let note: ChildNote?

    /// Foundation's Process is not Sendable; it is touched under a lock only.
    private struct Box: @unchecked Sendable { let process: Process }

    /// - Parameters:
    ///   - log: takes what the program prints.
    init(
        name: String, executable: String, arguments: [String], environment: [String: String], log: String
    ) throws {
        self.name = name
        self.log = log
        guard FileManager.default.createFile(atPath: log, contents: nil),
            let output = FileHandle(forWritingAtPath: log)
        else { throw HarnessError("cannot write \(log)") }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.environment = environment
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        let (stream, continuation) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            continuation.yield(process.terminationStatus)
            continuation.finish()
        }
        try process.run()
        note = ChildNote(process.processIdentifier)
        exit = stream
        self.process = Locked(Box(process: process))
    }

    var processID: Int32 { process.withLock { $0.process.processIdentifier } }
    var isRunning: Bool { process.withLock { $0.process.isRunning } }

    /// Whether a worker has said that it is ready: connected, and everything declared, the bindings too.
    var isReady: Bool {
        (try? String(contentsOfFile: log, encoding: .utf8))?.contains("\(name): ready") ?? false
    }

    /// Whether it has said nothing at all yet: it listens for signals before its first line.
    var isStarting: Bool { (try? String(contentsOfFile: log, encoding: .utf8))?.isEmpty ?? true }

    func signal(_ signal: Int32) {
        if isRunning { kill(processID, signal) }
    }

    /// SIGTERM, then SIGKILL when `grace` has passed. One that stands still is woken: it would not hear of it.
    ///
    /// - Returns: the exit status; 0 is an orderly end.
    func stop(grace: Duration = .seconds(35)) async -> Int32 {
        signal(SIGTERM)
        signal(SIGCONT)
        let killer = Task {
            try await Task.sleep(for: grace)
            signal(SIGKILL)
        }
        defer { killer.cancel() }
        return await waitForExit()
    }

    /// The exit status once it has ended.
    func waitForExit() async -> Int32 {
        for await status in exit {
            note?.remove()
            return status
        }
        return process.withLock { $0.process.isRunning ? -1 : $0.process.terminationStatus }
    }

    /// Resident memory in bytes, as the kernel counts it; nil once it has ended.
    var residentBytes: Int? {
        guard let text = try? String(contentsOfFile: "/proc/\(processID)/status", encoding: .utf8),
            let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") }),
            let kilobytes = line.split(separator: " ").dropFirst().first.flatMap({ Int($0) })
        else { return nil }
        return kilobytes * 1024
    }
}

/// A process on record for `scripts/servers.sh`, which ends it should the harness be killed too hard to do so itself:
/// a child of ours has nobody else who would.
struct ChildNote: Sendable {
    private let file: String

    /// Id and start time together name one process for good, in the words of `scripts/lib.sh`. Nil where nobody asks.
    init?(_ process: Int32, folder: String? = ProcessInfo.processInfo.environment["TILLBRIDGE_CHILDREN"]) {
        guard let folder, !folder.isEmpty,
            let stat = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8),
            let fields = stat.split(separator: ")").last?.split(separator: " "), fields.count > 19
        else { return nil }
        file = "\(folder)/\(process).pid"
        // Where it cannot be written the run goes on: this is for the worst case only.
        try? "\(process) \(fields[19])\n".write(toFile: file, atomically: true, encoding: .utf8)
    }

    func remove() { try? FileManager.default.removeItem(atPath: file) }
}

package struct HarnessError: Error, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
