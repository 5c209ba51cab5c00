import Foundation
import HTTP
import Testing
import Threads

/// A program of the system that serves TLS, ended with the test.
private final class TLSServer {
    let port: Int
    let certificate: String
    private let process = Process()
    private let folder: URL

    /// A throwaway certificate for 127.0.0.1 and the server `program` over it.
    init(program: String, arguments: (_ port: Int, _ key: String, _ certificate: String) -> [String],
         ready: String) throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("tb-http-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let key = folder.appendingPathComponent("key.pem").path
        certificate = folder.appendingPathComponent("certificate.pem").path
        try Data("served\n".utf8).write(to: folder.appendingPathComponent("file"))
        let maker = Process()
        maker.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        maker.arguments = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                           "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
                           "-keyout", key, "-out", certificate]
        maker.standardError = FileHandle.nullDevice
        try maker.run()
        maker.waitUntilExit()
        port = closedPort()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments(port, key, certificate)
        process.currentDirectoryURL = folder
        let output = Pipe()
        process.standardOutput = output
        process.standardError = FileHandle.nullDevice
        process.standardInput = Pipe()
        try process.run()
        var said = ""
        while !said.contains(ready) {
            let more = output.fileHandleForReading.availableData
            if more.isEmpty { throw NeverReady() }
            said += String(decoding: more, as: UTF8.self)
        }
        // Read on, or the server would block on a full pipe.
        output.fileHandleForReading.readabilityHandler = { _ = $0.availableData }
    }

    struct NeverReady: Error {}

    deinit {
        process.terminate()
        process.waitUntilExit()
        try? FileManager.default.removeItem(at: folder)
    }

    func url(_ host: String = "127.0.0.1") -> String { "https://\(host):\(port)/file" }

    static func openssl(_ extra: [String] = []) throws -> TLSServer {
        try TLSServer(program: "/usr/bin/openssl", arguments: { port, key, certificate in
            ["s_server", "-accept", "127.0.0.1:\(port)", "-key", key, "-cert", certificate, "-WWW"] + extra
        }, ready: "ACCEPT")
    }

    static func nghttpd() throws -> TLSServer {
        try TLSServer(program: "/usr/bin/nghttpd", arguments: { port, key, certificate in
            ["-v", "-a", "127.0.0.1", "-d", ".", "\(port)", key, certificate]
        }, ready: "listen")
    }
}

private let hasOpenSSL = FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")
private let hasHTTP2Server = FileManager.default.isExecutableFile(atPath: "/usr/bin/nghttpd")

@Suite(.timeLimit(.minutes(1)), .enabled(if: hasOpenSSL, "needs /usr/bin/openssl: apt-get install openssl"))
struct TLSTests {
    private func post(_ url: String) -> HTTPRequest {
        HTTPRequest(method: .post, url: url, headers: [("Authorization", "Bearer secret")], body: [1])
    }

    @Test("a certificate nobody vouches for never gets the request")
    func untrusted() async throws {
        let server = try TLSServer.openssl()
        await withClient { client in
            let outcome = await client.send(post(server.url()))
            #expect(outcome.neverSentCode == .tls)
            #expect(outcome.error?.curlCode == 60)
            #expect(outcome.error?.isRetriable == false)
        }
    }

    @Test("a trusted certificate for another name never gets the request")
    func wrongName() async throws {
        let server = try TLSServer.openssl()
        await withClient(HTTPConfiguration(trustedCertificates: server.certificate)) { client in
            #expect(await client.send(post(server.url("localhost"))).neverSentCode == .tls)
        }
    }

    @Test("a trusted certificate is answered")
    func trusted() async throws {
        let server = try TLSServer.openssl()
        await withClient(HTTPConfiguration(trustedCertificates: server.certificate)) { client in
            let outcome = await client.send(HTTPRequest(method: .get, url: server.url()))
            #expect(outcome.response?.body == Array("served\n".utf8), "\(outcome)")
        }
    }

    @Test("TLS 1.1 is not spoken")
    func oldVersion() async throws {
        let server = try TLSServer.openssl(["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"])
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
        let server = try TLSServer.openssl()
        await withClient(HTTPConfiguration(trustedCertificates: "/no/such/file")) { client in
            #expect(await client.send(post(server.url())).neverSentCode == .tls)
        }
    }

    @Test("HTTP/2 carries many requests at once on one connection",
          .enabled(if: hasHTTP2Server, "needs nghttpd: apt-get install nghttp2-server"))
    func multiplexed() async throws {
        let server = try TLSServer.nghttpd()
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
