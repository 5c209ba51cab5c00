import AlertWork
import Alerting
import Domain
import Foundation
import HTTP
import Notices
import Postgres
import Settings
import Store
import Testing

/// A schema of its own on the test run's PostgreSQL.
private enum Database {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]

    static func with(_ name: String, _ work: (PostgresPool, PostgresStore) async throws -> Void) async throws {
        let schema = "alerts_\(name)_\(getpid())"
        let base = try #require(url)
        let separator = base.contains("?") ? "&" : "?"
        let pool = PostgresPool(
            address: try PostgresAddress(url: "\(base)\(separator)options=-csearch_path%3D\(schema)"), size: 4,
            name: "alert-tests")
        let result: Result<Void, any Error>
        do {
            _ = try await Migrator(pool: pool, schema: schema).migrate()
            result = .success(try await work(pool, PostgresStore(pool: pool, holder: "tests")))
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        try result.get()
    }
}

private let start = Instant(secondsSince1970: 1_795_615_400)
private let concern = Concern(
    .deadLetterGroup, subject: "1", organisation: OrganisationKey("harbour"), place: "Harbour Bistro (harbour)",
    title: "3 letters on the desk: archived", cause: "Account 4010 is archived in Xero.", remedy: "Restore it.",
    command: "tillbridge dead-letters replay --group 1 --wait", count: 3, amount: "88.10 AUD")
private let telling = AlertTelling(
    channels: { $0.reachesSecondLine ? ["duty", "boss"] : ["duty"] }, clock: PlaceClock(), digestAfter: 5)

/// One look of a process that may have just started: everything it knows comes out of the books.
private func look(_ store: PostgresStore, _ standing: [Concern], _ lease: Lease, at now: Instant) async throws -> Int {
    let policy = AlertPolicy()
    let steps = AlertDecision.steps(
        standing: standing, known: try await store.knownAlerts(resolvedSince: now.adding(.zero - policy.period)),
        mutes: try await store.mutes(at: now), policy: policy, at: now)
    try await store.record(steps, telling, lease: lease, at: now)
    return steps.reduce(0) { $0 + $1.notices.count }
}

@Suite("the books of alerts", .enabled(if: Database.url != nil, "TILLBRIDGE_TEST_DATABASE_URL is not set: `make test`"))
struct AlertStoreTests {
    @Test("tell once, also after a restart between the decision and the message, and after one behind it")
    func restarts() async throws {
        try await Database.with("restarts") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            #expect(try await look(store, [concern], lease, at: start) == 1)
            // It dies here. The next one decides anew, from the books.
            #expect(try await look(store, [concern], lease, at: start.adding(seconds: 30)) == 0)
            let first = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start.adding(seconds: 31))
            #expect(first.map(\.subject) == ["[Tillbridge] 3 letters on the desk: archived – Harbour Bistro (harbour)"])
            // It dies with the message in hand: nobody else takes it before its hold ends, then it has the same id.
            let held = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start.adding(seconds: 60))
            #expect(held.isEmpty)
            let second = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start.adding(seconds: 152))
            #expect(second.map(\.id) == first.map(\.id))
            #expect(second.map(\.attempts) == [2])
            try await store.recordDelivered(first[0].id, at: start.adding(seconds: 153))
            #expect(try await look(store, [concern], lease, at: start.adding(seconds: 154)) == 0)
            let more = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start.adding(seconds: 900))
            #expect(more.isEmpty)
            let counts = try await store.alertCounts()
            #expect(counts == AlertCounts(open: [.deadLetterGroup: 1], waiting: 0, givenUp: 0))
        }
    }

    @Test("let one write who has the lease, and nobody whose lease was taken over")
    func fencing() async throws {
        try await Database.with("fencing") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            #expect(try await store.acquire("alerts", for: .seconds(60)) == nil)
            try await store.giveBack(lease)
            let next = try #require(try await store.acquire("alerts", for: .seconds(60)))
            await #expect(throws: LeaseLost.self) { _ = try await look(store, [concern], lease, at: start) }
            #expect(try await store.knownAlerts(resolvedSince: start).isEmpty)
            #expect(try await look(store, [concern], next, at: start) == 1)
        }
    }

    @Test("escalate to the second line, tell the end to both, and show it all to people")
    func life() async throws {
        try await Database.with("life") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            #expect(try await look(store, [concern], lease, at: start) == 1)
            #expect(try await look(store, [concern], lease, at: start.adding(seconds: 4 * 3600)) == 1)
            #expect(try await look(store, [], lease, at: start.adding(seconds: 5 * 3600)) == 1)
            var told: [String] = []
            while true {
                let due = try await store.takeDeliveries(
                    ["boss", "duty"], hold: .seconds(120), at: start.adding(seconds: 6 * 3600))
                if due.isEmpty { break }
                for delivery in due {
                    told.append("\(delivery.channel) \(delivery.notice)")
                    try await store.recordDelivered(delivery.id, at: start)
                }
            }
            #expect(told.filter { $0.hasPrefix("duty") } == ["duty opened", "duty escalated", "duty resolved"])
            #expect(told.filter { $0.hasPrefix("boss") } == ["boss escalated", "boss resolved"])
            #expect(try await store.listedAlerts(closedToo: false).isEmpty)
            let listed = try #require(try await store.listedAlerts(closedToo: true).first)
            #expect(listed.concern.amount == "88.10 AUD")
            #expect(listed.undelivered == 0)
        }
    }

    @Test("tell each end, also of one that was open again without a word")
    func endsTwice() async throws {
        try await Database.with("ends") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            #expect(try await look(store, [concern], lease, at: start) == 1)
            #expect(try await look(store, [], lease, at: start.adding(seconds: 600)) == 1)
            #expect(try await look(store, [concern], lease, at: start.adding(seconds: 1200)) == 0)
            #expect(try await look(store, [], lease, at: start.adding(seconds: 1800)) == 1)
            var told: [String] = []
            while let due = try await store.takeDeliveries(
                ["duty"], hold: .seconds(120), at: start.adding(seconds: 1900)
            ).first {
                told.append(due.notice)
                try await store.recordDelivered(due.id, at: start.adding(seconds: 1900))
            }
            #expect(told == ["opened", "resolved", "resolved"])
        }
    }

    @Test("leave a group that was told in the look, however many others come: it would be told as resolved")
    func manyGroups() async throws {
        try await Database.with("many") { pool, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            _ = try await pool.withSession { session in
                try session.script(
                    """
                    INSERT INTO dead_letter_group (class, fingerprint, organisation, remedy)
                    SELECT 'value', 'f' || n, 'harbour', 'r' FROM generate_series(1, 400) AS n;
                    INSERT INTO dead_letter (identity, queue, class, cause, remedy, attempts, headers, body, first_seen,
                                             group_id)
                    SELECT sha256(g.id::text::bytea), 'q', 'value', 'c', 'r', 0, '{}', '', now(), g.id
                      FROM dead_letter_group AS g
                    """)
            }
            let last = Concern(
                .deadLetterGroup, subject: "400", organisation: OrganisationKey("harbour"), place: "p", title: "t",
                cause: "c", remedy: "r", command: "x")
            #expect(!(try await store.groupFacts().contains { $0.id == 400 }))
            #expect(try await look(store, [last], lease, at: start) == 1)
            let facts = try await store.groupFacts()
            #expect(facts.count == 300)
            #expect(facts.contains { $0.id == 400 })
        }
    }

    @Test("tell many at once in one message a channel, and five each in its own")
    func digest() async throws {
        try await Database.with("digest") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            func causes(_ numbers: ClosedRange<Int>) -> [Concern] {
                numbers.map {
                    Concern(
                        .deadLetterGroup, subject: "\($0)", organisation: OrganisationKey("harbour"), place: "Bistro",
                        title: "letters", cause: "cause \($0)", remedy: "Restore it.", command: "replay \($0)",
                        isGrave: $0 % 10 == 0)
                }
            }
            func messages(_ now: Instant) async throws -> [String] {
                var found: [String] = []
                while true {
                    let due = try await store.takeDeliveries(["boss", "duty"], hold: .seconds(120), at: now)
                    if due.isEmpty { return found.sorted() }
                    for delivery in due {
                        found.append("\(delivery.channel): \(delivery.subject)")
                        try await store.recordDelivered(delivery.id, at: now)
                    }
                }
            }
            #expect(try await look(store, causes(1...200), lease, at: start) == 200)
            #expect(
                try await messages(start) == [
                    "boss: [Tillbridge, URGENT] 20 alerts at once, in one place",
                    "duty: [Tillbridge, URGENT] 200 alerts at once, in one place",
                ])
            // Each is an alert of its own all the same: five more are five messages, the end of all is one again.
            #expect(try await store.knownAlerts(resolvedSince: start).count == 200)
            let later = start.adding(seconds: 60)
            #expect(try await look(store, causes(1...200) + causes(201...205), lease, at: later) == 5)
            #expect(try await messages(later).count == 5)
            let end = start.adding(seconds: 3600)
            _ = try await look(store, [], lease, at: end)
            #expect(
                try await messages(end) == [
                    "boss: [Tillbridge, resolved] 20 alerts at once, in one place",
                    "duty: [Tillbridge, resolved] 205 alerts at once, in one place",
                ])
        }
    }

    @Test("are forgotten so long after their end, oldest first, with their messages; not while one is to be delivered")
    func forgetting() async throws {
        try await Database.with("forget") { pool, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            func causes(_ numbers: ClosedRange<Int>) -> [Concern] {
                numbers.map {
                    Concern(
                        .deadLetterGroup, subject: "\($0)", organisation: OrganisationKey("harbour"), place: "Bistro",
                        title: "letters", cause: "cause \($0)", remedy: "Restore it.", command: "replay \($0)")
                }
            }
            func deliverAll(_ now: Instant) async throws {
                while let due = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: now).first {
                    try await store.recordDelivered(due.id, at: now)
                }
            }
            func rows() async throws -> [Int64] {
                try await pool.withSession { session in
                    try ["alert", "alert_delivery", "alert_digest"].map {
                        try session.query("SELECT count(*) AS n FROM \($0)")[0].int("n")
                    }
                }
            }
            let (first, second, third) = (
                start.adding(seconds: 1000), start.adding(seconds: 2000), start.adding(seconds: 3000)
            )
            // Eight in one message; four end first, one later; the last end is not delivered.
            _ = try await look(store, causes(1...8), lease, at: start)
            _ = try await look(store, causes(1...4), lease, at: first)
            try await deliverAll(first)
            _ = try await look(store, causes(1...3), lease, at: second)
            #expect(try await rows() == [8, 6, 7])
            #expect(try await store.forgetAlerts(resolvedBefore: first, limit: 10) == 0)
            // A bound on what is done at once.
            #expect(try await store.forgetAlerts(resolvedBefore: first.adding(seconds: 1), limit: 3) == 3)
            #expect(try await store.forgetAlerts(resolvedBefore: first.adding(seconds: 1), limit: 3) == 1)
            // What told the open ones stays theirs.
            #expect(try await rows() == [4, 2, 3])
            let left = try await store.listedAlerts(closedToo: true).map(\.concern.cause)
            #expect(left == (1...4).map { "cause \($0)" })
            #expect(try await store.forgetAlerts(resolvedBefore: third, limit: 10) == 0)
            try await deliverAll(second)
            #expect(try await store.forgetAlerts(resolvedBefore: third, limit: 10) == 1)
            #expect(try await rows() == [3, 1, 2])
            let never = Instant(secondsSince1970: 4_000_000_000)
            #expect(try await store.forgetAlerts(resolvedBefore: never, limit: 10) == 0)
        }
    }

    @Test("show on each alert of a message that tells many what became of it, and a message given up as such")
    func digestThatFails() async throws {
        try await Database.with("digest_fails") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            func causes(_ numbers: ClosedRange<Int>) -> [Concern] {
                numbers.map {
                    Concern(
                        .deadLetterGroup, subject: "\($0)", organisation: OrganisationKey("harbour"), place: "Bistro",
                        title: "letters", cause: "cause \($0)", remedy: "Restore it.", command: "replay \($0)")
                }
            }
            #expect(try await look(store, causes(1...8), lease, at: start) == 8)
            // One alone, in a message of its own.
            #expect(try await look(store, causes(1...9), lease, at: start) == 1)
            func fail(_ error: String, nextTry: Instant?) async throws {
                let due = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start)
                try #require(due.count == 1)
                try await store.recordFailed(due[0].id, error, nextTry: nextTry, at: start)
            }
            try await fail("refused", nextTry: start)
            try await fail("refused again", nextTry: nil)
            let many = try await store.listedAlerts(closedToo: false)
            let told = many.prefix(8)
            #expect(told.map(\.undelivered) == Array(repeating: 1, count: 8))
            #expect(told.map(\.givenUp) == Array(repeating: 1, count: 8))
            #expect(told.map(\.error) == Array(repeating: "refused again", count: 8))
            // The ninth's own waits; nothing went wrong with it.
            let ninth = try #require(many.last)
            #expect(ninth.undelivered == 1 && ninth.givenUp == 0 && ninth.error == nil)
            let single = try await store.takeDeliveries(["duty"], hold: .seconds(120), at: start)
            try await store.recordDelivered(try #require(single.first).id, at: start)
            #expect(try await store.listedAlerts(closedToo: false).map(\.undelivered) == [1, 1, 1, 1, 1, 1, 1, 1, 0])
        }
    }

    @Test("know an organisation with a credential of its own that Xero shuts us out of, from first to last")
    func shutOut() async throws {
        try await Database.with("shut") { _, store in
            let harbour = OrganisationKey("harbour")
            #expect(try await store.setClosed(harbour, why: nil) == false)
            #expect(try await store.setClosed(harbour, why: "403 AuthenticationUnsuccessful"))
            let first = try #require(try await store.closedOrganisations().first)
            #expect(try await store.setClosed(harbour, why: "401") == false)
            let second = try #require(try await store.closedOrganisations().first)
            #expect(second.since == first.since && second.why == "401" && second.organisation == harbour)
            #expect(try await store.setClosed(harbour, why: nil))
            #expect(try await store.closedOrganisations().isEmpty)
        }
    }

    @Test("keep mutes with their author, and end them")
    func mutes() async throws {
        try await Database.with("mutes") { _, store in
            let lease = try #require(try await store.acquire("alerts", for: .seconds(60)))
            try await store.mute(
                Mute(kind: .deadLetterGroup, until: start.adding(seconds: 3600)), author: "Ana", reason: "move")
            #expect(try await look(store, [concern], lease, at: start) == 0)
            #expect(try await store.keptMutes(at: start).map(\.author) == ["Ana"])
            #expect(try await store.unmute(nil, at: start.adding(seconds: 60)) == 1)
            #expect(try await look(store, [concern], lease, at: start.adding(seconds: 61)) == 1)
        }
    }

    @Test("read every fact from tables as they are, full or empty")
    func facts() async throws {
        try await Database.with("facts") { pool, store in
            #expect(try await store.groupFacts().isEmpty)
            #expect(try await store.lastOrders(of: [CompanyKey("harbour")]).isEmpty)
            #expect(try await store.handlerSeen() == nil)
            try await pool.withSession { try $0.script(Self.rows) }
            let group = try #require(try await store.groupFacts().first)
            #expect((group.open, group.amount, group.venues) == (2, "30.50", "Harbour Bistro, Pier"))
            let later = Instant(secondsSince1970: 4_000_000_000)
            let day = try #require(try await store.openDays(madeBefore: later).first)
            #expect((day.count, day.amount) == (1, "12.00"))
            let today = CalendarDate(year: 2026, month: 11, day: 25)
            let unclosed = try await store.unclosedDays(before: today, metBefore: later)
            #expect(unclosed.map { "\($0.day) \($0.site) \($0.isCounted)" }
                == ["2026-11-23 923 true", "2026-11-24 923 false"])
            let none = try await store.unclosedDays(before: today, metBefore: Instant(secondsSince1970: 1))
            #expect(none.isEmpty, "just met")
            let orders = try await store.lastOrders(of: [CompanyKey("harbour")])
            #expect(orders[CompanyKey("harbour")]?["Harbour Bistro"]?.description == "2026-11-25T03:00:00Z")
            #expect(orders[CompanyKey("harbour")]?["Pier"]?.description == "2026-11-25T02:00:00Z", "it is on the desk")
            #expect(try await store.lastOrders(of: [CompanyKey("harbour")]) == orders, "a second look sees the same")
            let (grants, lost) = try await store.connectionFacts()
            #expect(grants.map(\.tenants) == [["t1"]])
            #expect(grants.first?.deadWhy == "withdrawn")
            #expect(lost.map(\.tenant) == ["t1"])
            #expect(
                try await store.callsToday(CalendarDate(year: 2026, month: 11, day: 25))
                    == [OrganisationKey("harbour"): 4100])
            let readings = try #require(try await store.venueReadings()[CompanyKey("harbour")])
            #expect(readings.keys.map(\.text) == ["923"])
            #expect(readings[SiteID("923")]?.rescanned?.description == "2026-11-25T01:00:00Z")
            #expect(readings[SiteID("923")]?.sideLists?.description == "2026-11-25T01:30:00Z")
            #expect(try await store.handlerSeen()?.description == "2026-11-25T05:00:00Z")
        }
    }

    private static let rows = """
        INSERT INTO dead_letter_group (class, fingerprint, organisation, remedy)
        VALUES ('archived', 'f', 'harbour', 'r');
        INSERT INTO dead_letter (identity, queue, class, cause, remedy, organisation, company, venue, attempts,
                                 headers, body, first_seen, group_id, amount)
        SELECT sha256(v::bytea), 'q', 'archived', 'c', 'r', 'harbour', 'harbour', v, 0, '{}', '',
                              '2026-11-25T02:00:00Z',
               (SELECT id FROM dead_letter_group), a
          FROM (VALUES ('Harbour Bistro', 10.25), ('Pier', 20.25)) AS x (v, a);
        INSERT INTO document (organisation, number, company, source_kind, source_id, source_hash, venue, contact_number,
                              trading_date, currency, total, content_hash, created_at)
        VALUES ('harbour', 'HBR-1', 'harbour', 'order', '1', '', 'Harbour Bistro', 'W', '2026-11-24', 'AUD', 12.00, '',
                '2026-11-25T03:00:00Z');
        INSERT INTO credential (name, service, client_id, key_id, sealed, generation, connected_at, renewed_at,
                                access_ends, dead_since, dead_why)
        VALUES ('xero', 'xero', 'c', 'k', decode(repeat('00', 40), 'hex'), 1, now(), now(), now(), now(), 'withdrawn');
        INSERT INTO credential_tenant VALUES ('t1', 'xero', 'l', 'Harbour', now(), '403');
        INSERT INTO budget (organisation, day, day_calls) VALUES ('harbour', '2026-11-25', 4100);
        INSERT INTO poll_cursor (company, site, position, fence, rescanned, side_lists_read)
        VALUES ('harbour', '923', now(), 1, '2026-11-25T01:00:00Z', '2026-11-25T01:30:00Z');
        INSERT INTO venue_day (company, site, day, organisation, venue, mode, state, closed_at)
        VALUES ('harbour', '923', '2026-11-22', 'harbour', 'Harbour Bistro', 'daily_summary', 'closed', now()),
               ('harbour', '923', '2026-11-23', 'harbour', 'Harbour Bistro', 'daily_summary', 'open', NULL),
               ('harbour', '923', '2026-11-24', 'harbour', 'Harbour Bistro', 'daily_summary', 'open', NULL),
               ('harbour', '923', '2026-11-25', 'harbour', 'Harbour Bistro', 'daily_summary', 'open', NULL),
               ('harbour', '985', '2026-11-24', 'harbour', 'Pier', 'daily_summary', 'open', NULL);
        INSERT INTO day_entry (company, site, day, source, source_id, now)
        SELECT 'harbour', '923', d::date, 'order/1/sale', '1', '' FROM (VALUES ('2026-11-22'), ('2026-11-23'),
               ('2026-11-24'), ('2026-11-25')) AS x (d);
        INSERT INTO takings (company, id, site, day, hash, body, counted_at, first_seen)
        VALUES ('harbour', 't', '923', '2026-11-23', sha256('t'), '', now(), now());
        INSERT INTO lease VALUES ('desk', 'h', 1, '2026-11-25T05:00:00Z');
        """
}

@Suite("a message that does not arrive")
struct DeliveryPauseTests {
    @Test("is tried again, ever more seldom, and at half an hour where it was refused")
    func pauses() {
        let pauses = [1, 2, 3, 8, 9, 100].map { DeliveryPause.after(attempt: $0, isRefused: false) }
        #expect(pauses == [.seconds(10), .seconds(20), .seconds(40), .seconds(1280), .seconds(1800), .seconds(1800)])
        #expect(DeliveryPause.after(attempt: 1, isRefused: true) == .seconds(1800))
    }
}
