package import Domain

/// What a rule says about a line, a tender or an order. Nil and empty mean "as the venue's defaults say".
package struct Treatment: Sendable, Hashable {
    package enum Action: Sendable, Hashable {
        case book
        /// Leaves the line, tender or order out, deliberately. The reason is kept with the document.
        case skip(reason: String)
        /// Lays the whole order on the desk.
        case park(reason: String)
    }

    package var action: Action = .book
    /// Of a line: where it is booked. Of a tender: the clearing account it is paid into.
    package var account: String?
    package var taxType: String?
    package var itemCode: String?
    /// Replace the default option of the same category; others stay.
    package var tracking: [Tracking] = []
    /// The `ContactNumber` of the document's contact. Orders only.
    package var contact: String?
    /// The contact's name, should it have to be made. Orders only.
    package var contactName: String?
    package var description: String?
    /// Of an order: the document's reference. Of a tender: the payment's.
    package var reference: String?
    /// Days from the document's date to the day it is due. Orders only.
    package var dueDays: Int?
    /// Xero's id of a branding theme. Orders only.
    package var brandingTheme: String?
    /// Where the document's source can be seen. Orders only.
    package var url: String?
    /// Nothing mapped it and the fallback took it: a person should know.
    package var warning: String?
    /// The rule that decided, or ``byDefault``.
    package var rule: String = Treatment.byDefault

    package static let byDefault = "default"
    package static let fallback = "fallback"
    /// No rule matched: the venue's defaults hold.
    package static let standard = Treatment()

    package init() {}

    package var isStandard: Bool { rule == Treatment.byDefault }
}

extension [Tracking] {
    /// These options with those of `others` in place of the same category's; at most two, as Xero takes.
    package func replaced(by others: [Tracking]) -> [Tracking] {
        if others.isEmpty { return self }
        return Array((others + filter { mine in !others.contains { $0.category == mine.category } }).prefix(2))
    }
}
