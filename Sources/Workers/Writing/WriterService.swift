import Domain
import JSON
package import Logging
package import Messaging
import ServiceLifecycle
package import Setbacks
package import Settings
package import Store
package import Telemetry
import Threads
package import Xero

/// Writes the documents of one organisation into its ledger.
///
/// A batch: gather ids, claim the documents, send the invoices, then their payments, each step stored before and after;
/// acknowledge when all of it is committed. Any number of writers may run: the claim decides who writes what.
package struct WriterService: Service {
    private let organisation: OrganisationSettings
    private let inbox: any PausingInbox
    private let standstill: Standstill
    private let postbox: Postbox
    private let store: any WritingStore
    private let batchWriter: BatchWriter
    private let pace = Pace()
    private let suspicion: Suspicion
    private let endurance: Endurance
    /// Payments that wait for a full request, with their messages: shared by the loops, so that few are left over.
    private let pool = Locked(Pool())
    private let settings: WritingSettings
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    package init(
        organisation: OrganisationSettings, inbox: any PausingInbox, outbox: any Outbox,
        store: any WritingStore & ContactStore & LeaseStore, ledger: any Ledger, contactNames: [String: String],
        settings: WritingSettings, clock: WorkClock, metrics: Metrics, logger: Logger,
        suspicion: Suspicion
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
            patience: patience, pace: pace, metrics: metrics, logger: logger)
        self.suspicion = suspicion
        let name = organisation.key.text
        standstill = Standstill(inbox: inbox, ledger: ledger, loops: settings.batchesInFlight, clock: clock) {
            [logger] isResting, why in
            logger.notice("\(why)")
            metrics.set("tillbridge_writer_resting", ["organisation": name], to: isResting ? 1 : 0)
        }
        endurance = Endurance(worker: "writer", clock: clock, metrics: metrics, logger: logger)
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
            Task {
                await standstill.end()
                await inbox.stop()
            }
        }
    }

    /// Payments that were carried from batch to batch, and the messages of their documents, unacknowledged.
    private struct Pool: Sendable {
        var payments = CarriedPayments()
        var messages: [DocumentID: [IncomingMessage]] = [:]

        mutating func append(_ other: Pool) {
            payments.append(other.payments)
            messages.merge(other.messages, uniquingKeysWith: +)
        }
    }

    /// So long carried payments wait for the next batch.
    private static let carryMax = Duration.milliseconds(300)

    private func consume() async throws {
        while true {
            let batch = try await next()
            do {
                guard let batch else {
                    try await work([], mayCarry: false)
                    continue
                }
                if batch.isEmpty {
                    try await work([], mayCarry: false)
                    guard try await standstill.passed() else { return }
                } else if await standstill.isResting {
                    try await endurance.through(batch) { try await postbox.settle(batch.map { ($0, .handBack) }) }
                } else {
                    try await consider(batch)
                }
            } catch is CancellationError {
                // Draining while the ledger does not answer: the documents are safe in the table, the messages go back.
                return
            }
        }
    }

    /// The next messages; none when the inbox has ended; nil when carried payments should wait no longer.
    private func next() async throws -> [IncomingMessage]? {
        let batch = try await awaitNext()
        if let batch, !batch.isEmpty { pace.noteBatch() }
        return batch
    }

    private func awaitNext() async throws -> [IncomingMessage]? {
        let linger = { @Sendable [pace, usual = settings.linger] in pace.linger(usual: usual) }
        guard pool.withLock({ !$0.messages.isEmpty }) else {
            return try await inbox.nextBatch(max: settings.batch, linger: linger)
        }
        return try await withThrowingTaskGroup(of: [IncomingMessage]?.self) { [inbox, settings, clock] group in
            group.addTask { try await inbox.nextBatch(max: settings.batch, linger: linger) }
            group.addTask {
                try await clock.sleep(linger() + Self.carryMax)
                return nil
            }
            let first = try await group.next() ?? nil
            group.cancelAll()
            if let first { return first }
            // Time is up; but a batch may have come at the same moment.
            do { return try await group.next() ?? nil } catch is CancellationError { return nil }
        }
    }

    /// What comes back from a worker that died is watched, apart from the rest.
    private func consider(_ batch: [IncomingMessage]) async throws {
        let isFull = batch.count >= settings.batch
        try await suspicion.consider(batch, endurance) {
            metrics.count("tillbridge_suspects_tried_total", ["worker": "writer"])
        } condemn: { messages in
            try await condemn(messages)
        } work: { messages, isWhole in
            // What failed before spoils ever fewer of its neighbours.
            let portions = Portions.of(messages)
            for portion in portions {
                try await work(portion, mayCarry: isWhole && isFull && portions.count == 1 && !portion.hasFailed)
            }
        }
    }

    /// - Returns: those whose document was finished before their worker died: nobody has anything to do about them.
    private func condemn(_ messages: [IncomingMessage]) async throws -> [IncomingMessage] {
        try await endurance.through(messages) {
            let documents = messages.compactMap { try? Self.document(of: $0).get() }
            // Else the sweeper would bring them back.
            let given = Set(try await store.giveUp(documents, because: Suspicion.cause))
            let isFinished = { (message: IncomingMessage) in
                (try? Self.document(of: message).get()).map { !given.contains($0) } ?? false
            }
            let verdicts = messages.filter { !isFinished($0) }.map { ($0, Suspicion.condemned($0, organisation.key)) }
            try await postbox.settle(verdicts)
            report(verdicts, took: .zero)
            return messages.filter(isFinished)
        }
    }

    /// Until the batch is settled. Without messages it settles what was carried.
    private func work(_ batch: [IncomingMessage], mayCarry: Bool) async throws {
        var batch = batch
        var carried = pool.withLock { pool in
            defer { pool = Pool() }
            return pool
        }
        guard !batch.isEmpty || !carried.messages.isEmpty else { return }
        do {
            try await endurance.through(batch) {
                do {
                    let left = try await process(batch, carried, mayCarry: mayCarry)
                    pool.withLock { $0.append(left) }
                } catch {
                    // What was carried may have been sent before this went wrong: it is taken up anew, with a look.
                    batch += carried.messages.values.joined()
                    carried = Pool()
                    throw error
                }
            }
        } catch let settled as Endurance.Settled {
            guard batch.count > 1 else {
                let verdicts = batch.map { ($0, settled.verdict) }
                try await endurance.through(batch) { try await postbox.settle(verdicts) }
                return report(verdicts, took: .zero)
            }
            // One of them is not to be done: which, is seen when each is worked on alone.
            for message in batch { try await work([message], mayCarry: false) }
        }
    }

    /// - Returns: what is carried on to the next batch.
    private func process(_ batch: [IncomingMessage], _ carried: Pool, mayCarry: Bool) async throws -> Pool {
        let start = ContinuousClock.now
        var verdicts: [(message: IncomingMessage, verdict: Verdict)] = []
        var messages: [DocumentID: [IncomingMessage]] = [:]
        for message in batch {
            switch Self.document(of: message) {
            case .success(let id): messages[id, default: []].append(message)
            case .failure(let unreadable): verdicts.append((message, .unreadable(unreadable.reason)))
            }
        }
        // A second message of a document whose payments are carried: both wait for them.
        let fresh = messages.keys.filter { carried.messages[$0] == nil }
        messages.merge(carried.messages, uniquingKeysWith: +)
        var claims: [Claim] = []
        var byDocument: [DocumentID: Verdict] = [:]
        let results = fresh.isEmpty ? [] : try await store.take(Array(fresh), lease: settings.leaseDuration)
        for result in results {
            switch result.outcome {
            case .claimed(var claim):
                claim.attempt = Course.Way(of: messages[claim.id] ?? []).attempt
                claims.append(claim)
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
        var left = Pool()
        if !claims.isEmpty || !carried.payments.due.isEmpty {
            pass(.writerClaimed) { batch.map(\.body) }
            let written = try await Patience.$handUntil.withValue(.now + settings.handMax) {
                try await batchWriter.write(claims, carrying: carried.payments, mayCarry: mayCarry)
            }
            if written.verdicts.values.contains(.handBack) { await standstill.begin() }
            byDocument.merge(written.verdicts) { $1 }
            left.payments = written.carried
        }
        let waiting = left.payments.documents
        left.messages = messages.filter { waiting.contains($0.key) }
        for (id, messages) in messages where !waiting.contains(id) {
            verdicts += messages.map { ($0, byDocument[id] ?? .done) }
        }
        try await postbox.settle(verdicts) { pass(.writerPaid) }
        pass(.writerAcknowledged)
        report(verdicts, took: .now - start)
        return left
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

extension [IncomingMessage] {
    fileprivate var hasFailed: Bool { Course.Way(of: self).attempt > 0 }
}

extension Suspicion {
    /// The writer's messages name nothing but a document.
    fileprivate static func condemned(_ message: IncomingMessage, _ organisation: OrganisationKey) -> Verdict {
        guard case .park(let park, var subject) = condemned(message) else { return condemned(message) }
        subject.organisation = organisation
        return .park(park, about: subject)
    }
}
