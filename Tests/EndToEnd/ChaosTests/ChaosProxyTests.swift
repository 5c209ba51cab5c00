import Glibc
import Testing

@testable import FleetHarness

@Suite(.timeLimit(.minutes(2))) struct ChaosProxyTests {
    private func open(_ port: Int) -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = UInt16(port).bigEndian
        _ = withUnsafePointer(to: address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return descriptor
    }

    private func say(_ descriptor: Int32, _ text: String) {
        _ = text.withCString { send(descriptor, $0, strlen($0), Int32(MSG_NOSIGNAL)) }
    }

    /// What comes back within `patience` milliseconds; nil where nothing does, empty where the connection has ended.
    private func hear(_ descriptor: Int32, patience: Int32 = 20_000) -> String? {
        var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        guard poll(&entry, 1, patience) > 0 else { return nil }
        var buffer = [UInt8](repeating: 0, count: 64)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : ""
    }

    /// Until the proxy's thread has looked at its orders again.
    private func settle(_ proxy: ChaosProxy) {
        let before = proxy.looks
        wait("a look of the proxy's thread") { proxy.looks != before }
    }

    /// Waits on a thread of its own, as everything here does, and gives up: a time limit could not end it.
    private func wait(_ what: Comment, for condition: () -> Bool) {
        for _ in 0..<20_000 where !condition() { usleep(1_000) }
        #expect(condition(), what)
    }

    private func echo(_ descriptor: Int32, _ text: String) -> String? {
        say(descriptor, text)
        return hear(descriptor)
    }

    @Test("a link carries bytes, keeps silent, swallows answers only, is cut, is barred, and is well again")
    func moods() throws {
        let server = try EchoServer()
        let proxy = ChaosProxy()
        defer { proxy.stop() }
        let (link, port) = try proxy.link(to: server.port)
        var client = open(port)
        #expect(echo(client, "one") == "one")

        proxy.set(link, .silent)
        settle(proxy)
        say(client, "two")
        #expect(hear(client, patience: 200) == nil)
        #expect(server.heard == "one")
        proxy.set(link, .open)
        #expect(hear(client) == "two")

        proxy.set(link, .deaf)
        settle(proxy)
        say(client, "three")
        // It arrives, and the answer that is sent at once does not.
        wait("the third word") { server.heard == "onetwothree" }
        #expect(hear(client, patience: 500) == nil)
        proxy.set(link, .open, cutting: true)
        #expect(hear(client) == "")
        close(client)

        client = open(port)
        #expect(echo(client, "four") == "four")
        proxy.set(link, .barred)
        #expect(hear(client) == "")
        close(client)
        client = open(port)
        #expect(hear(client) == "")
        close(client)
        proxy.healAll()
        settle(proxy)
        client = open(port)
        #expect(echo(client, "five") == "five")
        close(client)
    }
}
