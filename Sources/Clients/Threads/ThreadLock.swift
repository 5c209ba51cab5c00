import Glibc

/// A small lock over `pthread_mutex_t`, held for a few instructions at a time.
///
/// Not `Synchronization.Mutex`: ThreadSanitizer does not see that one on Linux and reports false races.
package final class ThreadLock: @unchecked Sendable {
    // Unchecked: the mutex is the synchronisation. Heap memory, because a mutex must not move.
    private let mutex: UnsafeMutablePointer<pthread_mutex_t>

    package init() {
        mutex = .allocate(capacity: 1)
        mutex.initialize(to: pthread_mutex_t())
        let code = pthread_mutex_init(mutex, nil)
        precondition(code == 0, "pthread_mutex_init said \(code)")
    }

    deinit {
        pthread_mutex_destroy(mutex)
        mutex.deinitialize(count: 1)
        mutex.deallocate()
    }

    package func withLock<Result: ~Copyable, Failure: Error>(
        _ work: () throws(Failure) -> Result
    ) throws(Failure) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return try work()
    }
}

/// A value behind a ``ThreadLock``.
package final class Locked<Value: Sendable>: @unchecked Sendable {
    // Unchecked: `value` is touched only under `lock`.
    private let lock = ThreadLock()
    private var value: Value

    package init(_ value: Value) { self.value = value }

    package func withLock<Result: Sendable, Failure: Error>(
        _ work: (inout Value) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try lock.withLock { () throws(Failure) -> Result in try work(&value) }
    }
}
