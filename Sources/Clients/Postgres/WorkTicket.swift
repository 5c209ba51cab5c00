import Threads

/// The right to cancel one unit of work, and nothing else.
///
/// The task holds it from before the work is queued until it is done. Cancelling sets a mark, which stops the unit
/// before its next statement, and starts a thread that asks the server to cancel the statement that runs. That
/// thread asks again every 50 ms until the unit ends, because a request that arrives between two statements does
/// nothing. `end()` waits for the thread, so no request of this unit can reach the next one on the same connection.
final class WorkTicket: Sendable {
    private enum State {
        case queued
        case running(CancelHandle)
        /// COMMIT is under way: too late to cancel.
        case sealed
        case ended
    }

    private struct Facts {
        var state = State.queued
        var isCancelled = false
        var cancelling: Cancelling?
    }

    private struct Cancelling: Sendable {
        let unitEnded = TimedSemaphore()
        let threadEnded = TimedSemaphore()
    }

    private let facts = Locked(Facts())

    var isCancelled: Bool { facts.withLock { $0.isCancelled } }

    /// Called from any thread, also before the unit has begun and after it has ended. Never blocks.
    func cancel() {
        facts.withLock { facts in
            switch facts.state {
            case .queued: facts.isCancelled = true
            case .running(let handle):
                guard !facts.isCancelled else { return }
                facts.isCancelled = true
                facts.cancelling = Self.startCancelling(handle)
            case .sealed, .ended: break
            }
        }
    }

    /// False when the unit was cancelled while it was queued.
    func begin(_ handle: CancelHandle) -> Bool {
        facts.withLock { facts in
            if facts.isCancelled { return false }
            facts.state = .running(handle)
            return true
        }
    }

    /// From here on the unit can no longer be cancelled. False when it was cancelled before.
    func seal() -> Bool {
        facts.withLock { facts in
            if facts.isCancelled { return false }
            facts.state = .sealed
            return true
        }
    }

    enum End { case quiet, cancelRequested, cancelStuck }

    /// Ends the unit, on the connection's thread. After `cancelStuck` (the request hangs, for want of a network)
    /// the connection must not be used again.
    func end() -> End {
        let cancelling = facts.withLock { facts in
            facts.state = .ended
            defer { facts.cancelling = nil }
            return facts.cancelling
        }
        guard let cancelling else { return .quiet }
        cancelling.unitEnded.signal()
        return cancelling.threadEnded.wait(milliseconds: 5_000) ? .cancelRequested : .cancelStuck
    }

    private static func startCancelling(_ handle: CancelHandle) -> Cancelling? {
        let cancelling = Cancelling()
        let started = startThread(name: "pg-cancel") {
            repeat { handle.request() } while !cancelling.unitEnded.wait(milliseconds: 50)
            cancelling.threadEnded.signal()
        }
        return started ? cancelling : nil
    }
}
