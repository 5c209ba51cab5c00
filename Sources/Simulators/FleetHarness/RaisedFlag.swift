import Threads

/// A flag that goes up once.
final class RaisedFlag: Sendable {
    private let state = Locked(false)
    var isRaised: Bool { state.withLock { $0 } }
    func raise() { state.withLock { $0 = true } }
}
