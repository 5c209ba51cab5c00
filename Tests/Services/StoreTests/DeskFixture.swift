import Domain
import Postgres
import Store

extension DeadLetter {
    /// A parked order of Harbour's.
    init(
        _ id: String, cause: String = "The account is archived.", deadLetterClass: DeadLetterClass = .archived,
        document: Int64? = nil, mark: LetterMark? = nil, delivery: String = "first", seen: Int64 = 1_790_000_000
    ) {
        self.init(
            identity: hash("matter \(id)"), occurrence: hash("\(id) \(cause) \(delivery)"), queue: "t.dead",
            deadLetterClass: deadLetterClass, cause: cause, remedy: "Restore it, then replay.",
            fingerprint: CauseFingerprint.of(cause), attempts: 0, headers: Array("{\"tb-id\":\"\(id)\"}".utf8),
            body: Array("{\"id\":\(id)}".utf8), firstSeen: Instant(secondsSince1970: seen))
        self.mark = mark
        self.document = document
        origin = "t.map"
        organisation = OrganisationKey("harbour")
        company = CompanyKey("harbour")
        venue = "Harbour Bistro"
        sourceKind = "order"
        sourceID = id
        amount = "12.30"
        businessDate = CalendarDate(year: 2026, month: 11, day: 20)
    }
}

/// The desk of one test.
struct Desk {
    let pool: PostgresPool
    let store: PostgresStore

    static func with(_ name: String, _ work: (Desk) async throws -> Void) async throws {
        try await Database.with("desk_\(name)") { pool, store in try await work(Desk(pool: pool, store: store)) }
    }

    func replay(_ filter: LetterFilter = LetterFilter(), again: Bool = false) async throws -> Touched {
        try await store.queueReplay(filter, by: "ana", again: again)
    }

    /// Takes what is queued and says that the broker has it.
    func send() async throws -> [Replay] {
        let replays = try await store.takeQueued(1000)
        try await store.recordPublished(replays.map(\.mark.letter))
        return replays
    }

    func states() async throws -> [String: Int] {
        let letters = try await all()
        return letters.reduce(into: [:]) { $0[$1.state.rawValue, default: 0] += 1 }
    }

    func all() async throws -> [Letter] {
        var filter = LetterFilter()
        filter.states = LetterState.allCases
        return try await store.letters(filter, after: 0, limit: 10_000, withBodies: false)
    }

    func groups(closedToo: Bool = false) async throws -> [LetterGroup] {
        try await store.groups(LetterFilter(), closedToo: closedToo)
    }

    /// Every document stands in the ledger, by the moves a writer makes.
    func stand() async throws {
        try await run("UPDATE document SET state = 'sent'")
        try await run("UPDATE document SET state = 'written', xero_id = 'x', written_at = now(), closed_at = now()")
    }

    func run(_ sql: String) async throws {
        _ = try await pool.withSession { try $0.script(sql) }
    }
}
