import Alerting
import Domain
package import Logging
package import Messaging
package import Notices
import ServiceLifecycle
package import Settings
package import Store
package import Telemetry

/// Looks for what needs a person, and tells it: facts → decision → one transaction → messages.
///
/// One of these works at a time (a lease), however many processes run it. It may die anywhere: what is decided is in
/// the books together with its messages, and a message in hand is sent again by the next, under the same id. The
/// writers run it as spares, which come in only when no dead-letter handler is left: that is itself worth an alert.
package struct AlertService: Service {
    private let settings: AlertSettings
    private let isSpare: Bool
    private let store: any AlertStore & AlertFactStore
    private let look: AlertLook
    private let channels: [any NoticeChannel]
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    package static let leaseName = "alerts"
    private static let leaseDuration = Duration.seconds(60)
    private static let tick = Duration.seconds(1)
    /// Longer than any channel takes for one message.
    private static let hold = Duration.seconds(120)
    /// Ended alerts that one look forgets at most.
    private static let forgottenMax = 200

    package init(
        settings: AlertSettings, isSpare: Bool, store: any AlertStore & AlertFactStore, look: AlertLook,
        channels: [any NoticeChannel], clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.settings = settings
        self.isSpare = isSpare
        self.store = store
        self.look = look
        self.channels = channels
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        if channels.isEmpty, !isSpare {
            logger.notice("no channel is configured under alerts.channels: alerts are logged only")
        }
        // Given back behind the cancelled part, in which no query would be sent: the next one looks at once.
        let lease = await cancelWhenGracefulShutdown { await watch() }
        if let lease { try? await store.giveBack(lease) }
    }

    /// - Returns: the lease it still holds in the end.
    private func watch() async -> Lease? {
        var lease: Lease?
        var memory: AlertLook.Memory?
        var nextLook = clock.now()
        while !Task.isCancelled {
            do {
                lease = try await held(lease)
                if let lease {
                    var current = memory ?? AlertLook.Memory(watchingSince: clock.now())
                    if clock.now() >= nextLook {
                        try await lookAndDecide(&current, lease)
                        nextLook = clock.now().adding(settings.interval)
                    }
                    memory = current
                    try await deliver()
                } else {
                    memory = nil
                }
            } catch {
                if Task.isCancelled { break }
                logger.warning("alerts wait: \(error)")
            }
            do { try await clock.sleep(Self.tick) } catch { break }
        }
        return lease
    }

    private func held(_ lease: Lease?) async throws -> Lease? {
        if isSpare, try await isHandlerThere() {
            if let lease { try await store.giveBack(lease) }
            return nil
        }
        if let lease, try await store.renew(lease, for: Self.leaseDuration) { return lease }
        return try await store.acquire(Self.leaseName, for: Self.leaseDuration)
    }

    /// Where none was ever seen, a writer has nothing to stand in for.
    private func isHandlerThere() async throws -> Bool {
        guard let seen = try await store.handlerSeen() else { return true }
        return clock.now().since(seen) < settings.policy.handlerDown
    }

    /// One look and what follows from it.
    package func lookAndDecide(_ memory: inout AlertLook.Memory, _ lease: Lease) async throws {
        let now = clock.now()
        let (facts, trouble) = try await look.facts(&memory, at: now)
        if let trouble { logger.warning("queues cannot be looked at: \(trouble)") }
        let steps = AlertDecision.steps(
            standing: facts.concerns(settings.policy, at: now),
            known: try await store.knownAlerts(resolvedSince: now.adding(.zero - settings.policy.period)),
            mutes: try await store.mutes(at: now), policy: settings.policy, blindTo: facts.blindTo, at: now)
        try await store.record(steps, telling, lease: lease, at: now)
        for step in steps { tell(step) }
        let counts = try await store.alertCounts()
        for kind in AlertKind.allCases {
            metrics.set("tillbridge_alerts_open", ["kind": kind.rawValue], to: Int64(counts.open[kind] ?? 0))
        }
        metrics.set("tillbridge_alert_deliveries_waiting", to: Int64(counts.waiting))
        metrics.set("tillbridge_alert_deliveries_given_up", to: Int64(counts.givenUp))
        _ = try await store.forgetAlerts(
            resolvedBefore: now.adding(.zero - settings.keepResolved), limit: Self.forgottenMax)
    }

    private var telling: AlertTelling {
        let lines = settings.channels.map { (name: $0.name, isSecond: $0.isSecondLine) }
        let usable = Set(channels.map(\.name))
        return AlertTelling(
            channels: { notice in
                lines.filter { usable.contains($0.name) && (!$0.isSecond || notice.reachesSecondLine) }.map(\.name)
            },
            clock: settings.policy.clock, digestAfter: settings.policy.digestAfter)
    }

    /// In the log stands every notice, whether there are channels or not.
    private func tell(_ step: AlertStep) {
        for notice in step.notices {
            metrics.count("tillbridge_alert_notices_total", ["notice": notice.reason.rawValue])
            let held: Logger.Metadata = ["not_before": "\(notice.notBefore)"]
            switch step {
            case .open(let concern, _), .reopen(_, let concern, _), .keep(_, let concern, _):
                let what = "\(concern.title), \(concern.place). \(concern.cause) \(concern.remedy)"
                logger.warning(
                    "alert (\(notice.reason.rawValue)): \(what) Command: \(concern.command)",
                    metadata: held.merging(["alert": "\(concern.key)"]) { $1 })
            case .resolve(let id, _): logger.notice("alert \(id) is resolved", metadata: held)
            }
        }
    }

    /// One message a channel and tick, the channels at once.
    package func deliver() async throws {
        let byName = Dictionary(channels.map { ($0.name, $0) }) { first, _ in first }
        let now = clock.now()
        let due = try await store.takeDeliveries(byName.keys.sorted(), hold: Self.hold, at: now)
        await withTaskGroup(of: Void.self) { group in
            for delivery in due {
                guard let channel = byName[delivery.channel] else { continue }
                group.addTask { await send(delivery, channel) }
            }
        }
    }

    private func send(_ delivery: AlertDelivery, _ channel: any NoticeChannel) async {
        do throws(NoticeError) {
            try await channel.send(delivery, now: clock.now().secondsSince1970)
        } catch {
            return await failed(delivery, error)
        }
        metrics.count("tillbridge_alerts_sent_total", ["channel": delivery.channel, "notice": delivery.notice])
        do { try await store.recordDelivered(delivery.id, at: clock.now()) } catch {
            // It went out; that is not in the books, so it goes out again when its hold ends, under the same id.
            logger.warning("message \(delivery.id) was delivered, but that could not be stored: \(error)")
        }
    }

    private func failed(_ delivery: AlertDelivery, _ error: NoticeError) async {
        let now = clock.now()
        let isOver = now.since(delivery.createdAt) >= settings.giveUpAfter
        let pause = DeliveryPause.after(attempt: delivery.attempts, isRefused: error.isRefused)
        metrics.count("tillbridge_alert_delivery_failures_total", ["channel": delivery.channel])
        let next = isOver ? "it is given up" : "it is tried again in \(pause)"
        logger.warning(
            "an alert could not be delivered, \(next): \(error)",
            metadata: ["channel": "\(delivery.channel)", "attempt": "\(delivery.attempts)"])
        do {
            try await store.recordFailed(
                delivery.id, error.description, nextTry: isOver ? nil : now.adding(pause), at: now)
        } catch { logger.warning("that could not be stored: \(error)") }
    }
}

/// How long a message waits for its next attempt.
package enum DeliveryPause {
    private static let first = Duration.seconds(10)
    private static let longest = Duration.seconds(1800)

    /// 10 s, 20 s, 40 s … half an hour; half an hour at once where the other side refused it.
    package static func after(attempt: Int, isRefused: Bool) -> Duration {
        isRefused ? longest : min(longest, first * (1 << min(max(0, attempt - 1), 10)))
    }
}
