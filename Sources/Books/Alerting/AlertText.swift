package import Domain
import JSON

/// What is told of one alert.
package struct ToldAlert: Sendable, Hashable {
    package let notice: Notice
    package let alert: Int64
    package let concern: Concern
    package let openedAt: Instant

    package init(_ notice: Notice, alert: Int64, _ concern: Concern, openedAt: Instant) {
        self.notice = notice
        self.alert = alert
        self.concern = concern
        self.openedAt = openedAt
    }

    var since: Instant { concern.since ?? openedAt }
}

/// A notice in words: what, where, since when, how many, how much money, what to do, and the command that does it.
package struct AlertText: Sendable, Hashable {
    package let subject: String
    package let body: String
    /// The same for machines: one JSON object.
    package let payload: String

    private static let subjectMax = 180
    private static let partMax = 2000
    /// Of a digest; the rest is counted.
    private static let digestMax = 20

    package init(_ told: ToldAlert, clock: PlaceClock) {
        let (concern, notice) = (told.concern, told.notice.reason)
        subject = Self.subject(notice, "\(Self.line(concern.title)) – \(Self.line(concern.place))")
        var rows = [
            ("What", Self.line(concern.title)), ("Where", Self.line(concern.place)),
            ("Since", clock.text(told.since, of: concern.organisation)),
        ]
        if let count = concern.count { rows.append(("How many", "\(count)")) }
        if let amount = concern.amount { rows.append(("How much", Self.line(amount))) }
        rows.append(("Why", Self.line(concern.cause)))
        if notice != .resolved {
            rows.append(("What to do", Self.line(concern.remedy)))
            rows.append(("Command", Self.line(concern.command)))
        }
        var lines = rows.map { "\($0.0): \($0.1)" }
        lines += ["", Self.explanation(notice), "Alert \(told.alert): \(Self.line(concern.key))"]
        body = lines.joined(separator: "\n")
        var writer = JSONWriter()
        Self.write(told, to: &writer)
        payload = writer.text
    }

    /// Many at once, in one message: of the first ones what, where, how many, how much and the command.
    package init(digest told: [ToldAlert], clock: PlaceClock) {
        let isUrgent = told.contains { $0.notice.reason == .escalated }
        let isEnd = told.allSatisfy { $0.notice.reason == .resolved }
        let reason: Notice.Reason = isUrgent ? .escalated : isEnd ? .resolved : told.first?.notice.reason ?? .opened
        let places = Set(told.map(\.concern.place)).count
        subject = Self.subject(
            reason, "\(told.count) alerts at once, in \(places == 1 ? "one place" : "\(places) places")")
        var lines = [isEnd ? "These are over:" : "A person is needed for all of these:", ""]
        for told in told.prefix(Self.digestMax) {
            let concern = told.concern
            let figures = [
                "since \(clock.text(told.since, of: concern.organisation))", concern.count.map { "\($0)" },
                concern.amount,
            ].compactMap(\.self).joined(separator: ", ")
            lines.append(Self.line("– \(concern.title) – \(concern.place) (\(figures))"))
            lines.append(Self.line("  \(concern.cause)"))
            if !isEnd { lines.append(Self.line("  Command: \(concern.command)")) }
        }
        if told.count > Self.digestMax { lines.append("… and \(told.count - Self.digestMax) more") }
        lines += ["", "All of them, with what to do: tillbridge alerts list", Self.explanation(reason)]
        body = lines.joined(separator: "\n")
        var writer = JSONWriter()
        writer.object { object in
            object.field("notice", reason.rawValue)
            object.field("digest", told.count)
            object.key("alerts")
            object.array { array in for told in told.prefix(100) { Self.write(told, to: &array) } }
        }
        payload = writer.text
    }

    private static func subject(_ notice: Notice.Reason, _ text: String) -> String {
        String("\(mark(notice)) \(text)".prefix(subjectMax))
    }

    private static func write(_ told: ToldAlert, to writer: inout JSONWriter) {
        let concern = told.concern
        writer.object { object in
            func member(_ name: StaticString, _ value: String?) {
                object.key(name)
                if let value { object.string(value) } else { object.null() }
            }
            member("alert", "\(told.alert)")
            member("key", concern.key)
            member("notice", told.notice.reason.rawValue)
            member("kind", concern.kind.rawValue)
            member("organisation", concern.organisation?.text)
            member("place", line(concern.place))
            member("title", line(concern.title))
            member("cause", line(concern.cause))
            member("since", told.since.description)
            object.key("count")
            if let count = concern.count { object.number(count) } else { object.null() }
            member("amount", concern.amount)
            member("remedy", line(concern.remedy))
            member("command", line(concern.command))
        }
    }

    private static func mark(_ notice: Notice.Reason) -> String {
        switch notice {
        case .opened: "[Tillbridge]"
        case .reminder: "[Tillbridge, still]"
        case .escalated: "[Tillbridge, URGENT]"
        case .resolved: "[Tillbridge, resolved]"
        }
    }

    private static func explanation(_ notice: Notice.Reason) -> String {
        switch notice {
        case .opened: "You hear of it again only if it lasts, and when it is over."
        case .reminder: "This was told before and still stands."
        case .escalated: "This stands too long, or is too large, and nobody has taken it."
        case .resolved: "It is over; nothing is left to do."
        }
    }

    /// What comes from tills and ledgers may hold line breaks: on one line, it can pass for nothing else.
    private static func line(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(partMax).map { scalar in
            scalar.properties.generalCategory == .control || scalar.value == 0x2028 || scalar.value == 0x2029
                ? " " : scalar
        }))
    }
}
