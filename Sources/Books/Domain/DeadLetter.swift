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

extension DeadLetterClass {
    /// Whether a cause of this class can go away without anybody touching the letter: an account is restored, a period
    /// unlocked, a mapping added. One letter of such a group is sent ahead from time to time to see.
    ///
    /// Not so a wrong value or a form nobody knows; and `unknown` may kill the workers that take it.
    package var canHeal: Bool {
        switch self {
        case .mapping, .duplicate, .lockedPeriod, .archived, .connection, .rateLimit, .tooLarge: true
        case .value, .parse, .unknown: false
        }
    }
}

/// Where a letter stands on the desk:
///
/// `open → queued → replaying → resolved`, or back to `open` when it fails again; or `discarded`. The moves into
/// `queued` and `replaying` are the in-flight mark: a letter that is on its way is not sent a second time.
package enum LetterState: String, Sendable, Hashable, CaseIterable {
    case open
    /// Marked to be sent again; the handler sends it when its turn comes. This state *is* the outbox.
    case queued
    /// Sent again; what became of it is not known yet.
    case replaying
    case resolved
    case discarded

    package static let unclosed: [LetterState] = [.open, .queued, .replaying]
}

/// What a message carries that was sent from the desk, through every worker: should it fail again, the desk knows which
/// letter came back and whether that was its latest replay.
package struct LetterMark: Sendable, Hashable {
    package let letter: Int64
    /// From 1.
    package let replay: Int

    package init(letter: Int64, replay: Int) {
        self.letter = letter
        self.replay = replay
    }
}
