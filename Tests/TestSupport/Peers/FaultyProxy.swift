import Foundation
import Glibc
import Threads

/// A TCP proxy on loopback that can cut its connections, refuse new ones, go silent while they stay open, or keep back
/// what the server answers.
package final class FaultyProxy: Sendable {
    private struct State: Sendable {
        var cuts = 0
        var isStalled = false
        var isShut = false
        var holdsAnswers = false
        var isOver = false
    }

    package let port: UInt16
    private let listener: Int32
    private let state = Locked(State())

    package init(host: String, port target: Int) throws {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listening = listener
        port = withUnsafeMutablePointer(to: &address) {
            _ = $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listening, $0, length) }
            listen(listening, 16)
            return $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                getsockname(listening, pointer, &length)
                return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin_port)
                }
            }
        }
        let state = state
        Thread.detachNewThread {
            while !state.withLock({ $0.isOver }) {
                guard Self.waitToRead(listening) else { continue }
                let client = accept(listening, nil, nil)
                guard client >= 0 else { continue }
                if state.withLock({ $0.isShut }) { Glibc.close(client) } else {
                    Self.serve(client, target: target, state)
                }
            }
            Glibc.close(listening)
        }
    }

    package func stop() { state.withLock { $0.isOver = true } }

    deinit { stop() }

    /// Ends every connection there is; new ones are served.
    package func cut() { state.withLock { $0.cuts += 1 } }

    /// Forwards nothing until `resume()`, and says nothing about it.
    package func stall() { state.withLock { $0.isStalled = true } }

    /// Ends every connection, and each new one as soon as it is made, until `resume()`: the server is gone.
    package func shut() {
        state.withLock { state in
            state.isShut = true
            state.cuts += 1
        }
    }

    /// Forwards to the server, and nothing from it, until `resume()`. Of what is sent to it after this call, no answer
    /// comes through.
    package func holdAnswers() { state.withLock { $0.holdsAnswers = true } }

    package func resume() {
        state.withLock { state in
            state.isStalled = false
            state.isShut = false
            state.holdsAnswers = false
        }
    }

    private static func waitToRead(_ descriptor: Int32) -> Bool {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, 20) > 0
    }

    private static func serve(_ client: Int32, target: Int, _ state: Locked<State>) {
        let upstream = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        address.sin_port = UInt16(target).bigEndian
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(upstream, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else {
            Glibc.close(client)
            Glibc.close(upstream)
            return
        }
        Thread.detachNewThread {
            forward(client, upstream, state)
            Glibc.close(client)
            Glibc.close(upstream)
        }
    }

    private static func forward(_ client: Int32, _ upstream: Int32, _ state: Locked<State>) {
        let cuts = state.withLock { $0.cuts }
        var buffer = [UInt8](repeating: 0, count: 65_536)
        while true {
            let now = state.withLock { $0 }
            if now.isOver || now.cuts != cuts { return }
            if now.isStalled {
                usleep(5_000)
                continue
            }
            var entries = [
                pollfd(fd: client, events: Int16(POLLIN), revents: 0),
                // A negative descriptor is passed over.
                pollfd(fd: now.holdsAnswers ? -1 : upstream, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&entries, 2, 20) > 0 else { continue }
            for (from, to) in [(0, upstream), (1, client)] where entries[from].revents != 0 {
                // Asked again: an answer to what was forwarded a moment ago may be there already.
                if from == 1, state.withLock({ $0.holdsAnswers }) { continue }
                let count = recv(entries[from].fd, &buffer, buffer.count, 0)
                if count <= 0 { return }
                var sent = 0
                while sent < count {
                    let step = buffer[sent..<count].withUnsafeBytes {
                        send(to, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                    }
                    if step <= 0 { return }
                    sent += step
                }
            }
        }
    }
}
