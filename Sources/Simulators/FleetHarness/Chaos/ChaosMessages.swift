import AMQP
import KountaSimulator
import Threads

/// The harness's hands in the broker: it notes what the fleet publishes, says it again, loses it, and lets time pass
/// for what waits in the delay queues.
final class ChaosMessages: Sendable {
    private let endpoint: AMQPEndpoint
    private let fleet: Fleet
    private let seen = Locked<[AMQPMessage]>([])
    private let readers = Locked<[Task<Void, Never>]>([])

    private var exchange: String { "\(fleet.run).work" }
    private var tap: String { "\(fleet.run).tap" }
    private var writeQueues: [String] { fleet.plan.organisations.map { "\(fleet.run).write.\($0.key)" } }

    /// Messages kept for another delivery.
    private static let seenMax = 5_000

    init(_ fleet: Fleet) throws {
        self.fleet = fleet
        endpoint = try AMQPEndpoint(url: fleet.options.rabbitMQ)
    }

    /// A queue of the harness's own beside the fleet's, so that it sees every message of theirs.
    func open() async throws {
        var topology = AMQPTopology(
            exchanges: [.init(name: exchange, kind: "direct")],
            queues: [.init(name: tap, arguments: ["x-queue-type": .string("quorum")])])
        for key in ["\(fleet.run).map"] + writeQueues {
            topology.bindings.append(.init(queue: tap, exchange: exchange, routingKey: key))
        }
        try await read(tap, topology) { [seen] messages in
            seen.withLock { seen in
                // What the harness published itself is known already.
                seen += messages.filter { $0.correlationID != Self.mark }
                seen.removeFirst(max(0, seen.count - Self.seenMax))
            }
        }
    }

    /// From now on, what is sent to wait half a minute or longer has waited enough when it arrives: it goes at once
    /// where it would go later.
    func hurry() async throws {
        for delay in ["30s", "2m", "10m", "1h", "6h"] {
            try await read("\(fleet.run).retry.\(delay)", AMQPTopology()) { [exchange] messages in
                try await self.publish(
                    messages.map { message in
                        var due = message
                        due.exchange = exchange
                        return due
                    })
            }
        }
    }

    /// Hands out what comes in a queue until `close`; acknowledged when `take` has returned.
    private func read(
        _ queue: String, _ topology: AMQPTopology, _ take: @escaping @Sendable ([AMQPMessage]) async throws -> Void
    ) async throws {
        let consumer = AMQPConsumer(endpoint: endpoint, name: "chaos \(queue)", topology: topology)
        // Unstructured, both: they end with `close`.
        let running = Task { await consumer.run() }
        let subscription = await consumer.subscribe(queue: queue, prefetch: 1_000)
        let task = Task {
            while !Task.isCancelled {
                guard let batch = try? await subscription.nextBatch(max: 500), !batch.isEmpty else { break }
                // What cannot be taken now comes again with the next connection.
                do { try await take(batch.map(\.message)) } catch {
                    await subscription.reject(batch, requeue: true)
                    continue
                }
                await subscription.acknowledge(batch)
            }
            await consumer.close()
            await running.value
        }
        readers.withLock { $0.append(task) }
        while !consumer.isReady { try await Task.sleep(for: .milliseconds(10)) }
    }

    private static let mark = "chaos"

    func close() async {
        let tasks = readers.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
        _ = try? await withConnection { connection in try await connection.deleteQueue(self.tap) }
    }

    /// Publishes so many of what has been seen once more, the later before the earlier.
    func duplicate(_ count: Int, seed: UInt64) async throws {
        var numbers = SeededNumbers(seed: seed, stream: 0xD0B1E)
        var pool = seen.withLock { $0 }
        var chosen: [AMQPMessage] = []
        while chosen.count < count, !pool.isEmpty { chosen.append(pool.remove(at: numbers.below(pool.count))) }
        try await publish(chosen)
    }

    /// Publishes everything that was sent to the writers once more, so that whoever stands still is taken over.
    func remindWriters() async throws {
        let keys = Set(writeQueues)
        try await publish(seen.withLock { $0 }.filter { keys.contains($0.routingKey) })
    }

    private func publish(_ messages: [AMQPMessage]) async throws {
        guard !messages.isEmpty else { return }
        try await withConnection { connection in
            let outcomes = await connection.publish(
                messages.map { message in
                    var copy = message
                    copy.correlationID = Self.mark
                    // That of a delay queue: in a queue of work it would be the message's end.
                    copy.expiration = nil
                    return copy
                })
            for outcome in outcomes { if case .failed(let error) = outcome { throw error } }
        }
    }

    /// The messages that wait for the writers are gone.
    func forget() async throws {
        try await withConnection { connection in
            for queue in self.writeQueues where try await connection.queueStatus(queue) != nil {
                try await connection.purge(queue)
            }
        }
    }

    private func withConnection<Value: Sendable>(
        _ work: (AMQPConnection) async throws -> Value
    ) async throws -> Value {
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "chaos")
        let result: Result<Value, any Error>
        do { result = .success(try await work(connection)) } catch { result = .failure(error) }
        await connection.close()
        return try result.get()
    }
}
