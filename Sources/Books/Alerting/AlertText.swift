package import Domain
import JSON

/// A notice in words: what, where, since when, how many, how much money, what to do, and the command that does it.
package struct AlertText: Sendable, Hashable {
    package let subject: String
    package let body: String
    /// The same for machines: one JSON object.
    package let payload: String

    private static let subjectMax = 180
    private static let partMax = 2000

    package init(_ notice: Notice.Reason, alert: Int64, _ concern: Concern, openedAt: Instant, clock: PlaceClock) {
        let since = concern.since ?? openedAt
        let title = Self.line(concern.title)
        let place = Self.line(concern.place)
        subject = String("\(Self.mark(notice)) \(title) – \(place)".prefix(Self.subjectMax))
        var rows = [("What", title), ("Where", place), ("Since", clock.text(since, of: concern.organisation))]
        if let count = concern.count { rows.append(("How many", "\(count)")) }
        if let amount = concern.amount { rows.append(("How much", Self.line(amount))) }
        rows.append(("Why", Self.line(concern.cause)))
        if notice != .resolved {
            rows.append(("What to do", Self.line(concern.remedy)))
            rows.append(("Command", Self.line(concern.command)))
        }
        var lines = rows.map { "\($0.0): \($0.1)" }
        lines += ["", Self.explanation(notice), "Alert \(alert): \(Self.line(concern.key))"]
        body = lines.joined(separator: "\n")
        var writer = JSONWriter()
        writer.object { object in
            func member(_ name: StaticString, _ value: String?) {
                object.key(name)
                if let value { object.string(value) } else { object.null() }
            }
            member("alert", "\(alert)")
            member("key", concern.key)
            member("notice", notice.rawValue)
            member("kind", concern.kind.rawValue)
            member("organisation", concern.organisation?.text)
            member("place", place)
            member("title", title)
            member("cause", Self.line(concern.cause))
            member("since", since.description)
            object.key("count")
            if let count = concern.count { object.number(count) } else { object.null() }
            member("amount", concern.amount)
            member("remedy", Self.line(concern.remedy))
            member("command", Self.line(concern.command))
        }
        payload = writer.text
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
