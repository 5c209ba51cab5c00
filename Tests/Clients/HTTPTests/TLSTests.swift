import Glibc
import HTTP
import Peers
import Testing

private let hasOpenSSL = access(TLSServer.openssl, X_OK) == 0

@Suite(.timeLimit(.minutes(1)), .enabled(if: hasOpenSSL, "needs /usr/bin/openssl: apt-get install openssl"))
struct TLSTests {
    private func post(_ url: String) -> HTTPRequest {
        HTTPRequest(method: .post, url: url, headers: [("Authorization", "Bearer secret")], body: [1])
    }

    @Test("a certificate nobody vouches for never gets the request")
    func untrusted() async throws {
        let server = try await TLSServer.plain()
        await withClient { client in
            let outcome = await client.send(post(server.url()))
            #expect(outcome.neverSentCode == .tls)
            #expect(outcome.error?.curlCode == 60)
            #expect(outcome.error?.isRetriable == false)
        }
    }

    @Test("a trusted certificate for another name never gets the request")
    func wrongName() async throws {
        let server = try await TLSServer.plain()
        await withClient(HTTPConfiguration(trustedCertificates: server.certificate)) { client in
            #expect(await client.send(post(server.url("localhost"))).neverSentCode == .tls)
        }
    }

    @Test("a trusted certificate is answered")
    func trusted() async throws {
        let server = try await TLSServer.plain()
        await withClient(HTTPConfiguration(trustedCertificates: server.certificate)) { client in
            let outcome = await client.send(HTTPRequest(method: .get, url: server.url()))
            #expect(outcome.response?.body == Array("served\n".utf8), "\(outcome)")
        }
    }

    @Test("TLS 1.1 is not spoken")
    func oldVersion() async throws {
        let server = try await TLSServer.plain(TLSServer.oldVersion)
        await withClient(HTTPConfiguration(trustedCertificates: server.certificate)) { client in
            #expect(await client.send(post(server.url())).neverSentCode == .tls)
        }
    }

    @Test("a peer that does not speak TLS never gets the request")
    func plainPeer() async {
        let server = LoopbackServer { peer, _ in peer.answer() }
        await withClient { client in
            // The first bytes of a handshake hold no blank line, so the server waits until its peer gives up.
            var request = post("https://127.0.0.1:\(server.port)/")
            request.connectTimeout = .milliseconds(200)
            #expect(await client.send(request).neverSentCode == .timedOut)
        }
        #expect(server.requests.isEmpty)
    }

    @Test("without a readable file of certificates nothing is sent")
    func noCertificates() async throws {
        let server = try await TLSServer.plain()
        await withClient(HTTPConfiguration(trustedCertificates: "/no/such/file")) { client in
            #expect(await client.send(post(server.url())).neverSentCode == .tls)
        }
    }

    @Test("HTTP/2 carries many requests at once on one connection",
          .enabled(if: TLSServer.nghttpd != nil, "needs nghttpd: apt-get install nghttp2-server"))
    func multiplexed() async throws {
        let server = try await TLSServer.http2()
        let configuration = HTTPConfiguration(maxConnectionsPerHost: 1, trustedCertificates: server.certificate)
        let url = server.url()
        await withClient(configuration) { client in
            let right = await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<300 {
                    group.addTask {
                        let response = await client.send(HTTPRequest(method: .get, url: url)).response
                        return response?.httpVersion == .http2 && response?.body == Array("served\n".utf8)
                    }
                }
                return await group.reduce(0) { $0 + ($1 ? 1 : 0) }
            }
            #expect(right == 300)
        }
        withExtendedLifetime(server) {}
    }
}
