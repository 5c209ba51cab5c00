package import Logging
package import Messaging
import ServiceLifecycle
package import Telemetry

/// Carries out what ``Course`` says about errors that are thrown: trouble with database or broker is waited for with
/// the messages in hand.
package struct Endurance: Sendable {
    /// As the metrics name it.
    private let worker: String
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    package init(worker: String, clock: WorkClock, metrics: Metrics, logger: Logger) {
        self.worker = worker
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    /// Not to be done, and the messages have their verdict.
    package struct Settled: Error {
        package let verdict: Verdict
    }

    /// - Parameter messages: which `work` is about.
    /// - Throws: `CancellationError` when the process drains; ``Settled`` where waiting does not help.
    package func through<Value>(
        _ messages: [IncomingMessage], _ work: () async throws -> Value
    ) async throws -> Value {
        var tries = 0
        while true {
            do { return try await work() } catch let settled as Settled { throw settled } catch {
                let (way, permille) = (Course.Way(of: messages), clock.random(in: 0...1000))
                switch Course.of(.thrown(error), tries: tries, permille: permille, about: way.subject) {
                case .settle(let verdict):
                    logger.error("not to be done: \(error)", metadata: ["messages": "\(messages.count)"])
                    throw Settled(verdict: verdict)
                case .putOff(let putOff):
                    logger.error("put off: \(error)", metadata: ["messages": "\(messages.count)"])
                    throw Settled(verdict: putOff.fate(of: way, permille: permille).verdict(about: way.subject))
                case .pause(let pause, let why), .again(let pause, let why):
                    guard !Task.isCancelled, !Task.isShuttingDownGracefully else { throw CancellationError() }
                    logger.warning("a batch waits: \(why)", metadata: ["messages": "\(messages.count)"])
                    metrics.count("tillbridge_batch_retries_total", ["worker": worker])
                    try await clock.sleep(pause)
                case .stop: throw CancellationError()
                }
                tries += 1
            }
        }
    }
}

extension Course.Way {
    /// Of the message that has come furthest.
    package init(of messages: [IncomingMessage]) {
        let envelopes = messages.compactMap { try? $0.envelope.get() }
        let furthest = envelopes.max { $0.attempt < $1.attempt }
        self.init(attempt: furthest?.attempt ?? 0, about: furthest?.subject ?? Envelope.Subject())
    }
}
