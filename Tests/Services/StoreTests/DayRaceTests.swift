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
private let noon = Instant(secondsSince1970: 1_795_000_000)
private let later = Instant(secondsSince1970: 4_000_000_000)

/// - Parameter seen: seconds after noon at which this version was first seen.
private func order(_ id: String, _ cents: Int64, on day: CalendarDate = friday, seen: Int64 = 0) -> DayOrder {
    let group = DayEntry.Group(account: "230", taxType: "OUTPUT", tracking: [])
    let entry = DayEntry(
        source: .order(OrderID(id), .sale), day: day, isRefund: false,
        parts: [DayEntry.Part(group: group, amount: Money(cents: cents))], payments: [])
    return DayOrder(
        source: SourceKey(company: venue.company, kind: .order, id: id), hash: hash("\(id) \(cents) \(seen)"),
        body: Array("order \(id)".utf8), firstSeen: noon.adding(seconds: seen),
        organisation: OrganisationKey("harbour"), venue: "Harbour Bistro", site: venue.site,
        plan: PostingPlan(initial: .dailySummary), number: DocumentNumber("HBR-\(id)"), entries: [entry], leaves: false)
}

/// Several mappers with the same day, or the same order, at one moment.
@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DayRaceTests {
    @Test("a day into which an order comes at the moment it is closed as quiet keeps it, or is to be adjusted")
    func quietRace() async throws {
        try await Database.with("race_quiet") { pool, store in
            let days = (0..<40).map(friday.adding(days:))
            try await store.meet(days, of: venue, in: OrganisationKey("harbour"), named: "Harbour Bistro")
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, day) in days.enumerated() {
                    group.addTask { _ = try await store.takeIn([order("q\(index)", 1000, on: day)], at: noon) }
                    group.addTask {
                        _ = try await store.closeQuietDays(of: venue, through: days[39], metBy: later, at: noon)
                    }
                }
                try await group.waitForAll()
            }
            let lost = "SELECT day FROM venue_day JOIN day_entry USING (company, site, day) "
                + "WHERE state = 'posted' AND changed_at IS NULL AND booked IS NULL"
            #expect(try await pool.withSession { try $0.query(lost).count } == 0)
        }
    }

    @Test("of two versions of an order that are taken in at one moment the newer counts, whoever had to wait")
    func versionsAtOnce() async throws {
        try await Database.with("race_days") { pool, store in
            _ = try await store.takeIn([order("1", 100)], at: noon)
            for round in 1...20 {
                let (old, new) = (Int64(round * 2), Int64(round * 2 + 1))
                let both = [old, new].shuffled().map { order("1", 100 + $0, seen: $0) }
                async let first = store.takeIn([both[0]], at: noon)
                async let second = store.takeIn([both[1]], at: noon)
                _ = try await (first, second)
                let rows = try await pool.withSession { try $0.query("SELECT now FROM day_entry") }
                let totals = try rows.map { try DayEntry(stored: $0.bytes("now")).total }
                #expect(totals == [Money(cents: 100 + new)])
            }
        }
    }
}
