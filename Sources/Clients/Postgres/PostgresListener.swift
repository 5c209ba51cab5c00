import CLinux
import Glibc
import Threads

/// What a listener hears.
package enum PostgresNotification: Sendable, Equatable {
    /// The subscription holds from now on. What was sent before (at the start, while the connection was lost, or
    /// when the receiver was too slow) may have been missed: look at the tables.
    case listening
    case received(payload: String)
}

extension PostgresPool {
    /// Subscribes to `NOTIFY channel` on a connection and thread of its own, beside the pool's.
    ///
    /// It reconnects for ever, with backoff, and says `.listening` each time. Up to 1,024 notifications wait for a
    /// slow receiver; then the oldest are given up and `.listening` follows. It ends when the receiver stops.
    package func listen(channel: String) -> AsyncStream<PostgresNotification> {
        AsyncStream(bufferingPolicy: .bufferingNewest(1_024)) { continuation in
            let bell = EventBell()
            continuation.onTermination = { _ in bell.ring() }
            let listener = Listener(
                address: address, name: name, channel: channel, bell: bell, continuation: continuation,
                onEvent: onEvent)
            if !startThread(name: "pg-listen", { listener.run() }) { continuation.finish() }
        }
    }
}

/// An eventfd that, once rung, stays rung.
final class EventBell: Sendable {
    let descriptor: Int32

    init() {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK | EFD_CLOEXEC))
        precondition(descriptor >= 0, "eventfd said \(errno)")
    }

    deinit { close(descriptor) }

    func ring() { eventfd_write(descriptor, 1) }

    /// Waits for the bell, or for `socket` to have something to read; true for the bell. -1 is no socket.
    func wait(orFor socket: Int32, milliseconds: Int32) -> Bool {
        var entries = [
            pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0),
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
        ]
        while poll(&entries, 2, milliseconds) < 0 && errno == EINTR {}
        return entries[0].revents != 0
    }
}

/// The loop of a listener's thread.
private struct Listener: Sendable {
    let address: PostgresAddress
    let name: String
    let channel: String
    let bell: EventBell
    let continuation: AsyncStream<PostgresNotification>.Continuation
    let onEvent: @Sendable (PostgresEvent) -> Void

    func run() {
        let first = Duration.milliseconds(50)
        var backoff = Backoff(first: first, max: .seconds(10))
        while true {
            var wasListening = false
            do {
                try listen { wasListening = true }
                return
            } catch {
                if wasListening { backoff = Backoff(first: first, max: .seconds(10)) }
                let delay = backoff.delay()
                onEvent(.listenerLost(channel: channel, error, retryIn: delay))
                let milliseconds = delay.components.seconds * 1_000
                    + delay.components.attoseconds / 1_000_000_000_000_000
                if bell.wait(orFor: -1, milliseconds: Int32(milliseconds)) { return }
            }
        }
    }

    /// Returns when the bell rings.
    private func listen(_ didBegin: () -> Void) throws(PostgresError) {
        let wire = try Wire.connect(options: address.options(name: name), timeout: .seconds(10))
        let quoted = channel.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"")
        try wire.script("LISTEN \"\(quoted)\"")
        didBegin()
        continuation.yield(.listening)
        while true {
            try wire.probe("listen")
            deliver(wire.takeNotifications())
            if bell.wait(orFor: wire.socket, milliseconds: -1) { return }
        }
    }

    private func deliver(_ notifications: [(channel: String, payload: String, process: Int32)]) {
        var hasDropped = false
        for notification in notifications {
            if case .dropped = continuation.yield(.received(payload: notification.payload)) { hasDropped = true }
        }
        if hasDropped { continuation.yield(.listening) }
    }
}
