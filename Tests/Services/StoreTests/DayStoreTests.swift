import Domain
import Mapping
import Money
import Postgres
import Settings
import Store
import Testing
import Xero

private let venue = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
private let friday = CalendarDate(year: 2026, month: 11, day: 20)
private let key = DayKey(company: venue.company, site: venue.site, day: friday)
private let noon = Instant(secondsSince1970: 1_795_000_000)
private let later = Instant(secondsSince1970: 4_000_000_000)

private func entry(_ order: String, _ cents: Int64, on day: CalendarDate = friday) -> DayEntry {
    let group = DayEntry.Group(account: "230", taxType: "OUTPUT", tracking: [])
    return DayEntry(
        source: .order(OrderID(order), .sale), day: day, isRefund: false,
        parts: [DayEntry.Part(group: group, amount: Money(cents: cents))],
        payments: [LedgerPayment(account: "231", amount: Money(cents: cents), date: day, reference: "Cash")])
}

/// - Parameter seen: seconds after noon at which this version was first seen.
private func order(
    _ id: String, _ cents: Int64?, on day: CalendarDate = friday, seen: Int64 = 0, leaves: Bool = false,
    givesBack: String? = nil
) -> DayOrder {
    var made = DayOrder(
        source: SourceKey(company: venue.company, kind: .order, id: id),
        hash: hash("\(id) \(cents ?? -1) \(seen) \(day)"), body: Array("order \(id)".utf8),
        firstSeen: noon.adding(seconds: seen), organisation: OrganisationKey("harbour"),
        venue: "Harbour Bistro", site: venue.site, plan: PostingPlan(initial: .dailySummary),
        number: DocumentNumber("HBR-\(id)"), entries: cents.map { [entry(id, $0, on: day)] } ?? [], leaves: leaves)
    guard let givesBack else { return made }
    made.givesBack = DayOrder.Sale(id: OrderID(givesBack), number: DocumentNumber("HBR-\(givesBack)"))
    for index in made.entries.indices { made.entries[index].isRefund = true }
    return made
}

/// One document of all that differs: enough to see what was closed.
@Sendable private func decide(_ contents: DayContents) -> DayDecision {
    let now = contents.now.reduce(Money.zero) { $0 + $1.total }
    let change = now - contents.booked.reduce(Money.zero) { $0 + $1.total }
    var document = record("D\(contents.turn)", cents: abs(change.cents)).document!
    document.number = DocumentNumber("HBR-D-\(contents.turn)")
    document.payments = []
    return DayDecision(
        documents: change.isZero ? [] : [document],
        listing: NewAttachment(name: "orders.csv", mediaType: "text/csv", body: [1, 2, 3]),
        orders: contents.now.count, total: now)
}

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DayStoreTests {
    private func day(_ pool: PostgresPool) async throws -> PostgresRow {
        try await pool.withSession { session in
            try session.query("SELECT *, changed_at IS NOT NULL AS changed FROM venue_day WHERE day = '2026-11-20'")[0]
        }
    }

    private func close(_ store: PostgresStore) async throws -> ClosedDay? {
        try await store.beginClosing([key], at: noon)
        return try await store.close(key, at: noon, mappingVersion: 1, withOrders: true, decide)
    }

    @Test("an order is inside of a summary or has a document of its own, never both, however many try at once")
    func once() async throws {
        try await Database.with("once_claim") { pool, store in
            let ids = (1...40).map(String.init)
            await withTaskGroup(of: Void.self) { group in
                for (turn, id) in ids.enumerated() {
                    let own = { @Sendable () async throws -> Void in _ = try await store.accept([record(id)]) }
                    let summed = { @Sendable () async throws -> Void in
                        _ = try await store.takeIn([order(id, 1000)], at: noon)
                    }
                    for work in turn % 2 == 0 ? [own, summed] : [summed, own] {
                        group.addTask { await Self.unlessRefused(work) }
                    }
                }
            }
            let rows = try await pool.withSession { session in
                try session.query(
                    """
                    SELECT (SELECT count(*) FROM document) AS own,
                           (SELECT count(*) FROM posting_claim WHERE route = 'summary') AS claims,
                           (SELECT count(*) FROM day_entry) AS entries,
                           (SELECT count(*) FROM document AS d JOIN day_entry AS e USING (company, source_id)) AS twice
                    """)
            }
            #expect(try rows[0].int("twice") == 0)
            #expect(try rows[0].int("claims") == rows[0].int("entries"))
            #expect(try rows[0].int("own") + rows[0].int("claims") == 40)
        }
    }

    /// The loser is refused by the database; which of them it is, nobody knows. Eighty share six connections: who gets
    /// none in time on a busy machine has not lost, and tries again.
    private static func unlessRefused(_ work: () async throws -> Void) async {
        while true {
            do {
                try await work()
                return
            } catch let error as PostgresError {
                if error.code == .poolExhausted { continue }
                #expect(error.code == .checkViolation, "\(error)")
                return
            } catch {
                Issue.record(error)
                return
            }
        }
    }

    @Test("what is posted by itself stays so; what is in a summary gets no document, until it leaves it")
    func routes() async throws {
        try await Database.with("routes") { pool, store in
            var own = record("1")
            own.firstSeen = noon
            _ = try await store.accept([own])
            let outcomes = try await store.takeIn([order("1", 1000), order("2", 500)], at: noon)
            #expect(Set(outcomes.map { "\($0.key.id) \($0.value)" }) == ["1 postedByItself", "2 taken"])
            await #expect(throws: PostgresError.self) { try await store.accept([record("2"), record("3")]) }
            let second = order("2", 500).source
            #expect(try await store.ordersInSummaries(among: [order("1", 1).source, second]) == [second])

            _ = try await store.takeIn([order("2", nil, seen: 5, leaves: true)], at: noon)
            #expect(try await store.ordersInSummaries(among: [second]).isEmpty)
            own = record("2")
            own.firstSeen = noon.adding(seconds: 6)
            #expect(try await store.accept([own]).count == 1)
            // And it never comes back.
            #expect(try await store.takeIn([order("2", 500, seen: 9)], at: noon).values.first == .postedByItself)
            let left = try await pool.withSession { try $0.query("SELECT source FROM day_entry") }
            #expect(left.isEmpty)
        }
    }

    @Test("four mappers that close one day at once make one document of it")
    func closedOnce() async throws {
        try await Database.with("closed_once") { pool, store in
            _ = try await store.takeIn((1...9).map { order("\($0)", 1000) }, at: noon)
            try await store.beginClosing([key], at: noon)
            let closed = try await withThrowingTaskGroup(of: ClosedDay?.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        try await store.close(key, at: noon, mappingVersion: 1, withOrders: false, decide)
                    }
                }
                return try await group.reduce(into: [ClosedDay]()) { if let day = $1 { $0.append(day) } }
            }
            #expect(closed.map(\.total.cents) == [9000])
            #expect(closed.first?.documents.count == 1)
            let row = try await day(pool)
            #expect(try row.text("state") == "closed" && row.int("orders") == 9 && row.numeric("total") == "90.00")
            let made = try await pool.withSession { session in
                try session.query("SELECT source_kind || ' ' || source_id AS source FROM document")
            }
            #expect(try made.map { try $0.text("source") } == ["day 923/2026-11-20"])
            #expect(try await store.waitingDayDocuments(of: OrganisationKey("harbour")) == closed[0].documents)
        }
    }

    @Test("after the close, late, changed and deleted orders mark the day and are adjusted; what is as before is not")
    func adjusted() async throws {
        try await Database.with("adjusted_day") { pool, store in
            _ = try await store.takeIn([order("1", 1000), order("2", 500)], at: noon)
            #expect(try await close(store)?.turn == 0)
            _ = try await store.takeIn([order("1", 1000)], at: noon)
            #expect(try await !day(pool).bool("changed"))
            _ = try await store.takeIn([order("1", 1200, seen: 1)], at: noon)
            #expect(try await day(pool).bool("changed"))
            _ = try await store.takeIn([order("1", 1000, seen: 2)], at: noon)
            #expect(try await !day(pool).bool("changed"))
            _ = try await store.takeIn([order("3", 700, seen: 3), order("2", nil, seen: 3)], at: noon)
            let waiting = try await store.unfinishedDays(of: venue, through: friday)
            #expect(waiting.map(\.changedAt) == [noon] && waiting.map(\.state) == [.closed])
            let adjusted = try #require(try await close(store))
            #expect(adjusted.turn == 1 && adjusted.total.cents == 1700 && adjusted.orders == 2)
            #expect(try await close(store) == nil)
            #expect(try await store.unfinishedDays(of: venue, through: friday).isEmpty)
            // An order that comes back as it was before it went.
            _ = try await store.takeIn([order("2", 500, seen: 4)], at: noon)
            // While an adjustment may still be refused there is no next one; the day stays marked.
            #expect(try await close(store) == nil)
            #expect(try await day(pool).bool("changed"))
            for end in ["'sent'", "'written', xero_id = id, closed_at = now()"] {
                _ = try await pool.withSession { try $0.execute("UPDATE document SET state = \(end)") }
            }
            #expect(try await close(store)?.turn == 2)
        }
    }

    private typealias Outcomes = [DayOrder.Outcome?]

    /// What becomes of orders that come in one batch.
    private func outcomes(_ store: PostgresStore, _ orders: DayOrder...) async throws -> Outcomes {
        let outcomes = try await store.takeIn(orders, at: noon)
        return orders.map { outcomes[$0.source] }
    }

    @Test("a refund inside of a summary gives back no more than is left of its sale, whatever came before it")
    func refunds() async throws {
        try await Database.with("day_refunds") { pool, store in
            let saturday = friday.adding(days: 1)
            func beyond(_ sold: Int64, _ left: Int64) -> DayOrder.Outcome {
                .beyondSale(sold: Money(cents: sold), left: Money(cents: left))
            }
            // In one batch with its sale.
            #expect(try await outcomes(store, order("1", 1000), order("2", 1001, givesBack: "1"))
                == [.taken, beyond(1000, 1000)] as Outcomes)
            // A part, then what is left and a cent, then just what is left; the day after, by another batch.
            #expect(try await outcomes(store, order("3", 600, on: saturday, givesBack: "1")) == [.taken] as Outcomes)
            #expect(try await outcomes(store, order("4", 401, on: saturday, givesBack: "1"))
                == [beyond(1000, 400)] as Outcomes)
            #expect(try await outcomes(store, order("4", 400, on: saturday, seen: 1, givesBack: "1"))
                == [.taken] as Outcomes)
            // The same version again, and a smaller one, count themselves once.
            #expect(try await outcomes(store, order("4", 400, on: saturday, seen: 1, givesBack: "1"))
                == [.taken] as Outcomes)
            #expect(try await outcomes(store, order("3", 601, on: saturday, seen: 2, givesBack: "1"))
                == [beyond(1000, 600)] as Outcomes)
            #expect(try await outcomes(store, order("3", 599, on: saturday, seen: 3, givesBack: "1"))
                == [.taken] as Outcomes)
            // Two at once in a batch: the second finds what the first left.
            #expect(try await outcomes(
                store, order("5", 500), order("6", 500, givesBack: "5"), order("7", 1, givesBack: "5"))
                == [.taken, .taken, beyond(500, 0)] as Outcomes)
            // Nobody knows the sale: it is not judged.
            #expect(try await outcomes(store, order("8", 900, givesBack: "unknown")) == [.taken] as Outcomes)
            // A sale with an invoice of its own.
            var own = record("9")
            own.firstSeen = noon
            let line = LedgerLine(
                description: "Pie", amount: Money(cents: 1000), account: "230", taxType: "OUTPUT", tracking: [])
            own.document?.body = InvoiceBody.element(
                LedgerDocument(
                    number: DocumentNumber("HBR-9"), reference: "T1", date: friday, dueDate: friday, currency: "AUD",
                    contactNumber: "WALKIN-HBR", lines: [line], payments: []))
            _ = try await store.accept([own])
            let total = Money(cents: 1000)
            #expect(try await outcomes(store, order("10", total.cents + 1, givesBack: "9"))
                == [.beyondSale(sold: total, left: total)] as Outcomes)
            // What was not taken is nowhere, and what stood before it stands.
            let rows = try await pool.withSession { session in
                try session.query("SELECT source_id FROM day_entry WHERE now IS NOT NULL ORDER BY source_id::int")
            }
            #expect(try rows.map { try $0.text("source_id") } == ["1", "3", "4", "5", "6", "8"])
        }
    }

    @Test("an older version that arrives late changes nothing; an order that moves to another day leaves the first")
    func versions() async throws {
        try await Database.with("day_versions") { pool, store in
            let saturday = friday.adding(days: 1)
            _ = try await store.takeIn([order("1", 1000, seen: 5)], at: noon)
            #expect(try await store.takeIn([order("1", 900, seen: 4)], at: noon).values.first == .stale)
            _ = try await close(store)
            _ = try await store.takeIn([order("1", 1000, on: saturday, seen: 6)], at: noon)
            #expect(try await day(pool).bool("changed"))
            let rows = try await pool.withSession { session in
                try session.query(
                    "SELECT day, now IS NOT NULL AS there, booked IS NOT NULL AS booked FROM day_entry ORDER BY day")
            }
            #expect(try rows.map { try $0.date("day") } == ["2026-11-20", "2026-11-21"])
            #expect(try rows.map { try $0.bool("there") } == [false, true])
            #expect(try rows.map { try $0.bool("booked") } == [true, false])
            // The till shows the old version once more, and its message comes again.
            var again = order("1", 900, seen: 4)
            #expect(try await store.takeIn([again], at: noon).values.first == .stale)
            again.firstSeen = noon.adding(seconds: 7)
            #expect(try await store.takeIn([again], at: noon).values.first == .taken)
            #expect(try await store.takeIn([again], at: noon).values.first == .taken)
        }
    }

    @Test("a day without sales is recorded as such, once it is over; one with sales is left open")
    func quiet() async throws {
        try await Database.with("quiet") { pool, store in
            let days = (0..<5).map { friday.adding(days: -$0) }
            try await store.meet(days, of: venue, in: OrganisationKey("harbour"), named: "Harbour Bistro")
            try await store.meet(days, of: venue, in: OrganisationKey("harbour"), named: "Harbour Bistro")
            _ = try await store.takeIn([order("1", 1000, on: friday.adding(days: -2))], at: noon)
            let before = friday.adding(days: -1)
            // Met just now: their orders may be on their way.
            #expect(try await store.closeQuietDays(of: venue, through: before, metBy: noon, at: noon) == 0)
            #expect(try await store.closeQuietDays(of: venue, through: before, metBy: later, at: noon) == 3)
            let rows = try await pool.withSession { session in
                try session.query("SELECT state, orders FROM venue_day ORDER BY day")
            }
            #expect(try rows.map { try $0.text("state") } == ["posted", "posted", "open", "posted", "open"])
            // A sale that turns up after all is an adjustment of that day.
            _ = try await store.takeIn([order("2", 300, on: friday.adding(days: -1))], at: noon)
            let open = try await store.unfinishedDays(of: venue, through: friday)
            #expect(open.filter { $0.changedAt != nil }.map(\.key.day) == [friday.adding(days: -1)])
        }
    }

    @Test("a day is posted when all of its documents stand in the ledger; its listing goes after them, once")
    func posted() async throws {
        try await Database.with("day_posted") { pool, store in
            let harbour = OrganisationKey("harbour")
            _ = try await store.takeIn([order("1", 1000)], at: noon)
            let id = try #require(try await close(store)?.documents.first)
            #expect(try await store.notePosted(of: venue, at: noon) == 0)
            #expect(try await store.takeAttachments(of: harbour, limit: 5, lease: .seconds(60)).isEmpty)
            let claim = try #require(try await store.claim([id], lease: .seconds(60)).first?.claim)
            let sent = try await store.recordSending(
                [claim], SendingAttempt(organisation: harbour, key: "k", bytes: [], lease: .seconds(60)))
            try await store.recordInvoices(
                [InvoiceResult(claim: sent[0], state: .written, xeroID: "x-1")], of: nil, payments: [])
            #expect(try await store.notePosted(of: venue, at: noon) == 1)
            #expect(try await day(pool).text("state") == "posted")

            let file = try #require(try await store.takeAttachments(of: harbour, limit: 5, lease: .seconds(60)).first)
            #expect(file.xeroID == "x-1" && file.name == "orders.csv" && file.body == [1, 2, 3] && !file.mayBeThere)
            // Another writer sees nothing of it while the lease lasts; afterwards it looks before it sends.
            #expect(try await store.takeAttachments(of: harbour, limit: 5, lease: .seconds(60)).isEmpty)
            try await store.recordAttachment(file, .sending)
            _ = try await pool.withSession { session in
                try session.execute("UPDATE attachment SET lease_until = now() - interval '1 s'")
            }
            let again = try await store.takeAttachments(of: harbour, limit: 5, lease: .zero)
            #expect(again.map(\.mayBeThere) == [true])
            try await store.recordAttachment(file, .written(id: "a-1"))
            #expect(try await store.takeAttachments(of: harbour, limit: 5, lease: .zero).isEmpty)
        }
    }

    @Test("another mode takes effect on the day after it is first seen, whatever the file says of days that have begun")
    func modes() async throws {
        try await Database.with("modes") { _, store in
            let today = friday
            let single = PostingPlan(initial: .perOrder)
            #expect(try await store.agreed(single, of: venue, today: today).mode(on: today) == .perOrder)
            let summed = try await store.agreed(PostingPlan(initial: .dailySummary), of: venue, today: today)
            #expect(summed.mode(on: today) == .perOrder)
            #expect(summed.mode(on: today.adding(days: 1)) == .dailySummary)
            // Nobody has begun that day yet: it may still be taken back.
            let back = try await store.agreed(single, of: venue, today: today)
            #expect(back.mode(on: today.adding(days: 1)) == .perOrder && !back.knowsSummaries)
            // Two days later the past is what it was.
            _ = try await store.agreed(PostingPlan(initial: .dailySummary), of: venue, today: today)
            let later = try await store.agreed(single, of: venue, today: today.adding(days: 2))
            let modes = (0...3).map { later.mode(on: today.adding(days: $0)) }
            #expect(modes == [.perOrder, .dailySummary, .dailySummary, .perOrder])
            let announced = PostingPlan(
                initial: .perOrder, periods: [.init(from: today.adding(days: 9), mode: .dailySummary)])
            let plan = try await store.agreed(announced, of: venue, today: today.adding(days: 2))
            #expect(plan.mode(on: today.adding(days: 8)) == .perOrder)
            #expect(plan.mode(on: today.adding(days: 9)) == .dailySummary)
        }
    }

    @Test("the takings of all tills of a day make its variance; counted again, the day is marked as changed")
    func takings() async throws {
        try await Database.with("takings") { pool, store in
            @Sendable func count(_ id: String, _ body: String) async throws {
                try await store.takeIn(
                    DayTakings(
                        key: key, id: id, hash: hash(id + body), body: Array(body.utf8), countedAt: noon,
                        firstSeen: noon, organisation: OrganisationKey("harbour"), venue: "Harbour Bistro",
                        mode: .dailySummary), at: noon
                ) { _, bodies in
                    let cents = bodies.compactMap { Int64(String(decoding: $0, as: UTF8.self)) }.reduce(0, +)
                    var variance = entry("1", cents)
                    variance.source = .variance(method: "Cash")
                    return cents == 0 ? [] : [variance]
                }
            }
            try await count("t1", "150")
            try await count("t2", "-50")
            let open = try await store.unfinishedDays(of: venue, through: friday)
            #expect(open.map(\.countedAt) == [noon] && open.map(\.hasSales) == [true])
            #expect(try await close(store)?.total.cents == 100)
            try await count("t2", "-50")
            #expect(try await !day(pool).bool("changed"))
            try await count("t2", "-150")
            #expect(try await day(pool).bool("changed"))
            #expect(try await close(store)?.total == .zero)
        }
    }

    @Test("why a record is nowhere in the books is kept, with the rule and the mapping that said so")
    func skips() async throws {
        try await Database.with("skips") { pool, store in
            let source = order("1", 1).source
            for reason in ["staff meal", "staff meal"] {
                try await store.keepSkips([
                    SkippedRecord(source: source, hash: hash("a"), rule: "staff", reason: reason, mappingVersion: 3)
                ])
            }
            let rows = try await pool.withSession { session in
                try session.query("SELECT rule, reason, mapping_version FROM skipped_record")
            }
            #expect(try rows.map { try $0.text("reason") } == ["staff meal"])
            #expect(try rows.map { try $0.int("mapping_version") } == [3])
        }
    }
}
