/// Where a document stands on its way into the ledger. This is the only place that knows the legal moves:
///
/// `ready → claimed → sent → written`, or `refused`, or `uncertain → (look) → written | ready`. What stands may be made
/// void; what was never sent may be withdrawn. Neither comes back: its number stays used.
package enum DocumentState: String, Sendable, Hashable, CaseIterable {
    /// In the table, its message on the way. This state *is* the outbox.
    case ready
    /// A writer holds a lease on it; nothing has been sent.
    case claimed
    /// Key and exact bytes are stored and may have reached Xero.
    case sent
    /// Sent, and the answer is unknown: look before sending again.
    case uncertain
    /// Xero holds it.
    case written
    /// Xero will not take it; it lies on the desk.
    case refused
    /// Never sent, and never to be: its order went or changed before.
    case withdrawn
    /// Void in Xero.
    case voided

    package func canMove(to next: DocumentState) -> Bool { Self.moves[self, default: []].contains(next) }

    private static let moves: [DocumentState: Set<DocumentState>] = [
        // A claim and its sending are one step where nothing waits between them.
        .ready: [.claimed, .sent, .refused, .withdrawn],
        .claimed: [.sent, .ready, .refused],
        .sent: [.written, .refused, .uncertain, .ready],
        .uncertain: [.sent, .written, .ready, .refused],
        .written: [.voided],
        // Put right on the desk and sent again.
        .refused: [.ready, .withdrawn],
        .withdrawn: [],
        .voided: [],
    ]
}
