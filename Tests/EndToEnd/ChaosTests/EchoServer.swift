import Foundation
import Glibc
import Threads

@testable import FleetHarness

/// Says back what it hears, one connection after the other on a thread each, and remembers it.
final class EchoServer: Sendable {
    let port: Int
    private let text = Locked("")

    var heard: String { text.withLock { $0 } }

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 8) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard isListening else { throw HarnessError("no loopback port is free") }
        port = Int(UInt16(bigEndian: address.sin_port))
        let text = text
        // The threads end with the test process.
        Thread.detachNewThread {
            while true {
                let client = accept(listener, nil, nil)
                guard client >= 0 else { return }
                Thread.detachNewThread { Self.echo(client, text) }
            }
        }
    }

    private static func echo(_ client: Int32, _ text: Locked<String>) {
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = recv(client, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            let heard = String(decoding: buffer[..<count], as: UTF8.self)
            text.withLock { $0 += heard }
            _ = send(client, buffer, count, Int32(MSG_NOSIGNAL))
        }
        close(client)
    }
}
