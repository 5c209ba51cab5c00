import Domain
import Postgres
import Settings
import Store
import Testing
import Xero

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct BudgetAndLeaseTests {
    let harbour = OrganisationKey("harbour")

    /// A budget whose waits are noted and end the wait with an error, so that no test sleeps.
    private struct Waits: Error { let duration: Duration }

    private func budget(_ store: PostgresStore, minute: Int = 0, flight: Int = 0, day: Int = 0) -> PostgresBudget {
        PostgresBudget(
            store: store,
            limits: [
                harbour: OrganisationLimits(callsPerMinute: minute, callsInFlight: flight, callsPerDay: day)
            ], sleep: { throw Waits(duration: $0) })
    }

    @Test("sixty calls a minute over all writers: sixty are let through at once, the next must wait")
    func minute() async throws {
        try await Database.with("minute") { pool, store in
            let budgets = (0..<4).map { _ in budget(store, minute: 60) }
            let granted = try await withThrowingTaskGroup(of: Int.self) { group in
                for budget in budgets {
                    group.addTask {
                        var granted = 0
                        for _ in 0..<25 {
                            guard let permit = try? await budget.take(.invoices, isRead: false, for: harbour)
                            else { break }
                            await budget.giveBack(permit, headers: nil, result: .good)
                            granted += 1
                        }
                        return granted
                    }
                }
                return try await group.reduce(0, +)
            }
            #expect(granted == 60)
            // A minute after they finished there is room again.
            _ = try await pool.withSession { session in
                try session.execute(
                    "UPDATE budget_call SET taken_at = taken_at - interval '61 s', "
                        + "finished_at = finished_at - interval '61 s'")
            }
            _ = try await budgets[0].take(.invoices, isRead: false, for: harbour)
        }
    }

    @Test("a call counts until a minute after it finished, not after it began")
    func finish() async throws {
        try await Database.with("finish") { pool, store in
            let budget = budget(store, minute: 1)
            let permit = try await budget.take(.invoices, isRead: false, for: harbour)
            _ = try await pool.withSession {
                try $0.execute("UPDATE budget_call SET taken_at = taken_at - interval '50 s'")
            }
            await budget.giveBack(permit, headers: nil, result: .good)
            _ = try await pool.withSession {
                try $0.execute("UPDATE budget_call SET taken_at = taken_at - interval '12 s'")
            }
            await #expect(throws: Waits.self) { try await budget.take(.invoices, isRead: false, for: harbour) }
        }
    }

    @Test("five in flight: the sixth waits, and a killed writer's permit comes back")
    func flight() async throws {
        try await Database.with("flight") { pool, store in
            let budget = budget(store, flight: 5)
            for _ in 0..<5 { _ = try await budget.take(.invoices, isRead: false, for: harbour) }
            await #expect(throws: Waits.self) { try await budget.take(.invoices, isRead: false, for: harbour) }
            _ = try await pool.withSession {
                try $0.execute("UPDATE budget_call SET taken_at = taken_at - interval '76 s'")
            }
            _ = try await budget.take(.invoices, isRead: false, for: harbour)
        }
    }

    @Test("a day's limit and a parked organisation make everybody wait")
    func dayAndPark() async throws {
        try await Database.with("day") { _, store in
            let daily = budget(store, day: 2)
            for _ in 0..<2 {
                let permit = try await daily.take(.invoices, isRead: false, for: harbour)
                await daily.giveBack(permit, headers: nil, result: .good)
            }
            await #expect(throws: Waits.self) { try await daily.take(.invoices, isRead: false, for: harbour) }
            let other = budget(store, minute: 60)
            await other.park(harbour, for: .seconds(30), reason: "minute")
            await #expect(throws: Waits.self) { try await other.take(.invoices, isRead: false, for: harbour) }
        }
    }

    @Test("a lease has one holder; its fence rises with each; a lost one is not renewed and moves no cursor")
    func leases() async throws {
        try await Database.with("leases") { _, store in
            let first = try #require(try await store.acquire("poller/harbour", for: .milliseconds(1)))
            var second: Lease?
            while second == nil { second = try await store.acquire("poller/harbour", for: .seconds(60)) }
            let held = try #require(second)
            #expect(held.fence == first.fence + 1)
            #expect(try await store.acquire("poller/harbour", for: .seconds(60)) == nil)
            #expect(try await !store.renew(first, for: .seconds(60)))
            #expect(try await store.renew(held, for: .seconds(60)))
            let position = PollPosition(readUntil: Instant(secondsSince1970: 100), rescanned: nil)
            let company = CompanyKey("harbour")
            await #expect(throws: LeaseLost.self) {
                try await store.move(position, company: company, site: SiteID("1"), lease: first)
            }
            try await store.move(position, company: company, site: SiteID("1"), lease: held)
            // A cursor never goes back.
            let earlier = PollPosition(readUntil: Instant(secondsSince1970: 50), rescanned: nil)
            try await store.move(earlier, company: company, site: SiteID("1"), lease: held)
            #expect(try await store.position(company: company, site: SiteID("1")) == position)
            // What is read beside it, by whoever knows less of the cursor, is noted, and is no look for what is new.
            let site = SiteID("1")
            let polled = try #require(try await store.venueReadings()[company]?[site]?.polled)
            let beside = PollPosition(
                readUntil: Instant(secondsSince1970: 50), rescanned: Instant(secondsSince1970: 70),
                sideListsRead: Instant(secondsSince1970: 80))
            try await store.note(beside, company: company, site: site, lease: held)
            try await store.note(earlier, company: company, site: site, lease: held)
            let both = PollPosition(
                readUntil: position.readUntil, rescanned: beside.rescanned, sideListsRead: beside.sideListsRead)
            #expect(try await store.position(company: company, site: site) == both)
            #expect(try await store.venueReadings()[company]?[site]?.polled == polled)
            try await store.move(earlier, company: company, site: site, lease: held)
            #expect(try await store.position(company: company, site: site) == both)
            #expect(try #require(try await store.venueReadings()[company]?[site]?.polled) > polled)
            await #expect(throws: LeaseLost.self) {
                try await store.note(beside, company: company, site: site, lease: first)
            }
            try await store.giveBack(held)
            #expect(try await store.acquire("poller/harbour", for: .seconds(60)) != nil)
        }
    }

    @Test("rows that were seen are not fetched again until they change; only the lease's holder says what was seen")
    func seen() async throws {
        try await Database.with("seen") { _, store in
            let company = CompanyKey("harbour")
            let now = Instant(secondsSince1970: 1_795_000_000)
            let rows = ["1", "2", "3"].map { (id: OrderID($0), hash: hash($0)) }
            #expect(try await store.unseen(company: company, rows: rows, at: now).count == 3)
            let lost = try #require(try await store.acquire("poller/harbour", for: .seconds(60)))
            try await store.giveBack(lost)
            let lease = try #require(try await store.acquire("poller/harbour", for: .seconds(60)))
            try await store.markSeen(company: company, rows: Array(rows[..<2]) + [rows[0]], lease: lease)
            #expect(try await store.unseen(company: company, rows: rows, at: now) == [OrderID("3")])
            let changed = [(id: OrderID("1"), hash: hash("changed"))]
            #expect(try await store.unseen(company: company, rows: changed, at: now) == [OrderID("1")])
            // Whoever lost the lease knows no better than whoever has it.
            await #expect(throws: LeaseLost.self) {
                try await store.markSeen(company: company, rows: changed, lease: lost)
            }
            #expect(try await store.unseen(company: company, rows: changed, at: now) == [OrderID("1")])
            let site = SiteID("1")
            try await store.setOpenAccounts([OrderID("1")], company: company, site: site, lease: lease)
            await #expect(throws: LeaseLost.self) {
                try await store.setOpenAccounts([], company: company, site: site, lease: lost)
            }
            #expect(try await store.openAccounts(company: company, site: site) == [OrderID("1")])
        }
    }
}
