import Glibc

/// Sleeps on a POSIX semaphore: for threads whose library never needs attention by itself (libpq).
package final class SemaphoreParking: ThreadParking, @unchecked Sendable {
    // Unchecked: a semaphore is made to be shared. Heap memory, because it must not move.
    private let semaphore: UnsafeMutablePointer<sem_t>

    package init() {
        semaphore = .allocate(capacity: 1)
        semaphore.initialize(to: sem_t())
        let code = sem_init(semaphore, 0, 0)
        precondition(code == 0, "sem_init said \(errno)")
    }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    package func park() {
        while sem_wait(semaphore) != 0 && errno == EINTR {}
        // Several wake-ups for one sleep are one wake-up: without this the thread would spin through old ones.
        while sem_trywait(semaphore) == 0 {}
    }

    package func unpark() { sem_post(semaphore) }
}
