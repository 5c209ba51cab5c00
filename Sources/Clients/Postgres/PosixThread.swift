import CLinux
import Glibc

/// Starts a detached thread for one blocking task that must not stand on Swift's pool nor on a connection's thread.
///
/// - Returns: false when the system has no thread left; `body` is then not run.
func startThread(name: String, _ body: @escaping @Sendable () -> Void) -> Bool {
    final class Start: Sendable {
        let name: String
        let body: @Sendable () -> Void
        init(name: String, body: @escaping @Sendable () -> Void) {
            self.name = name
            self.body = body
        }
    }
    // Balanced by takeRetainedValue in the thread, or below when there is none.
    let context = Unmanaged.passRetained(Start(name: name, body: body)).toOpaque()
    var handle = pthread_t()
    let code = pthread_create(&handle, nil, { context in
        guard let context else { return nil }
        let start = Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
        _ = start.name.withCString { pthread_setname_np(pthread_self(), $0) }
        start.body()
        return nil
    }, context)
    guard code == 0 else {
        Unmanaged<Start>.fromOpaque(context).release()
        return false
    }
    pthread_detach(handle)
    return true
}

/// A POSIX semaphore that can be waited for with a time limit. Blocks the thread: never on Swift's pool.
final class TimedSemaphore: @unchecked Sendable {
    // Unchecked: a semaphore is made to be shared. Heap memory, because it must not move.
    private let semaphore: UnsafeMutablePointer<sem_t>

    init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        let code = sem_init(semaphore, 0, 0)
        precondition(code == 0, "sem_init said \(errno)")
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    /// False when the time passed first.
    func wait(milliseconds: Int) -> Bool {
        var limit = timespec()
        clock_gettime(CLOCK_REALTIME, &limit)
        let nanoseconds = limit.tv_nsec + milliseconds % 1_000 * 1_000_000
        limit.tv_sec += milliseconds / 1_000 + nanoseconds / 1_000_000_000
        limit.tv_nsec = nanoseconds % 1_000_000_000
        while sem_timedwait(semaphore, &limit) != 0 {
            if errno != EINTR { return false }
        }
        return true
    }
}
