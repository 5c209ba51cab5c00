import Domain
import Mapping
import Money
import OrderRecipes
import Testing

@Suite("Rules about dates") struct HolidayRuleTests {
    @Test("a public holiday's surcharge goes to its own account, wherever the week has the day")
    func publicHoliday() throws {
        var books = VenueBooks.example
        books.accounts.surcharges = "241"
        var holiday = Rule.Outcome()
        holiday.account = TextTemplate("243")
        let days: Set = [CalendarDate(year: 2026, month: 12, day: 25), CalendarDate(year: 2027, month: 1, day: 26)]
        books.rules = RuleBook(rules: [
            Rule(
                name: "holidays", subject: .line,
                condition: .all([.text(.part, .equals(FoldedText("surcharge"))), .date(days)]), outcome: holiday)
        ])
        var line = OrderLine.example("Holiday 15 %", "1", "3.00")
        line.tags = ["Surcharge"]
        var order = Order.example(total: "23.00", lines: [.example("Pie", "1", "20.00"), line])
        let mapping = OrderMapping(books: books)
        // The clock is UTC's: 01:30 on Boxing Day is Christmas Day's trade, 04:30 is not.
        for (moment, account) in [
            ("2026-12-25T03:30:00Z", "241"), ("2026-12-25T10:00:00Z", "243"), ("2026-12-26T01:30:00Z", "243"),
            ("2026-12-26T04:30:00Z", "241"), ("2027-01-26T10:00:00Z", "243"),
        ] {
            order.createdAt = Instant(iso8601: moment)!
            let invoice = try mapping.invoice(for: order)
            #expect(invoice.lines.map(\.account) == ["230", account] && invoice.total.cents == 2300, "\(moment)")
        }
    }
}
