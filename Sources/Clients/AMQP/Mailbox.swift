import Threads

/// Work for a connection's thread that needs no answer from an actor method.
///
/// The busy paths (publish, acknowledge) go through here: one wake-up carries what any number of callers brought, and
/// the caller is resumed straight from the thread.
final class Mailbox: Sendable {
    enum Letter: Sendable {
        case publish(PublishBatch)
        case settle(channel: UInt16, epoch: UInt64, tags: [UInt64], Verdict)
    }

    enum Verdict: Sendable, Equatable {
        case acknowledge
        case reject(requeue: Bool)
        /// Nobody has seen it: back to the queue, without counting as an attempt where the broker can tell.
        case giveBack
    }

    private struct State: Sendable {
        var letters: [Letter] = []
        var end: AMQPError?
    }

    private let state = Locked(State())

    /// The reason why nothing is taken any more, if so.
    func post(_ letter: Letter) -> AMQPError? {
        state.withLock { state in
            if let end = state.end { return end }
            state.letters.append(letter)
            return nil
        }
    }

    func take() -> [Letter] {
        state.withLock { state in
            if state.letters.isEmpty { return [] }
            let letters = state.letters
            state.letters = []
            return letters
        }
    }

    /// Refuses everything from now on; gives what was not taken yet.
    func close(_ reason: AMQPError) -> [Letter] {
        state.withLock { state in
            if state.end == nil { state.end = reason }
            defer { state.letters = [] }
            return state.letters
        }
    }
}
