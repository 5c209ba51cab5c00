import AMQP

/// An order as the poller queues it.
struct QueuedOrder: Sendable {
    let body: [UInt8]
    let company: String
    let id: Int64

    func message(exchange: String, key: String) -> AMQPMessage {
        AMQPMessage(
            exchange: exchange, routingKey: key,
            headers: [
                "tb-version": .int(1), "tb-attempt": .int(0), "tb-first-seen": .int(1_760_000_000_000_000),
                "tb-company": .string(company), "tb-kind": .string("order"), "tb-id": .string(String(id)),
            ], contentType: "application/json", messageID: "order/\(id)", body: body)
    }
}

extension Fleet {
    /// Messages published at a time.
    private static let publishMax = 500

    /// A worker declares the queues and ends again; only then can they be filled.
    func declareQueues() async throws {
        let declarer = try await startWorker("dead-letter-handler", log: "declare")
        try await waitUntilReady()
        _ = await declarer.stop()
        await children.remove(declarer)
    }

    /// Into the fleet's own queue, made as the fleet makes it: the workers' first connection finds it as they would
    /// declare it.
    func queue(_ orders: [QueuedOrder]) async throws {
        try await declareQueues()
        try await Fleet.withPublisher(AMQPEndpoint(url: options.rabbitMQ)) { try await publish(orders, by: $0) }
    }

    func publish(_ orders: [QueuedOrder], by publisher: AMQPPublisher) async throws {
        for start in stride(from: 0, to: orders.count, by: Self.publishMax) {
            try await publisher.publish(
                orders[start..<min(start + Self.publishMax, orders.count)].map {
                    $0.message(exchange: "\(run).work", key: "\(run).map")
                })
        }
    }

    static func withPublisher<Value: Sendable>(
        _ endpoint: AMQPEndpoint, _ topology: AMQPTopology = AMQPTopology(),
        _ work: (AMQPPublisher) async throws -> Value
    ) async throws -> Value {
        let publisher = AMQPPublisher(endpoint: endpoint, name: "bench publish", topology: topology)
        // Unstructured: it runs beside the work and ends with close().
        let running = Task { await publisher.run() }
        await publisher.waitUntilReady()
        let result: Result<Value, any Error>
        do { result = .success(try await work(publisher)) } catch { result = .failure(error) }
        await publisher.close()
        await running.value
        return try result.get()
    }

    /// Stops the fleet whether the work went well or not; it must end in order.
    func ending<Value: Sendable>(_ work: () async throws -> Value) async throws -> Value {
        let result: Result<Value, any Error>
        do { result = .success(try await work()) } catch { result = .failure(error) }
        let disorderly = await stop()
        let value = try result.get()
        guard disorderly.isEmpty else { throw HarnessError(disorderly.joined(separator: "; ")) }
        return value
    }
}
