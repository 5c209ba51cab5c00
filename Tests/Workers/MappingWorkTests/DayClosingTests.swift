import Domain
import Foundation
import Logging
import Mapping
import MappingWork
import Messaging
import Money
import Settings
@testable import Store
import Synchronization
import Telemetry
import Testing

/// One venue's days as a test wants them, with a note of everything that is asked of them.
private actor ScriptedDays: DayClosingStore {
    var open: [UnfinishedDay] = []
    var readUntil: Instant?
    private(set) var begun: [CalendarDate] = []
    private(set) var closed: [CalendarDate] = []
    private(set) var met: [CalendarDate] = []
    private(set) var quietThrough: CalendarDate?
    private(set) var decisions: [DayDecision] = []
    var contents: [DayEntry] = []
    private var waiting: [DocumentID] = []
    private var takings: [[UInt8]] = []
    private var outdated: [OutdatedEntries] = []
    private(set) var tried: [String] = []

    func set(_ days: [UnfinishedDay], readUntil: Instant?) {
        (open, self.readUntil) = (days, readUntil)
    }
    func put(_ entries: [DayEntry]) { contents = entries }
    func count(_ bodies: [[UInt8]]) { takings = bodies }
    func leave(_ ids: [DocumentID]) { waiting = ids }
    func age(_ entries: [OutdatedEntries]) { outdated = entries }

    func unfinishedDays(of venue: VenueKey, through day: CalendarDate) -> [UnfinishedDay] {
        open.filter { $0.key.day <= day }
    }
    func meet(_ days: [CalendarDate], of venue: VenueKey, in organisation: OrganisationKey, named name: String) {
        met += days
    }
    func closeQuietDays(
        of venue: VenueKey, through day: CalendarDate, metBy known: Instant, at moment: Instant
    ) -> Int {
        quietThrough = day
        return 0
    }
    func beginClosing(_ days: [DayKey], at moment: Instant) { begun += days.map(\.day) }
    func close(_ key: DayKey, at moment: Instant, _ making: DayMaking) -> DayClose? {
        let stale = outdated.filter { $0.key == key && !tried.contains($0.sourceID) }
        if !stale.isEmpty { return .waits(for: stale) }
        closed.append(key.day)
        var day = DayContents(key: key, turn: 0, booked: [], now: contents, locks: .none, orders: [])
        day.takings = takings
        let decision = making.decide(day)
        decisions.append(decision)
        return .made(
            ClosedDay(
                warnings: decision.warnings, turn: 0,
                documents: decision.documents.indices.map { DocumentID(Int64($0 + 1)) }, orders: decision.orders,
                total: decision.total))
    }
    func noteTried(_ outdated: [OutdatedEntries], of key: DayKey, with version: Int64) {
        tried += outdated.map(\.sourceID)
    }
    func notePosted(of venue: VenueKey, at moment: Instant) -> Int { 0 }
    func waitingDayDocuments(of organisation: OrganisationKey) -> [DocumentID] { waiting }
    func readUntil(of venue: VenueKey) -> Instant? { readUntil }
}

private actor Post: Outbox, QueueDepth {
    private(set) var published: [OutgoingMessage] = []
    private var depth = 0

    func fill(_ count: Int) { depth = count }
    func publish(_ messages: [OutgoingMessage]) { published += messages }
    func waiting(in queue: QueueName) -> Int { depth }
}

/// The hands of a clock that a test sets.
private final class Hands: Sendable {
    private let moment = Mutex(Instant(secondsSince1970: 0))

    var now: Instant {
        get { moment.withLock { $0 } }
        set { moment.withLock { $0 = newValue } }
    }
}

@Suite("Closing days") struct DayClosingTests {
    private static let venue = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))

    private static func instant(_ text: String) -> Instant { Instant(iso8601: text)! }
    private static func day(_ text: String) -> CalendarDate { CalendarDate(text)! }

    private struct World {
        let days = ScriptedDays()
        let post = Post()
        let hands = Hands()
        let metrics = Metrics()
        let closing: DayClosing

        init(_ plan: PostingPlan = PostingPlan(initial: .dailySummary), from start: String = "2026-01-01T00:00:00Z") {
            let zone = FileManager.default.contents(atPath: "/usr/share/zoneinfo/Australia/Sydney")
            var books = VenueBooks(
                company: CompanyKey("harbour"), organisation: OrganisationKey("harbour"), site: SiteID("923"),
                name: "Harbour Bistro", numberPrefix: "HBR", currency: "AUD",
                timeZone: zone.flatMap { TimeZoneRules(zoneinfo: Array($0)) }!, contactNumber: "W", tracking: nil,
                accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"),
                taxTypes: [:], clearingAccounts: [:], fallbackClearingAccount: "232")
            books.posting = plan
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            closing = DayClosing(
                store: days, outbox: post, depth: post,
                mapping: MappingInEffect(
                    books: [venue: books], version: 1, recordBytesMax: 1000, basis: .rules),
                startFrom: [venue: instant(start)], delay: .seconds(120),
                clock: WorkClock(
                    now: { [hands] in hands.now }, sleep: { _ in try await Task.sleep(for: .milliseconds(5)) },
                    randomInteger: { $0.lowerBound }), metrics: metrics, logger: logger)
        }

        func look(at moment: String) async throws {
            hands.now = instant(moment)
            await days.set(await days.open, readUntil: hands.now)
            try await closing.look()
        }
    }

    private static func open(
        _ day: String, _ state: UnfinishedDay.State = .open, since: String? = nil, changed: String? = nil,
        counted: String? = nil, met: String? = nil
    ) -> UnfinishedDay {
        UnfinishedDay(
            key: DayKey(company: venue.company, site: venue.site, day: Self.day(day)), state: state,
            closingSince: since.map(instant), changedAt: changed.map(instant), hasSales: true,
            countedAt: counted.map(instant), metAt: instant(met ?? "\(day)T00:00:00Z"))
    }

    @Test(
        "a day ends at the cut-off on the venue's clock, also when the clocks change",
        arguments: [
            ("2026-04-04", "2026-04-04T17:59:59Z", "2026-04-04T18:00:00Z"),
            ("2026-10-03", "2026-10-03T16:59:59Z", "2026-10-03T17:00:00Z"),
            ("2026-07-01", "2026-07-01T17:59:59Z", "2026-07-01T18:00:00Z"),
        ])
    func cutOff(day: String, before: String, end: String) async throws {
        let world = World()
        await world.days.set([Self.open(day)], readUntil: nil)
        try await world.look(at: before)
        #expect(await world.days.begun.isEmpty)
        try await world.look(at: end)
        #expect(await world.days.begun == [Self.day(day)])
    }

    @Test("a day is not closed before the poller has read to its end")
    func unread() async throws {
        let world = World()
        await world.days.set([Self.open("2026-07-01")], readUntil: nil)
        world.hands.now = Self.instant("2026-07-02T00:00:00Z")
        try await world.closing.look()
        #expect(await world.days.begun.isEmpty)
        #expect(await world.days.quietThrough == nil)
        await world.days.set([Self.open("2026-07-01")], readUntil: Self.instant("2026-07-01T17:00:00Z"))
        try await world.closing.look()
        #expect(await world.days.begun.isEmpty)
        await world.days.set([Self.open("2026-07-01")], readUntil: Self.instant("2026-07-01T18:00:00Z"))
        try await world.closing.look()
        #expect(await world.days.begun.count == 1)
    }

    @Test("where takings close a day, the cut-off does not, but a count after which nothing was sold for a while")
    func takings() async throws {
        let world = World(PostingPlan(initial: .dailySummary, closing: .takings))
        await world.days.set([Self.open("2026-07-01")], readUntil: nil)
        try await world.look(at: "2026-07-02T05:00:00Z")
        #expect(await world.days.begun.isEmpty)
        await world.days.set([Self.open("2026-07-02", counted: "2026-07-02T13:30:00Z")], readUntil: nil)
        try await world.look(at: "2026-07-02T16:29:59Z")
        #expect(await world.days.begun.isEmpty)
        await world.post.fill(1)
        try await world.look(at: "2026-07-02T16:30:01Z")
        #expect(await world.days.begun.isEmpty)
        await world.post.fill(0)
        try await world.look(at: "2026-07-02T16:30:01Z")
        #expect(await world.days.begun == [Self.day("2026-07-02")])
    }

    @Test("a count ends a day no later than its cut-off, and at once where nothing is to be waited for")
    func quiet() async throws {
        let world = World(PostingPlan(initial: .dailySummary, closing: .takings))
        await world.days.set([Self.open("2026-07-02", counted: "2026-07-02T17:30:00Z")], readUntil: nil)
        try await world.look(at: "2026-07-02T17:59:59Z")
        #expect(await world.days.begun.isEmpty)
        try await world.look(at: "2026-07-02T18:00:00Z")
        #expect(await world.days.begun == [Self.day("2026-07-02")])
        let hasty = World(PostingPlan(initial: .dailySummary, closing: .takings, takingsQuiet: .zero))
        await hasty.days.set([Self.open("2026-07-02", counted: "2026-07-02T05:00:00Z")], readUntil: nil)
        try await hasty.look(at: "2026-07-02T05:00:00Z")
        #expect(await hasty.days.begun == [Self.day("2026-07-02")])
    }

    @Test("a closing day in which something was sold after its last count waits for another count")
    func soldMeanwhile() async throws {
        let world = World(PostingPlan(initial: .dailySummary, closing: .takings, takingsQuiet: .zero))
        await world.days.set([Self.open("2026-07-02", .closing, since: "2026-07-02T05:00:00Z")], readUntil: nil)
        try await world.look(at: "2026-07-02T06:00:00Z")
        #expect(await world.days.closed.isEmpty)
        let counted = Self.open(
            "2026-07-02", .closing, since: "2026-07-02T05:00:00Z", counted: "2026-07-02T06:01:00Z")
        await world.days.set([counted], readUntil: nil)
        try await world.look(at: "2026-07-02T06:01:00Z")
        #expect(await world.days.closed == [Self.day("2026-07-02")])
    }

    @Test("a day that nobody counts is closed after a while, counted from when it was met where it is an old one")
    func uncounted() async throws {
        let world = World(PostingPlan(initial: .dailySummary, closing: .takings, takingsWithin: .seconds(6 * 3600)))
        let days = [Self.open("2026-07-01"), Self.open("2026-06-01", met: "2026-07-01T23:00:00Z")]
        await world.days.set(days, readUntil: nil)
        try await world.look(at: "2026-07-01T23:59:59Z")
        #expect(await world.days.begun.isEmpty)
        // Six hours after 04:00 in Sydney.
        try await world.look(at: "2026-07-02T00:00:00Z")
        #expect(await world.days.begun == [Self.day("2026-07-01")])
        await world.days.set(Array(days.dropFirst()), readUntil: nil)
        try await world.look(at: "2026-07-02T04:59:59Z")
        #expect(await world.days.begun.count == 1)
        try await world.look(at: "2026-07-02T05:00:00Z")
        #expect(await world.days.begun.suffix(1) == [Self.day("2026-06-01")])
    }

    @Test("a closing day is closed after the delay, once nothing waits in the queue; a changed one likewise")
    func delay() async throws {
        let world = World()
        await world.days.set([
            Self.open("2026-07-01", .closing, since: "2026-07-01T18:00:00Z"),
            Self.open("2026-06-01", .posted, changed: "2026-07-01T18:01:00Z"),
        ], readUntil: nil)
        try await world.look(at: "2026-07-01T18:01:59Z")
        #expect(await world.days.closed.isEmpty)
        await world.post.fill(7)
        try await world.look(at: "2026-07-01T18:02:30Z")
        #expect(await world.days.closed.isEmpty)
        await world.post.fill(0)
        try await world.look(at: "2026-07-01T18:02:30Z")
        #expect(await world.days.closed == [Self.day("2026-07-01")])
        try await world.look(at: "2026-07-01T18:03:00Z")
        #expect(await world.days.closed.suffix(2) == [Self.day("2026-07-01"), Self.day("2026-06-01")])
    }

    @Test("a venue's days are closed in their order, also where an earlier day's orders came after a later one's")
    func order() async throws {
        let world = World()
        let later = Self.open("2026-07-02", .closing, since: "2026-07-02T18:00:00Z")
        // The first look sees the earlier day's orders only now; the second, that its delay is not over yet.
        for earlier in [Self.open("2026-07-01"), Self.open("2026-07-01", .closing, since: "2026-07-02T18:03:00Z")] {
            await world.days.set([earlier, later], readUntil: nil)
            try await world.look(at: "2026-07-02T18:04:00Z")
            #expect(await world.days.closed.isEmpty)
        }
        // One whose orders are not all counted is not on its way: nobody knows when it will be.
        let counting = World(PostingPlan(initial: .dailySummary, closing: .takings))
        var counted = later
        counted.countedAt = Self.instant("2026-07-02T12:00:00Z")
        await counting.days.set([Self.open("2026-07-01", met: "2026-07-02T18:00:00Z"), counted], readUntil: nil)
        try await counting.look(at: "2026-07-02T18:04:00Z")
        #expect(await counting.days.closed == [Self.day("2026-07-02")])
        await world.days.set([Self.open("2026-07-01", .closing, since: "2026-07-02T18:03:00Z"), later], readUntil: nil)
        try await world.look(at: "2026-07-02T18:05:00Z")
        #expect(await world.days.closed == [Self.day("2026-07-01"), Self.day("2026-07-02")])
    }

    @Test("every summary day from the first is written down; days posted order by order are not")
    func met() async throws {
        let plan = PostingPlan(
            initial: .perOrder, periods: [
                .init(from: Self.day("2026-06-28"), mode: .dailySummary),
                .init(from: Self.day("2026-06-30"), mode: .perOrder),
            ])
        let world = World(plan, from: "2026-06-20T00:00:00Z")
        try await world.look(at: "2026-07-02T00:00:00Z")
        try await world.look(at: "2026-07-02T00:00:10Z")
        #expect(await world.days.met == ["2026-06-28", "2026-06-29"].map(Self.day))
        #expect(await world.days.quietThrough == Self.day("2026-07-01"))
    }

    @Test("a closed day's invoice holds what was sold and what was paid, and its writers are told")
    func document() async throws {
        let world = World()
        let group = DayEntry.Group(account: "230", taxType: "OUTPUT", tracking: [])
        let day = Self.day("2026-07-01")
        await world.days.put((1...3).map { turn in
            DayEntry(
                source: .order(OrderID("\(turn)"), .sale), day: day, isRefund: false,
                parts: [DayEntry.Part(group: group, amount: Money(cents: 1100))],
                payments: [LedgerPayment(account: "231", amount: Money(cents: 1100), date: day, reference: "Cash")])
        })
        await world.days.set([Self.open("2026-07-01", .closing, since: "2026-07-01T18:00:00Z")], readUntil: nil)
        try await world.look(at: "2026-07-01T19:00:00Z")
        let decision = try #require(await world.days.decisions.first)
        let document = try #require(decision.documents.first)
        #expect(document.number.text == "HBR-D20260701" && document.total.cents == 3300)
        #expect(document.payments.map(\.amount.cents) == [3300])
        #expect(decision.orders == 3 && decision.total.cents == 3300)
        #expect(await world.post.published.map { String(decoding: $0.body, as: UTF8.self) } == [#"{"document":1}"#])
    }

    @Test("where the till recorded more than the day's orders come to, that is told, and hinders nothing")
    func disagreement() async throws {
        for (recorded, isTold) in [(11, false), (15, true)] {
            let world = World()
            let day = Self.day("2026-07-01")
            let group = DayEntry.Group(account: "230", taxType: "OUTPUT", tracking: [])
            await world.days.put([
                DayEntry(
                    source: .order(OrderID("1"), .sale), day: day, isRefund: false,
                    parts: [DayEntry.Part(group: group, amount: Money(cents: 1100))],
                    payments: [LedgerPayment(account: "231", amount: Money(cents: 1100), date: day, reference: "Cash")])
            ])
            let tender = #"{"recorded":\#(recorded),"counted":\#(recorded)}"#
            let takings = #"{"id":1,"site":{"id":923},"created_at":"2026-07-01T20:00:00+10:00","reconciliations":["#
                + #"{"payment_method":{"id":1,"name":"Cash"},"takings":\#(tender)}]}"#
            await world.days.count([Array(takings.utf8)])
            await world.days.set([Self.open("2026-07-01", .closing, since: "2026-07-01T18:00:00Z")], readUntil: nil)
            try await world.look(at: "2026-07-01T19:00:00Z")
            let decision = try #require(await world.days.decisions.first)
            #expect(decision.documents.first?.total.cents == 1100)
            #expect(decision.warnings
                == (isTold ? ["By Cash the till recorded 15.00, the day's orders come to 11.00."] : []))
            let metric = #"tillbridge_till_disagreements_total{organisation="harbour"} 1"#
            #expect(world.metrics.rendered().contains(metric) == isTold)
        }
    }

    @Test("an order of which the mapping makes something else goes through the mapper before its day is closed, once")
    func outdated() async throws {
        let world = World()
        let days = ["2026-07-01", "2026-07-02"].map { Self.open($0, .closing, since: "2026-07-02T18:00:00Z") }
        await world.days.set(days, readUntil: nil)
        let source = SourceKey(company: Self.venue.company, kind: .order, id: "7")
        let record = DayRecord(source: source, body: [1, 2], firstSeen: Instant(secondsSince1970: 5))
        await world.days.age([
            OutdatedEntries(key: days[0].key, sourceID: "7", records: [record], entries: [])
        ])
        try await world.look(at: "2026-07-02T19:00:00Z")
        // Nor is the day after it.
        #expect(await world.days.closed.isEmpty)
        let sent = await world.post.published
        #expect(sent.map(\.queue) == [.map] && sent.map(\.body) == [[1, 2]])
        #expect(sent.map(\.envelope.firstSeen) == [record.firstSeen])
        #expect(sent.map(\.envelope.subject) == [.init(company: source.company, kind: "order", id: "7")])
        await world.post.fill(1)
        try await world.look(at: "2026-07-02T19:00:10Z")
        #expect(await world.days.closed.isEmpty)
        await world.post.fill(0)
        try await world.look(at: "2026-07-02T19:00:20Z")
        #expect(await world.days.closed == days.map(\.key.day))
        #expect(await world.days.tried == ["7"])
    }

    @Test("a mapper that starts announces the documents of days that one before it may have closed without a word")
    func announced() async throws {
        let world = World()
        await world.days.leave([DocumentID(41)])
        let running = Task { try await world.closing.run() }
        for _ in 0..<2000 where await world.post.published.isEmpty { try await Task.sleep(for: .milliseconds(5)) }
        running.cancel()
        try await running.value
        #expect(await world.post.published.map { String(decoding: $0.body, as: UTF8.self) } == [#"{"document":41}"#])
    }
}
