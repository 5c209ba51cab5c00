import Crypto
import Domain
import Kounta
package import Logging
package import Messaging
import Money
import ServiceLifecycle
package import Setbacks
package import Settings
package import Store
package import Telemetry
import Xero

/// Takes source records from the queue, makes documents of them and hands their ids to the writers.
///
/// A batch: decode and map (pure), store in one transaction, publish what follows, acknowledge. A record that cannot be
/// mapped goes to the desk alone; its neighbours go on.
package struct MapperService: Service {
    private let inbox: any Inbox
    private let postbox: Postbox
    let store: any MappingStore & PostingStore & DayStore
    private let mapping: MappingInEffect
    private let versions: any MappingVersionStore
    private let settings: MappingSettings
    let clock: WorkClock
    private let suspicion: Suspicion
    private let endurance: Endurance
    private let warnings: WarningLog
    let metrics: Metrics
    let logger: Logger

    /// Batches under way at once: while one waits for the database another is mapped.
    private static let batchesInFlight = 2

    package init(
        inbox: any Inbox, outbox: any Outbox, store: any MappingStore & PostingStore & MappingVersionStore & DayStore,
        mapping: MappingInEffect, settings: MappingSettings, clock: WorkClock, metrics: Metrics, logger: Logger,
        suspicion: Suspicion
    ) {
        self.inbox = inbox
        postbox = Postbox(inbox: inbox, outbox: outbox, now: clock.now)
        self.store = store
        versions = store
        self.mapping = mapping
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
        warnings = WarningLog(metrics: metrics, logger: logger)
        self.suspicion = suspicion
        endurance = Endurance(worker: "mapper", clock: clock, metrics: metrics, logger: logger)
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<Self.batchesInFlight { group.addTask { try await consume() } }
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
            do { try await consider(batch) } catch is CancellationError {
                // Draining while database or broker are away: nothing is lost, the messages go back.
                return
            }
        }
    }

    /// What comes back from a worker that died is watched, apart from the rest.
    private func consider(_ batch: [IncomingMessage]) async throws {
        try await suspicion.consider(batch, endurance) {
            metrics.count("tillbridge_suspects_tried_total", ["worker": "mapper"])
        } condemn: { messages in
            try await settle(messages) { Suspicion.condemned($0) }
            return []
        } work: { messages, _ in
            try await work(messages)
        }
    }

    /// Until the batch is settled. Trouble with database or broker is waited for, with the messages in hand.
    private func work(_ batch: [IncomingMessage]) async throws {
        do { try await endurance.through(batch) { try await process(batch) } } catch let settled as Endurance.Settled {
            guard batch.count > 1 else { return try await settle(batch) { _ in settled.verdict } }
            // One of them is not to be done: which, is seen when each is worked on alone.
            for message in batch { try await work([message]) }
        }
    }

    private func settle(
        _ messages: [IncomingMessage], _ verdict: (IncomingMessage) -> Verdict
    ) async throws {
        let verdicts = messages.map { (message: $0, verdict: verdict($0)) }
        try await endurance.through(messages) { try await postbox.settle(verdicts) }
        report(verdicts, created: 0, took: .zero)
    }

    private func process(_ batch: [IncomingMessage]) async throws {
        let start = ContinuousClock.now
        let current = await mapping.current
        let readings = batch.map { (message: $0, reading: current.reader.read($0)) }
        let latest = Self.latestOfEachDocument(readings.map(\.reading))
        pass(.mapperMapped) { batch.map(\.body) }
        let summarised = try await takeIntoDays(latest, version: current.version)
        let single = latest.filter { summarised[$0.key] == nil }
        let accepted = try await store.accept(single.map(\.record).filter { $0.document != nil })
        pass(.mapperCommitted)
        var outcomes: [DocumentKey: AcceptedDocument] = [:]
        for document in accepted {
            outcomes[DocumentKey(organisation: document.organisation, number: document.number)] = document
        }
        var undecided = Dictionary(latest.map { ($0.key, $0.record.hash) }) { $1 }
        var following: [OutgoingMessage] = []
        var announced: Set<DocumentID> = []
        var verdicts: [(message: IncomingMessage, verdict: Verdict)] = []
        var decided: [DecidedOrder] = []
        for (message, reading) in readings {
            guard case .mapped(let mapped) = reading else {
                verdicts.append((message, try await verdict(ofNoOrder: reading, current, &following)))
                continue
            }
            if let taken = summarised[mapped.key] {
                // An earlier version in the same batch is done with: what counts is the latest.
                let park = undecided[mapped.key] == mapped.record.hash ? taken : nil
                verdicts.append((message, park.map { .park($0, about: mapped.subject) } ?? .done))
                continue
            }
            let outcome = outcomes[mapped.key]
            var ids = outcome.map { Self.needsWriter($0) ? [$0.id] : [] } ?? []
            var verdict = Verdict.done
            // Only about the latest version, and once: an older one decided after it would count as the newer.
            if undecided[mapped.key] == mapped.record.hash, Self.needsDecision(mapped, outcome) {
                undecided[mapped.key] = nil
                let posted = try await post(mapped, attempt: (try? message.envelope.get())?.attempt ?? 0)
                (ids, verdict) = (posted.announced, posted.verdict)
                decided.append(DecidedOrder(mapped: mapped, announced: ids, verdict: verdict))
            } else if let first = decided.first(where: { $0.isAbout(mapped) }) {
                // The same once more, perhaps from the desk: what waits or is parked keeps its letter's mark.
                verdict = first.verdict
            }
            verdicts.append((message, verdict))
            for id in ids where announced.insert(id).inserted {
                following.append(WriteOrder(document: id).message(mapped, now: clock.now()))
            }
        }
        try await versions.keepBases(Self.bases(readings.map(\.reading), outcomes, version: current.version))
        try await keepSkips(latest, version: current.version)
        let done = zip(readings, verdicts).filter { $0.1.verdict == .done }.map { $0.0.reading }
        try await store.noteMapped(Self.replays(done, outcomes, decided))
        try await postbox.settle(verdicts, following: following) { pass(.mapperPublished) }
        pass(.mapperAcknowledged)
        report(verdicts, created: following.count, took: .now - start)
        for (_, reading) in readings where reading.hasWarnings { warnings.tell(reading.warnings, now: clock.now()) }
    }

    private func verdict(
        ofNoOrder reading: Reading, _ current: MappingInEffect.Current, _ following: inout [OutgoingMessage]
    ) async throws -> Verdict {
        switch reading {
        case .takings(let takings): return try await takeIn(takings, current)
        case .day(let day): following += try await repost(day, current)
        case .mapped, .needless, .parked, .unreadable: break
        }
        return reading.verdict
    }

    /// The batch may hold two versions of one order: what was read at the till later is what counts, however they were
    /// delivered (an old one may come once more); of two read at one moment, the later delivery. The other needs no
    /// document.
    private static func latestOfEachDocument(_ readings: [Reading]) -> [MappedMessage] {
        var places: [DocumentKey: Int] = [:]
        var latest: [MappedMessage] = []
        for case .mapped(let mapped) in readings {
            guard let place = places[mapped.key] else {
                places[mapped.key] = latest.count
                latest.append(mapped)
                continue
            }
            if let last = latest[place].record.firstSeen, let this = mapped.record.firstSeen, this < last { continue }
            latest[place] = mapped
        }
        return latest
    }

    private static func needsWriter(_ document: AcceptedDocument) -> Bool {
        switch document.outcome {
        // A known one that is still ready may have lost its message when an earlier mapper was killed.
        case .created, .replaced, .known(.ready): true
        case .known, .conflict, .stale: false
        }
    }

    /// Whether the order is more than one new invoice, or was posted before and looks different now.
    private static func needsDecision(_ mapped: MappedMessage, _ outcome: AcceptedDocument?) -> Bool {
        if mapped.record.document == nil { return true }
        if case .conflict = outcome?.outcome { return true }
        return false
    }

    /// Decides what to do about an order that is not just one new invoice, and stores that.
    private func post(
        _ mapped: MappedMessage, attempt: Int
    ) async throws -> (announced: [DocumentID], verdict: Verdict) {
        let posting = mapped.posting
        guard let posted = try await store.post(posting.request, { posting.moves(over: $0) })
        else { return ([], .done) }
        switch posted.ending {
        case .done: return (posted.announced, .done)
        case .wait(let reason):
            let way = Course.Way(attempt: attempt, about: mapped.subject)
            return (posted.announced, PutOff.awaiting(reason).fate(of: way, permille: 1000).verdict(about: way.subject))
        case .again(let reason):
            return (posted.announced, .retry(after: Self.decideAgain, counted: false, cause: reason))
        case .park(let park): return (posted.announced, .park(park, about: mapped.subject))
        }
    }

    /// After which what was begun in the ledger is looked at again.
    private static let decideAgain = Duration.seconds(5)

    private func report(
        _ verdicts: [(message: IncomingMessage, verdict: Verdict)], created: Int, took: Duration
    ) {
        metrics.count("tillbridge_records_mapped_total", by: verdicts.count)
        metrics.count("tillbridge_documents_announced_total", by: created)
        metrics.time("tillbridge_mapping_batch_seconds", took: took)
        for case (_, .park(let park, let subject)) in verdicts {
            metrics.count("tillbridge_parked_total", ["worker": "mapper", "class": park.deadLetterClass.rawValue])
            logger.notice("parked: \(park)", metadata: ["id": "\(subject.id ?? "?")"])
        }
        for case (_, .unreadable(let reason)) in verdicts {
            metrics.count("tillbridge_parked_total", ["worker": "mapper", "class": "unreadable"])
            logger.error("a message is not understood: \(reason)")
        }
    }
}

/// The message that tells a writer of a document: its id only, the document is in PostgreSQL.
struct WriteOrder {
    let document: DocumentID

    func message(_ mapped: MappedMessage, now: Instant) -> OutgoingMessage {
        // Little more than the id: each header is decoded three times on its way, and the document knows the rest.
        let subject = Envelope.Subject(organisation: mapped.organisation, document: document.value)
        // Since when the till's record is known: its letter tells how long the order has been on its way.
        var envelope = Envelope(firstSeen: mapped.record.firstSeen ?? now, subject: subject)
        envelope.traceparent = mapped.traceparent
        envelope.mark = mapped.mark
        return OutgoingMessage(
            queue: .write(mapped.organisation), envelope: envelope, body: Array("{\"document\":\(document)}".utf8))
    }
}
