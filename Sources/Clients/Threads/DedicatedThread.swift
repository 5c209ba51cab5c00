import CLinux
import Glibc

/// How a dedicated thread sleeps while it has no job, and how it is woken.
///
/// libpq's thread sleeps on a semaphore; librabbitmq's on its socket *and* an eventfd; libcurl's in
/// `curl_multi_poll`. Each room brings its own.
package protocol ThreadParking: Sendable {
    /// Runs on the dedicated thread when no job waits. May do the thread's own work (read frames, beat hearts).
    /// Must return soon after `unpark()`, also when `unpark()` came *before* `park()`.
    func park()
    /// Called from any thread after a job was added. Must not block.
    func unpark()
}

/// One named thread that runs the jobs of the actors that choose it as their executor.
///
/// A C connection is used by one thread only and its calls block. Were they made on Swift's cooperative pool, two
/// of them would stop every other task of the process (the pool has one thread a core). So each connection's actor
/// returns a `DedicatedThread` as its `unownedExecutor`, and keeps it alive.
///
/// Jobs run in the order they came. `stop()` lets what is queued finish; jobs that come later still run, on a short
/// thread of their own, so that no awaiting task is ever left hanging.
package final class DedicatedThread: SerialExecutor, @unchecked Sendable {
    // Unchecked: every field below `lock` is touched only while holding it; the others never change.
    private let parking: any ThreadParking
    package let name: String
    private let lock = ThreadLock()
    private var waiting: [UnownedJob] = []
    private var isStopping = false
    private var isRunning = false
    private var thread: pthread_t?

    /// - Parameter name: shown by `top -H` and debuggers; the kernel keeps 15 bytes.
    package init(name: String, parking: any ThreadParking = SemaphoreParking()) {
        self.name = name
        self.parking = parking
    }

    package func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The runtime's reference is unowned: once the job is in the list it may run, and drop the last reference to
        // its actor and so to this object, before this function is through with it. A retain the optimiser cannot pair.
        let keptAlive = Unmanaged.passRetained(self)
        defer { keptAlive.release() }
        lock.withLock {
            waiting.append(job)
            startIfNeeded()
        }
        parking.unpark()
    }

    /// Ends the thread once its queue is empty. Safe to call twice, and from the thread itself.
    package func stop() {
        lock.withLock { isStopping = true }
        parking.unpark()
    }

    package func asUnownedSerialExecutor() -> UnownedSerialExecutor { UnownedSerialExecutor(ordinary: self) }

    /// Lets `assumeIsolated` be used from the parking's callbacks, which run on this thread outside of any job.
    package func checkIsolated() {
        precondition(isCurrent, "work of thread \(name) was started on another thread")
    }

    /// Whether the caller stands on this thread.
    package var isCurrent: Bool {
        lock.withLock { thread.map { pthread_equal($0, pthread_self()) != 0 } ?? false }
    }

    // Called with the lock held.
    private func startIfNeeded() {
        guard !isRunning else { return }
        isRunning = true
        var handle = pthread_t()
        // Balanced by takeRetainedValue in the thread's entry: the thread keeps its executor alive while it runs.
        let context = Unmanaged.passRetained(self).toOpaque()
        let code = pthread_create(&handle, nil, { context in
            guard let context else { return nil }
            Unmanaged<DedicatedThread>.fromOpaque(context).takeRetainedValue().run()
            return nil
        }, context)
        precondition(code == 0, "the system has no thread left for \(name): pthread_create said \(code)")
        pthread_detach(handle)
        thread = handle
    }

    private func run() {
        _ = name.withCString { pthread_setname_np(pthread_self(), $0) }
        while true {
            let (jobs, ends) = takeJobs()
            if ends { return }
            for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
            if jobs.isEmpty { parking.park() }
        }
    }

    private func takeJobs() -> (jobs: [UnownedJob], ends: Bool) {
        lock.withLock {
            if waiting.isEmpty {
                guard isStopping else { return ([], false) }
                // A job that comes after this point starts a thread of its own.
                isRunning = false
                thread = nil
                return ([], true)
            }
            let jobs = waiting
            waiting = []
            return (jobs, false)
        }
    }
}
