package import Domain
package import Logging
package import Messaging
import ServiceLifecycle
package import Store
package import Telemetry

/// Publishes again what waits in the table although its message is gone: a document in state `ready` is the outbox, and
/// a message may be lost between the commit and the publish.
///
/// One sweeper works at a time (a lease). It sweeps an organisation only when its queue is empty: while messages wait
/// there, for a rate limit or an organisation that is offline, nothing is known to be lost, and second messages for
/// thousands of waiting documents would help nobody.
package struct Sweeper: Service {
    private let organisations: [OrganisationKey]
    private let store: any SweepingStore
    private let outbox: any Outbox
    private let depth: any QueueDepth
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let interval = Duration.seconds(15)
    private static let age = Duration.seconds(180)
    private static let batch = 500
    private static let lease = "sweeper"

    package init(
        organisations: [OrganisationKey], store: any SweepingStore, outbox: any Outbox, depth: any QueueDepth,
        clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.organisations = organisations
        self.store = store
        self.outbox = outbox
        self.depth = depth
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    if try await store.acquire(Self.lease, for: Self.interval) != nil { try await sweep() }
                } catch {
                    if Task.isCancelled { return }
                    logger.warning("the sweep waits: \(error)")
                }
                do { try await clock.sleep(Self.interval) } catch { return }
            }
        }
    }

    private func sweep() async throws {
        for organisation in organisations where try await depth.waiting(in: .write(organisation)) == 0 {
            let forgotten = try await store.takeForgotten(of: organisation, olderThan: Self.age, limit: Self.batch)
            guard !forgotten.isEmpty else { continue }
            pass(.sweeperTaken)
            let messages = forgotten.map { id in
                let subject = Envelope.Subject(organisation: organisation, document: id.value)
                return OutgoingMessage(
                    queue: .write(organisation), envelope: Envelope(firstSeen: clock.now(), subject: subject),
                    body: Array("{\"document\":\(id)}".utf8), messageID: "document/\(id)")
            }
            try await outbox.publish(messages)
            metrics.count("tillbridge_documents_swept_total", ["organisation": organisation.text], by: messages.count)
            logger.info(
                "published \(messages.count) waiting documents again", metadata: ["organisation": "\(organisation)"])
        }
        let counts = try await store.openCounts()
        for organisation in organisations {
            metrics.set(
                "tillbridge_documents_open", ["organisation": organisation.text], to: Int64(counts[organisation] ?? 0))
        }
    }
}
