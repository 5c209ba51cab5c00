import Domain
import HTTP
import Postgres
import Settings
import Store
import Testing
import Xero

/// The rules of migration 0008, against a real database. No test waits: a wait ends in an error that names it.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct GovernorTests {
    let harbour = OrganisationKey("harbour")
    let lakeside = OrganisationKey("lakeside")

    private struct Waits: Error { let duration: Duration }

    private func budget(
        _ store: PostgresStore, minute: Int = 0, flight: Int = 0, day: Int = 0, app: Int = 0,
        reserve: CallReserve = CallReserve()
    ) -> PostgresBudget {
        let limits = OrganisationLimits(
            callsPerMinute: minute, callsInFlight: flight, callsPerDay: day, reserve: reserve)
        return PostgresBudget(
            store: store, limits: [harbour: limits, lakeside: limits], appCallsPerMinute: app,
            sleep: { throw Waits(duration: $0) })
    }

    private func call(
        _ budget: PostgresBudget, _ purpose: CallPurpose = .invoices, isRead: Bool = false,
        _ headers: [(name: String, value: String)] = [], _ result: CallResult = .good, of key: OrganisationKey? = nil
    ) async throws {
        let permit = try await budget.take(purpose, isRead: isRead, for: key ?? harbour)
        let entries = headers.map { HTTPHeaders.Entry(name: $0.name, value: $0.value) }
        await budget.giveBack(permit, headers: HTTPHeaders(entries), result: result)
    }

    /// How many calls in a row are let through.
    private func count(
        _ budget: PostgresBudget, _ purpose: CallPurpose = .invoices, isRead: Bool = false, most: Int = 200
    ) async -> Int {
        for made in 0..<most {
            do { try await call(budget, purpose, isRead: isRead) } catch { return made }
        }
        return most
    }

    private func sql(_ pool: PostgresPool, _ text: String) async throws {
        _ = try await pool.withSession { try $0.execute(text) }
    }

    @Test("people, reads and posting each keep the calls that were reserved for them")
    func reserve() async throws {
        try await Database.with("reserve") { _, store in
            let reserve = CallReserve(people: 5, reads: 3, posting: 10)
            let budget = budget(store, minute: 60, reserve: reserve)
            #expect(await count(budget, .backfill) == 42)
            #expect(await count(budget, .invoices) == 10)
            #expect(await count(budget, .invoices, isRead: true) == 3)
            await #expect(throws: Waits.self) { try await call(budget, .invoices, isRead: true) }
        }
    }

    @Test("a waiting call of a higher priority is served first, and one that stopped waiting holds nobody up")
    func priority() async throws {
        try await Database.with("priority") { pool, store in
            let budget = budget(store, minute: 2, flight: 2)
            let first = try await budget.take(.invoices, isRead: false, for: harbour)
            _ = try await budget.take(.invoices, isRead: false, for: harbour)
            // Two writers that wait: their rows are what the rule reads.
            try await sql(
                pool,
                "INSERT INTO budget_waiter (organisation, priority, since, until) "
                    + "VALUES ('harbour', 1, now(), now() + interval '1 min')")
            await budget.giveBack(first, headers: nil, result: .unused)
            await #expect(throws: Waits.self) { try await call(budget, .contacts) }
            await #expect(throws: Waits.self) { try await call(budget, .backfill) }
            try await call(budget, .invoices)
            // Who stops waiting takes its row along: the failed calls above left none behind.
            let waiting = try await pool.withSession { try $0.query("SELECT priority FROM budget_waiter").count }
            #expect(waiting == 1)
            try await sql(pool, "UPDATE budget_waiter SET until = now() - interval '1 s'")
            try await sql(pool, "DELETE FROM budget_call")
            try await call(budget, .contacts)
        }
    }

    @Test("a look-up passes those that wait while calls are kept for look-ups, and no longer; a write passes nobody")
    func readsPass() async throws {
        try await Database.with("readspass") { pool, store in
            func wait() async throws {
                try await sql(
                    pool,
                    "INSERT INTO budget_waiter (organisation, priority, since, until) "
                        + "VALUES ('harbour', 0, now(), now() + interval '1 min')")
            }
            let budget = budget(store, minute: 60, flight: 3, reserve: CallReserve(people: 5, reads: 4))
            try await wait()
            #expect(await count(budget, .contacts) == 0)
            #expect(await count(budget, .payments) == 0)
            // What nobody waits for has nothing reserved.
            #expect(await count(budget, .reconciliation, isRead: true) == 0)
            #expect(await count(budget, .contacts, isRead: true) == 4)
            // They are calls like any other: of the minute, and in flight.
            try await sql(pool, "DELETE FROM budget_waiter")
            #expect(await count(budget, .invoices) == 60 - 5 - 4 - 4)
            #expect(await count(budget, .payments, isRead: true) == 4)
            try await sql(pool, "DELETE FROM budget_call")
            try await wait()
            for _ in 0..<3 { _ = try await budget.take(.payments, isRead: true, for: harbour) }
            await #expect(throws: Waits.self) { try await call(budget, .payments, isRead: true) }
            // Nothing is kept where nothing is asked for.
            try await sql(pool, "DELETE FROM budget_call")
            #expect(await count(self.budget(store, minute: 60), .contacts, isRead: true) == 0)
        }
    }

    @Test("a permit that is asked for at once is there, or is not, and whoever asked waits in no row")
    func atOnce() async throws {
        try await Database.with("atonce") { pool, store in
            let budget = budget(store, minute: 2)
            let first = try await budget.takeAtOnce(.payments, isRead: false, for: harbour)
            #expect(first?.id != nil && first?.percentLeft == 50)
            try await call(budget)
            #expect(try await budget.takeAtOnce(.payments, isRead: false, for: harbour) == nil)
            try await sql(pool, "DELETE FROM budget_call")
            await budget.park(harbour, for: .seconds(60), reason: "minute")
            #expect(try await budget.takeAtOnce(.payments, isRead: false, for: harbour) == nil)
            let waiting = try await pool.withSession { try $0.query("SELECT id FROM budget_waiter").count }
            #expect(waiting == 0)
        }
    }

    @Test("posting that waited longer than a window goes first; backfill never does")
    func ageing() async throws {
        try await Database.with("ageing") { pool, store in
            let budget = budget(store, minute: 60)
            for (priority, blocks) in [(3, true), (6, false)] {
                try await sql(pool, "DELETE FROM budget_waiter")
                try await sql(
                    pool,
                    "INSERT INTO budget_waiter (organisation, priority, since, until) VALUES "
                        + "('harbour', \(priority), now() - interval '2 min', now() + interval '1 min')")
                let made = await count(budget, .invoices, most: 1)
                #expect(made == (blocks ? 0 : 1), "priority \(priority)")
            }
        }
    }

    @Test("calls of others, seen in an answer's header, are left to them; our own concurrent ones are no others")
    func foreign() async throws {
        try await Database.with("foreign") { pool, store in
            let budget = budget(store, minute: 60)
            try await call(budget, .invoices, [("x-minlimit-remaining", "19")])
            #expect(await count(budget) == 19)
            try await sql(pool, "UPDATE budget SET foreign_until = now() - interval '1 s'")
            #expect(await count(budget) == 40)
            try await sql(pool, "DELETE FROM budget_call")
            // Five at once: the first answer has seen all five, and a late one only its own.
            var permits: [CallPermit] = []
            for _ in 0..<5 { permits.append(try await budget.take(.invoices, isRead: false, for: harbour)) }
            for (permit, left) in zip(permits, [55, 58, 59, 57, 56]) {
                let entry = HTTPHeaders.Entry(name: "X-MinLimit-Remaining", value: "\(left)")
                await budget.giveBack(permit, headers: HTTPHeaders([entry]), result: .good)
            }
            #expect(await count(budget) == 55)
        }
    }

    @Test("who waits for a place in flight is woken when it comes free, in this process and in another", arguments: [
        true, false,
    ])
    func woken(isSameProcess: Bool) async throws {
        try await Database.with("woken\(isSameProcess ? "same" : "other")") { pool, store in
            let limits = [harbour: OrganisationLimits(callsPerMinute: 60, callsInFlight: 1, callsPerDay: 0)]
            // Nobody looks by himself: a wait that is not ended by a ring never ends.
            func sleepless() -> PostgresBudget {
                PostgresBudget(
                    store: store, limits: limits, sleep: { _ in try await Task.sleep(for: .seconds(3600)) })
            }
            let mine = sleepless()
            let theirs = isSameProcess ? mine : sleepless()
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await mine.watchOthers() }
                for round in 0..<3 {
                    let held = try await theirs.take(.payments, isRead: false, for: harbour)
                    async let next = mine.take(.payments, isRead: false, for: harbour)
                    // It waits, and the database knows.
                    while try await pool.withSession({ try $0.query("SELECT id FROM budget_waiter") }).isEmpty {
                        await Task.yield()
                    }
                    await theirs.giveBack(held, headers: nil, result: .good)
                    let permit = try await next
                    #expect(permit.id != held.id, "round \(round)")
                    await mine.giveBack(permit, headers: nil, result: .good)
                }
                group.cancelAll()
            }
        }
    }

    @Test("a cancelled task gives its permit back all the same, and holds up nobody as a waiter")
    func cancelled() async throws {
        try await Database.with("cancelled") { pool, store in
            let budget = budget(store, minute: 60, flight: 1)
            let permit = try await budget.take(.invoices, isRead: false, for: harbour)
            let limits = OrganisationLimits(callsPerMinute: 60, callsInFlight: 1, callsPerDay: 0)
            let waiting = PostgresBudget(
                store: store, limits: [harbour: limits], sleep: { _ in try await Task.sleep(for: .seconds(3600)) })
            let waiter = Task { try await waiting.take(.invoices, isRead: false, for: harbour) }
            while try await pool.withSession({ try $0.query("SELECT id FROM budget_waiter") }).isEmpty {
                await Task.yield()
            }
            waiter.cancel()
            await #expect(throws: CancellationError.self) { _ = try await waiter.value }
            let giver = Task {
                while !Task.isCancelled { await Task.yield() }
                await budget.giveBack(permit, headers: nil, result: .good)
            }
            giver.cancel()
            await giver.value
            try await call(budget, .contacts)
        }
    }

    @Test("our own calls that leave the window while an answer is on its way are not taken for others'")
    func ownCallsLeaving() async throws {
        try await Database.with("leaving") { pool, store in
            let budget = budget(store, minute: 60)
            for _ in 0..<12 { try await call(budget) }
            let last = try await budget.take(.invoices, isRead: false, for: harbour)
            // The twelve were made a minute and half a second ago; the thirteenth began when they still counted.
            try await sql(
                pool,
                "UPDATE budget_call SET taken_at = now() - interval '60.6 s', finished_at = now() - interval '60.5 s' "
                    + "WHERE finished_at IS NOT NULL")
            try await sql(
                pool, "UPDATE budget_call SET taken_at = now() - interval '1 s' WHERE finished_at IS NULL")
            let entry = HTTPHeaders.Entry(name: "X-MinLimit-Remaining", value: "47")
            await budget.giveBack(last, headers: HTTPHeaders([entry]), result: .good)
            #expect(await count(budget) == 59)
        }
    }

    @Test("headers that are no sensible numbers change nothing", arguments: ["", "-1", "9e9", "99999999999", "x"])
    func hostile(text: String) async throws {
        let schema = "hostile\(text.count)\(text.first.map { $0.isNumber ? "n" : "o" } ?? "e")"
        try await Database.with(schema) { _, store in
            let budget = budget(store, minute: 3, day: 100, app: 100)
            try await call(
                budget, .invoices,
                [("X-MinLimit-Remaining", text), ("X-DayLimit-Remaining", text), ("X-AppMinLimit-Remaining", text)])
            #expect(await count(budget) == 2)
        }
    }

    @Test("the day's header corrects a plan that was configured too large; low priorities leave a fifth of the day")
    func day() async throws {
        try await Database.with("daily") { _, store in
            let budget = budget(store, day: 5000)
            try await call(budget, .invoices, [("X-DayLimit-Remaining", "3")])
            await #expect(throws: Waits.self) { try await call(budget, .backfill) }
            #expect(await count(budget) == 3)
        }
    }

    @Test("the app's minute is shared by all organisations, and corrected by its header")
    func app() async throws {
        try await Database.with("app") { _, store in
            let budget = budget(store, minute: 60, app: 4)
            try await call(budget, of: harbour)
            try await call(budget, .invoices, [("X-AppMinLimit-Remaining", "1")], of: lakeside)
            try await call(budget, of: harbour)
            await #expect(throws: Waits.self) { try await call(budget, of: lakeside) }
        }
    }

    @Test("the app's minute used up parks every organisation called through it; any other limit only its own")
    func appMinute() async throws {
        try await Database.with("appminute") { pool, store in
            let own = OrganisationKey("custom")
            let limits = OrganisationLimits(
                callsPerMinute: 60, callsInFlight: 0, callsPerDay: 0, reserve: CallReserve())
            let budget = PostgresBudget(
                store: store, limits: [harbour: limits, lakeside: limits, own: limits], sharingApp: [harbour, lakeside],
                sleep: { throw Waits(duration: $0) })
            func isParked(_ key: OrganisationKey) async throws -> Bool { try await budget.closed(key) != nil }
            func end() async throws { try await sql(pool, "UPDATE budget SET parked_until = NULL") }

            await budget.park(harbour, for: .seconds(40), reason: "minute")
            #expect(try await isParked(harbour))
            #expect(try await !isParked(lakeside))
            #expect(try await !isParked(own))
            try await end()

            // Also where an organisation was never called before, and as written by whoever sent it.
            await budget.park(lakeside, for: .seconds(40), reason: "AppMinute")
            #expect(try await isParked(harbour))
            #expect(try await isParked(lakeside))
            #expect(try await !isParked(own))
            let wait = try #require(try await budget.closed(harbour))
            #expect(wait > .seconds(30) && wait <= .seconds(40))
            try await end()

            // A custom connection is an app of its own.
            await budget.park(own, for: .seconds(40), reason: "appminute")
            #expect(try await isParked(own))
            #expect(try await !isParked(harbour))
            #expect(try await !isParked(lakeside))
        }
    }

    @Test("a call that was not made counts nowhere")
    func unused() async throws {
        try await Database.with("unused") { _, store in
            let budget = budget(store, minute: 1, day: 1)
            for _ in 0..<3 { try await call(budget, .invoices, [], .unused) }
            try await call(budget)
            await #expect(throws: Waits.self) { try await call(budget) }
        }
    }

    @Test("the breaker opens at five failures in a row or one 503, lets one probe through, and closes when it answers")
    func breaker() async throws {
        try await Database.with("breaker") { pool, store in
            let budget = budget(store, minute: 60, flight: 5)
            for _ in 0..<4 { try await call(budget, .invoices, [], .failed("dropped")) }
            try await call(budget)
            for _ in 0..<5 { try await call(budget, .invoices, [], .failed("dropped")) }
            await #expect(throws: Waits.self) { try await call(budget) }
            // The neighbour has a breaker of its own.
            try await call(budget, of: lakeside)
            try await sql(pool, "UPDATE budget SET breaker_until = now() - interval '1 s'")
            let probe = try await budget.take(.invoices, isRead: false, for: harbour)
            await #expect(throws: Waits.self) { try await call(budget) }
            await budget.giveBack(probe, headers: nil, result: .offline("503"))
            await #expect(throws: Waits.self) { try await call(budget) }
            // Doubled for the probe that failed, not for each of the calls that had opened it.
            let pause = try await pool.withSession {
                try $0.query("SELECT ceil(extract(epoch FROM breaker_until - now()))::bigint AS n FROM budget "
                    + "WHERE organisation = 'harbour'")[0].int("n")
            }
            #expect((10...30).contains(pause))
            try await sql(pool, "UPDATE budget SET breaker_until = now() - interval '1 s'")
            try await call(budget)
            #expect(await count(budget, most: 5) == 5)
            try await call(budget, .invoices, [], .offline("503"))
            await #expect(throws: Waits.self) { try await call(budget) }
            let why = try await pool.withSession {
                try $0.query("SELECT breaker_why FROM budget WHERE organisation = 'harbour'")[0]
                    .textOrNil("breaker_why")
            }
            #expect(why == "503")
        }
    }

    @Test("a probe whose writer was killed is lost after a call's time, and the next one tries")
    func lostProbe() async throws {
        try await Database.with("probe") { pool, store in
            let budget = budget(store, minute: 60)
            try await call(budget, .invoices, [], .disconnected("403"))
            try await sql(pool, "UPDATE budget SET breaker_until = now() - interval '1 s'")
            _ = try await budget.take(.invoices, isRead: false, for: harbour)
            await #expect(throws: Waits.self) { try await call(budget) }
            try await sql(pool, "UPDATE budget SET breaker_until = now() - interval '1 s'")
            try await call(budget)
        }
    }

    @Test("a suspect's crashes are counted ahead, taken back at an orderly end, and forgiven when it is done")
    func suspects() async throws {
        try await Database.with("suspects") { pool, store in
            // Of another worker's, which is gone: no connection has its name.
            let dead = PostgresStore(pool: pool, holder: "writer@nowhere/1")
            for isAlone in [false, true] { try await dead.beginTrial(of: ["a", "b", "a"], in: "q", isAlone: isAlone) }
            let both = Crashes(all: 2, alone: 1)
            #expect(try await store.crashes(of: ["a", "b", "c"], in: "q") == ["a": both, "b": both])
            try await store.abandonTrial(of: ["a"], in: "q")
            try await store.endTrial(of: ["b"], in: "q")
            #expect(try await store.crashes(of: ["a", "b"], in: "q") == ["a": Crashes(all: 1, alone: 0)])
            #expect(try await store.crashes(of: ["a"], in: "other") == [:])
        }
    }

    @Test("a trial that goes on in a worker that lives is no crash")
    func livingTrial() async throws {
        try await Database.with("living") { pool, store in
            let name = try await pool.withSession { session in
                try session.query("SELECT current_setting('application_name') AS name")[0].text("name")
            }
            let living = PostgresStore(pool: pool, holder: name)
            try await living.beginTrial(of: ["a"], in: "q", isAlone: true)
            let other = PostgresStore(pool: pool, holder: "writer@elsewhere/2")
            #expect(try await other.crashes(of: ["a"], in: "q") == ["a": Crashes(all: 0, alone: 0)])
        }
    }
}
