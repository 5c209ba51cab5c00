package import AMQP
package import Domain

/// Every exchange, queue and binding of the fleet. Declared by each worker after each connect, and always the same: the
/// start order does not matter.
package struct Topology: Sendable {
    package let prefix: String
    private let organisations: [OrganisationKey]

    package init(prefix: String, organisations: [OrganisationKey]) {
        self.prefix = prefix
        self.organisations = organisations
    }

    /// Work goes here, routed by the queue's own name.
    package var workExchange: String { "\(prefix).work" }
    /// Dead letters and unreadable messages.
    package var deadExchange: String { "\(prefix).dead-letters" }
    /// One a delay, because the routing key is taken: it says where the message goes back to.
    package func retryExchange(_ delay: RetryDelay) -> String { "\(prefix).retry.\(delay.rawValue)" }

    package func exchange(for queue: QueueName) -> String {
        switch queue {
        case .map, .write: workExchange
        case .retry(let delay): retryExchange(delay)
        case .dead, .unreadable: deadExchange
        }
    }

    package func name(_ queue: QueueName) -> String { queue.text(prefix: prefix) }

    package var queues: [QueueName] {
        [.map] + organisations.map { .write($0) } + RetryDelay.allCases.map { .retry($0) } + [.dead, .unreadable]
    }

    package var declarations: AMQPTopology {
        var topology = AMQPTopology(exchanges: [
            .init(name: workExchange, kind: "direct"), .init(name: deadExchange, kind: "direct"),
        ])
        for delay in RetryDelay.allCases {
            topology.exchanges.append(.init(name: retryExchange(delay), kind: "fanout"))
        }
        for queue in queues {
            topology.queues.append(.init(name: name(queue), arguments: arguments(of: queue)))
            topology.bindings.append(
                .init(queue: name(queue), exchange: exchange(for: queue), routingKey: name(queue)))
        }
        return topology
    }

    /// How many messages a queue takes before it refuses publishers, which then slow down: a bound that keeps the
    /// broker's disk alive and loses nothing.
    private static let lengthMax: Int64 = 5_000_000
    /// The broker's own net under a message that kills its workers: after this many deliveries it is a dead letter.
    private static let deliveryLimit: Int64 = 20
    private static let never: Int64 = 1_000_000_000

    /// The same on RabbitMQ 3.10 and 4: the delivery limit is set, never left to the version's default.
    private func arguments(of queue: QueueName) -> [String: AMQPField] {
        var arguments: [String: AMQPField] = [
            "x-queue-type": .string("quorum"), "x-overflow": .string("reject-publish"),
            "x-max-length": .int(Self.lengthMax),
        ]
        switch queue {
        case .map, .write:
            arguments["x-delivery-limit"] = .int(Self.deliveryLimit)
            arguments["x-dead-letter-exchange"] = .string(deadExchange)
            arguments["x-dead-letter-routing-key"] = .string(name(.dead))
            arguments["x-dead-letter-strategy"] = .string("at-least-once")
        case .retry(let delay):
            arguments["x-message-ttl"] = .int(delay.duration.components.seconds * 1000)
            // No dead-letter routing key: the message keeps its own, the name of the queue it came from.
            arguments["x-dead-letter-exchange"] = .string(workExchange)
            arguments["x-dead-letter-strategy"] = .string("at-least-once")
        case .dead, .unreadable:
            // RabbitMQ 4 would drop a letter that was handed out twenty times. 3.10 knows no "never".
            arguments["x-delivery-limit"] = .int(Self.never)
        }
        return arguments
    }
}
