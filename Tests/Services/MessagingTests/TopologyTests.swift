import AMQP
import Domain
import Messaging
import Testing

@Suite("The topology") struct TopologyTests {
    private let topology = Topology(
        prefix: "p", organisations: [OrganisationKey("harbour"), OrganisationKey("lakeside")])
    private var queues: [String: [String: AMQPField]] {
        Dictionary(uniqueKeysWithValues: topology.declarations.queues.map { ($0.name, $0.arguments) })
    }

    @Test("there is a queue for each purpose, organisation and wait")
    func names() {
        let names = ["map", "write.harbour", "write.lakeside", "dead", "unreadable"]
            + ["5s", "30s", "2m", "10m", "1h", "6h"].map { "retry.\($0)" }
        #expect(Set(queues.keys) == Set(names.map { "p.\($0)" }))
    }

    @Test("every queue is a quorum queue with a bound, and refuses rather than drops")
    func arguments() {
        for (name, arguments) in queues {
            #expect(arguments["x-queue-type"] == .string("quorum"), "\(name)")
            #expect(arguments["x-overflow"] == .string("reject-publish"), "\(name)")
            #expect(arguments["x-max-length"]?.intValue ?? 0 > 0, "\(name)")
        }
    }

    @Test("retry queues wait their time and send back by the message's own routing key")
    func retries() throws {
        for delay in RetryDelay.allCases {
            let arguments = try #require(queues["p.retry.\(delay.rawValue)"])
            #expect(arguments["x-message-ttl"]?.intValue == delay.duration.components.seconds * 1000)
            #expect(arguments["x-dead-letter-exchange"] == .string(topology.workExchange))
            #expect(arguments["x-dead-letter-routing-key"] == nil)
            #expect(arguments["x-dead-letter-strategy"] == .string("at-least-once"))
            #expect(arguments["x-delivery-limit"] == nil)
        }
    }

    @Test("work that kills its workers ends at the desk; the desk itself loses nothing by time or count")
    func deadLetters() throws {
        for name in ["p.map", "p.write.harbour"] {
            let arguments = try #require(queues[name])
            #expect(arguments["x-delivery-limit"]?.intValue ?? 0 > 0)
            #expect(arguments["x-dead-letter-exchange"] == .string(topology.deadExchange))
            #expect(arguments["x-dead-letter-routing-key"] == .string("p.dead"))
            #expect(arguments["x-dead-letter-strategy"] == .string("at-least-once"))
            #expect(arguments["x-message-ttl"] == nil)
        }
        for name in ["p.dead", "p.unreadable"] {
            let arguments = try #require(queues[name])
            #expect(arguments["x-message-ttl"] == nil)
            // No limit at all on RabbitMQ 3.10 is one of twenty on 4.
            #expect(arguments["x-delivery-limit"]?.intValue ?? 0 >= 1_000_000_000)
        }
    }

    @Test("every queue is bound by its own name to an exchange that is declared")
    func bindings() {
        let declarations = topology.declarations
        let exchanges = Dictionary(uniqueKeysWithValues: declarations.exchanges.map { ($0.name, $0.kind) })
        #expect(Set(declarations.bindings.map(\.queue)) == Set(queues.keys))
        for binding in declarations.bindings {
            #expect(binding.routingKey == binding.queue)
            // A fanout exchange a delay: the routing key says where the message goes back to.
            let isRetry = binding.queue.hasPrefix("p.retry.")
            #expect(exchanges[binding.exchange] == (isRetry ? "fanout" : "direct"), "\(binding.exchange)")
        }
        #expect(declarations.exchanges.allSatisfy { $0.durable })
    }

    @Test("the wait is the shortest that is long enough, and the longest there is for more")
    func atLeast() {
        #expect(RetryDelay.atLeast(.zero) == .fiveSeconds)
        #expect(RetryDelay.atLeast(.seconds(5)) == .fiveSeconds)
        #expect(RetryDelay.atLeast(.milliseconds(5001)) == .thirtySeconds)
        #expect(RetryDelay.atLeast(.seconds(601)) == .oneHour)
        #expect(RetryDelay.atLeast(.seconds(86_400)) == .sixHours)
    }

    @Test("the waits grow with the attempts and then stay")
    func backoff() {
        #expect((0..<8).map { RetryDelay.backoff(afterAttempt: $0).rawValue }
            == ["5s", "30s", "2m", "10m", "1h", "6h", "6h", "6h"])
        #expect(RetryDelay.backoff(afterAttempt: -1) == .fiveSeconds)
        #expect(RetryDelay.backoff(afterAttempt: .max) == .sixHours)
    }
}
