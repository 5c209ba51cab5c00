import Foundation

/// What this process holds and does, as the kernel tells.
package enum ProcessTable {
    /// Everything open, each as the kernel names it (`socket:[4711]`), the list's own descriptor included.
    package static func descriptors() -> [String] {
        numbers(in: "/proc/self/fd").map { number in
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\(number)")) ?? "gone"
        }
    }

    /// The ids of all threads of this name, of which the kernel keeps 15 bytes.
    package static func threads(named name: String) -> [Int] {
        let short = String(decoding: name.utf8.prefix(15), as: UTF8.self)
        return numbers(in: "/proc/self/task").filter { text("\($0)/comm").hasPrefix("\(short)\n") }
    }

    package struct Usage: Sendable {
        /// Processor time, in hundredths of a second.
        package let ticks: Int
        /// How often the thread lay down by itself, which is how often it was woken.
        package let sleeps: Int
        package let isAsleep: Bool
    }

    /// Nil where the thread is no more.
    package static func usage(of thread: Int) -> Usage? {
        // The fields after the name, which is in brackets and may hold anything: state is the first, user and system
        // time the 12th and 13th.
        guard let end = text("\(thread)/stat").range(of: ") ", options: .backwards) else { return nil }
        let fields = text("\(thread)/stat")[end.upperBound...].split(separator: " ")
        let line = text("\(thread)/status").split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }
        guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]),
            let sleeps = line.flatMap({ Int($0.split(whereSeparator: \.isWhitespace)[1]) })
        else { return nil }
        return Usage(ticks: user + system, sleeps: sleeps, isAsleep: fields[0] == "S")
    }

    private static func numbers(in folder: String) -> [Int] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap { Int($0) }
    }

    private static func text(_ path: String) -> String {
        (try? String(contentsOfFile: "/proc/self/task/\(path)", encoding: .utf8)) ?? ""
    }
}

/// Something was kept that should have been given back.
package struct Leak: Error, CustomStringConvertible {
    package let description: String
}

extension Leak {
    /// Runs `cycle` a hundred times and waits until the process holds what it held before, at most 30 s.
    ///
    /// For a process of its own: descriptors of whatever else runs would count.
    ///
    /// - Parameter thread: the name that every thread of the client under test has.
    package static func check(thread: String, _ cycle: () async throws -> Void) async throws {
        // What is made once in a process is no leak.
        try await cycle()
        let before = try await settled(thread: thread)
        for _ in 0..<100 { try await cycle() }
        let deadline = ContinuousClock.now + .seconds(30)
        while true {
            let (threads, open) = (ProcessTable.threads(named: thread), ProcessTable.descriptors())
            if threads.isEmpty, open.count <= before.count { return }
            guard ContinuousClock.now < deadline else {
                throw Leak(description: "\(threads.count) threads \(thread), descriptors \(before) became \(open)")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// The descriptors once the first cycle's are closed: the same for a tenth of a second.
    private static func settled(thread: String) async throws -> [String] {
        var last: [String] = []
        var same = 0
        while same < 10 {
            let open = ProcessTable.descriptors()
            same = open.count == last.count && ProcessTable.threads(named: thread).isEmpty ? same + 1 : 0
            last = open
            try await Task.sleep(for: .milliseconds(10))
        }
        return last
    }
}
