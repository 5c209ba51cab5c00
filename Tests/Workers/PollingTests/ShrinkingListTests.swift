import Domain
import HTTP
import JSON
import Messaging
import Settings
import Store
import Testing

@testable import Polling

/// Kounta counts pages from the newest order: while a list is read, orders may be deleted from pages already read.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct ShrinkingListTests {
    /// Seconds ago: no look for new orders reaches so far.
    private static let beforeOverlap: Int64 = 7 * 3600

    @Test("an order is deleted between two pages of a first read: the one that moves up a page is not lost")
    func between() async throws {
        try await ScanWorld.with("between") { world in
            var world = world
            world.start(from: world.time.now.adding(seconds: -86_400))
            let newest = 60
            for id in 1...newest { try await world.enter(id, ago: Self.beforeOverlap - Int64(id)) }
            let store = ShrinkingTill(store: world.till.store, world: world, newest: newest, deletions: 1)
            try await world.scanner(store: store).scan(world.venue, of: world.company, lease: world.lease())
            #expect(await store.deleted == [60])
            #expect(Set(await world.outbox.ids) == Set(1...60))
            #expect(try await world.position()?.readUntil == world.time.now.adding(seconds: -3 * 3600))
            // Each was asked for once, the deleted one a second time: as deleted.
            #expect(await world.outbox.ids.sorted() == Array(1...60) + [60])
        }
    }

    @Test("a list that shrinks each time it is read does not move the cursor; when it rests, the next scan does")
    func unsteady() async throws {
        try await ScanWorld.with("unsteady") { world in
            var world = world
            world.start(from: world.time.now.adding(seconds: -86_400))
            for id in 1...60 { try await world.enter(id, ago: Self.beforeOverlap - Int64(id)) }
            let lease = try await world.lease()
            let store = ShrinkingTill(store: world.till.store, world: world, newest: 60, deletions: 6)
            let scanner = world.scanner(store: store)
            await #expect(throws: UnsteadyList.self) {
                try await scanner.scan(world.venue, of: world.company, lease: lease)
            }
            #expect(await store.deleted == [60, 59, 58, 57, 56, 55])
            #expect(try await world.position()?.readUntil == world.company.startFrom)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.position()?.readUntil == world.time.now.adding(seconds: -3 * 3600))
            // From there on it is within reach.
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await world.position()?.readUntil == world.time.now)
            #expect(Set(await world.outbox.ids) == Set(1...60))
        }
    }

    @Test("only what no later poll reads again is read twice: an ordinary poll costs its pages, a gap twice as many")
    func cost() async throws {
        try await ScanWorld.with("cost") { world in
            @Sendable func pages() async throws -> Int64 {
                let calls = try await world.till.call(.get, "/_control/counters")?["calls"]
                return calls?[key: "GET /v1/companies/{id}/sites/{id}/orders/complete"]?.integer ?? 0
            }
            var world = world
            world.settings.rescanInterval = .seconds(30 * 86_400)
            for id in 1...30 { try await world.enter(id) }
            let (scanner, lease) = (world.scanner(), try await world.lease())
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await pages() == 2)
            world.time.advance(seconds: 5)
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await pages() == 4)
            // Nobody polled for longer than the overlap: of 55 orders 25 lie before what a look for new ones reads.
            for id in 31...55 { try await world.enter(id) }
            world.time.advance(seconds: 7 * 3600)
            for id in 56...80 { try await world.enter(id) }
            try await scanner.scan(world.venue, of: world.company, lease: lease)
            #expect(try await pages() == 4 + 1 + 2 * 3)
            #expect(Set(await world.outbox.ids) == Set(1...80))
        }
    }
}

/// The real tables; each time the page with the newest order was read, that order is deleted, for a number of times.
private actor ShrinkingTill: PollingStore {
    private let store: PostgresStore
    private let world: ScanWorld
    private var newest: Int
    private var deletions: Int
    private(set) var deleted: [Int] = []

    init(store: PostgresStore, world: ScanWorld, newest: Int, deletions: Int) {
        (self.store, self.world, self.newest, self.deletions) = (store, world, newest, deletions)
    }

    func unseen(
        company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], at now: Instant
    ) async throws -> Set<OrderID> {
        if deletions > 0, rows.first?.id == OrderID("\(newest)") {
            deletions -= 1
            deleted.append(newest)
            _ = try await world.till.call(.post, "/_control/delete/\(newest)")
            newest -= 1
        }
        return try await store.unseen(company: company, rows: rows, at: now)
    }

    func acquire(_ name: String, for duration: Duration) async throws -> Lease? {
        try await store.acquire(name, for: duration)
    }
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool {
        try await store.renew(lease, for: duration)
    }
    func giveBack(_ lease: Lease) async throws { try await store.giveBack(lease) }
    func position(company: CompanyKey, site: SiteID) async throws -> PollPosition? {
        try await store.position(company: company, site: site)
    }
    func markSeen(company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], lease: Lease) async throws {
        try await store.markSeen(company: company, rows: rows, lease: lease)
    }
    func openAccounts(company: CompanyKey, site: SiteID) async throws -> Set<OrderID> {
        try await store.openAccounts(company: company, site: site)
    }
    func setOpenAccounts(_ ids: Set<OrderID>, company: CompanyKey, site: SiteID, lease: Lease) async throws {
        try await store.setOpenAccounts(ids, company: company, site: site, lease: lease)
    }
    func move(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws {
        try await store.move(position, company: company, site: site, lease: lease)
    }
    func note(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws {
        try await store.note(position, company: company, site: site, lease: lease)
    }
    func unreadOrders(_ ids: [OrderID], of company: CompanyKey) async throws -> [OrderID: UnreadOrder] {
        try await store.unreadOrders(ids, of: company)
    }
    func unreadOrdersTold(of company: CompanyKey) async throws -> Int {
        try await store.unreadOrdersTold(of: company)
    }
    func keepUnread(
        _ orders: [UnreadOrder], forgetting read: [OrderID], of company: CompanyKey, lease: Lease
    ) async throws {
        try await store.keepUnread(orders, forgetting: read, of: company, lease: lease)
    }
}
