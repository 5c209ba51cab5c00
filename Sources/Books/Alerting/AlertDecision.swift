package import Domain

/// An alert as it stands in the books: open, or resolved not long ago.
package struct KnownAlert: Sendable, Hashable {
    package var id: Int64
    package var key: String
    package var kind: AlertKind
    package var organisation: OrganisationKey?
    package var openedAt: Instant
    /// When its cause was last seen.
    package var lastSeen: Instant
    package var resolvedAt: Instant?
    /// When its first and its latest notice could be delivered; nil while nobody was told.
    package var firstTold: Instant?
    package var lastTold: Instant?
    /// First notice and reminders so far.
    package var notices: Int
    package var escalatedAt: Instant?

    package init(
        id: Int64, key: String, kind: AlertKind, organisation: OrganisationKey?, openedAt: Instant, lastSeen: Instant,
        resolvedAt: Instant? = nil, firstTold: Instant? = nil, lastTold: Instant? = nil, notices: Int = 0,
        escalatedAt: Instant? = nil
    ) {
        self.id = id
        self.key = key
        self.kind = kind
        self.organisation = organisation
        self.openedAt = openedAt
        self.lastSeen = lastSeen
        self.resolvedAt = resolvedAt
        self.firstTold = firstTold
        self.lastTold = lastTold
        self.notices = notices
        self.escalatedAt = escalatedAt
    }
}

/// One thing to tell.
package struct Notice: Sendable, Hashable {
    package enum Reason: String, Sendable, Hashable, CaseIterable { case opened, reminder, escalated, resolved }

    package let reason: Reason
    /// With alert and reason it names the notice: told twice is told once.
    package let ordinal: Int
    /// Not to be delivered before: quiet hours end then.
    package let notBefore: Instant
    /// Whether those are told too who are told of escalations only.
    package let reachesSecondLine: Bool

    package init(_ reason: Reason, ordinal: Int, notBefore: Instant, reachesSecondLine: Bool = false) {
        self.reason = reason
        self.ordinal = ordinal
        self.notBefore = notBefore
        self.reachesSecondLine = reachesSecondLine
    }
}

/// One change of the books of alerts, with what is to be told of it.
package enum AlertStep: Sendable, Hashable {
    case open(Concern, [Notice])
    /// Resolved a short time ago, and here again: the same alert goes on. The time to its escalation begins anew.
    case reopen(Int64, Concern, [Notice])
    case keep(Int64, Concern, [Notice])
    case resolve(Int64, [Notice])

    package var notices: [Notice] {
        switch self {
        case .open(_, let notices), .reopen(_, _, let notices), .keep(_, _, let notices), .resolve(_, let notices):
            notices
        }
    }
}

/// Which alert is due: a value, from what is amiss now, what was told before, and the clock. No I/O, no memory: whoever
/// asks again with the same books is answered the same, so a restart tells nothing twice.
package enum AlertDecision {
    /// - Parameters:
    ///   - known: open alerts, and those resolved within the last period.
    ///   - blindTo: kinds nobody could look at: their alerts stay as they are.
    package static func steps(
        standing: [Concern], known: [KnownAlert], mutes: [Mute], policy: AlertPolicy, blindTo: Set<AlertKind> = [],
        at now: Instant
    ) -> [AlertStep] {
        var open: [String: KnownAlert] = [:]
        var recent: [String: KnownAlert] = [:]
        for alert in known {
            guard let resolved = alert.resolvedAt else {
                open[alert.key] = alert
                continue
            }
            if recent[alert.key].flatMap(\.resolvedAt).map({ $0 < resolved }) ?? true { recent[alert.key] = alert }
        }
        var steps: [AlertStep] = []
        var seen: Set<String> = []
        for concern in standing where seen.insert(concern.key).inserted {
            let isMuted = mutes.contains {
                $0.covers(concern.kind, concern.organisation, concern.key, at: now)
            }
            if let alert = open[concern.key] {
                steps.append(.keep(alert.id, concern, isMuted ? [] : due(alert, concern, policy, now)))
            } else if let alert = recent[concern.key], let told = alert.lastTold, now.since(told) < policy.period {
                steps.append(.reopen(alert.id, concern, isMuted ? [] : again(alert, concern, policy, now)))
            } else {
                let notices = isMuted ? [] : first(concern, policy, now)
                steps.append(.open(concern, notices))
            }
        }
        for alert in open.values.sorted(by: { $0.id < $1.id }) where !seen.contains(alert.key) {
            guard !blindTo.contains(alert.kind), now.since(alert.lastSeen) >= policy.resolveAfter else { continue }
            let isMuted = mutes.contains { $0.covers(alert.kind, alert.organisation, alert.key, at: now) }
            steps.append(.resolve(alert.id, isMuted ? [] : resolution(alert, policy, now)))
        }
        return steps
    }

    private static func first(_ concern: Concern, _ policy: AlertPolicy, _ now: Instant) -> [Notice] {
        let notBefore = policy.deliverable(concern.organisation, at: now)
        if concern.isGrave, !concern.isInHand {
            // One message, to both lines.
            return [Notice(.escalated, ordinal: 1, notBefore: notBefore, reachesSecondLine: true)]
        }
        return [Notice(.opened, ordinal: 1, notBefore: notBefore)]
    }

    /// Whoever was told of the end believes that all is well: of a grave matter's return they are told at once, as the
    /// first time. Of any other they are not, for as long as a period: it would be told each time it comes and goes.
    private static func again(
        _ alert: KnownAlert, _ concern: Concern, _ policy: AlertPolicy, _ now: Instant
    ) -> [Notice] {
        guard concern.isGrave, !concern.isInHand else { return [] }
        return [
            Notice(
                .escalated, ordinal: alert.notices + 1, notBefore: policy.deliverable(concern.organisation, at: now),
                reachesSecondLine: true)
        ]
    }

    private static func due(
        _ alert: KnownAlert, _ concern: Concern, _ policy: AlertPolicy, _ now: Instant
    ) -> [Notice] {
        guard let told = alert.lastTold else { return first(concern, policy, now) }
        let notBefore = policy.deliverable(concern.organisation, at: now)
        let isLate = alert.firstTold.map { now.since($0) >= policy.escalateAfter } ?? false
        if alert.escalatedAt == nil, !concern.isInHand, concern.isGrave || isLate {
            return [Notice(.escalated, ordinal: alert.notices + 1, notBefore: notBefore, reachesSecondLine: true)]
        }
        guard now.since(told) >= policy.period else { return [] }
        return [
            Notice(
                .reminder, ordinal: alert.notices + 1, notBefore: notBefore,
                reachesSecondLine: alert.escalatedAt != nil)
        ]
    }

    /// Nobody is told of the end of what nobody was told of.
    private static func resolution(_ alert: KnownAlert, _ policy: AlertPolicy, _ now: Instant) -> [Notice] {
        guard let told = alert.lastTold else { return [] }
        let notBefore = max(told, policy.deliverable(alert.organisation, at: now))
        return [
            Notice(
                .resolved, ordinal: alert.notices, notBefore: notBefore,
                reachesSecondLine: alert.escalatedAt != nil)
        ]
    }
}
