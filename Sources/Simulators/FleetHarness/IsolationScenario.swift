import AMQP
import Foundation

/// Two organisations with a steady stream of orders each; then the same with one of them answering 429 from the first
/// call to the last. What its neighbour's orders take from mapped to written must not change.
///
/// Limits are twenty times the vendors' own, so that forty seconds of trade give latencies of many requests.
struct IsolationScenario {
    let options: FleetOptions

    private static let organisations = BenchOrganisations(count: 2)
    private static let ordersPerSecond = 20
    private static let seconds = 40

    func run(into figures: inout Figures) async throws {
        let alone = try await latency(troubled: false)
        let beside = try await latency(troubled: true)
        figures.add("isolation.p99_alone_ms", alone, "ms from mapped to written")
        figures.add("isolation.p99_beside_ms", beside, "ms, beside an organisation that answers 429")
        figures.add("isolation.p99_ratio", beside / alone, "ratio", .atMost(1.2))
        figures.add("lone.max_ms", try await lone(), "ms from mapped to written, the slowest of ten single orders",
            .atMost(1_000))
    }

    private func fleet(_ limits: String) async throws -> Fleet {
        var options = options
        options.limits = limits
        options.configuration = "\(options.folder)/isolation.yaml"
        try Self.organisations.write(to: options.configuration)
        return try await Fleet(options)
    }

    /// The 99th percentile of the first organisation, in milliseconds.
    private func latency(troubled: Bool) async throws -> Double {
        let fleet = try await fleet("x20")
        return try await fleet.ending {
            try await fleet.declareQueues()
            if troubled {
                try await fleet.xero.post(
                    "/_control/faults",
                    "{\"match\":{\"tenant\":\"\(Self.organisations.tenant(1))\"},\"action\":{\"status\":429,"
                        + "\"headers\":{\"Retry-After\":\"1\",\"X-Rate-Limit-Problem\":\"minute\"}}}")
            }
            try await fleet.startWorkers(["mapper", "writer", "writer"])
            let watch = try await Watch(fleet)
            let total = Self.ordersPerSecond * Self.seconds
            try await Fleet.withPublisher(AMQPEndpoint(url: options.rabbitMQ)) { publisher in
                let start = ContinuousClock.now
                for number in 0..<total {
                    var due = [Self.organisations.order(number, of: 0)]
                    // Alone means alone: the neighbour has no trade then.
                    if troubled { due.append(Self.organisations.order(number, of: 1)) }
                    try await fleet.publish(due, by: publisher)
                    let next = start + .milliseconds((number + 1) * 1000 / Self.ordersPerSecond)
                    try await Task.sleep(until: next, clock: .continuous)
                }
            }
            let result = try await watch.latency(of: Self.organisations.key(0), when: total)
            await watch.close()
            return result.p99
        }
    }

    /// Single orders with pauses between them, at the vendors' own limits.
    private func lone() async throws -> Double {
        let fleet = try await fleet("real")
        return try await fleet.ending {
            try await fleet.declareQueues()
            try await fleet.startWorkers(["mapper", "writer", "writer"])
            let watch = try await Watch(fleet)
            let count = 11
            try await Fleet.withPublisher(AMQPEndpoint(url: options.rabbitMQ)) { publisher in
                for number in 0..<count {
                    try await fleet.publish([Self.organisations.order(number, of: 0)], by: publisher)
                    _ = try await watch.latency(of: Self.organisations.key(0), when: number + 1)
                    try await Task.sleep(for: .seconds(1))
                }
            }
            // The very first also makes the venue's contact and fetches a token.
            let result = try await watch.latency(of: Self.organisations.key(0), when: count, passing: 1)
            await watch.close()
            return result.most
        }
    }
}
