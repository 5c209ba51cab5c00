/// What became of one message.
package enum PublishOutcome: Sendable {
    case confirmed
    case failed(AMQPError)
}

/// What became of an array of messages: nothing in `failures` means that all are confirmed.
struct PublishReport: Sendable {
    var failures: [(index: Int, error: AMQPError)] = []
    /// Not one byte of any of them left this process: they can be published elsewhere without a duplicate.
    var isUntouched = false
}

/// Messages of one call on their way: made by the caller, then the property of the connection's thread.
final class PublishBatch: @unchecked Sendable {
    // Unchecked: handed over once through the connection's mailbox, and touched by its thread only from then on.
    let messages: [AMQPMessage]
    let deadline: ContinuousClock.Instant
    /// The first message not yet sent.
    var next = 0
    var unsettled: Int
    var failures: [(index: Int, error: AMQPError)] = []
    /// The broker's own verdict if its sentence names an exchange this batch publishes to.
    var blame: AMQPError?
    private var continuation: CheckedContinuation<PublishReport, Never>?

    init(
        _ messages: [AMQPMessage], deadline: ContinuousClock.Instant,
        continuation: CheckedContinuation<PublishReport, Never>
    ) {
        self.messages = messages
        self.deadline = deadline
        self.continuation = continuation
        unsettled = messages.count
    }

    var isFinished: Bool { continuation == nil }

    /// Nil for a confirm. Each message is settled once; the last one wakes the caller.
    func settle(_ index: Int, _ error: AMQPError?) {
        guard !isFinished else { return }
        if let error { failures.append((index, error)) }
        unsettled -= 1
        if unsettled == 0 { finish(isUntouched: false) }
    }

    /// Ends it with what is known; the caller of this has added the failures.
    func finish(isUntouched: Bool) {
        continuation?.resume(returning: PublishReport(failures: failures, isUntouched: isUntouched))
        continuation = nil
    }
}
