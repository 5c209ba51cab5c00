import AMQP

/// Who works on a queue, and how much waits there.
package protocol QueueLook: Sendable {
    /// Nil for a queue that does not exist.
    func look(at queues: [QueueName]) async throws -> [QueueName: QueueState]
    /// The queue's name in the broker.
    func name(of queue: QueueName) -> String
}

package struct QueueState: Sendable, Hashable {
    package let waiting: Int
    package let consumers: Int

    package init(waiting: Int, consumers: Int) {
        self.waiting = waiting
        self.consumers = consumers
    }
}

extension RabbitBroker: QueueLook {
    package func name(of queue: QueueName) -> String { topology.name(queue) }

    /// On a connection of its own for the moment, like ``waiting(in:)``; one for all of them.
    package func look(at queues: [QueueName]) async throws -> [QueueName: QueueState] {
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "\(name) look")
        var states: [QueueName: QueueState] = [:]
        var failure: AMQPError?
        for queue in queues {
            do throws(AMQPError) {
                guard let status = try await connection.queueStatus(topology.name(queue)) else { continue }
                states[queue] = QueueState(waiting: status.messages, consumers: status.consumers)
            } catch {
                failure = error
                break
            }
        }
        await connection.close()
        if let failure { throw failure }
        return states
    }
}
