import Domain
import Mapping
import Money
import Operator
import Settings
import Testing

@Suite("Previewing a day") struct DayPreviewTests {
    private static let day = CalendarDate(year: 2026, month: 11, day: 23)

    private func books(_ mode: PostingMode) throws -> VenueBooks {
        let settings = try ChartCheckTests.settings()
        var books = try #require(settings.books.values.first)
        books.posting = PostingPlan(initial: mode)
        books.accounts.variance = "870"
        return books
    }

    private func order(_ id: String, _ amount: String, method: String = "Card") throws -> Order {
        let value = try #require(ExactDecimal(amount))
        var line = OrderLine(
            number: 1, name: "Pie", quantity: .one, recorded: value, isFromUnitPrice: false,
            taxRates: [try #require(ExactDecimal("0.1"))])
        line.categories = ["Coffee"]
        return Order(
            id: OrderID(id), site: SiteID("923"), status: "COMPLETE",
            createdAt: try #require(Instant(iso8601: "2026-11-23T10:00:00Z")), total: value, lines: [line],
            payments: [Tender(method: method, amount: value)])
    }

    @Test("both ways of posting come to the same, one in a document an order, the other in one a day")
    func modes() throws {
        for (mode, count) in [(PostingMode.perOrder, 3), (.dailySummary, 1)] {
            var preview = DayPreview(of: Self.day, at: try books(mode), contactName: "Walk-in")
            for (id, amount) in [("1", "11.00"), ("2", "5.50"), ("3", "0.55")] {
                preview.add(try order(id, amount))
            }
            let text = String(decoding: preview.json(), as: UTF8.self)
            #expect(text.contains(#""total":17.05"#), "\(text)")
            #expect(text.components(of: #""kind":"ACCREC""#) == count, "\(text)")
            let lines = preview.lines()
            #expect(lines.contains { $0.hasPrefix("200") && $0.contains("17.05") }, "\(lines)")
            #expect(preview.exitCode == 0)
        }
    }

    @Test("what is booked on another day is not in the day's preview, in either mode")
    func otherDays() throws {
        for mode in [PostingMode.perOrder, .dailySummary] {
            var preview = DayPreview(of: Self.day, at: try books(mode), contactName: "Walk-in")
            preview.add(try order("1", "11.00"))
            var other = try order("2", "5.50")
            other.createdAt = other.createdAt.adding(seconds: -86_400)
            preview.add(other)
            #expect(preview.lines().contains { $0.contains("1 document, 11.00 in all") }, "\(preview.lines())")
        }
    }

    @Test("an order that cannot be booked is named with its cause, and the day's other orders are shown")
    func parked() throws {
        var preview = DayPreview(of: Self.day, at: try books(.perOrder), contactName: "Walk-in")
        preview.add(try order("1", "11.00"))
        preview.add(try order("2", "5.50", method: "Barter"))
        #expect(preview.exitCode == 3)
        #expect(preview.lines().contains { $0.hasPrefix("order 2 is laid on the desk (mapping)") })
        #expect(preview.lines().contains { $0.contains("1 document, 11.00 in all") })
    }

    @Test("a day's preview says the same as a table and as JSON: every line's account, tax, amount and rule")
    func forms() throws {
        var preview = DayPreview(of: Self.day, at: try books(.dailySummary), contactName: "Walk-in")
        preview.add(try order("1", "11.00"))
        preview.add(try order("2", "5.50", method: "Cash"))
        let json = String(decoding: preview.json(), as: UTF8.self)
        let table = preview.lines().joined(separator: "\n")
        for part in ["16.50", "1.50", "200", "OUTPUT", "231", "232", "Harbour Bistro", "2026-11-23", "daily_summary"] {
            #expect(json.contains(part), "\(part) in \(json)")
            #expect(table.contains(part), "\(part) in \(table)")
        }
        #expect(preview.exitCode == 0)
    }

    @Test("what was counted in the tills stands in the summary, and is told by method, as a table and as JSON")
    func variance() throws {
        var preview = DayPreview(of: Self.day, at: try books(.dailySummary), contactName: "Walk-in")
        preview.add(try order("1", "11.00", method: "Cash"))
        #expect(preview.lines().contains("the till was not counted: no variance so far"))
        #expect(String(decoding: preview.json(), as: UTF8.self).contains(#""variance":null"#))
        // Two registers.
        preview.add([
            Takings(method: "Cash", recorded: Money(cents: 600), counted: Money(cents: 550)),
            Takings(method: "Cash", recorded: Money(cents: 500), counted: Money(cents: 480)),
            Takings(method: "Card", recorded: Money(cents: 0), counted: Money(cents: 0)),
        ])
        #expect(preview.exitCode == 0, "\(preview.lines())")
        let lines = preview.lines()
        #expect(lines.contains("till variance by Cash: counted 10.30, recorded 11.00, difference -0.70"), "\(lines)")
        #expect(lines.contains { $0.contains("1 document, 10.30 in all") })
        let json = String(decoding: preview.json(), as: UTF8.self)
        #expect(json.contains(#"{"method":"Cash","counted":10.30,"recorded":11.00,"variance":-0.70}"#), "\(json)")
        #expect(json.contains(#""total":10.30"#))
    }

    @Test("where each sale is an invoice of its own, the variance has a document; without an account it has none")
    func varianceByItself() throws {
        for account in ["870", nil] {
            var books = try books(.perOrder)
            books.accounts.variance = account
            var preview = DayPreview(of: Self.day, at: books, contactName: "Walk-in")
            preview.add(try order("1", "11.00", method: "Cash"))
            preview.add([Takings(method: "Cash", recorded: Money(cents: 600), counted: Money(cents: 550))])
            let (lines, isBooked) = (preview.lines(), account != nil)
            #expect(lines.contains { $0.contains(isBooked ? "2 documents, 10.50 in all" : "1 document, 11.00 in all") })
            #expect(lines.contains { $0.contains("difference -0.50") } == isBooked, "\(lines)")
            #expect(lines.contains { $0.contains("HBR-D20261123") } == isBooked, "\(lines)")
            #expect(preview.exitCode == 0)
        }
    }

    @Test("a difference that no account is set for is named, and the day's sales are shown")
    func varianceWithoutAccount() throws {
        var books = try books(.dailySummary)
        books.accounts.variance = nil
        var preview = DayPreview(of: Self.day, at: books, contactName: "Walk-in")
        preview.add(try order("1", "11.00", method: "Cash"))
        preview.add([Takings(method: "Cash", recorded: Money(cents: 600), counted: Money(cents: 550))])
        #expect(preview.exitCode == 3)
        #expect(preview.lines().contains { $0.contains("no account is set for the difference of -0.50") })
    }

    @Test("a name from the till cannot command the terminal")
    func controlCharacters() {
        var columns = Columns(["name", "amount"], rightAligned: [1])
        columns.add(["\u{1B}[31mred\u{7}\n", "1.00"])
        columns.add([String(repeating: "x", count: 100), "10.00"])
        let text = columns.lines().joined()
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F })
        #expect(columns.lines().allSatisfy { $0.count <= 70 })
    }
}

extension String {
    fileprivate func components(of word: String) -> Int { ranges(of: word).count }
}
