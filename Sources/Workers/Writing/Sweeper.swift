package import Domain
package import Logging
package import Messaging
import ServiceLifecycle
package import Store
package import Telemetry

/// Holds the table against the queues, and publishes again what waits in the table although its message is gone: a
/// document in state `ready` is the outbox, and a message may be lost between the commit and the publish.
///
/// What it proves, while messages are on their way: after a sweep that found the organisation's queue empty, no
/// document waits there, held by nobody, for longer than ``age`` and without a message. While the queue is not empty,
/// for a backlog, a rate limit or an organisation that is offline, second messages for thousands of waiting documents
/// would help nobody; but a queue hands out in order, so a document that was overtaken by what was published a quarter
/// of an hour later has no message there, however long the queue is. A message too many does no harm: the row decides.
///
/// One sweeper works at a time (a lease); of two all the same, each document is taken by one.
package struct Sweeper: Service {
    private let organisations: [OrganisationKey]
    private let store: any SweepingStore
    private let outbox: any Outbox
    private let queues: any QueueLook
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let interval = Duration.seconds(15)
    private static let age = Duration.seconds(180)
    /// Longer than messages may be in one writer's hand (ten minutes), while another goes on with later ones.
    private static let margin = Duration.seconds(900)
    private static let batch = 500
    /// So many documents of an organisation are published again in one sweep: a hundred thousand.
    private static let batchesMax = 200
    private static let lease = "sweeper"

    package init(
        organisations: [OrganisationKey], store: any SweepingStore, outbox: any Outbox, queues: any QueueLook,
        clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.organisations = organisations
        self.store = store
        self.outbox = outbox
        self.queues = queues
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
        let states = try await queues.look(at: organisations.map { .write($0) })
        for organisation in organisations {
            let isEmpty = states[.write(organisation)].map { $0.waiting == 0 } ?? true
            for _ in 0..<Self.batchesMax {
                let forgotten = isEmpty
                    ? try await store.takeForgotten(of: organisation, olderThan: Self.age, limit: Self.batch)
                    : try await store.takeOvertaken(of: organisation, by: Self.margin, limit: Self.batch)
                guard !forgotten.isEmpty else { break }
                pass(.sweeperTaken)
                try await publish(forgotten, of: organisation)
                guard forgotten.count == Self.batch else { break }
            }
        }
        try await compare()
    }

    private func publish(_ documents: [ForgottenDocument], of organisation: OrganisationKey) async throws {
        let messages = documents.map { document in
            let subject = Envelope.Subject(organisation: organisation, document: document.id.value)
            return OutgoingMessage(
                queue: .write(organisation), envelope: Envelope(firstSeen: document.firstSeen, subject: subject),
                body: Array("{\"document\":\(document.id)}".utf8), messageID: "document/\(document.id)")
        }
        try await outbox.publish(messages)
        metrics.count("tillbridge_documents_swept_total", ["organisation": organisation.text], by: messages.count)
        logger.info(
            "published \(messages.count) waiting documents again", metadata: ["organisation": "\(organisation)"])
    }

    /// What the table says beside what the queues hold. The queues are looked at first: what is written in between is
    /// missing in the table, and so is never taken for lost.
    private func compare() async throws {
        let states = try await queues.look(at: organisations.map { .write($0) })
        let documents = try await store.openDocuments(dueAfter: Self.age)
        for organisation in organisations {
            let open = documents[organisation] ?? OpenDocuments()
            let queued = states[.write(organisation)]?.waiting ?? 0
            for (name, count) in [
                ("tillbridge_documents_open", open.all), ("tillbridge_documents_waiting", open.waiting),
                ("tillbridge_documents_delayed", open.delayed), ("tillbridge_write_queue_messages", queued),
                ("tillbridge_documents_unaccounted", max(0, open.due - queued)),
            ] { metrics.set(name, ["organisation": organisation.text], to: Int64(count)) }
        }
    }
}
