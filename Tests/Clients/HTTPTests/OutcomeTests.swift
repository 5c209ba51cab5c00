import HTTP
import Testing
import Threads

extension HTTPOutcome {
    var response: HTTPResponse? { if case .answered(let response) = self { response } else { nil } }
    var neverSentCode: HTTPError.Code? { if case .neverSent(let error) = self { error.code } else { nil } }
    var unknownCode: HTTPError.Code? { if case .unknown(let error) = self { error.code } else { nil } }
    var error: HTTPError? {
        switch self {
        case .answered: nil
        case .neverSent(let error), .unknown(let error): error
        }
    }
}

/// A client of the test's own, closed at its end.
func withClient<Result>(
    _ configuration: HTTPConfiguration = HTTPConfiguration(),
    _ body: (HTTPClient) async throws -> Result
) async rethrows -> Result {
    let client = HTTPClient(name: "tb-http-test", configuration: configuration)
    let result = try await body(client)
    await client.close()
    return result
}

/// Each failure a peer can cause, and what it means for sending again.
@Suite(.timeLimit(.minutes(1))) struct OutcomeTests {
    private func post(_ url: String) -> HTTPRequest { HTTPRequest(method: .post, url: url, body: Array("hello".utf8)) }

    @Test("a refused connection never sent anything")
    func refused() async {
        await withClient { client in
            let outcome = await client.send(post("http://127.0.0.1:\(closedPort())/"))
            #expect(outcome.neverSentCode == .connect)
            #expect(outcome.error?.isRetriable == true)
            #expect(outcome.error?.curlCode == 7)
        }
    }

    @Test("a connection that takes too long never sent anything, whichever of the two limits ends it")
    func blackHole() async {
        let hole = BlackHole()
        await withClient { client in
            var request = post("http://127.0.0.1:\(hole.port)/")
            request.connectTimeout = .milliseconds(150)
            #expect(await client.send(request).neverSentCode == .timedOut)
            request.connectTimeout = .seconds(50)
            request.timeout = .milliseconds(150)
            #expect(await client.send(request).neverSentCode == .timedOut)
        }
        withExtendedLifetime(hole) {}
    }

    @Test("what is no URL, another protocol or an unknown host never sent anything")
    func addresses() async {
        await withClient { client in
            #expect(await client.send(post("http://")).neverSentCode == .badURL)
            #expect(await client.send(post("ftp://127.0.0.1/")).neverSentCode == .badURL)
            #expect(await client.send(post("file:///etc/hostname")).neverSentCode == .badURL)
            #expect(await client.send(post("http://no-such-host.invalid/")).neverSentCode == .dns)
            #expect(await client.send(post("http://127.0.0.1/\r\nX: y")).neverSentCode == .badURL)
        }
    }

    @Test("a header with a line break never reaches the peer")
    func injection() async {
        let server = LoopbackServer { peer, _ in peer.answer() }
        await withClient { client in
            var request = post(server.url("/"))
            request.headers = [("X-Note", "a\r\nX-Role: admin")]
            #expect(await client.send(request).neverSentCode == .badRequest)
        }
        #expect(server.connectionCount == 0)
    }

    @Test("a connection that ends after the request was read leaves it unknown, and it was sent once",
          arguments: [HTTPMethod.post, .put, .patch, .delete, .get], [true, false])
    func droppedAfterReading(method: HTTPMethod, resets: Bool) async {
        let server = LoopbackServer { peer, _ in resets ? peer.reset() : peer.end() }
        await withClient { client in
            let outcome = await client.send(HTTPRequest(method: method, url: server.url("/")))
            #expect(outcome.unknownCode == .connectionLost)
            #expect(outcome.error?.isRetriable == true)
        }
        #expect(server.requests.count == 1)
    }

    @Test("a kept connection that dies under a request does not make it go out twice",
          arguments: [HTTPMethod.post, .put, .patch, .delete], [true, false])
    func droppedOnReuse(method: HTTPMethod, resets: Bool) async {
        let server = LoopbackServer { peer, request in
            if request.target == "/first" || request.connection > 1 { return peer.answer() }
            resets ? peer.reset() : peer.end()
        }
        await withClient { client in
            let first = await client.send(HTTPRequest(method: .get, url: server.url("/first")))
            #expect(first.response?.status == 200)
            let body: [UInt8]? = method == .delete ? nil : Array("pay".utf8)
            let outcome = await client.send(HTTPRequest(method: method, url: server.url("/second"), body: body))
            #expect(outcome.unknownCode == .connectionLost)
            // The client is none the worse for it.
            #expect(await client.send(post(server.url("/third"))).response?.status == 200)
        }
        #expect(server.requests.filter { $0.target == "/second" }.count == 1)
    }

    @Test("a get may go out again when its kept connection dies")
    func safeMethodOnReuse() async {
        let server = LoopbackServer { peer, request in
            request.target == "/first" || request.connection > 1 ? peer.answer() : peer.end()
        }
        await withClient { client in
            _ = await client.send(HTTPRequest(method: .get, url: server.url("/first")))
            let outcome = await client.send(HTTPRequest(method: .get, url: server.url("/second")))
            #expect(outcome.response?.status == 200)
        }
        #expect(server.requests.filter { $0.target == "/second" }.count == 2)
    }

    @Test("a kept connection that was closed while idle is replaced before a post is written")
    func closedWhileIdle() async {
        let server = LoopbackServer { peer, request in
            peer.answer()
            if request.connection == 1 { peer.end() }
        }
        await withClient { client in
            #expect(await client.send(post(server.url("/1"))).response?.status == 200)
            // The end of the connection is on its way before this is signalled; loopback delivers in order.
            await server.disconnected.wait()
            #expect(await client.send(post(server.url("/2"))).response?.status == 200)
        }
        #expect(server.requests.map(\.target) == ["/1", "/2"])
        #expect(server.connectionCount == 2)
    }

    @Test("an answer cut off anywhere is unknown", arguments: [
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
        "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
        "HTTP/1.1 2",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\njunk",
        "not http at all\r\n\r\n",
    ])
    func truncated(answer: String) async {
        let server = LoopbackServer { peer, _ in
            peer.write(answer)
            peer.end()
        }
        await withClient { client in
            let outcome = await client.send(post(server.url("/")))
            #expect(outcome.unknownCode != nil, "\(outcome)")
        }
        #expect(server.requests.count == 1)
    }

    @Test("an answer that does not come in time, or drips too slowly, is unknown", arguments: ["/silent", "/slow"])
    func tooLate(target: String) async {
        let server = LoopbackServer { peer, request in
            if request.target == "/slow" { peer.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nx") }
            peer.waitForEnd()
            peer.end()
        }
        await withClient { client in
            var request = post(server.url(target))
            // Long enough for a busy machine to have sent it by then.
            request.timeout = .seconds(6)
            let start = ContinuousClock.now
            #expect(await client.send(request).unknownCode == .timedOut)
            #expect(ContinuousClock.now - start >= .seconds(6))
            // Before the client is closed: the connection was given up by the time-out.
            await server.disconnected.wait()
        }
    }

    @Test("an untold or a huge answer ends at its bound", arguments: [true, false])
    func tooLarge(isTold: Bool) async {
        let server = LoopbackServer { peer, _ in
            peer.write("HTTP/1.1 200 OK\r\n" + (isTold ? "Content-Length: 100000000\r\n\r\n" : "\r\n"))
            while peer.isOpen { peer.write([UInt8](repeating: 0x61, count: 100_000)) }
        }
        await withClient { client in
            var request = post(server.url("/"))
            request.maxResponseBytes = 1_000_000
            #expect(await client.send(request).unknownCode == .responseTooLarge)
        }
    }

    @Test("the bound counts what a compressed answer becomes")
    func compressed() async {
        // gzip of 1,000,000 zero bytes, and of "small".
        let server = LoopbackServer { peer, request in
            let body = request.target == "/bomb" ? gzipOfZeroes : gzipOfSmall
            peer.write("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: \(body.count)\r\n\r\n")
            peer.write(body)
        }
        await withClient { client in
            var request = post(server.url("/bomb"))
            request.maxResponseBytes = 100_000
            #expect(await client.send(request).unknownCode == .responseTooLarge)
            let outcome = await client.send(post(server.url("/")))
            #expect(outcome.response?.body == Array("small".utf8))
        }
        #expect(server.requests.first?.header("accept-encoding") == "gzip")
    }

    @Test("endless headers end at their bound")
    func endlessHeaders() async {
        let server = LoopbackServer { peer, _ in
            peer.write("HTTP/1.1 200 OK\r\n")
            while peer.isOpen { peer.write(String(repeating: "X-Odd: 1\r\n", count: 100)) }
        }
        await withClient { client in
            #expect(await client.send(post(server.url("/"))).unknownCode == .responseTooLarge)
        }
    }

    @Test("no secret stands in any description of an outcome")
    func secrets() async {
        let server = LoopbackServer { peer, _ in peer.end() }
        await withClient { client in
            for url in ["http://me:secret@127.0.0.1:\(server.port)/p?token=secret#secret",
                        "http://me:secret@127.0.0.1:\(closedPort())/p?token=secret",
                        "http://me:secret@127.0.0.1:99999/?secret", "gopher://me:secret@x/?secret"] {
                let request = HTTPRequest(
                    method: .post, url: url, headers: [("Authorization", "Bearer secret")],
                    body: Array("secret".utf8), timeout: .seconds(10))
                let outcome = await client.send(request)
                #expect(outcome.error != nil)
                #expect(!"\(outcome) \(String(reflecting: outcome))".contains("secret"))
            }
        }
    }
}
