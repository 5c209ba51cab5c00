package import Domain
package import Logging
package import Messaging
import ServiceLifecycle
package import Store
package import Telemetry
package import Xero

/// Attaches listings to documents that stand in the ledger, when nothing else wants its calls.
///
/// A file is taken with a lease, noted as sent before it is sent, and looked for before it is sent again. What the
/// ledger will not have is noted and told; the document stands without it.
package struct Attaching: Service {
    private let organisation: OrganisationKey
    private let store: any AttachmentStore
    private let ledger: any AttachmentLedger
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let interval = Duration.seconds(5)
    private static let batch = 10
    private static let lease = Duration.seconds(120)

    package init(
        organisation: OrganisationKey, store: any AttachmentStore, ledger: any AttachmentLedger, clock: WorkClock,
        metrics: Metrics, logger: Logger
    ) {
        self.organisation = organisation
        self.store = store
        self.ledger = ledger
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await look() } catch {
                    if Task.isCancelled { return }
                    logger.warning("attaching waits: \(error)", metadata: ["organisation": "\(organisation)"])
                }
                do { try await clock.sleep(Self.interval) } catch { return }
            }
        }
    }

    /// Attaches what waits.
    package func look() async throws {
        while true {
            let files = try await store.takeAttachments(of: organisation, limit: Self.batch, lease: Self.lease)
            for file in files { try await attach(file) }
            if files.count < Self.batch { return }
        }
    }

    private func attach(_ file: OpenAttachment) async throws {
        if file.mayBeThere {
            switch try await ledger.attachments(of: file.kind, id: file.xeroID) {
            case .found(let standing):
                if let known = standing.first(where: { $0.name == file.name }) {
                    return try await store.recordAttachment(file, .written(id: known.id))
                }
            case .failed(let outcome): return try await settle(file, outcome)
            }
        }
        try await store.recordAttachment(file, .sending)
        let sent = FileToAttach(name: file.name, mediaType: file.mediaType, body: file.body)
        let key = IdempotencyKey.make(organisation)
        switch try await ledger.attach(sent, to: file.kind, id: file.xeroID, key: key) {
        case .found(let made):
            try await store.recordAttachment(file, .written(id: made.id))
            metrics.count("tillbridge_attachments_written_total", ["organisation": organisation.text])
        case .failed(let outcome): try await settle(file, outcome)
        }
    }

    /// A refusal is final; anything else is tried again when the lease has ended, after a look.
    private func settle(_ file: OpenAttachment, _ outcome: XeroOutcome) async throws {
        guard case .refused(let status, let sentence) = outcome else {
            logger.warning("\(file.name) is not attached to \(file.number) yet: \(outcome)")
            return
        }
        metrics.count("tillbridge_attachments_refused_total", ["organisation": organisation.text])
        logger.error("Xero will not have \(file.name) attached to \(file.number): \(sentence) (\(status))")
        try await store.recordAttachment(file, .refused("\(sentence) (\(status))"))
    }
}
