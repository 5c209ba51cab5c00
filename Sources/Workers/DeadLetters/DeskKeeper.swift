package import Domain
package import Logging
package import Messaging
import ServiceLifecycle
package import Settings
package import Store
package import Telemetry

/// Sends queued letters again at a bounded pace, sees what became of them, closes groups whose letters are dealt with,
/// and sends one letter of a group ahead from time to time to learn whether its cause is gone.
///
/// One keeper works at a time (a lease), so that the pace is one pace however many handlers run. It may die anywhere: a
/// letter that was taken and not confirmed is taken again, and to send a letter twice is to send it once, because
/// mapper, document and letter know its mark.
package struct DeskKeeper: Service {
    private let organisations: Set<OrganisationKey>
    private let prefix: String
    private let store: any ReplayStore & SettlingStore & LeaseStore
    private let outbox: any Outbox
    private let settings: DeskSettings
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let leaseDuration = Duration.seconds(15)
    private static let tick = Duration.milliseconds(250)
    /// Letters taken and published at a time: what a handler that dies leaves to be sent a second time.
    private static let batchMax = 250
    /// Ticks between two looks at what needs no hurry.
    private static let seldom = 20

    package init(
        organisations: [OrganisationKey], prefix: String, store: any ReplayStore & SettlingStore & LeaseStore,
        outbox: any Outbox, settings: DeskSettings, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.organisations = Set(organisations)
        self.prefix = prefix
        self.store = store
        self.outbox = outbox
        self.settings = settings
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        // Given back behind the cancelled part, in which no query would be sent: the next one takes over at once.
        let lease = await cancelWhenGracefulShutdown { await keep() }
        if let lease { try? await store.giveBack(lease) }
    }

    /// - Returns: the lease it still holds in the end.
    private func keep() async -> Lease? {
        var lease: Lease?
        var turn = 0
        while !Task.isCancelled {
            do {
                // A look each second: each one is a row that is written.
                if turn % 4 == 0 { lease = try await held(lease) }
                if turn % Self.seldom == 0 { try await report() }
                if lease != nil { try await work(turn) }
                turn += 1
            } catch {
                if Task.isCancelled { break }
                logger.warning("the desk waits: \(error)")
                try? await clock.sleep(.seconds(1))
            }
            do { try await clock.sleep(Self.tick) } catch { break }
        }
        return lease
    }

    private func held(_ lease: Lease?) async throws -> Lease? {
        if let lease, try await store.renew(lease, for: Self.leaseDuration) { return lease }
        guard let new = try await store.acquire(deskLease, for: Self.leaseDuration) else { return nil }
        // A handler that has just started may have a new configuration, and so may the rest of the fleet.
        try await store.probeSoon()
        return new
    }

    private func work(_ turn: Int) async throws {
        try await send()
        let settlement = try await store.settleReplays()
        metrics.count("tillbridge_dead_letter_replays_total", ["outcome": "booked"], by: settlement.resolved)
        metrics.count("tillbridge_dead_letter_replays_total", ["outcome": "came_back"], by: settlement.returned)
        // Groups and probes are looked at often while something moves, seldom otherwise.
        guard settlement.isAnythingLeft || settlement.resolved > 0 || turn % 4 == 0 else { return }
        for probing in try await store.probe(settings.probeInterval) { tell(probing) }
        if turn % Self.seldom == 0 { _ = try await store.settleOpen() }
        for group in try await store.closeGroups() {
            logger.notice(
                "closed: no letter is left of group \(group.id), \"\(group.fingerprint)\"",
                metadata: ["class": "\(group.deadLetterClass)"])
        }
    }

    /// What is queued, in batches, not faster than the pace and not longer than the lease lets it.
    private func send() async throws {
        let begin = ContinuousClock.now
        let pace = ReplayPace(perSecond: settings.replaysPerSecond, batchMax: Self.batchMax)
        while ContinuousClock.now - begin < Self.leaseDuration / 3, !Task.isCancelled {
            let replays = try await store.takeQueued(pace.batch)
            guard !replays.isEmpty else { return }
            pass(.handlerTaken)
            let start = clock.now()
            try await publish(replays)
            let ahead = pace.pause(after: clock.now().since(start))
            if ahead > .zero { try await clock.sleep(ahead) }
        }
    }

    private func publish(_ replays: [Replay]) async throws {
        var messages: [(id: Int64, message: OutgoingMessage)] = []
        var refused: [(id: Int64, reason: String)] = []
        for replay in replays {
            do throws(NotSendable) {
                let message = try ReplayMessage.message(replay, prefix: prefix, organisations: organisations)
                messages.append((replay.mark.letter, message))
            } catch {
                refused.append((replay.mark.letter, error.description))
            }
        }
        refused += try await publish(messages)
        try await store.putBack(refused)
        pass(.handlerSent)
        let unsent = Set(refused.map(\.id))
        try await store.recordPublished(replays.map(\.mark.letter).filter { !unsent.contains($0) })
        metrics.count("tillbridge_dead_letter_replays_total", ["outcome": "sent"], by: replays.count - refused.count)
        for (id, reason) in refused { logger.warning("letter \(id) cannot be sent again: \(reason)") }
    }

    /// One that no frame carries holds up no other.
    ///
    /// - Returns: those, with why.
    private func publish(
        _ messages: [(id: Int64, message: OutgoingMessage)]
    ) async throws -> [(id: Int64, reason: String)] {
        do { try await outbox.publish(messages.map(\.message)) } catch let error as Unsendable {
            guard messages.count > 1 else { return messages.map { ($0.id, error.description) } }
            var refused: [(id: Int64, reason: String)] = []
            for message in messages { refused += try await publish([message]) }
            return refused
        }
        return []
    }

    private func tell(_ probing: Probing) {
        let group: Logger.Metadata = ["group": "\(probing.group)"]
        switch probing.outcome {
        case .sent: logger.info("a letter is sent ahead to see whether the cause is gone", metadata: group)
        case .cameBack: logger.info("the cause is still there", metadata: group)
        case .healed(let count): logger.notice("the cause is gone: \(count) more letters follow", metadata: group)
        }
    }

    private func report() async throws {
        let open = try await store.openLetters()
        for deadLetterClass in DeadLetterClass.allCases {
            metrics.set(
                "tillbridge_dead_letters_open", ["class": deadLetterClass.rawValue],
                to: Int64(open.counts[deadLetterClass] ?? 0))
        }
        metrics.set("tillbridge_dead_letters_in_flight", to: Int64(open.inFlight))
        let age = open.oldest.map { clock.now().since($0).components.seconds } ?? 0
        metrics.set("tillbridge_dead_letter_oldest_seconds", to: max(0, age))
    }
}
