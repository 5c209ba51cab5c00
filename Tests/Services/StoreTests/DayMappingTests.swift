import Domain
import Mapping
import Money
import Postgres
import Settings
import Synchronization
import Testing
import Xero

@testable import Store

private let venue = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
private let harbour = OrganisationKey("harbour")
private let friday = CalendarDate(year: 2026, month: 11, day: 20)
private let key = DayKey(company: venue.company, site: venue.site, day: friday)
private let noon = Instant(secondsSince1970: 1_795_000_000)

/// What the mapping of a number books: each has a sales account and a bank of its own.
private func entry(_ id: String, _ cents: Int64, by version: Int64) -> DayEntry {
    let group = DayEntry.Group(account: "sales-\(version)", taxType: "OUTPUT", tracking: [])
    return DayEntry(
        source: .order(OrderID(id), .sale), day: friday, isRefund: false,
        parts: [DayEntry.Part(group: group, amount: Money(cents: cents))],
        payments: [
            LedgerPayment(account: "bank-\(version)", amount: Money(cents: cents), date: friday, reference: "Card")
        ])
}

/// - Parameter seen: seconds after noon at which this version was first seen.
private func order(_ id: String, _ cents: Int64, by version: Int64, seen: Int64 = 0) -> DayOrder {
    var made = DayOrder(
        source: SourceKey(company: venue.company, kind: .order, id: id), hash: hash("\(id) \(cents) \(seen)"),
        body: Array("\(id) \(cents)".utf8), firstSeen: noon.adding(seconds: seen), organisation: harbour,
        venue: "Harbour Bistro", site: venue.site, plan: PostingPlan(initial: .dailySummary),
        number: DocumentNumber("HBR-\(id)"), entries: [entry(id, cents, by: version)])
    made.mappingVersion = version
    return made
}

/// One document of what differs, with a payment for each bank; its body says which way each sum goes.
@Sendable private func decide(_ contents: DayContents) -> DayDecision {
    var sums: [String: Money] = [:]
    var banks: [String: Money] = [:]
    for (entries, sign) in [(contents.now, Int64(1)), (contents.booked, -1)] {
        for entry in entries {
            for part in entry.parts {
                sums[part.group.account, default: .zero] += Money(cents: part.amount.cents * sign)
            }
            for payment in entry.payments {
                banks[payment.account, default: .zero] += Money(cents: payment.amount.cents * sign)
            }
        }
    }
    sums = sums.filter { !$0.value.isZero }
    let total = sums.values.reduce(Money.zero, +)
    let lines = sums.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    let number = contents.turn == 0 ? "D" : "D-a\(contents.turn)"
    let document = NewDocument(
        organisation: harbour, number: DocumentNumber(number), venue: "Harbour Bistro", contactNumber: "W",
        tradingDate: friday, currency: "AUD", total: total.magnitude, body: Array(lines.utf8), contentHash: hash(lines),
        payments: banks.filter { !$0.value.isZero }.sorted { $0.key < $1.key }.map {
            InvoicePayment(account: $0.key, amount: $0.value.magnitude, date: friday, reference: "Card")
        })
    return DayDecision(
        documents: lines.isEmpty ? [] : [document], listing: nil, orders: contents.now.count,
        total: contents.now.reduce(Money.zero) { $0 + $1.total })
}

/// A mapping's number, and what it was asked about.
private final class Mapper: Sendable {
    let version: Int64
    private let ids = Mutex<[String]>([])
    private let elsewhere: Set<String>

    var asked: [String] { ids.withLock { $0 } }

    init(_ version: Int64, elsewhere: Set<String> = []) { (self.version, self.elsewhere) = (version, elsewhere) }

    var making: DayMaking {
        DayMaking(mappingVersion: version, withOrders: false, again: { [self] outdated in
            ids.withLock { $0.append(outdated.sourceID) }
            if elsewhere.contains(outdated.sourceID) { return .elsewhere }
            guard let record = outdated.records.first else { return .kept }
            let words = String(decoding: record.body, as: UTF8.self).split(separator: " ")
            return .entries([entry(String(words[0]), Int64(words[1]) ?? 0, by: version)])
        }, decide: decide)
    }
}

private struct Booking {
    let pool: PostgresPool
    let store: PostgresStore

    func close(_ mapper: Mapper) async throws -> DayClose? {
        try await store.beginClosing([key], at: noon)
        return try await store.close(key, at: noon, mapper.making)
    }

    /// `<number> <state>: <lines>; <payments>`
    func documents() async throws -> [String] {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT d.number || ' ' || d.state || ': ' || convert_from(b.body, 'UTF8') || '; ' || coalesce((
                       SELECT string_agg(p.account || ' ' || p.amount || ' ' || p.state, ', ' ORDER BY ordinal)
                         FROM payment AS p WHERE p.document_id = d.id), '') AS document
                  FROM document AS d JOIN document_body AS b ON b.document_id = d.id ORDER BY d.id
                """
            ).map { try $0.text("document") }
        }
    }

    func id(_ number: String) async throws -> DocumentID {
        try await pool.withSession { session in
            DocumentID(
                try session.query("SELECT id FROM document WHERE number = $1", [.text(number)])[0].int("id"))
        }
    }

    /// The ledger's answer to a document.
    func answer(_ number: String, _ state: String, payments: String = "ready") async throws {
        let id = try await id(number)
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE document SET state = 'sent' WHERE id = $1 AND state = 'ready'", [.int(id.value)])
            try session.execute(
                """
                UPDATE document SET state = $2, closed_at = now(), cause = 'archived',
                       xero_id = CASE WHEN $2 = 'written' THEN 'x-' || id END WHERE id = $1
                """, [.int(id.value), .text(state)])
            try session.execute(
                "UPDATE payment SET state = $2 WHERE document_id = $1", [.int(id.value), .text(payments)])
        }
    }

    func repost(_ number: String, _ mapper: Mapper) async throws -> RepostedDay {
        try await store.repost(try await id(number), of: key, at: noon, mapper.making)
    }
}

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DayMappingTests {
    private func with(_ name: String, _ work: (Booking) async throws -> Void) async throws {
        try await Database.with("day_mapping_\(name)") { pool, store in
            try await work(Booking(pool: pool, store: store))
        }
    }

    @Test("what another mapping made is made again before its day is closed; with the same one nothing is asked")
    func edited() async throws {
        try await with("edited") { booking in
            let ids = (1...3).map(String.init)
            for id in ids { _ = try await booking.store.takeIn([order(id, 1000, by: 1)], at: noon) }
            _ = try await booking.store.takeIn([order("4", 500, by: 2)], at: noon)
            let mapper = Mapper(2)
            _ = try await booking.close(mapper)
            #expect(mapper.asked == ids)
            #expect(try await booking.documents() == ["D ready: sales-2 35.00; bank-2 35.00 ready"])
        }
        try await with("same") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1)], at: noon)
            let mapper = Mapper(1)
            _ = try await booking.close(mapper)
            #expect(mapper.asked.isEmpty)
            #expect(try await booking.documents() == ["D ready: sales-1 10.00; bank-1 10.00 ready"])
        }
    }

    @Test("more orders than are looked at together are all made again")
    func many() async throws {
        try await with("many") { booking in
            _ = try await booking.store.takeIn((1...1203).map { order("\($0)", 100, by: 1) }, at: noon)
            let mapper = Mapper(2)
            _ = try await booking.close(mapper)
            #expect(mapper.asked.count == 1203 && Set(mapper.asked).count == 1203)
            #expect(try await booking.documents() == ["D ready: sales-2 1203.00; bank-2 1203.00 ready"])
        }
    }

    @Test("an order that the mapping makes something else of holds its day back until it was tried, and is not lost")
    func elsewhere() async throws {
        try await with("elsewhere") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1), order("2", 500, by: 1)], at: noon)
            let mapper = Mapper(2, elsewhere: ["2"])
            guard case .waits(let outdated) = try await booking.close(mapper) else {
                Issue.record("the day does not wait")
                return
            }
            #expect(outdated.map(\.sourceID) == ["2"] && outdated[0].records.map(\.body) == [Array("2 500".utf8)])
            #expect(try await booking.documents().isEmpty)
            try await booking.store.noteTried(outdated, of: key, with: 2)
            _ = try await booking.close(mapper)
            #expect(try await booking.documents()
                == ["D ready: sales-1 5.00, sales-2 10.00; bank-1 5.00 ready, bank-2 10.00 ready"])
        }
    }

    @Test("an adjustment takes back what was booked where it was booked, and maps what is new by what is in effect")
    func adjustment() async throws {
        try await with("adjustment") { booking in
            let orders = ["1", "2"].map { order($0, 1000, by: 1) }
            _ = try await booking.store.takeIn(orders, at: noon)
            _ = try await booking.close(Mapper(1))
            try await booking.answer("D", "written", payments: "written")
            // Changed and late before the mapping was edited.
            _ = try await booking.store.takeIn([order("2", 1200, by: 1, seen: 1), order("3", 700, by: 1)], at: noon)
            let mapper = Mapper(2)
            _ = try await booking.close(mapper)
            #expect(mapper.asked == ["2", "3"])
            #expect(try await booking.documents().last
                == "D-a1 ready: sales-1 -10.00, sales-2 19.00; bank-1 10.00 ready, bank-2 19.00 ready")
            // Refused, it is made anew from what stood before it: no cent is added or taken twice.
            try await booking.answer("D-a1", "refused")
            let reposted = try await booking.repost("D-a1", Mapper(3))
            #expect(reposted.documents == [try await booking.id("D-a1")])
            #expect(try await booking.documents().last
                == "D-a1 ready: sales-1 -10.00, sales-3 19.00; bank-1 10.00 ready, bank-3 19.00 ready")
            try await booking.answer("D-a1", "written", payments: "written")
            _ = try await booking.store.takeIn([order("2", 0, by: 3, seen: 2)], at: noon)
            _ = try await booking.close(Mapper(3))
            #expect(try await booking.documents().last == "D-a2 ready: sales-3 -12.00; bank-3 12.00 ready")
        }
    }

    @Test("a summary that was refused is made anew under its number by the mapping in effect, with what came since")
    func refused() async throws {
        try await with("refused") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1), order("2", 500, by: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            let id = try await booking.id("D")
            // In a writer's hand it is left alone.
            #expect(try await booking.repost("D", Mapper(2)).documents == [id])
            #expect(try await booking.documents() == ["D ready: sales-1 15.00; bank-1 15.00 ready"])
            try await booking.answer("D", "refused")
            #expect(try await booking.repost("D", Mapper(2)).documents == [id])
            #expect(try await booking.documents() == ["D ready: sales-2 15.00; bank-2 15.00 ready"])
            try await booking.answer("D", "refused")
            // Nothing is adjusted that does not stand: what comes late goes into the document itself.
            _ = try await booking.store.takeIn([order("3", 700, by: 2, seen: 1)], at: noon)
            guard case .made(let made) = try await booking.close(Mapper(2)) else {
                Issue.record("nothing is made")
                return
            }
            #expect(made.documents == [id] && made.turn == 0)
            #expect(try await booking.documents() == ["D ready: sales-2 22.00; bank-2 22.00 ready"])
            try await booking.answer("D", "written", payments: "written")
            #expect(try await booking.store.notePosted(of: venue, at: noon) == 1)
            #expect(try await booking.close(Mapper(3)) == nil)
            // What was booked is known: nothing else is taken back.
            _ = try await booking.store.takeIn([order("1", 900, by: 3, seen: 2)], at: noon)
            _ = try await booking.close(Mapper(3))
            #expect(try await booking.documents().last
                == "D-a1 ready: sales-2 -10.00, sales-3 9.00; bank-2 10.00 ready, bank-3 9.00 ready")
        }
    }

    @Test("a refused document under a later one that stands is sent as it is; one that came to nothing is withdrawn")
    func builtUpon() async throws {
        try await with("built_upon") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            // Made while the first was on its way.
            _ = try await booking.store.takeIn([order("2", 500, by: 1, seen: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            try await booking.answer("D", "refused")
            #expect(try await booking.repost("D", Mapper(2)).documents == [try await booking.id("D")])
            #expect(try await booking.documents() == [
                "D ready: sales-1 10.00; bank-1 10.00 ready", "D-a1 ready: sales-1 5.00; bank-1 5.00 ready",
            ])
            try await booking.answer("D", "written", payments: "written")
            try await booking.answer("D-a1", "refused")
            var gone = order("2", 500, by: 2, seen: 2)
            gone.entries = []
            _ = try await booking.store.takeIn([gone], at: noon)
            _ = try await booking.close(Mapper(2))
            #expect(try await booking.documents().last == "D-a1 withdrawn: sales-1 5.00; bank-1 5.00 ready")
            #expect(try await booking.store.notePosted(of: venue, at: noon) == 1)
            // Its letter is settled by its document's state; nobody is told of it.
            #expect(try await booking.repost("D-a1", Mapper(2)).documents.isEmpty)
        }
    }

    @Test("what an adjustment holds is not lost when it is refused after more of the day changed meanwhile")
    func refusedAdjustment() async throws {
        try await with("refused_adjustment") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            try await booking.answer("D", "written", payments: "written")
            _ = try await booking.store.takeIn([order("2", 700, by: 1, seen: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            // On its way still: another comes late, and goes again.
            _ = try await booking.store.takeIn([order("3", 500, by: 1, seen: 2)], at: noon)
            #expect(try await booking.close(Mapper(1)) == nil)
            try await booking.answer("D-a1", "refused")
            _ = try await booking.close(Mapper(1))
            #expect(try await booking.documents().last == "D-a1 ready: sales-1 12.00; bank-1 12.00 ready")
            try await booking.answer("D-a1", "refused")
            var gone = order("3", 500, by: 1, seen: 3)
            gone.entries = []
            _ = try await booking.store.takeIn([gone], at: noon)
            _ = try await booking.close(Mapper(1))
            #expect(try await booking.documents() == [
                "D written: sales-1 10.00; bank-1 10.00 written", "D-a1 ready: sales-1 7.00; bank-1 7.00 ready",
            ])
        }
    }

    @Test("a summary's refused payment goes to the account that the mapping names now, and is taken back from there")
    func refusedPayment() async throws {
        try await with("refused_payment") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1), order("2", 500, by: 1)], at: noon)
            _ = try await booking.close(Mapper(1))
            try await booking.answer("D", "written", payments: "refused")
            #expect(try await booking.repost("D", Mapper(2)).documents == [try await booking.id("D")])
            // The invoice stands as it is.
            #expect(try await booking.documents() == ["D written: sales-1 15.00; bank-2 15.00 uncertain"])
            try await booking.answer("D", "written", payments: "written")
            #expect(try await booking.close(Mapper(2)) == nil)
            _ = try await booking.store.takeIn([order("2", 400, by: 2, seen: 1)], at: noon)
            _ = try await booking.close(Mapper(2))
            #expect(try await booking.documents().last
                == "D-a1 ready: sales-1 -5.00, sales-2 4.00; bank-2 1.00 ready")
        }
    }

    @Test("an order that a rule leaves out is taken out of a day that is open, and left as it is in one that is booked")
    func leftOut() async throws {
        try await with("left_out") { booking in
            _ = try await booking.store.takeIn([order("1", 1000, by: 1), order("2", 500, by: 1)], at: noon)
            func leaveOut(_ id: String, seen: Int64) async throws {
                var left = order(id, 1500, by: 1, seen: seen)
                (left.entries, left.isLeftOut) = ([], true)
                _ = try await booking.store.takeIn([left], at: noon)
            }
            try await leaveOut("1", seen: 1)
            _ = try await booking.close(Mapper(1))
            #expect(try await booking.documents() == ["D ready: sales-1 5.00; bank-1 5.00 ready"])
            try await leaveOut("2", seen: 1)
            #expect(try await booking.store.unfinishedDays(of: venue, through: friday).isEmpty)
            // Let in again it is of the day once more.
            _ = try await booking.store.takeIn([order("1", 1600, by: 1, seen: 2)], at: noon)
            try await booking.answer("D", "written")
            _ = try await booking.close(Mapper(1))
            #expect(try await booking.documents().last == "D-a1 ready: sales-1 16.00; bank-1 16.00 ready")
        }
    }
}
