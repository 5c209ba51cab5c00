import Domain
import Mapping
import Money
import Postgres

/// Refused payments of a day's document that stands: the money is the same, where it was paid to is the mapping's.
extension PostgresStore {
    /// What refused payments are told from others by.
    fileprivate struct Tender: Hashable {
        let account: String
        let method: String
        /// Empty where there is one payment by the method: a locked period may have dated it later.
        let day: String
    }

    /// Which payments of a turn's entries are a document's.
    fileprivate struct PaidPart {
        /// Where the turn has a document for each: of refunds alone, or of sales alone.
        let ofRefunds: Bool?
        let hasDays: Bool

        func tender(_ payment: LedgerPayment) -> Tender {
            Tender(
                account: payment.account, method: payment.method, day: hasDays ? payment.day.description : "")
        }

        func holds(_ entry: DayEntry) -> Bool { ofRefunds.map { $0 == entry.isRefund } ?? true }
    }

    /// Refused payments of a turn's document go to the account that the mapping in effect names for what they are made
    /// of, where it is one account; and what the day remembers as booked with them. A payment in which an earlier one
    /// is taken back stays: that money is where it was paid.
    ///
    /// - Parameter ofRefunds: where the turn has a document of refunds and one of sales, which of them it is.
    static func moveRefusedPayments(
        of document: DocumentID, turn: Int, ofRefunds: Bool?, _ key: DayKey, _ making: DayMaking,
        _ place: [PostgresValue], _ session: PostgresSession
    ) throws {
        let rows = try session.query(
            """
            SELECT ordinal, account, reference, paid_on::text AS paid_on, state = 'refused' AS is_refused,
                   count(*) OVER (PARTITION BY account, reference) > 1 AS has_days
              FROM payment WHERE document_id = $1 AND allocates IS NULL ORDER BY ordinal
            """, [.int(document.value)])
        let part = PaidPart(ofRefunds: ofRefunds, hasDays: try rows.contains { try $0.bool("has_days") })
        var ordinals: [Tender: Int64] = [:]
        for row in rows where try row.bool("is_refused") {
            let tender = Tender(
                account: try row.text("account"), method: try row.text("reference"),
                day: part.hasDays ? try row.text("paid_on") : "")
            ordinals[tender] = try row.int("ordinal")
        }
        for entry in try before(turn, place, session) {
            for payment in entry.payments { ordinals[part.tender(payment)] = nil }
        }
        if ordinals.isEmpty { return }
        var accounts: [Tender: Set<String>] = [:]
        try eachSource(of: key, .booked(turn: turn), place, session) { page in
            for outdated in page {
                guard case .entries(let made) = making.again(outdated) else { continue }
                for (old, new) in pairs(outdated.entries.filter(part.holds), made) {
                    let tender = part.tender(old)
                    if ordinals[tender] != nil { accounts[tender, default: []].insert(new.account) }
                }
            }
        }
        let moves = accounts.compactMapValues { $0.count == 1 ? $0.first : nil }
            .filter { $0.key.account != $0.value }
        if moves.isEmpty { return }
        try rebook(key, turn, part, moves, place, session)
        let moved = moves.compactMap { tender, account in ordinals[tender].map { (ordinal: $0, account: account) } }
        _ = try session.execute(
            """
            UPDATE payment AS p SET account = u.account FROM unnest($2::bigint[], $3::text[]) AS u (ordinal, account)
             WHERE p.document_id = $1 AND p.ordinal = u.ordinal AND p.state = 'refused'
            """, [.int(document.value), .ints(moved.map(\.ordinal)), .texts(moved.map(\.account))])
    }

    /// What the turn takes back.
    private static func before(
        _ turn: Int, _ place: [PostgresValue], _ session: PostgresSession
    ) throws -> [DayEntry] {
        try session.query(
            """
            SELECT entry FROM day_entry_before
             WHERE company = $1 AND site = $2 AND day = $3 AND turn = $4 AND entry IS NOT NULL
            """, place + [.int(Int64(turn))]
        ).map { try DayEntry(stored: $0.bytes("entry")) }
    }

    /// The payments of entries made again, beside what they were.
    private static func pairs(
        _ old: [DayEntry], _ new: [DayEntry]
    ) -> [(old: LedgerPayment, new: LedgerPayment)] {
        let made = Dictionary(new.map { ($0.source, $0.payments) }) { $1 }
        return old.flatMap { entry -> [(old: LedgerPayment, new: LedgerPayment)] in
            let payments = made[entry.source] ?? []
            guard payments.count == entry.payments.count else { return [] }
            return zip(entry.payments, payments).filter { $0.method == $1.method && $0.amount == $1.amount }
        }
    }

    /// An adjustment takes back from where the money is.
    private static func rebook(
        _ key: DayKey, _ turn: Int, _ part: PaidPart, _ moves: [Tender: String], _ place: [PostgresValue],
        _ session: PostgresSession
    ) throws {
        try eachSource(of: key, .booked(turn: turn), place, session) { page in
            var changed: [StoredEntry] = []
            for outdated in page {
                for entry in outdated.entries where part.holds(entry) {
                    var moved = entry
                    for index in moved.payments.indices {
                        let account = moves[part.tender(moved.payments[index])]
                        if let account { moved.payments[index].account = account }
                    }
                    if moved != entry { changed.append(StoredEntry(moved, key: key, outdated.sourceID)) }
                }
            }
            // What changed since it was booked keeps its change.
            _ = try session.execute(
                """
                UPDATE day_entry AS e
                   SET booked = u.entry, now = CASE WHEN e.now = e.booked THEN u.entry ELSE e.now END
                  FROM unnest($4::text[], $5::bytea[]) AS u (source, entry)
                 WHERE e.company = $1 AND e.site = $2 AND e.day = $3 AND e.source = u.source
                """, place + [.texts(changed.map(\.source)), .bytesArray(changed.map(\.body))])
        }
    }
}
