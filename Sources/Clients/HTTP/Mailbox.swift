import Threads

/// Where any thread leaves work for the client's thread.
///
/// Not the actor's job queue: a request would cross threads four times instead of twice.
final class Mailbox: Sendable {
    struct Letters: Sendable {
        var arrivals: [Arrival] = []
        var cancelled: [Ticket] = []
        var isClosed = false
        /// Requests taken in and not ended: those left here, waiting on the client's thread and running.
        var outstandingCount = 0
    }

    private let letters = Locked(Letters())
    private let outstandingMax: Int

    init(outstandingMax: Int) { self.outstandingMax = outstandingMax }

    /// Takes the request in, or ends it at once if the client is closed or too many are outstanding.
    /// - Returns: whether the thread has something to do.
    func add(_ arrival: Arrival) -> Bool {
        enum Answer { case taken, closed, full }
        let answer: Answer = letters.withLock { letters in
            if letters.isClosed { return .closed }
            if letters.outstandingCount >= outstandingMax { return .full }
            letters.outstandingCount += 1
            letters.arrivals.append(arrival)
            return .taken
        }
        switch answer {
        case .taken: return true
        case .closed: arrival.neverSent(.closed, "the client is closed")
        case .full: arrival.neverSent(.overloaded, "\(outstandingMax) requests are outstanding already")
        }
        return false
    }

    func cancel(_ ticket: Ticket) {
        ticket.cancel()
        letters.withLock { $0.cancelled.append(ticket) }
    }

    /// Everything left here, in order. Each request counts as outstanding until ``leave()``.
    func take() -> (arrivals: [Arrival], cancelled: [Ticket]) {
        letters.withLock { letters in
            defer {
                letters.arrivals.removeAll(keepingCapacity: true)
                letters.cancelled.removeAll(keepingCapacity: true)
            }
            return (letters.arrivals, letters.cancelled)
        }
    }

    /// A request has ended. Called before its task is resumed, so that the task finds the place free.
    func leave() { letters.withLock { $0.outstandingCount -= 1 } }

    /// Later arrivals are refused.
    func close() { letters.withLock { $0.isClosed = true } }
}
