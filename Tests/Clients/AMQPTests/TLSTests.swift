import AMQP
import Glibc
import Peers
import Testing

@Suite(
    "TLS",
    .enabled(
        if: Broker.tlsURL != nil && Broker.tlsAuthority != nil,
        "TILLBRIDGE_TEST_RABBITMQ_TLS_URL and _TLS_CA name no TLS broker: tests of TLS are left out"),
    .timeLimit(.minutes(1)))
struct TLSTests {
    private func open(_ url: String, _ authority: String?) async throws -> AMQPConnection {
        try await AMQPConnection.open(endpoint: AMQPEndpoint(url: url, trustedCertificates: authority), name: "tls")
    }

    @Test("a broker with a trusted certificate for its name is spoken to, with much data as well")
    func trusted() async throws {
        let connection = try await open(#require(Broker.tlsURL), Broker.tlsAuthority)
        let queue = Broker.name("tls")
        try await connection.declare(AMQPTopology(queues: [.init(name: queue)]))
        for outcome in await connection.publish(messages(300, to: queue, bytes: 20_000)) {
            if case .failed(let error) = outcome { Issue.record("\(error)") }
        }
        #expect(try await connection.queueStatus(queue)?.messages == 300)
        let consumer = AMQPConsumer(
            endpoint: try AMQPEndpoint(url: #require(Broker.tlsURL), trustedCertificates: Broker.tlsAuthority),
            name: "tls")
        try await withConsumer(consumer) { () async throws in
            let subscription = await consumer.subscribe(queue: queue, prefetch: 300)
            let taken = try await take(300, from: subscription)
            #expect(numbers(taken) == Array(0..<300))
        }
        try await connection.deleteQueue(queue)
        await connection.close()
    }

    @Test("a certificate of an authority that is not trusted is refused")
    func untrusted() async throws {
        let url = try #require(Broker.tlsURL)
        let error = await #expect(throws: AMQPError.self) { try await open(url, nil) }
        #expect(error?.code == .tlsFailed)
        #expect(error?.isRetriable == false)
    }

    @Test("a trusted certificate for another host is refused")
    func wrongHost() async throws {
        let url = try #require(Broker.tlsURL).replacing("localhost", with: "127.0.0.1")
        try #require(url.contains("127.0.0.1"), "this test needs the address to name localhost")
        let authority = try #require(Broker.tlsAuthority)
        let error = await #expect(throws: AMQPError.self) { try await open(url, authority) }
        #expect(error?.code == .tlsFailed)
    }

    @Test("a file of trusted certificates that is not there is refused")
    func missingFile() async throws {
        let url = try #require(Broker.tlsURL)
        let error = await #expect(throws: AMQPError.self) { try await open(url, "/no/such.pem") }
        #expect(error?.code == .tlsFailed)
    }
}

@Suite(
    "TLS of days gone by",
    .enabled(if: TLSServer.speaksOldVersion, "this openssl cannot speak TLS 1.1: its refusal is not tested"),
    .timeLimit(.minutes(1)))
struct OldTLSTests {
    private static func refusal(by server: TLSServer) async throws -> AMQPError? {
        let endpoint = try AMQPEndpoint(
            url: "amqps://guest:guest@localhost:\(server.port)/", trustedCertificates: server.certificate)
        return await #expect(throws: AMQPError.self) {
            try await AMQPConnection.open(endpoint: endpoint, name: "old", connectTimeout: .milliseconds(500))
        }
    }

    /// In a process of its own, whose OpenSSL is told to allow everything before it is first used: what refuses is then
    /// this client, not the system's policy.
    @Test("a peer that speaks nothing later than TLS 1.1 is refused, whatever the system allows")
    func refused() async {
        await #expect(processExitsWith: .success) {
            let policy = try TLSServer.lenientPolicy()
            defer { unlink(policy) }
            setenv("OPENSSL_CONF", policy, 1)
            let old = try await TLSServer.plain(TLSServer.oldVersion, names: "DNS:localhost")
            let error = try await Self.refusal(by: old)
            #expect(error?.code == .tlsFailed)
            #expect(error?.isRetriable == false)
            withExtendedLifetime(old) {}
        }
    }

    @Test("the same peer with TLS 1.2 gets past the handshake, and is found to be no broker")
    func spoken() async throws {
        let new = try await TLSServer.plain(["-tls1_2"], names: "DNS:localhost")
        let error = try await Self.refusal(by: new)
        #expect(error?.code == .cannotConnect || error?.code == .connectionLost, "\(String(describing: error))")
        withExtendedLifetime(new) {}
    }
}
