package import Domain

/// One thing a person is needed for, as the facts of one look say it. Two looks at the same thing have the same key.
package struct Concern: Sendable, Hashable {
    package var kind: AlertKind
    /// What it is about, among those of its kind: a group's number, a venue, an organisation.
    package var subject: String
    /// Decides the clock of the quiet hours; nil for what concerns the fleet as a whole.
    package var organisation: OrganisationKey?
    /// Where, in words: "Harbour Bistro, Pier Cafe (harbour)".
    package var place: String
    /// What, in one line.
    package var title: String
    /// What, with the figures.
    package var cause: String
    /// What to do about it.
    package var remedy: String
    /// The command that does it.
    package var command: String
    /// Since when; nil where it cannot be known: then since it was first seen.
    package var since: Instant?
    package var count: Int?
    /// Exact digits with the currency, such as `1204.50 AUD`.
    package var amount: String?
    /// Past its count or its age: it is told to the second line at once.
    package var isGrave = false
    /// Somebody has taken it: the second line is left alone.
    package var isInHand = false

    package init(
        _ kind: AlertKind, subject: String, organisation: OrganisationKey? = nil, place: String, title: String,
        cause: String, remedy: String, command: String, since: Instant? = nil, count: Int? = nil,
        amount: String? = nil, isGrave: Bool = false, isInHand: Bool = false
    ) {
        self.kind = kind
        self.subject = subject
        self.organisation = organisation
        self.place = place
        self.title = title
        self.cause = cause
        self.remedy = remedy
        self.command = command
        self.since = since
        self.count = count
        self.amount = amount
        self.isGrave = isGrave
        self.isInHand = isInHand
    }

    package var key: String { "\(kind.rawValue):\(subject)" }
}
