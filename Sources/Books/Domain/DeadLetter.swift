/// Why something lies on the desk. The class decides who can put it right; the sentence says how.
package enum DeadLetterClass: String, Sendable, Hashable, CaseIterable {
    /// A value in the record is wrong or does not add up.
    case value
    /// The configuration does not say where something belongs.
    case mapping
    /// The ledger already holds another document under the number.
    case duplicate
    case lockedPeriod = "locked_period"
    /// An account, contact or option was archived.
    case archived
    case connection
    case rateLimit = "rate_limit"
    case tooLarge = "too_large"
    /// The record is not in a form this version understands.
    case parse
    case unknown
}

/// A decision to lay something on the desk: what happened, and how to put it right, in a bookkeeper's words.
package struct Park: Error, Sendable, Hashable, CustomStringConvertible {
    package let deadLetterClass: DeadLetterClass
    /// What is wrong, with the figures.
    package let cause: String
    /// What to do about it.
    package let remedy: String

    package init(_ deadLetterClass: DeadLetterClass, _ cause: String, remedy: String) {
        self.deadLetterClass = deadLetterClass
        self.cause = cause
        self.remedy = remedy
    }

    package var description: String { "\(cause) \(remedy)" }
}
