/// Exchanges, queues and bindings a connection declares before it is used. Declaring twice changes nothing.
package struct AMQPTopology: Sendable {
    package struct Exchange: Sendable {
        package let name: String
        /// `direct`, `fanout`, `topic`, `headers`.
        package let kind: String
        package let durable: Bool
        package let arguments: [String: AMQPField]

        package init(name: String, kind: String, durable: Bool = true, arguments: [String: AMQPField] = [:]) {
            self.name = name
            self.kind = kind
            self.durable = durable
            self.arguments = arguments
        }
    }

    /// Always durable, never exclusive, never deleted by itself.
    package struct Queue: Sendable {
        package let name: String
        package let arguments: [String: AMQPField]

        package init(name: String, arguments: [String: AMQPField] = [:]) {
            self.name = name
            self.arguments = arguments
        }
    }

    package struct Binding: Sendable {
        package let queue: String
        package let exchange: String
        package let routingKey: String

        package init(queue: String, exchange: String, routingKey: String) {
            self.queue = queue
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }

    package var exchanges: [Exchange]
    package var queues: [Queue]
    package var bindings: [Binding]

    package init(exchanges: [Exchange] = [], queues: [Queue] = [], bindings: [Binding] = []) {
        self.exchanges = exchanges
        self.queues = queues
        self.bindings = bindings
    }
}
