package import Domain

/// What a worker decided about one message. A value: deciding is pure, carrying it out is ``Postbox``'s.
package enum Verdict: Sendable, Hashable {
    /// Its effect is committed.
    case done
    /// Again later. `counted`: a failure that brings it nearer to the desk; not so for a known wait.
    case retry(after: Duration, counted: Bool, cause: String)
    /// Back to the end of its queue as it came, at once: nobody can work on it now. Not a rejection: that counts
    /// towards the broker's delivery limit.
    case handBack
    /// To the desk, with what a person needs to know.
    case park(Park, about: Envelope.Subject)
    /// No version understands it.
    case unreadable(String)
}

/// After this many counted attempts a message goes to the desk: 5 s + 30 s + 2 min + 10 min + 1 h + 6 h.
package let attemptsMax = 6
