package import Domain

/// When a person is told, and when not.
package struct AlertPolicy: Sendable {
    /// One notice of an alert in this time, however often its cause comes and goes.
    package var period: Duration = .seconds(86_400)
    /// From the first notice to the one for the second line.
    package var escalateAfter: Duration = .seconds(4 * 3600)
    /// So long must a cause be gone before its alert is resolved.
    package var resolveAfter: Duration = .seconds(300)
    /// Nil: there are none.
    package var quietHours: WeeklyHours?
    package var clock = PlaceClock()

    /// So long must a group be open: what heals within needs nobody.
    package var groupAfter: Duration = .seconds(60)
    package var groupCount = 100
    package var groupAge: Duration = .seconds(86_400)
    /// Open and without an order for this long.
    package var venueSilent: Duration = .seconds(2 * 3600)
    /// From the end of a trading day to when all of it should be in the ledger.
    package var dayLate: Duration = .seconds(12 * 3600)
    package var refreshTokenAge: Duration = .seconds(50 * 86_400)
    package var budgetPercent = 80
    package var handlerDown: Duration = .seconds(300)
    package var queueAge: Duration = .seconds(1800)
    /// More notices at once than these are one message: a person who gets fifty reads none.
    package var digestAfter = 5
    package var syncSilent: Duration = .seconds(900)
    /// Without the last days, or the lists of deleted orders and open accounts, having been read again.
    package var rereadSilent: Duration = .seconds(6 * 3600)

    package init() {}

    /// When a notice of `organisation` that is due at `now` may be delivered: now, or when its quiet hours end.
    package func deliverable(_ organisation: OrganisationKey?, at now: Instant) -> Instant {
        quietHours?.span(at: now, in: clock.zone(of: organisation))?.ends ?? now
    }
}

/// Whose clock is meant: an organisation's own, or that of the people who look after the fleet.
package struct PlaceClock: Sendable {
    package var zones: [OrganisationKey: TimeZoneRules]
    package var fallback: TimeZoneRules

    package init(zones: [OrganisationKey: TimeZoneRules] = [:], fallback: TimeZoneRules = .utc) {
        self.zones = zones
        self.fallback = fallback
    }

    package func zone(of organisation: OrganisationKey?) -> TimeZoneRules {
        organisation.flatMap { zones[$0] } ?? fallback
    }

    /// `2026-11-25 14:03` on that clock.
    package func text(_ instant: Instant, of organisation: OrganisationKey?) -> String {
        let local = instant.adding(seconds: Int64(zone(of: organisation).offset(at: instant)))
        return String(local.description.prefix(16)).replacing("T", with: " ")
    }
}

/// A person's word that for some time nobody is to be told: of everything, one kind, one organisation, or one alert.
package struct Mute: Sendable, Hashable {
    package var kind: AlertKind?
    package var organisation: OrganisationKey?
    package var key: String?
    package var until: Instant

    package init(
        kind: AlertKind? = nil, organisation: OrganisationKey? = nil, key: String? = nil, until: Instant
    ) {
        self.kind = kind
        self.organisation = organisation
        self.key = key
        self.until = until
    }

    func covers(_ kind: AlertKind, _ organisation: OrganisationKey?, _ key: String, at now: Instant) -> Bool {
        now < until && (self.kind == nil || self.kind == kind)
            && (self.organisation == nil || self.organisation == organisation) && (self.key == nil || self.key == key)
    }
}
