import HTTP
import Testing
import Threads

/// What a well-behaved peer sees, and how the client shares out its connections and places.
@Suite(.timeLimit(.minutes(1))) struct ClientTests {
    private func get(_ url: String) -> HTTPRequest { HTTPRequest(method: .get, url: url) }

    @Test("a hundred requests one after the other use one connection")
    func reuse() async {
        let server = LoopbackServer { peer, request in peer.answer(body: request.target) }
        await withClient { client in
            for number in 0..<100 {
                let response = await client.send(get(server.url("/\(number)"))).response
                #expect(response?.body == Array("/\(number)".utf8))
                #expect(response?.httpVersion == .http1_1)
            }
        }
        #expect(server.connectionCount == 1)
    }

    @Test("a request arrives as it was given", arguments: HTTPMethod.allCases, [nil, "", "körper\r\n\0"])
    func wire(method: HTTPMethod, text: String?) async {
        if method.isSafe && text != nil { return }
        let server = LoopbackServer { peer, _ in peer.answer() }
        await withClient { client in
            let request = HTTPRequest(
                method: method, url: server.url("/a/b?c=d%20e"),
                headers: [("Authorization", "Bearer t"), ("X-Empty", ""), ("Accept", "application/json")],
                body: text.map { Array($0.utf8) })
            #expect(await client.send(request).response?.status == 200)
        }
        let received = server.requests.first
        #expect(received?.method == method.rawValue)
        #expect(received?.target == "/a/b?c=d%20e")
        #expect(received?.header("authorization") == "Bearer t")
        #expect(received?.header("x-empty") == "")
        #expect(received?.header("accept") == "application/json")
        #expect(received?.header("user-agent") == "tillbridge")
        #expect(received?.header("expect") == nil)
        #expect(received?.header("content-type") == nil)
        #expect(received?.body == Array((text ?? "").utf8))
        let hasLength = [.post, .put, .patch].contains(method) || text != nil
        #expect(received?.header("content-length") == (hasLength ? "\(text?.utf8.count ?? 0)" : nil))
    }

    @Test("a handle used for a post forgets it before the next get")
    func handlesForget() async {
        let server = LoopbackServer { peer, _ in peer.answer() }
        await withClient(HTTPConfiguration(maxConcurrentRequests: 1)) { client in
            for method in [HTTPMethod.put, .get, .delete, .head, .post, .get] {
                let body: [UInt8]? = method == .put || method == .post ? Array("b".utf8) : nil
                let headers = body == nil ? [] : [(name: "Content-Type", value: "text/plain")]
                let request = HTTPRequest(method: method, url: server.url("/"), headers: headers, body: body)
                #expect(await client.send(request).response?.status == 200)
            }
        }
        #expect(server.requests.map(\.method) == ["PUT", "GET", "DELETE", "HEAD", "POST", "GET"])
        #expect(server.requests.map { $0.header("content-type") != nil } == [true, false, false, false, true, false])
    }

    @Test("a large body arrives whole, without waiting for a 100")
    func largeBody() async {
        let body = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let server = LoopbackServer { peer, _ in peer.answer("201 Created") }
        await withClient { client in
            let outcome = await client.send(HTTPRequest(method: .post, url: server.url("/"), body: body))
            #expect(outcome.response?.status == 201)
        }
        #expect(server.requests.first?.body == body)
    }

    @Test("a 429 without body and content type is an answer like any other")
    func tooManyRequests() async {
        let server = LoopbackServer { peer, _ in
            peer.write("HTTP/1.1 429 Too Many Requests\r\nretry-AFTER: 7\r\nX-A: 1\r\nx-a:2\r\n")
            peer.write("Content-Length: 0\r\n\r\n")
        }
        await withClient { client in
            let response = await client.send(get(server.url("/"))).response
            #expect(response?.status == 429)
            #expect(response?.body == [])
            #expect(response?.headers["Retry-After"] == "7")
            #expect(response?.headers.values("X-A") == ["1", "2"])
            #expect(response?.headers["Content-Type"] == nil)
        }
    }

    @Test("no more requests run at once than the configuration allows, and the queue is bounded too")
    func bounds() async {
        let running = Locked((now: 0, peak: 0))
        let gate = Gate()
        let server = LoopbackServer { peer, _ in
            running.withLock { $0 = ($0.now + 1, max($0.peak, $0.now + 1)) }
            gate.wait()
            gate.open()
            running.withLock { $0.now -= 1 }
            peer.answer()
        }
        let configuration = HTTPConfiguration(maxConcurrentRequests: 3, maxQueuedRequests: 9)
        await withClient(configuration) { client in
            let outcomes = await withTaskGroup(of: HTTPOutcome.self) { group in
                for _ in 0..<20 { group.addTask { await client.send(get(server.url("/"))) } }
                var outcomes: [HTTPOutcome] = []
                // Eight find no room and come back while the others are held.
                for _ in 0..<8 { if let outcome = await group.next() { outcomes.append(outcome) } }
                await server.arrived.wait(for: 3)
                // Arrived is not counted yet: the third must be, before the first may go.
                while running.withLock({ $0.now }) < 3 { try? await Task.sleep(for: .milliseconds(5)) }
                gate.open()
                for await outcome in group { outcomes.append(outcome) }
                return outcomes
            }
            #expect(outcomes.prefix(8).allSatisfy { $0.neverSentCode == .overloaded })
            #expect(outcomes.dropFirst(8).allSatisfy { $0.response?.status == 200 })
        }
        #expect(running.withLock { $0.peak } == 3)
        #expect(server.requests.count == 12)
        #expect(server.connectionCount == 3)
    }

    @Test("a thousand requests at once are all answered, each with its own answer")
    func thousand() async {
        let server = LoopbackServer { peer, request in peer.answer(body: request.target) }
        let configuration = HTTPConfiguration(maxConnectionsPerHost: 8, maxConcurrentRequests: 100)
        await withClient(configuration) { client in
            let right = await withTaskGroup(of: Bool.self) { group in
                for number in 0..<1_000 {
                    group.addTask {
                        let outcome = await client.send(get(server.url("/\(number)")))
                        return outcome.response?.body == Array("/\(number)".utf8)
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(right == 1_000)
        }
        #expect(server.requests.count == 1_000)
        #expect(server.connectionCount <= 8)
    }

    @Test("waiting for a place or a connection counts towards the time-out and never sent anything", arguments: [1, 9])
    func waitingCounts(places: Int) async {
        let server = LoopbackServer { peer, _ in peer.waitForEnd() }
        let configuration = HTTPConfiguration(maxConnectionsPerHost: 1, maxConcurrentRequests: places)
        await withClient(configuration) { client in
            async let first = client.send(get(server.url("/first")))
            await server.arrived.wait()
            var request = get(server.url("/second"))
            request.timeout = .milliseconds(150)
            #expect(await client.send(request).neverSentCode == .timedOut)
            await client.close()
            #expect(await first.unknownCode == .closed)
        }
        #expect(server.requests.count == 1)
    }

    @Test("cancelling in flight is unknown, gives the connection up and frees the place")
    func cancelledInFlight() async {
        let server = LoopbackServer { peer, request in
            request.target == "/held" ? peer.waitForEnd() : peer.answer()
        }
        await withClient(HTTPConfiguration(maxConcurrentRequests: 1)) { client in
            let held = Task { await client.send(get(server.url("/held"))) } // unstructured: it is to be cancelled
            await server.arrived.wait()
            held.cancel()
            #expect(await held.value.unknownCode == .cancelled)
            #expect(await client.send(get(server.url("/next"))).response?.status == 200)
        }
    }

    @Test("cancelling before anything was sent never sent anything")
    func cancelledBefore() async {
        let server = LoopbackServer { peer, _ in peer.waitForEnd() }
        await withClient(HTTPConfiguration(maxConcurrentRequests: 1)) { client in
            async let held = client.send(get(server.url("/held")))
            await server.arrived.wait()
            // Unstructured: they are to be cancelled. One waits for its place, one was cancelled before it called.
            let queued = Task { await client.send(get(server.url("/queued"))) }
            queued.cancel()
            #expect(await queued.value.neverSentCode == .cancelled)
            await client.close()
            #expect(await held.unknownCode == .closed)
        }
        // A handshake that is never answered: connected, but nothing of the request can go out yet.
        let mute = LoopbackServer { peer, _ in peer.answer() }
        let url = "https://127.0.0.1:\(mute.port)/"
        await withClient { client in
            let connecting = Task { await client.send(get(url)) } // unstructured: it is to be cancelled
            await mute.connected.wait()
            connecting.cancel()
            #expect(await connecting.value.neverSentCode == .cancelled)
        }
        await mute.disconnected.wait()
        #expect(server.requests.map(\.target) == ["/held"])
    }

    @Test("closing ends what runs and what waits as is true, and refuses what comes later")
    func closing() async {
        let server = LoopbackServer { peer, _ in peer.waitForEnd() }
        let client = HTTPClient(name: "tb-http-test", configuration: HTTPConfiguration(maxConcurrentRequests: 1))
        async let first = client.send(get(server.url("/1")))
        await server.arrived.wait()
        async let second = client.send(get(server.url("/2")))
        await client.close()
        await client.close()
        #expect(await first.unknownCode == .closed)
        #expect(await second.neverSentCode == .closed)
        #expect(await client.send(get(server.url("/3"))).neverSentCode == .closed)
        await server.disconnected.wait()
        #expect(server.requests.count == 1)
    }

    @Test("a client that is dropped without closing gives its connections up")
    func dropped() async {
        let server = LoopbackServer { peer, _ in peer.answer() }
        do {
            let client = HTTPClient(name: "tb-http-test", configuration: HTTPConfiguration())
            #expect(await client.send(get(server.url("/"))).response?.status == 200)
        }
        await server.disconnected.wait()
    }

    @Test("cancellations at every moment leave no request without outcome")
    func cancellationStorm() async {
        let server = LoopbackServer { peer, request in peer.answer(body: request.target) }
        await withClient(HTTPConfiguration(maxConnectionsPerHost: 4, maxConcurrentRequests: 8)) { client in
            await withTaskGroup(of: Void.self) { group in
                for number in 0..<300 {
                    group.addTask {
                        // Unstructured: half of them are to be cancelled, at whatever point they are.
                        let task = Task { await client.send(get(server.url("/\(number)"))) }
                        if number % 2 == 0 {
                            for _ in 0..<(number % 50) { await Task.yield() }
                            task.cancel()
                        }
                        let outcome = await task.value
                        #expect(outcome.response != nil || (number % 2 == 0 && outcome.error?.code == .cancelled))
                    }
                }
            }
            #expect(await client.send(get(server.url("/after"))).response?.status == 200)
        }
    }
}

@Suite(.timeLimit(.minutes(1))) struct RedirectTests {
    private func redirecting(_ status: String, to location: String, bodyOnEnd: String = "end") -> LoopbackServer {
        LoopbackServer { peer, request in
            if request.target == "/end" { return peer.answer(body: bodyOnEnd) }
            peer.answer(status, headers: ["Location: \(location)"], body: "moved")
        }
    }

    @Test("a redirect is an answer unless it was asked to be followed")
    func off() async {
        let server = redirecting("302 Found", to: "/end")
        await withClient { client in
            let response = await client.send(HTTPRequest(method: .get, url: server.url("/"))).response
            #expect(response?.status == 302)
            #expect(response?.body == Array("moved".utf8))
        }
        #expect(server.requests.count == 1)
    }

    @Test("a redirect is followed on the same host, with the authorization and what its status says of method and body",
          arguments: [
            (HTTPMethod.get, "302 Found", "GET"), (.post, "307 Temporary Redirect", "POST"),
            (.put, "308 Permanent Redirect", "PUT"), (.post, "303 See Other", "GET"), (.post, "302 Found", nil),
          ] as [(HTTPMethod, String, String?)])
    func followed(method: HTTPMethod, status: String, then: String?) async {
        let server = redirecting(status, to: "/end")
        await withClient { client in
            let request = HTTPRequest(
                method: method, url: server.url("/"),
                headers: [("Authorization", "Bearer t"), ("Content-Type", "text/plain")],
                body: method == .get ? nil : Array("b".utf8), followRedirects: 1)
            let response = await client.send(request).response
            #expect(response?.status == (then == nil ? 302 : 200))
            #expect(response?.body == Array((then == nil ? "moved" : "end").utf8))
        }
        #expect(server.requests.map(\.method) == [method.rawValue] + (then.map { [$0] } ?? []))
        #expect(server.requests.allSatisfy { $0.header("authorization") == "Bearer t" })
        if then == "POST" || then == "PUT" { #expect(server.requests.last?.body == Array("b".utf8)) }
        if then == "GET" && method == .post {
            #expect(server.requests.last?.body == [])
            #expect(server.requests.last?.header("content-type") == nil)
        }
    }

    @Test("a redirect to another host or port is not followed, and no authorization gets there")
    func elsewhere() async {
        let other = LoopbackServer { peer, _ in peer.answer() }
        for location in [other.url("/end"), "http://localhost:\(other.port)/end", "https://127.0.0.1/end"] {
            let server = redirecting("307 Temporary Redirect", to: location)
            await withClient { client in
                let request = HTTPRequest(
                    method: .post, url: server.url("/"), headers: [("Authorization", "t")], followRedirects: 5)
                #expect(await client.send(request).response?.status == 307)
            }
        }
        #expect(other.connectionCount == 0)
    }

    @Test("a circle of redirects ends at the limit")
    func circle() async {
        let server = redirecting("302 Found", to: "/again")
        await withClient { client in
            let request = HTTPRequest(method: .get, url: server.url("/"), followRedirects: 3)
            #expect(await client.send(request).unknownCode == .tooManyRedirects)
        }
        #expect(server.requests.count == 4)
    }

    @Test("a redirect whose second hop fails is unknown: the first was sent")
    func secondHop() async {
        let server = LoopbackServer { peer, request in
            if request.target == "/" {
                peer.answer("303 See Other", headers: ["Location: /end", "Connection: close"])
            }
            peer.end()
        }
        await withClient { client in
            let request = HTTPRequest(method: .post, url: server.url("/"), body: [1], followRedirects: 1)
            #expect(await client.send(request).unknownCode == .connectionLost)
        }
    }
}
