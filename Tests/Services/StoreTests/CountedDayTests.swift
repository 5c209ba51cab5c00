import Domain
import Mapping
import Money
import Postgres
import Settings
@testable import Store
import Testing

private let venue = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
private let friday = CalendarDate(year: 2026, month: 11, day: 20)
private let key = DayKey(company: venue.company, site: venue.site, day: friday)
private let noon = Instant(secondsSince1970: 1_795_000_000)

private func order(_ id: String, at moment: Instant) -> DayOrder {
    let group = DayEntry.Group(account: "230", taxType: "OUTPUT", tracking: [])
    let entry = DayEntry(
        source: .order(OrderID(id), .sale), day: friday, isRefund: false,
        parts: [DayEntry.Part(group: group, amount: Money(cents: 1000))], payments: [])
    return DayOrder(
        source: SourceKey(company: venue.company, kind: .order, id: id), hash: hash("\(id) \(moment)"),
        body: Array("order \(id)".utf8), firstSeen: moment, organisation: OrganisationKey("harbour"),
        venue: "Harbour Bistro", site: venue.site, plan: PostingPlan(initial: .dailySummary),
        number: DocumentNumber("HBR-\(id)"), entries: [entry])
}

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct CountedDayTests {
    /// What is known of a day whose tills are counted: when all that was sold had been counted.
    private struct Counting {
        let store: PostgresStore

        func sell(_ id: String, _ hour: Int64, _ register: String?, by staff: String? = nil) async throws {
            let moment = noon.adding(seconds: hour * 3600)
            var sold = order(id, at: moment)
            sold.madeAt = [friday: moment]
            (sold.register, sold.staff) = (register, staff)
            _ = try await store.takeIn([sold], at: noon)
        }

        func count(_ id: String, _ hour: Int64, _ scope: TakingsScope) async throws {
            let moment = noon.adding(seconds: hour * 3600)
            var takings = DayTakings(
                key: key, id: id, hash: hash("\(id) \(hour)"), body: [], countedAt: moment, firstSeen: moment,
                organisation: OrganisationKey("harbour"), venue: "Harbour Bistro", mode: .dailySummary)
            takings.scope = scope
            try await store.takeIn(takings, at: moment) { _, _ in [] }
        }

        /// How many counts the day's close, or its adjustment, compares with the orders.
        func takingsAtClose() async throws -> Int? {
            try await store.beginClosing([key], at: noon)
            let closed = try await store.close(key, at: noon, mappingVersion: 1, withOrders: false) { contents in
                var decision = DayDecision(documents: [], listing: nil, orders: 1, total: .zero)
                decision.warnings = contents.takings.map { _ in "a count" }
                return decision
            }
            return closed?.warnings.count
        }

        /// Hours after noon; nil: not all of it.
        func counted() async throws -> Int64? {
            let days = try await store.unfinishedDays(of: venue, through: friday)
            return days.first?.countedAt.map { ($0.microseconds - noon.microseconds) / 3_600_000_000 }
        }
    }

    @Test("of two registers that sold, one that is counted does not end the day; both do")
    func registers() async throws {
        try await Database.with("registers") { _, store in
            let day = Counting(store: store)
            try await day.sell("1", 1, "A")
            try await day.sell("2", 1, "B")
            #expect(try await day.counted() == nil)
            try await day.count("t1", 9, .register("A"))
            #expect(try await day.counted() == nil)
            try await day.count("t2", 9, .register("C"))
            try await day.count("t3", 9, .unknown)
            #expect(try await day.counted() == nil)
            // Ordered on the web: in nobody's till.
            try await day.sell("3", 2, nil)
            try await day.count("t4", 10, .register("B"))
            #expect(try await day.counted() == 10)
            #expect(try await day.takingsAtClose() == 4)
            // Late, and after the last count: what the till recorded is no longer all of the day.
            try await day.sell("4", 11, "A")
            #expect(try await day.takingsAtClose() == 0)
        }
    }

    @Test("a shift that is counted and followed by orders ends no day; counted again after the last one it does")
    func shifts() async throws {
        try await Database.with("shifts") { _, store in
            let day = Counting(store: store)
            try await day.sell("1", 1, "A", by: "Kim")
            try await day.count("t1", 3, .site)
            #expect(try await day.counted() == 3)
            try await day.sell("2", 6, "A", by: "Lee")
            #expect(try await day.counted() == nil)
            // By staff: each of those who sold.
            try await day.count("t2", 9, .staff("Kim"))
            #expect(try await day.counted() == nil)
            try await day.count("t3", 10, .staff("Lee"))
            #expect(try await day.counted() == 10)
            // Paid back on the first sale, after its count.
            try await day.sell("1", 11, "A", by: "Kim")
            #expect(try await day.counted() == nil)
            try await day.count("t4", 12, .site)
            #expect(try await day.counted() == 12)
        }
    }

    @Test("takings that another cut-off moves to the day before are taken out of the day they were booked in")
    func moved() async throws {
        try await Database.with("takings_moved") { pool, store in
            let saturday = DayKey(company: key.company, site: key.site, day: friday.adding(days: 1))
            @Sendable func variance(_ day: DayKey, _ bodies: [[UInt8]]) -> [DayEntry] {
                let cents = bodies.compactMap { Int64(String(decoding: $0, as: UTF8.self)) }.reduce(0, +)
                if cents == 0 { return [] }
                let group = DayEntry.Group(account: "870", taxType: "NONE", tracking: [])
                return [
                    DayEntry(
                        source: .variance(method: "Cash"), day: day.day, isRefund: cents < 0,
                        parts: [DayEntry.Part(group: group, amount: Money(cents: abs(cents)))], payments: [])
                ]
            }
            func count(_ id: String, of day: DayKey, _ cents: Int64, seen: Int64) async throws {
                try await store.takeIn(
                    DayTakings(
                        key: day, id: id, hash: hash("\(id) \(cents) \(seen)"), body: Array("\(cents)".utf8),
                        countedAt: noon, firstSeen: noon.adding(seconds: seen),
                        organisation: OrganisationKey("harbour"), venue: "Harbour Bistro", mode: .dailySummary),
                    at: noon, variance)
            }
            func close(_ day: DayKey) async throws -> Int64? {
                try await store.beginClosing([day], at: noon)
                return try await store.close(day, at: noon, mappingVersion: 1, withOrders: false) { contents in
                    let cents = contents.now.map { $0.signedTotal.cents }.reduce(0, +)
                    return DayDecision(documents: [], listing: nil, orders: 0, total: Money(cents: cents))
                }?.total.cents
            }
            try await count("t1", of: saturday, -500, seen: 0)
            try await count("t2", of: saturday, 200, seen: 0)
            #expect(try await close(saturday) == -300)
            // Published again, say because it was marked as processed; by then the day ends later.
            try await count("t1", of: key, -500, seen: 1)
            let changed = try await store.unfinishedDays(of: venue, through: saturday.day)
            #expect(changed.filter { $0.changedAt != nil }.map(\.key) == [saturday])
            #expect(try await close(key) == -500)
            #expect(try await close(saturday) == 200)
            // What was known before changes nothing, wherever it says it belongs.
            try await count("t1", of: saturday, -500, seen: 0)
            let left = try await store.unfinishedDays(of: venue, through: saturday.day)
            #expect(left.isEmpty)
            let sum = try await pool.withSession { session in
                try session.query("SELECT booked FROM day_entry").map {
                    try DayEntry(stored: $0.bytes("booked")).signedTotal.cents
                }.reduce(0, +)
            }
            #expect(sum == -300)
        }
    }
}
