import Foundation
import JSON

/// A venue's trading day: `2025-11-20` of a site.
struct TillDay: Hashable, Comparable, Sendable {
    let site: String
    let day: String

    static func < (one: TillDay, other: TillDay) -> Bool { (one.day, one.site) < (other.day, other.site) }
}

/// What the till says against what the ledger says, day by day, where venues post summaries. From the two simulators'
/// own books; trading days are worked out here, with the calendar of the system.
struct DayProof: BookProof {
    struct Day: Sendable, Equatable {
        var orders = 0
        var cents = Cents()
    }

    struct Row: Sendable {
        var venue: String
        var orders = 0
        var days = 0
        var till = Cents()
        var documents = 0
        var ledger = Cents()
        var unpaid = Cents()
    }

    var rows: [Row] = []
    /// Days with sales of which the ledger has nothing.
    var missing: [String] = []
    var doubled: [String] = []
    /// Days whose documents come to something else than the till took.
    var different: [String] = []
    var strangers: [String] = []
    var dead: Int
    var queued: Int

    init(plan: FleetPlan, till: JSON, ledger: JSON, dead: Int, queued: Int) throws {
        self.dead = dead
        self.queued = queued
        let sold = try TillDays(plan: plan, till: till)
        let booked = try LedgerDays(plan: plan, ledger: ledger, orders: sold.dayOfOrder)
        doubled = booked.doubled
        strangers = booked.strangers
        for venue in plan.venues {
            var row = Row(venue: venue.name)
            let days = Set(sold.days.keys).union(booked.days.keys).filter { $0.site == venue.site }
            for day in days.sorted() {
                let (taken, found) = (sold.days[day] ?? Day(), booked.days[day])
                if taken.orders > 0 { row.days += 1 }
                row.orders += taken.orders
                row.till = row.till + taken.cents
                row.documents += found?.documents ?? 0
                row.ledger = row.ledger + (found?.cents ?? Cents())
                row.unpaid = row.unpaid + (found?.due ?? Cents())
                let name = "\(venue.name), \(day.day)"
                guard let found else {
                    missing.append("\(name): \(taken.orders) orders, \(taken.cents.text)")
                    continue
                }
                if taken.orders == 0 {
                    strangers.append("\(name): no sale, ledger \(found.cents.text)")
                } else if found.cents != taken.cents {
                    different.append("\(name): till \(taken.cents.text), ledger \(found.cents.text)")
                }
            }
            rows.append(row)
        }
    }

    var orders: Int { rows.reduce(0) { $0 + $1.orders } }
    var days: Int { rows.reduce(0) { $0 + $1.days } }
    var documents: Int { rows.reduce(0) { $0 + $1.documents } }
    var till: Cents { rows.reduce(Cents()) { $0 + $1.till } }
    var ledger: Cents { rows.reduce(Cents()) { $0 + $1.ledger } }
    var unpaid: Cents { rows.reduce(Cents()) { $0 + $1.unpaid } }

    var holds: Bool {
        orders > 0 && missing.isEmpty && doubled.isEmpty && different.isEmpty && strangers.isEmpty && dead == 0
            && queued == 0 && unpaid.value == 0 && rows.allSatisfy { $0.till == $0.ledger }
    }

    var lines: [String] {
        let header = ["venue", "orders", "days", "till", "documents", "ledger", "unpaid", "difference"]
        let body = rows.map { row in
            [
                row.venue, String(row.orders), String(row.days), row.till.text, String(row.documents), row.ledger.text,
                row.unpaid.text, (row.till - row.ledger).text,
            ]
        }
        return Self.table([header] + body) + Self.complaints([
            ("missing in the ledger", missing), ("twice in the ledger", doubled), ("another amount", different),
            ("in the ledger but not in the till", strangers),
        ], queued: queued) + [
            "proof: \(orders) orders of \(days) days, \(documents) documents, till \(till.text), ledger "
                + "\(ledger.text), difference \((till - ledger).text), days that differ \(different.count), "
                + "missing \(missing.count), doubled \(doubled.count), dead \(dead)"
        ]
    }
}

/// What customers paid at each venue, by trading day.
struct TillDays {
    private(set) var days: [TillDay: DayProof.Day] = [:]
    /// By `<organisation>/<prefix>-<order>`, as an order's own document is called.
    private(set) var dayOfOrder: [String: TillDay] = [:]

    init(plan: FleetPlan, till: JSON) throws {
        let venues = Dictionary(plan.venues.map { ($0.site, $0) }) { $1 }
        let clocks = try Dictionary(plan.organisations.map { ($0.key, try VenueClock($0)) }) { $1 }
        let formatter = ISO8601DateFormatter()
        for order in till["orders"]?.elements ?? [] {
            guard let site = order["site"]?.numberText, let id = order["id"]?.numberText,
                let made = order["created_at"]?.string.flatMap({ formatter.date(from: $0) }),
                let paid = Cents(order["paid"]?.numberText)
            else { throw HarnessError("the till's ledger holds an order without venue, id, time or amount") }
            guard let venue = venues[site], let clock = clocks[venue.organisation] else { continue }
            let day = TillDay(site: site, day: clock.tradingDay(of: made))
            days[day, default: .init()].orders += 1
            days[day, default: .init()].cents = (days[day]?.cents ?? Cents()) + paid
            dayOfOrder["\(venue.organisation)/\(venue.prefix)-\(id)"] = day
        }
    }
}

/// What the ledger holds of each venue's day: its summary, the adjustments and what stands alone, credit notes taken
/// off.
struct LedgerDays {
    struct Day {
        var documents = 0
        var cents = Cents()
        var due = Cents()
    }

    private(set) var days: [TillDay: Day] = [:]
    private(set) var doubled: [String] = []
    private(set) var strangers: [String] = []

    init(plan: FleetPlan, ledger: JSON, orders: [String: TillDay]) throws {
        var seen: Set<String> = []
        for books in ledger["organisations"]?.elements ?? [] {
            let tenant = books["tenantId"]?.string
            let key = plan.organisations.first { $0.tenant == tenant }?.key ?? "unknown"
            for (list, name, sign) in [("invoices", "InvoiceNumber", Int64(1)), ("creditNotes", "CreditNoteNumber", -1)]
            {
                for document in books[key: list]?.elements ?? [] where document["Status"]?.string != "VOIDED" {
                    guard let number = document[key: name]?.string, let total = Cents(document["Total"]?.numberText),
                        let due = Cents(document["AmountDue"]?.numberText), let date = document["Date"]?.string
                    else { throw HarnessError("the ledger holds a document without number, date or amount") }
                    if !seen.insert("\(key)/\(number)").inserted { doubled.append("\(key)/\(number)") }
                    let summary = Self.summary(number, of: key, plan)
                    // An adjustment may be dated later, where its day is locked; a summary never is in a demo.
                    guard let day = summary ?? orders["\(key)/\(number)"], summary == nil || day.day == date else {
                        strangers.append("\(key)/\(number) of \(date)")
                        continue
                    }
                    var known = days[day] ?? Day()
                    known.documents += 1
                    known.cents = known.cents + Cents(sign * total.value)
                    known.due = known.due + due
                    days[day] = known
                }
            }
        }
    }

    /// The day of `HBR-D20251120`, `HBR-D20251120-a1` or `HBR-D20251120-c`.
    private static func summary(_ number: String, of organisation: String, _ plan: FleetPlan) -> TillDay? {
        let parts = number.split(separator: "-", omittingEmptySubsequences: false)
        var suffixes = parts.dropFirst(2)
        if let turn = suffixes.first, turn.first == "a", Int(turn.dropFirst()) != nil { suffixes.removeFirst() }
        if suffixes.first == "c" { suffixes.removeFirst() }
        guard parts.count >= 2, suffixes.isEmpty, parts[1].first == "D", parts[1].count == 9,
            let venue = plan.venues.first(where: { $0.prefix == parts[0] && $0.organisation == organisation })
        else { return nil }
        let digits = parts[1].dropFirst()
        return TillDay(
            site: venue.site, day: "\(digits.prefix(4))-\(digits.dropFirst(4).prefix(2))-\(digits.suffix(2))")
    }
}

/// The calendar of an organisation, whose days end at its cut-off.
struct VenueClock {
    private var calendar = Calendar(identifier: .gregorian)
    private let cutOff: FleetPlan.TimeOfDay

    init(_ organisation: FleetPlan.Organisation) throws {
        guard let zone = TimeZone(identifier: organisation.timezone) else {
            throw HarnessError("there is no time zone \(organisation.timezone)")
        }
        calendar.timeZone = zone
        cutOff = organisation.cutOff
    }

    /// `2025-11-20`; by the clock on the wall, so that a day on which the clocks change ends at the cut-off too.
    func tradingDay(of moment: Date) -> String {
        var parts = calendar.dateComponents([.year, .month, .day, .hour, .minute], from: moment)
        if ((parts.hour ?? 0), (parts.minute ?? 0)) < (cutOff.hour, cutOff.minute),
            let before = calendar.date(byAdding: .day, value: -1, to: moment)
        {
            parts = calendar.dateComponents([.year, .month, .day], from: before)
        }
        return String(format: "%04d-%02d-%02d", parts.year ?? 0, parts.month ?? 0, parts.day ?? 0)
    }
}
