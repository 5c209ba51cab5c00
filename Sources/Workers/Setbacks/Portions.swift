package import Messaging

/// Cuts a batch so that a message which makes whole requests fail spoils ever fewer of its neighbours: what failed once
/// goes in tens, what failed twice goes alone. What failed with it through no fault of its own is through by then.
package enum Portions {
    private static let afterOneFailure = 10

    /// The messages that have not failed yet come first, together.
    package static func of(_ batch: [IncomingMessage]) -> [[IncomingMessage]] {
        var fresh: [IncomingMessage] = []
        var once: [IncomingMessage] = []
        var alone: [[IncomingMessage]] = []
        for message in batch {
            switch (try? message.envelope.get())?.attempt ?? 0 {
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
