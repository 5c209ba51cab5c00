/// An account that is archived in the ledger, in a bookkeeper's words: said where the ledger refuses it, and read again
/// where more is known of what is booked to it.
package enum ArchivedAccountWords {
    private static let before = "Account "
    private static let after = " is archived in Xero."

    package static func cause(_ account: String) -> String { before + account + after }

    /// The account's code, of a cause that begins with ``cause(_:)``.
    package static func account(in cause: String) -> Substring? {
        guard cause.hasPrefix(before), let end = cause.firstRange(of: after) else { return nil }
        return cause[..<end.lowerBound].dropFirst(before.count)
    }

    /// A part of the remedy.
    ///
    /// - Parameter what: what goes to the account; ``anything`` as long as nobody says it.
    package static func mapElsewhere(_ what: String) -> String { "map \(what) to another account" }
    package static let anything = "its sales"
}
