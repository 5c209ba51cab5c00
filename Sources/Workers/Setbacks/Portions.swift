import Domain
package import Messaging

/// Cuts a batch so that a message which makes whole requests fail spoils ever fewer of its neighbours: what failed once
/// goes in tens, what failed twice goes alone. What failed with it through no fault of its own is through by then.
///
/// What was last refused for a limit goes with what is fresh: no message is to blame for that, and more requests would
/// only use up more of it.
package enum Portions {
    private static let afterOneFailure = 10

    /// The messages that have not failed yet come first, together.
    package static func of(_ batch: [IncomingMessage]) -> [[IncomingMessage]] {
        var fresh: [IncomingMessage] = []
        var once: [IncomingMessage] = []
        var alone: [[IncomingMessage]] = []
        for message in batch {
            let envelope = try? message.envelope.get()
            let isInnocent = envelope?.lastError.map(CallLimit.isNamed) ?? false
            switch isInnocent ? 0 : envelope?.attempt ?? 0 {
            case 0: fresh.append(message)
            case 1: once.append(message)
            default: alone.append([message])
            }
        }
        let tens = stride(from: 0, to: once.count, by: afterOneFailure).map { start in
            Array(once[start..<min(start + afterOneFailure, once.count)])
        }
        return (fresh.isEmpty ? [] : [fresh]) + tens + alone
    }
}
