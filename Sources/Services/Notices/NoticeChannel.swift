package import Store

/// A way to a person: a mailbox, a chat, another program.
package protocol NoticeChannel: Sendable {
    var name: String { get }
    /// Returns when the other side has taken the message. Each attempt at one message carries the same id there.
    ///
    /// - Parameter now: seconds since 1970, for dates and signatures.
    func send(_ delivery: AlertDelivery, now: Int64) async throws(NoticeError)
}

/// Why a message did not arrive. No address that lets one in, no credential, nothing of the message.
package struct NoticeError: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// The other side will never take it in this form: another attempt is pointless before somebody changes something.
    /// It is tried all the same, at the longest pause.
    package let isRefused: Bool

    package init(_ description: String, isRefused: Bool = false) {
        self.description = description
        self.isRefused = isRefused
    }
}
