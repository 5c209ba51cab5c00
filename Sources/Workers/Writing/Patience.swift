import Domain
import Logging
import Messaging
import ServiceLifecycle
import Setbacks
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

    /// When what is in hand has been there for long enough; nil where nothing bounds it.
    @TaskLocal static var handUntil: ContinuousClock.Instant?

    /// A long wait is cut in pieces in which leases are renewed and a drain is noticed.
    private static let piece = Duration.seconds(5)

    /// 0 to 1000, for ``PutOff/fate(of:permille:)``.
    func chance() -> Int { clock.random(in: 0...1000) }

    /// Waits as long as the outcome asks for, so that the same can be tried again.
    ///
    /// - Throws: ``PutOff`` where asking at once is over, ``LimitUsedUp`` where it is over for everything in hand;
    ///   ``Park`` where it will never be taken; what ``rest`` throws.
    func bear(
        _ outcome: XeroOutcome, isRepeatable: Bool = false, tries: Int, holding claims: [Claim]
    ) async throws {
        guard let trouble = Course.Trouble(outcome, isRepeatable: isRepeatable) else { return }
        switch Course.of(trouble, tries: tries, permille: chance()) {
        case .again(let after, let why), .pause(let after, let why):
            try await rest(after, because: why, holding: claims)
        case .putOff(let putOff): throw putOff.isOfLimit ? LimitUsedUp(putOff: putOff) : putOff
        case .settle(.retry(_, _, let why)): throw PutOff(why)
        case .settle(.park(let park, _)): throw park
        case .settle(.done), .settle(.unreadable), .settle(.handBack), .stop: throw CancellationError()
        }
    }

    /// Does something that may take long, and keeps the claims alive meanwhile.
    ///
    /// - Parameter discard: takes what `work` brings although the claims are lost: a permit would count against
    ///   everybody for more than a minute.
    /// - Throws: what `work` throws; ``LeaseLost``; ``HeldTooLong``.
    func keeping<Value: Sendable>(
        _ claims: [Claim], _ work: @escaping @Sendable () async throws -> Value,
        orElse discard: (Value) async -> Void = { _ in }
    ) async throws -> Value {
        let held = claims.filter(\.isHeld)
        let until = Self.handUntil
        guard !held.isEmpty || until != nil else { return try await work() }
        let (store, lease, clock) = (store, lease, clock)
        return try await withThrowingTaskGroup(of: Value?.self) { group in
            group.addTask { try await work() }
            group.addTask {
                while !held.isEmpty {
                    try await clock.sleep(lease / 4)
                    try await store.extend(held, lease: lease)
                }
                return nil
            }
            if let until {
                group.addTask {
                    try await clock.sleep(max(until - .now, .zero))
                    throw HeldTooLong()
                }
            }
            do {
                while let value = try await group.next() {
                    guard let value else { continue }
                    group.cancelAll()
                    return value
                }
                throw CancellationError()
            } catch {
                group.cancelAll()
                while let late = await group.nextResult() {
                    if case .success(let value?) = late { await discard(value) }
                }
                throw error
            }
        }
    }

    /// - Throws: `CancellationError` when the process drains; ``LeaseLost``; ``HeldTooLong``.
    func rest(_ duration: Duration, because reason: String, holding claims: [Claim]) async throws {
        logger.warning("waiting \(duration): \(reason)", metadata: ["documents": "\(claims.count)"])
        metrics.count("tillbridge_writer_waits_total", ["organisation": organisation.text])
        var left = duration
        while left > .zero {
            if Task.isShuttingDownGracefully || Task.isCancelled { throw CancellationError() }
            let inHand = Self.handUntil.map { $0 - .now } ?? left
            if inHand <= .zero { throw HeldTooLong() }
            let piece = min(left, Self.piece, inHand)
            try await cancelWhenGracefulShutdown { try await clock.sleep(piece) }
            left -= piece
            let held = claims.filter(\.isHeld)
            if !held.isEmpty { try await store.extend(held, lease: lease) }
        }
    }
}

/// The organisation takes no calls for longer than messages may be in hand: they go back to their queue.
struct HeldTooLong: Error, Sendable {}

/// A limit of the organisation's was used up each time it was asked: nothing else of this batch is tried.
struct LimitUsedUp: Error {
    let putOff: PutOff
}
