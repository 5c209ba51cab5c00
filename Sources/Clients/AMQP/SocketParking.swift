import CLinux
import Glibc
import Threads

/// Sleeps on the connection's socket and an eventfd at once: a frame *and* new work wake the thread, nothing else does
/// but the next time limit.
final class SocketParking: ThreadParking, @unchecked Sendable {
    /// How the thread may sleep.
    struct Plan {
        /// -1 while there is no connection.
        var socket: Int32 = -1
        /// Wake up when the socket takes more.
        var isWaitingToWrite = false
        var timeoutMilliseconds: Int32 = -1
    }

    // Unchecked: `plan` and `turn` belong to the connection's thread once it runs (`turn` is set before);
    // `isSignalled` is touched under `lock`.
    var plan = Plan()
    var turn: (@Sendable () -> Void)?
    private let event: Int32
    private let lock = ThreadLock()
    private var isSignalled = false

    init() {
        event = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        precondition(event >= 0, "the process has no file descriptor left: eventfd said \(errno)")
    }

    deinit { close(event) }

    func park() {
        let interest = Int16(POLLIN) | (plan.isWaitingToWrite ? Int16(POLLOUT) : 0)
        var descriptors = (
            pollfd(fd: event, events: Int16(POLLIN), revents: 0), pollfd(fd: plan.socket, events: interest, revents: 0)
        )
        _ = withUnsafeMutableBytes(of: &descriptors) {
            poll($0.assumingMemoryBound(to: pollfd.self).baseAddress, 2, plan.timeoutMilliseconds)
        }
        lock.withLock {
            guard isSignalled else { return }
            isSignalled = false
            var count: UInt64 = 0
            _ = Glibc.read(event, &count, 8)
        }
        turn?()
    }

    /// One write for any number of calls before the thread wakes.
    func unpark() {
        lock.withLock {
            guard !isSignalled else { return }
            isSignalled = true
            var one: UInt64 = 1
            _ = Glibc.write(event, &one, 8)
        }
    }
}
