import AMQP
import Testing

@Suite("A broker's address")
struct AMQPEndpointTests {
    @Test("everything is read and percent-decoded")
    func everything() throws {
        let endpoint = try AMQPEndpoint(url: "amqps://till%40one:p%3Aq%2F@mq.example:5999/till%2Fbridge")
        #expect(endpoint.host == "mq.example")
        #expect(endpoint.port == 5999)
        #expect(endpoint.user == "till@one")
        #expect(endpoint.virtualHost == "till/bridge")
        #expect(endpoint.isTLS)
    }

    @Test("what is missing has its default", arguments: ["amqp://mq", "amqp://mq/", "AMQP://mq"])
    func defaults(url: String) throws {
        let endpoint = try AMQPEndpoint(url: url)
        #expect(endpoint.port == 5672)
        #expect(endpoint.virtualHost == "/")
        #expect(endpoint.user == "guest")
        #expect(!endpoint.isTLS)
        #expect(try AMQPEndpoint(url: "amqps://mq").port == 5671)
    }

    @Test("an IPv6 address is read")
    func ipv6() throws {
        let endpoint = try AMQPEndpoint(url: "amqp://[::1]:35672/x")
        #expect(endpoint.host == "::1")
        #expect(endpoint.port == 35672)
    }

    @Test("the description masks the password")
    func masked() throws {
        let text = try AMQPEndpoint(url: "amqp://me:geheim@mq/v").description
        #expect(text == "amqp://me:***@mq:5672/v")
    }

    @Test(
        "what cannot be read is refused without repeating the password",
        arguments: [
            "mq", "http://me:geheim@mq", "amqp://me:geheim@", "amqp://me:geheim@mq:0", "amqp://me:geheim@mq:99999",
            "amqp://me:geheim%4@mq", "amqp://me:geheim%zz@mq", "amqp://me:geheim@mq/a/b", "amqp://me:geheim@mq?x=1",
            "amqp://me:geheim%00@mq", "amqp://me:geheim%+1@mq", "amqp://[::1", "amqp://mq:",
        ])
    func refused(url: String) {
        let error = #expect(throws: AMQPError.self) { try AMQPEndpoint(url: url) }
        #expect(error?.code == .badURL)
        #expect(error?.description.contains("geheim") == false)
    }
}
