import Threads

/// What a worker waits for, and whether it can work: the answer of `/ready`.
package final class Health: Sendable {
    private struct State {
        var waitingFor: [String: String] = [:]
        var isDraining = false
    }

    private let state = Locked(State())

    package init() {}

    /// Nil: the part is there. Otherwise what it waits for, in words.
    package func set(_ part: String, waitingFor reason: String?) {
        state.withLock { $0.waitingFor[part] = reason }
    }

    package func beginDraining() { state.withLock { $0.isDraining = true } }

    /// Nil when ready, else why not.
    package var whyNotReady: String? {
        state.withLock { state in
            if state.isDraining { return "draining: it finishes what it holds and ends" }
            guard !state.waitingFor.isEmpty else { return nil }
            return state.waitingFor.sorted { $0.key < $1.key }.map { "\($0.key): \($0.value)" }.joined(separator: "; ")
        }
    }
}
