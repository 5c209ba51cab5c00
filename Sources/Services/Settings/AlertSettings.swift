package import Alerting
import Domain

/// The section `alerts`: when a person is told, and by which ways.
package struct AlertSettings: Sendable {
    package var policy: AlertPolicy
    /// The zone of the quiet hours of what concerns no organisation; nil: the first organisation's.
    package var timeZoneName: String?
    /// Between two looks.
    package var interval: Duration
    /// After so long a message that no attempt could deliver is given up.
    package var giveUpAfter: Duration
    /// So long after its end an alert is kept with its messages.
    package var keepResolved: Duration
    /// Empty: alerts are logged only.
    package var channels: [AlertChannelSettings]
}

package struct AlertChannelSettings: Sendable {
    package enum Kind: String, Sendable, CaseIterable { case email, slack, webhook }

    package var name: String
    package var kind: Kind
    /// Told of escalations and their ends only.
    package var isSecondLine: Bool
    /// Of `email`.
    package var server: String
    package var from: String
    package var to: [String]
    /// Of `email`; both or none.
    package var credential: (user: String, password: Secret)?
    /// Of `slack` and `webhook`: the address itself lets one in.
    package var url: Secret?
    /// Of `webhook`: what its messages are signed with.
    package var signingKey: Secret?

    /// `TILLBRIDGE_ALERT_<NAME>_`
    package var variables: String { "TILLBRIDGE_ALERT_\(Environment.name(of: name))_" }

    /// What this channel's secrets lack; empty where it can be used. Asked by the processes that send alone.
    package var missing: [String] {
        switch kind {
        case .email: []
        case .slack: url == nil ? ["\(variables)URL"] : []
        case .webhook:
            (url == nil ? ["\(variables)URL"] : []) + (signingKey == nil ? ["\(variables)SIGNING_KEY"] : [])
        }
    }
}

extension AlertSettings {
    private static let channelsMax = 20

    init(
        reading section: SettingsSection, _ environment: Environment, _ organisations: [OrganisationSettings],
        _ readTimeZone: (String) -> TimeZoneRules?, rereading slowest: Duration
    ) {
        var policy = AlertPolicy()
        // Who reads again once a day is not late after six hours.
        policy.rereadSilent = max(policy.rereadSilent, slowest * 3)
        interval = section.duration("interval", default: .seconds(30))
        policy.period = section.duration("period", default: policy.period)
        policy.escalateAfter = section.duration("escalate_after", default: policy.escalateAfter)
        policy.resolveAfter = section.duration("resolve_after", default: policy.resolveAfter)
        giveUpAfter = section.duration("give_up_after", default: .seconds(3 * 86_400))
        keepResolved = section.duration("keep_resolved", default: .seconds(90 * 86_400))
        policy.quietHours = section.value("quiet_hours", WeeklyHours.expected) { WeeklyHours($0) }
        policy.groupAfter = section.duration("group_after", default: policy.groupAfter)
        policy.groupCount = section.integer("group_count", in: 1...1_000_000, default: policy.groupCount)
        policy.groupAge = section.duration("group_age", default: policy.groupAge)
        policy.venueSilent = section.duration("venue_silent", default: policy.venueSilent)
        policy.dayLate = section.duration("day_late", default: policy.dayLate)
        policy.refreshTokenAge = section.duration("refresh_token_age", default: policy.refreshTokenAge)
        policy.budgetPercent = section.integer("budget_percent", in: 1...100, default: policy.budgetPercent)
        policy.handlerDown = section.duration("handler_down", default: policy.handlerDown)
        policy.queueAge = section.duration("queue_age", default: policy.queueAge)
        policy.digestAfter = section.integer("digest_after", in: 1...1000, default: policy.digestAfter)
        policy.syncSilent = section.duration("sync_silent", default: policy.syncSilent)
        policy.rereadSilent = section.duration("reread_silent", default: policy.rereadSilent)
        timeZoneName = section.text("timezone")
        let zone = timeZoneName.flatMap(readTimeZone)
        if let timeZoneName, zone == nil {
            section.report(
                "`\(timeZoneName)` is no time zone this machine knows, such as Australia/Sydney", at: "timezone")
        }
        policy.clock = PlaceClock(
            zones: Dictionary(organisations.map { ($0.key, $0.timeZone) }) { first, _ in first },
            fallback: zone ?? organisations.first?.timeZone ?? .utc)
        for (key, duration) in [("interval", interval), ("period", policy.period)] where duration < .seconds(1) {
            section.report("must be at least 1s", at: key)
        }
        // One that comes back within the period is the same alert: until then it must be known.
        if keepResolved < policy.period { section.report("must not be shorter than `period`", at: "keep_resolved") }
        self.policy = policy
        channels = section.sections("channels").map { AlertChannelSettings(reading: $0, environment) }
        if channels.count > Self.channelsMax { section.report("holds more than \(Self.channelsMax)", at: "channels") }
        let names = channels.map { Environment.name(of: $0.name) }
        for name in Set(names) where names.count(where: { $0 == name }) > 1 {
            section.report("two channels have the variables of `\(name)`: name one differently", at: "channels")
        }
        section.finish()
    }
}

extension AlertChannelSettings {
    init(reading section: SettingsSection, _ environment: Environment) {
        name = section.key("name")
        let kinds = Kind.allCases.map(\.rawValue).joined(separator: ", ")
        let kind = section.value("kind", "one of \(kinds)") { Kind(rawValue: $0) }
        if kind == nil, section.text("kind") == nil { section.report("is missing: one of \(kinds)", at: "kind") }
        self.kind = kind ?? .webhook
        isSecondLine =
            section.value("escalations_only", "true or false") { ["true": true, "false": false][$0] } ?? false
        let isMail = kind == .email
        server = isMail ? section.required("server") : ""
        from = isMail ? section.required("from") : ""
        let addresses = isMail ? section.required("to") : ""
        to = addresses.split(separator: ",").map { String($0.drop { $0 == " " }.prefix { $0 != " " }) }
        let prefix = "ALERT_\(Environment.name(of: name))_"
        switch (environment.value(prefix + "USER"), environment.value(prefix + "PASSWORD")) {
        case (let user?, let password?): credential = (user, Secret(password))
        case (nil, nil): credential = nil
        default:
            section.report(
                "\(Environment.prefix)\(prefix)USER and …_PASSWORD are set together or not at all", at: "name")
        }
        url = environment.value(prefix + "URL").map { Secret($0) }
        signingKey = environment.value(prefix + "SIGNING_KEY").map { Secret($0) }
        if let url, !url.revealed.hasPrefix("https://"), !url.revealed.hasPrefix("http://127.0.0.1") {
            section.report("\(Environment.prefix)\(prefix)URL is not an https:// address", at: "name")
        }
        if let signingKey, signingKey.revealed.utf8.count < 16 {
            section.report("\(Environment.prefix)\(prefix)SIGNING_KEY has fewer than 16 characters", at: "name")
        }
        if isMail { checkMail(section) }
        section.finish()
    }

    private func checkMail(_ section: SettingsSection) {
        if !server.isEmpty, !server.hasPrefix("smtps://"), !server.hasPrefix("smtp://") {
            section.report("`\(server)` is not smtps://host:465 or smtp://host:587 (STARTTLS)", at: "server")
        }
        func isAddress(_ text: String) -> Bool {
            let parts = text.split(separator: "@", omittingEmptySubsequences: false)
            return parts.count == 2 && !parts[0].isEmpty && !parts[1].isEmpty
                && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && !"<>()[],;:\\\"".utf8.contains($0) }
        }
        if !from.isEmpty, !isAddress(from) { section.report("`\(from)` is not an address like name@host", at: "from") }
        for address in to where !isAddress(address) {
            section.report("`\(address)` is not an address like name@host", at: "to")
        }
        if to.count > 50 { section.report("holds more than 50 addresses", at: "to") }
    }
}

extension WeeklyHours {
    static let expected = "hours such as 22:00-07:00, or mon-fri 07:00-16:00, sat 08:00-14:00"
}
