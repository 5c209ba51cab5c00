import Domain
import JSON
package import Logging
package import Messaging
import ServiceLifecycle
package import Settings
package import Store
package import Telemetry
package import Xero

/// Writes the documents of one organisation into its ledger.
///
/// A batch: gather ids, claim the documents, send the invoices, then their payments, each step stored before and after;
/// acknowledge when all of it is committed. Any number of writers may run: the claim decides who writes what.
package struct WriterService: Service {
    private let organisation: OrganisationSettings
    private let inbox: any Inbox
    private let postbox: Postbox
    private let store: any WritingStore
    private let batchWriter: BatchWriter
    private let settings: WritingSettings
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let pause = Duration.milliseconds(250)
    private static let pauseMax = Duration.seconds(10)

    package init(
        organisation: OrganisationSettings, inbox: any Inbox, outbox: any Outbox,
        store: any WritingStore & ContactStore, ledger: any Ledger, contactNames: [String: String],
        settings: WritingSettings, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        var logger = logger
        logger[metadataKey: "organisation"] = "\(organisation.key)"
        self.organisation = organisation
        self.inbox = inbox
        postbox = Postbox(inbox: inbox, outbox: outbox, now: clock.now)
        self.store = store
        let patience = Patience(
            organisation: organisation.key, store: store, lease: settings.leaseDuration, clock: clock, metrics: metrics,
            logger: logger)
        batchWriter = BatchWriter(
            organisation: organisation.key, store: store, ledger: ledger,
            contacts: ContactBook(
                organisation: organisation.key, names: contactNames, store: store, ledger: ledger, patience: patience),
            patience: patience, metrics: metrics, logger: logger)
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<settings.batchesInFlight { group.addTask { try await consume() } }
                try await group.waitForAll()
            }
        } onGracefulShutdown: {
            // Unstructured: the handler is synchronous. Stopping the inbox is what ends the loops.
            Task { await inbox.stop() }
        }
    }

    private func consume() async throws {
        while true {
            let batch = try await inbox.nextBatch(max: settings.batch, linger: settings.linger)
            if batch.isEmpty { return }
            do { try await work(batch) } catch is CancellationError {
                // Draining while the ledger does not answer: the documents are safe in the table, the messages go back.
                return
            }
        }
    }

    /// Until the batch is settled: trouble with database or broker is waited for, the messages stay in hand.
    private func work(_ batch: [IncomingMessage]) async throws {
        var pause = Self.pause
        while true {
            do { return try await process(batch) } catch let error as CancellationError { throw error } catch {
                if isShuttingDown { throw CancellationError() }
                logger.warning("a batch waits: \(error)", metadata: ["messages": "\(batch.count)"])
                metrics.count("tillbridge_batch_retries_total", ["worker": "writer"])
                try await clock.sleep(pause)
                pause = min(pause * 2, Self.pauseMax)
            }
        }
    }

    private var isShuttingDown: Bool { Task.isCancelled || Task.isShuttingDownGracefully }

    private func process(_ batch: [IncomingMessage]) async throws {
        let start = ContinuousClock.now
        var verdicts: [(message: IncomingMessage, verdict: Verdict)] = []
        var orders: [(message: IncomingMessage, id: DocumentID)] = []
        for message in batch {
            switch Self.document(of: message) {
            case .success(let id): orders.append((message, id))
            case .failure(let unreadable): verdicts.append((message, .unreadable(unreadable.reason)))
            }
        }
        let results = try await store.take(Array(Set(orders.map(\.id))), lease: settings.leaseDuration)
        var claims: [Claim] = []
        var byDocument: [DocumentID: Verdict] = [:]
        for result in results {
            switch result.outcome {
            case .claimed(let claim): claims.append(claim)
            case .finished:
                // Killed after a refusal was stored and before its letter was sent: the letter is made again.
                byDocument[result.id] = result.refusal.map {
                    .park(RefusalReading.again($0.cause), about: $0.subject(result.id, organisation.key))
                } ?? .done
            case .busy:
                byDocument[result.id] = .retry(after: .seconds(30), counted: false, cause: "another writer has it")
            case .absent: byDocument[result.id] = .park(Self.absent(result.id), about: .init(document: result.id.value))
            }
        }
        if !claims.isEmpty {
            pass(.writerClaimed)
            byDocument.merge(try await batchWriter.write(claims)) { $1 }
        }
        verdicts += orders.map { ($0.message, byDocument[$0.id] ?? .done) }
        try await postbox.settle(verdicts) { pass(.writerPaid) }
        pass(.writerAcknowledged)
        report(verdicts, took: .now - start)
    }

    private static func document(of message: IncomingMessage) -> Result<DocumentID, Unreadable> {
        if case .failure(let unreadable) = message.envelope { return .failure(unreadable) }
        guard let json = try? JSON(parsing: message.body), let id = json["document"]?.integer, id > 0 else {
            return .failure(Unreadable("the body names no document"))
        }
        return .success(DocumentID(id))
    }

    private static func absent(_ id: DocumentID) -> Park {
        Park(
            .unknown, "Document \(id) is not in the database.",
            remedy: "If the database was restored from a backup, have the poller read the day again; discard this.")
    }

    private func report(_ verdicts: [(message: IncomingMessage, verdict: Verdict)], took: Duration) {
        metrics.time("tillbridge_writing_batch_seconds", ["organisation": organisation.key.text], took: took)
        for case (_, .park(let park, let subject)) in verdicts {
            metrics.count("tillbridge_parked_total", ["worker": "writer", "class": park.deadLetterClass.rawValue])
            logger.notice("parked: \(park)", metadata: ["id": "\(subject.id ?? "?")"])
        }
    }
}

extension StandingRefusal {
    fileprivate func subject(_ document: DocumentID, _ organisation: OrganisationKey) -> Envelope.Subject {
        Envelope.Subject(
            organisation: organisation, company: company, venue: venue, kind: SourceKind.order.rawValue, id: sourceID,
            document: document.value)
    }
}
