import Domain
import Foundation
import Mapping
import Money
import OrderRecipes
import Testing

/// The real orders of a takeaway, four years of them. They are no part of the project.
private enum Takeaway {
    static let file: URL = {
        var folder = URL(filePath: #filePath)
        for _ in 0..<4 { folder.deleteLastPathComponent() }
        return folder.appending(path: "../shared/data/takeaway-orders.csv").standardized
    }()

    static let isThere = FileManager.default.fileExists(atPath: file.path)

    struct Sale {
        let order: Order
        let day: CalendarDate
        let cents: Int64
    }

    /// Reads the file by itself: digits to cents, nothing in between.
    static func sales() throws -> [Sale] {
        let text = String(decoding: try Data(contentsOf: file), as: UTF8.self)
        var keys: [String] = []
        var lines: [String: [OrderLine]] = [:]
        var sums: [String: Int64] = [:]
        for row in text.split(whereSeparator: \.isNewline).dropFirst() {
            let fields = row.split(separator: ",", omittingEmptySubsequences: false)
            try #require(fields.count == 7, "\(row)")
            let quantity = try #require(Int64(fields[3]))
            let cents = try #require(Self.cents(fields[4])) * quantity
            let key = "\(fields[0]) \(fields[1])"
            if lines[key] == nil { keys.append(key) }
            // Bottled water is GST-free here, as in the simulator's trade.
            let isFree = fields[2].lowercased().contains("water")
            lines[key, default: []].append(
                OrderLine(
                    number: lines[key, default: []].count + 1, name: String(fields[2]),
                    quantity: ExactDecimal(coefficient: Int128(quantity), scale: 0),
                    recorded: ExactDecimal(coefficient: Int128(cents), scale: 2), isFromUnitPrice: false,
                    taxRates: isFree ? [] : [decimal("0.1")]))
            sums[key, default: 0] += cents
        }
        return try keys.enumerated().map { index, key in
            try sale(index, key, lines[key] ?? [], sums[key] ?? 0)
        }
    }

    /// `2.95` → 295, `8` → 800.
    private static func cents(_ text: Substring) -> Int64? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, let whole = Int64(parts[0]) else { return nil }
        guard parts.count == 2 else { return whole * 100 }
        guard (1...2).contains(parts[1].count), let fraction = Int64(parts[1]) else { return nil }
        return whole * 100 + (parts[1].count == 1 ? fraction * 10 : fraction)
    }

    /// `16118 03/08/19 20:25`, on a clock without daylight saving.
    private static func sale(_ index: Int, _ key: String, _ lines: [OrderLine], _ cents: Int64) throws -> Sale {
        let numbers = key.split { !$0.isNumber }.compactMap { Int($0) }
        try #require(numbers.count == 6, "\(key)")
        let date = CalendarDate(year: 2000 + numbers[3], month: numbers[2], day: numbers[1])
        let moment = Int64(date.daysSince1970) * 86_400 + Int64(numbers[4] * 3600 + numbers[5] * 60)
        var order = Order(
            id: OrderID(String(5_000_000_000 + index)), site: SiteID("923"), status: "COMPLETE",
            createdAt: Instant(secondsSince1970: moment), total: Money(cents: cents).decimal, lines: lines,
            payments: [Tender(method: index % 3 == 0 ? "Cash" : "Card", amount: Money(cents: cents).decimal)])
        order.saleNumber = "T\(numbers[0])"
        let day = numbers[4] < 4 ? date.adding(days: -1) : date
        return Sale(order: order, day: day, cents: cents)
    }
}

@Suite("Real orders", .enabled(if: Takeaway.isThere, "../shared/data/takeaway-orders.csv is not here"))
struct TakeawayTests {
    @Test("all real orders, one by one and as summaries, come to their till's total on every day")
    func everyDay() throws {
        let sales = try Takeaway.sales()
        #expect(sales.count > 13_000)
        var books = VenueBooks.complete
        books.posting = PostingPlan(initial: .dailySummary)
        let summaries = SummaryMapping(books: books)
        var till: [CalendarDate: Int64] = [:]
        var single: [CalendarDate: Int64] = [:]
        var entries: [CalendarDate: [DayEntry]] = [:]
        for sale in sales {
            till[sale.day, default: 0] += sale.cents
            let document = try summaries.orders.invoice(for: sale.order)
            #expect(document.due == .zero && document.total.cents == sale.cents)
            single[document.day, default: 0] += document.total.cents
            for entry in summaries.orders.entries(of: [document], for: sale.order) {
                entries[entry.day, default: []].append(entry)
            }
        }
        #expect(single == till)
        var summed: [CalendarDate: Int64] = [:]
        for (day, entries) in entries {
            guard case .documents(let documents) = summaries.close(day, entries) else { continue }
            #expect(documents.count == 1 && documents.allSatisfy { $0.due == .zero })
            summed[day] = documents.map(\.signedTotal.cents).reduce(0, +)
        }
        #expect(summed == till)
        #expect(till.count > 1_000)
    }
}
