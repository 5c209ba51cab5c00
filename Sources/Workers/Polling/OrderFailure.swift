import Domain
import Kounta
import Messaging
import Settings
import Store

/// An order that Kounta lists and does not show, at one look; others could be read.
struct OrderFailure: Sendable {
    let order: UnreadOrder
    /// It is laid on the desk by this look.
    let isForDesk: Bool
    private let row: [UInt8]?

    /// After so long, and so many tries, a person is told; then it holds up nothing any more.
    private static let tellAfter = Duration.seconds(3600)
    private static let triesMin = 5
    private static let pauseMin = Duration.seconds(60)
    private static let pauseMax = Duration.seconds(900)
    private static let pauseTold = Duration.seconds(3600)
    /// Letters of one company: more orders than these are no orders' fault. Those beyond wait, and hold up the cursor.
    static let toldMax = 20

    /// Pure.
    ///
    /// - Parameter before: what is known of it; of another row it says nothing.
    init(_ asked: AskedOrder, _ error: KountaError, after before: UnreadOrder?, at now: Instant, mayTell: Bool) {
        let before = before.flatMap { $0.rowHash == asked.hash ? $0 : nil }
        let tries = (before?.tries ?? 0) + 1
        let since = before?.since ?? now
        isForDesk = before?.toldAt == nil && mayTell && tries >= Self.triesMin && now.since(since) >= Self.tellAfter
        let toldAt = before?.toldAt ?? (isForDesk ? now : nil)
        let pause = toldAt == nil ? min(Self.pauseMin * (1 << min(tries - 1, 8)), Self.pauseMax) : Self.pauseTold
        order = UnreadOrder(
            id: asked.id, rowHash: asked.hash, cause: error.ofOneOrder, tries: tries, since: since,
            nextTry: now.adding(pause), toldAt: toldAt)
        row = asked.row
    }

    /// For the desk: what the list shows of the order. Sent on as it is it comes back, since it has no lines; a person
    /// may complete it.
    func letter(_ venue: VenueSettings, _ company: CompanySettings, _ now: Instant) -> OutgoingMessage {
        let hash = order.rowHash.description
        var envelope = Envelope(
            firstSeen: now,
            subject: Envelope.Subject(
                organisation: company.organisation, company: company.key, venue: venue.name,
                kind: SourceKind.order.rawValue, id: order.id.text, hash: hash))
        envelope.attempt = order.tries
        envelope.failure = Envelope.Failure(
            .parse, cause: "Kounta lists order \(order.id) of \(venue.name) and does not show it: \(order.cause).",
            remedy: "Open the order in Kounta and save it again: once it has changed it is read at once. If Kounta "
                + "does not show it there either, ask its support with that answer. It is asked for once an hour while "
                + "it is among the last days that are read again (`polling.rescan_window`); after that, complete the "
                + "letter's record, or enter the sale in Xero and discard the letter.")
        let bare = #"{"id":"\(order.id)","site_id":"\(venue.site)"}"#
        return OutgoingMessage(
            queue: .dead, envelope: envelope, body: row ?? Array(bare.utf8),
            messageID: "\(company.key)/order/\(order.id)/unread/\(hash.prefix(16))")
    }
}

extension UnreadOrder {
    /// Whether its next try is still to come, its row being as it was.
    func rests(_ asked: AskedOrder, at now: Instant) -> Bool { rowHash == asked.hash && nextTry > now }
}

extension KountaError {
    /// What Kounta answered, where it shows other orders.
    fileprivate var ofOneOrder: String {
        switch self {
        case .refusedCredential(let status): "it answers \(status) to this order alone"
        case .unreachable(let detail): "\(detail)"
        case .answered(let status, _): "it answers \(status)"
        case .noToken, .rateLimited, .notFound, .unexpectedShape: "\(self)"
        }
    }
}

/// An order that Kounta does not show keeps the cursor where it is: everything else was read.
struct WaitingOrder: Error, CustomStringConvertible {
    private let order: UnreadOrder
    /// It was asked for just now.
    let isNews: Bool

    init(_ order: UnreadOrder, isNews: Bool) {
        self.order = order
        self.isNews = isNews
    }

    var description: String {
        "Kounta lists order \(order.id) and does not show it: \(order.cause). It is tried again until an hour has "
            + "passed since \(order.since), and is then laid on the desk"
    }
}
