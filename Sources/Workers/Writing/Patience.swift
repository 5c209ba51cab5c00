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

    private static let first = Duration.milliseconds(500)
    private static let max = Duration.seconds(30)
    private static let offline = Duration.seconds(15)
    private static let disconnected = Duration.seconds(60)
    /// A long wait is cut in pieces in which leases are renewed and a drain is noticed.
    private static let piece = Duration.seconds(5)

    /// - Returns: how long to wait before the same thing is tried again; nil where waiting does not help.
    func wait(for outcome: XeroOutcome, attempt: Int) -> (Duration, String)? {
        let backoff = min(Self.first * (1 << min(attempt, 10)), Self.max)
        let jittered = backoff / 2 + backoff * clock.random(in: 0...500) / 1000
        switch outcome {
        case .limited(let after, let problem): return (after + jittered, "the limit (\(problem)) is used up")
        case .neverSent(let detail): return (jittered, detail)
        case .unknown(let detail): return (jittered, detail)
        case .offline(let detail): return (Self.offline + jittered, "the organisation is offline: \(detail)")
        case .disconnected(let detail):
            return (Self.disconnected + jittered, "the organisation is disconnected: \(detail)")
        case .answered, .refused: return nil
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
