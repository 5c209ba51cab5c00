import HTTP
import Peers
import Testing

/// Each in a process of its own: what other tests open would count as well.
@Suite("What a client leaves behind", .timeLimit(.minutes(2)))
struct HTTPLeakTests {
    /// One of each for all rounds: what they keep open stays the same.
    private static let server = LoopbackServer { peer, _ in peer.answer() }
    private static let nobody = closedPort()

    @Test("a hundred clients made, used and closed leave no descriptor and no thread")
    func used() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-http") {
                let client = HTTPClient(name: "leak-http")
                let url = "http://127.0.0.1:\(Self.server.port)/"
                try #require(await client.send(HTTPRequest(method: .get, url: url)).response != nil)
                await client.close()
            }
        }
    }

    @Test("a hundred clients that were refused leave no descriptor and no thread")
    func refused() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-http") {
                let client = HTTPClient(name: "leak-http")
                let outcome = await client.send(HTTPRequest(method: .get, url: "http://127.0.0.1:\(Self.nobody)/"))
                try #require(outcome.neverSentCode == .connect)
                await client.close()
            }
        }
    }
}

@Suite("An idle client", .timeLimit(.minutes(1)))
struct HTTPIdleTests {
    @Test("sleeps until something happens, and new work wakes it")
    func sleeps() async throws {
        let server = LoopbackServer { peer, _ in peer.answer() }
        let name = "tb\(UInt32.random(in: 0...UInt32.max))"
        let client = HTTPClient(name: name)
        let request = HTTPRequest(method: .get, url: "http://127.0.0.1:\(server.port)/")
        try #require(await client.send(request).response != nil)
        let thread = try #require(ProcessTable.threads(named: name).first)
        let before = try #require(ProcessTable.usage(of: thread))
        // Time itself is what is tested here.
        try await Task.sleep(for: .seconds(2))
        let after = try #require(ProcessTable.usage(of: thread))
        #expect(after.ticks - before.ticks <= 5, "in hundredths of a second, of two hundred")
        #expect(after.sleeps - before.sleeps <= 5, "woken for nothing")
        // Who is not woken by a call sleeps a minute each time: the suite's time limit would pass.
        for _ in 1...20 {
            while ProcessTable.usage(of: thread)?.isAsleep == false { await Task.yield() }
            try #require(await client.send(request).response != nil)
        }
        let end = try #require(ProcessTable.usage(of: thread))
        #expect(end.sleeps - after.sleeps >= 20, "it was awake all the time")
        #expect(end.sleeps - after.sleeps <= 400, "woken more often than there was something to do")
        await client.close()
        withExtendedLifetime(server) {}
    }
}
