import Testing
import Threads

@Suite struct DedicatedThreadTests {
    actor Counter {
        private let thread: DedicatedThread
        private var count = 0
        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

        init(thread: DedicatedThread) { self.thread = thread }

        func add() -> Bool {
            count += 1
            return thread.isCurrent
        }

        func total() -> Int { count }
    }

    @Test("every job of an actor runs on its own thread, and none is lost")
    func ownThread() async {
        let thread = DedicatedThread(name: "tb-test")
        let counter = Counter(thread: thread)
        let stayed = await withTaskGroup(of: Bool.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    var stayed = true
                    for _ in 0..<200 { stayed = await counter.add() && stayed }
                    return stayed
                }
            }
            return await group.reduce(true) { $0 && $1 }
        }
        #expect(stayed)
        #expect(await counter.total() == 10_000)
        thread.stop()
    }

    @Test("a job that comes after stop still runs: nobody waits for ever")
    func afterStop() async {
        let thread = DedicatedThread(name: "tb-test")
        let counter = Counter(thread: thread)
        _ = await counter.add()
        thread.stop()
        thread.stop()
        for _ in 0..<20 { _ = await counter.add() }
        #expect(await counter.total() == 21)
    }

    /// Drops its thread with its last job, as a database connection does that is closed right after its last query.
    actor Passing {
        private let thread = DedicatedThread(name: "tb-passing")
        nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
        deinit { thread.stop() }
        func touch() -> Bool { thread.isCurrent }
    }

    @Test("an actor that goes with its only job leaves nothing behind that its caller still touches")
    func passing() async {
        let stayed = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    var count = 0
                    for _ in 0..<500 where await Passing().touch() { count += 1 }
                    return count
                }
            }
            return await group.reduce(0, +)
        }
        #expect(stayed == 4000)
    }
}
