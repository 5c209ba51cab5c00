import Synchronization

/// Names one call of `send`, and remembers that its task was cancelled: the cancellation may overtake the call.
final class Ticket: Sendable {
    private let flag = Atomic(false)

    var isCancelled: Bool { flag.load(ordering: .acquiring) }

    func cancel() { flag.store(true, ordering: .releasing) }
}

/// One call of `send` on its way to the client's thread. Its continuation is resumed exactly once, by that thread or
/// by the mailbox that refuses it.
struct Arrival: Sendable {
    let ticket: Ticket
    let request: HTTPRequest
    let deadline: ContinuousClock.Instant
    let continuation: CheckedContinuation<HTTPOutcome, Never>

    func neverSent(_ code: HTTPError.Code, _ detail: String) {
        continuation.resume(returning: .neverSent(HTTPError(code: code, request: request, detail: detail)))
    }
}
