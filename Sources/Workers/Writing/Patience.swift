import Domain
import Logging
import Messaging
import ServiceLifecycle
import Store
import Telemetry
import Xero

/// Waits out what is wrong with the environment, not with a document: a used-up limit, an organisation offline, a
/// broken network. Keeps the claims alive meanwhile; a drain ends the wait.
struct Patience: Sendable {
    let organisation: OrganisationKey
    let store: any WritingStore
    let lease: Duration
    let clock: WorkClock
    let metrics: Metrics
    let logger: Logger

    /// A long wait is cut in pieces in which leases are renewed and a drain is noticed.
    private static let piece = Duration.seconds(5)

    /// - Returns: how long to wait before the same thing is tried again; nil where waiting does not help.
    func wait(for outcome: XeroOutcome, attempt: Int) -> (Duration, String)? {
        switch Course.of(.call(outcome), attempt: attempt, permille: clock.random(in: 0...1000)) {
        case .again(let after, let why): (after, why)
        case .settle, .pause, .stop, .proceed: nil
        }
    }

    /// Does something that may take long, and keeps the claims alive meanwhile.
    ///
    /// - Throws: what `work` throws; ``LeaseLost``.
    func keeping<Value: Sendable>(
        _ claims: [Claim], _ work: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let held = claims.filter(\.isHeld)
        guard !held.isEmpty else { return try await work() }
        let (store, lease, clock) = (store, lease, clock)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                while true {
                    try await clock.sleep(lease / 4)
                    try await store.extend(held, lease: lease)
                }
            }
            defer { group.cancelAll() }
            while let value = try await group.next() { if let value { return value } }
            throw CancellationError()
        }
    }

    /// - Throws: `CancellationError` when the process drains; ``LeaseLost``.
    func rest(_ duration: Duration, because reason: String, holding claims: [Claim]) async throws {
        logger.warning("waiting \(duration): \(reason)", metadata: ["documents": "\(claims.count)"])
        metrics.count("tillbridge_writer_waits_total", ["organisation": organisation.text])
        var left = duration
        while left > .zero {
            if Task.isShuttingDownGracefully || Task.isCancelled { throw CancellationError() }
            let piece = min(left, Self.piece)
            try await cancelWhenGracefulShutdown { try await clock.sleep(piece) }
            left -= piece
            let held = claims.filter(\.isHeld)
            if !held.isEmpty { try await store.extend(held, lease: lease) }
        }
    }
}
