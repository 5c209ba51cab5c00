import AMQP
import Domain
import Foundation
import Logging
import Mapping
import Messaging
import Postgres
import Settings
import Store
import Telemetry
import Testing
import Threads

@testable import DeadLetters

private let databaseURL = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]

/// Letters that a database will not take as they are, between others: what one message says may hold up no other.
@Suite("A letter that the database refuses", .timeLimit(.minutes(2))) struct HostileLetterTests {
    /// Hands out one batch, then none; notes what is acknowledged.
    private actor OneBatch: Inbox {
        private var batches: [[IncomingMessage]]
        private(set) var acknowledged: [[UInt8]] = []

        init(_ batch: [IncomingMessage]) { batches = [batch] }

        func nextBatch(max: Int, linger: @Sendable () -> Duration) async throws -> [IncomingMessage] {
            batches.isEmpty ? [] : batches.removeFirst()
        }

        func acknowledge(_ messages: [IncomingMessage]) async { acknowledged += messages.map(\.body) }
        func stop() async {}
    }

    /// Refuses as the rule says, and is away as often as asked for before that.
    private actor Picky: DeadLetterStore {
        private let refuses: @Sendable (DeadLetter) -> Bool
        private var away: Int
        private(set) var kept: [DeadLetter] = []

        init(away: Int = 0, refuses: @escaping @Sendable (DeadLetter) -> Bool) {
            self.refuses = refuses
            self.away = away
        }

        func keep(_ letters: [DeadLetter]) async throws -> (new: Int, returned: Int) {
            if away > 0 {
                away -= 1
                throw PostgresError(.connectionLost, operation: "INSERT", detail: "gone")
            }
            if letters.contains(where: refuses) {
                throw PostgresError(.invalidText, operation: "INSERT", detail: "parameter $21 is no date")
            }
            kept += letters
            return (letters.count, 0)
        }
    }

    private func run(
        _ inbox: OneBatch, _ store: any DeadLetterStore, _ books: [VenueKey: VenueBooks] = [:]
    ) async throws {
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 1_795_000_000) }, sleep: { _ in }, randomInteger: { $0.lowerBound })
        try await DeadLetterService(
            inbox: inbox, store: store, books: DeskBooks(books), clock: clock, metrics: Metrics(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        ).run()
    }

    private func parked(_ id: String, _ body: String, seen: Int64 = 1_790_000_000_000_000) -> IncomingMessage {
        var envelope = Envelope(
            firstSeen: Instant(microseconds: seen),
            subject: .init(company: CompanyKey("harbour"), kind: "order", id: id))
        envelope.origin = "t.map"
        envelope.failure = .init(.mapping, cause: "Order \(id) is of no site.", remedy: "Add it.")
        return IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: "t.dead")
    }

    @Test("is kept without day, amount and number, the others whole; all are acknowledged", arguments: [0, 2])
    func culprit(away: Int) async throws {
        let batch = ["1", "2", "3"].map {
            parked($0, #"{"id":\#($0),"total":12.30,"created_at":"2026-11-20T10:00:00Z"}"#)
        }
        let inbox = OneBatch(batch)
        let store = Picky(away: away) { $0.sourceID == "2" && $0.businessDate != nil }
        try await run(inbox, store)
        let kept = await store.kept
        #expect(kept.map(\.sourceID) == ["1", "2", "3"])
        #expect(kept.map { $0.businessDate?.description } == ["2026-11-20", nil, "2026-11-20"])
        #expect(kept.map(\.amount) == ["12.30", nil, "12.30"])
        #expect(kept[1].firstSeen == Instant(secondsSince1970: 1_795_000_000) && kept[1].body == batch[1].body)
        #expect(await inbox.acknowledged == batch.map(\.body))
    }

    @Test("in any form stays with the broker, and the others are kept")
    func never() async throws {
        let inbox = OneBatch(["1", "2", "3"].map { parked($0, "{\"id\":\($0)}") })
        let store = Picky { $0.body == Array("{\"id\":2}".utf8) }
        try await run(inbox, store)
        #expect(await store.kept.map(\.sourceID) == ["1", "3"])
        #expect(await inbox.acknowledged == [Array("{\"id\":1}".utf8), Array("{\"id\":3}".utf8)])
    }

    private func with(_ work: (PostgresPool, PostgresStore) async throws -> Void) async throws {
        let base = try #require(databaseURL)
        let schema = "hostile_\(getpid())"
        let pool = PostgresPool(
            address: try PostgresAddress(
                url: "\(base)\(base.contains("?") ? "&" : "?")options=-csearch_path%3D\(schema)"),
            size: 4, name: "hostile-tests")
        let result: Result<Void, any Error>
        do {
            _ = try await Migrator(pool: pool, schema: schema).migrate()
            result = .success(try await work(pool, PostgresStore(pool: pool, holder: "tests")))
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        try result.get()
    }

    @Test(
        "by a year or moment out of any range, or a name of thousands of letters: two handlers keep it and the rest",
        .enabled(if: databaseURL != nil, "TILLBRIDGE_TEST_DATABASE_URL is not set: use `make test`"))
    func replicas() async throws {
        let site = VenueKey(company: CompanyKey("harbour"), site: SiteID("1"))
        var books = VenueBooks(
            company: site.company, organisation: OrganisationKey("harbour"), site: site.site, name: "Bistro",
            numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
            accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"), taxTypes: [:],
            clearingAccounts: [:], fallbackClearingAccount: nil)
        books.posting = PostingPlan(initial: .perOrder)
        let mapped = [site: books]
        func dated(_ day: String, site: Int = 1) -> String {
            #"{"site_id":\#(site),"total":12.30,"created_at":"\#(day)"}"#
        }
        // Random, since an index packs what repeats.
        let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&()*+,-./:;<=>?@[]^_{|}")
        let long = String((0..<3500).map { _ in letters.randomElement() ?? "x" })
        let good = (1...4).map { parked("\($0)", dated("2026-11-20T10:00:00Z")) }
        let hostile = [
            parked("11", dated("0000-01-01T00:00:00Z")), parked("12", dated("0000-01-01T00:00:00Z", site: 9)),
            parked("13", dated("0001-01-01T00:00:00+11:00")), parked("14", dated("9999-12-31T23:30:00-11:00")),
            parked("15", "{}", seen: .min), parked("16", "{}", seen: .max), parked(long, "{\"x\":1}"),
        ]
        let batch = [good[0]] + hostile + good.dropFirst()
        try await with { pool, store in
            let inboxes = [OneBatch(batch), OneBatch(batch.reversed())]
            try await withThrowingTaskGroup(of: Void.self) { group in
                for inbox in inboxes { group.addTask { try await run(inbox, store, mapped) } }
                try await group.waitForAll()
            }
            for inbox in inboxes { #expect(await inbox.acknowledged.count == batch.count) }
            let kept = try await store.letters(LetterFilter(), after: 0, limit: 100, withBodies: true)
            #expect(kept.count == batch.count)
            for letter in kept where ["1", "2", "3", "4"].contains(letter.sourceID ?? "") {
                #expect(letter.businessDate == "2026-11-20" && letter.amount == "12.30" && letter.number != nil)
            }
            let cut = try #require(kept.first { $0.sourceID?.count == 200 })
            #expect(cut.body == Array("{\"x\":1}".utf8))
            let arrival = try #require(try await store.arrivals(of: cut.id, after: nil, limit: 1).first)
            #expect(arrival.headers.contains(long), "the headers say the rest")
        }
    }
}
