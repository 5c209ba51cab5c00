import Hummingbird
import JSON
import Logging
import NIOCore
import NIOPosix
import Testing

@testable import KountaSimulator

@Suite(.timeLimit(.minutes(1))) struct WireTests {
    /// Sends one request on a connection of its own and gives everything that comes back until it closes.
    private func exchange(_ base: String, _ method: String, _ path: String, body: String = "") async throws -> String {
        let target = try #require(HookSender.Target(base))
        let head = "\(method) \(path) HTTP/1.1\r\nHost: till.test:8080\r\nConnection: close\r\n"
            + "Authorization: \(Desk.basic)\r\nContent-Type: application/json\r\n"
            + "Content-Length: \(body.utf8.count)\r\n\r\n"
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(host: target.host, port: target.port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await channel.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(string: head + body))
            var answer = ""
            for try await part in inbound { answer += String(buffer: part) }
            return answer
        }
    }

    @Test("over a socket the next page is an absolute address on the host that was asked")
    func absoluteNextPage() async throws {
        var settings = KountaSettings()
        settings.ordersPerSite = 10
        try await withKountaSimulator(settings) { base in
            let answer = try await exchange(base, "GET", "/v1/companies/162/orders.json")
            #expect(answer.hasPrefix("HTTP/1.1 200"))
            #expect(answer.contains("X-Next-Page: http://till.test:8080/v1/companies/162/orders.json?page=2\r\n"))
            #expect(answer.contains("X-Ratelimit-Remaining: 59\r\n"))
        }
    }

    @Test("a dropped call closes the connection without a byte")
    func drop() async throws {
        try await withKountaSimulator(KountaSettings()) { base in
            for drop in ["before", "after"] {
                _ = try await exchange(
                    base, "POST", "/_control/faults", body: #"{"action":{"drop":"\#(drop)"},"count":1}"#)
                // The peer sees an end or a reset; either way nothing came.
                let answer = try? await exchange(base, "GET", "/v1/companies/162.json")
                #expect(answer ?? "" == "")
                #expect(try await exchange(base, "GET", "/v1/companies/162.json").hasPrefix("HTTP/1.1 200"))
            }
        }
    }

    @Test("calls are counted by what they ask for, and how many were in flight at once; looking at it does not count")
    func counters() async throws {
        var settings = KountaSettings()
        settings.ordersPerSite = 10
        try await withKountaSimulator(settings) { base in
            @Sendable func counters() async throws -> JSON {
                let answer = try await exchange(base, "GET", "/_control/counters")
                let body = try #require(answer.firstIndex(of: "{"))
                return try JSON(parsing: Array(answer[body...].utf8))
            }
            for path in ["orders.json", "sites/923/orders/complete.json", "sites/985/orders/complete.json?page=2"] {
                _ = try await exchange(base, "GET", "/v1/companies/162/\(path)")
            }
            #expect(try await counters()["mostInFlight"]?.integer == 1)
            let slow = #"{"match":{"path":"/companies/162/orders/"},"action":{"delayMs":4000},"count":3}"#
            _ = try await exchange(base, "POST", "/_control/faults", body: slow)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for id in 5_000_000_001...5_000_000_003 {
                    group.addTask { _ = try await exchange(base, "GET", "/v1/companies/162/orders/\(id).json") }
                }
                // What was once true stays on record; that it is true now may pass unseen.
                while try await counters()["mostInFlight"]?.integer != 3 { await Task.yield() }
                try await group.waitForAll()
            }
            let report = try await counters()
            #expect(report["mostInFlight"]?.integer == 3 && report["inFlight"]?.integer == 0)
            let calls = report["calls"]?.members.map { "\($0.key): \($0.value.integer ?? -1)" }
            #expect(
                calls?.sorted() == [
                    "GET /v1/companies/{id}/orders/{id}: 3", "GET /v1/companies/{id}/orders: 1",
                    "GET /v1/companies/{id}/sites/{id}/orders/complete: 2",
                ])
            #expect(report["total"]?.integer == 6)
        }
    }

    private struct Received: Sendable {
        let signature: String?
        let extra: String?
        let body: String
    }

    @Test("a registered hook is posted on completion, signed over the exact body, for its venues only")
    func hook() async throws {
        let (hooks, hookArrived) = AsyncStream.makeStream(of: Received.self)
        let (ports, portKnown) = AsyncStream.makeStream(of: Int.self)
        let receiver = Application(
            responder: CallbackResponder<BasicRequestContext> { request, _ in
                var request = request
                let body = String(buffer: try await request.collectBody(upTo: 1 << 20))
                func header(_ name: String) -> String? {
                    request.headers.first { $0.name.canonicalName == name }?.value
                }
                hookArrived.yield(
                    Received(signature: header("x-kounta-signature"), extra: header("x-extra"), body: body))
                return Response(status: .ok)
            },
            configuration: ApplicationConfiguration(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in portKnown.yield(channel.localAddress?.port ?? 0) },
            logger: Logger(label: "receiver") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await receiver.run() }
            var iterator = ports.makeAsyncIterator()
            let port = try #require(await iterator.next())
            let received = try await completeTwo(hookTo: port, hooks)
            #expect(received.body == ControlTests.order)
            #expect(received.extra == "yes")
            let key = Array("s3cret".utf8)
            #expect(received.signature == SHA256.authenticationCode(of: Array(received.body.utf8), key: key))
            group.cancelAll()
        }
    }

    /// Completes an order at another venue and one at the hook's own; gives the first hook that arrives.
    private func completeTwo(hookTo port: Int, _ hooks: AsyncStream<Received>) async throws -> Received {
        var settings = KountaSettings()
        settings.hookSecret = "s3cret"
        return try await withKountaSimulator(settings) { base in
            let hook = #"{"topic":"orders/completed","address":"http://127.0.0.1:\#(port)/hook","format":"json","#
                + #""filter":{"site_ids":[923]},"headers":{"X-Extra":"yes"}}"#
            let registered = try await exchange(base, "POST", "/v1/companies/162/webhooks.json", body: hook)
            #expect(registered.hasPrefix("HTTP/1.1 201"))
            let elsewhere = ControlTests.order.replacing("923", with: "985")
                .replacing("6000000001", with: "6000000002")
            _ = try await exchange(base, "POST", "/_control/orders", body: elsewhere)
            _ = try await exchange(base, "POST", "/_control/orders", body: ControlTests.order)
            var iterator = hooks.makeAsyncIterator()
            return try #require(await iterator.next())
        }
    }
}
