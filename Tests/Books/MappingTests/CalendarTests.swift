import Domain
import Foundation
import Mapping
import Testing

@Suite struct CalendarTests {
    private static let folder = "/usr/share/zoneinfo/"
    static let isThere = FileManager.default.fileExists(atPath: folder + "Australia/Sydney")

    private func calendar(_ zone: String, _ minutes: Int = 240) throws -> TradingCalendar {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Self.folder + zone)))
        return TradingCalendar(zone: try #require(TimeZoneRules(zoneinfo: bytes)), cutOffMinutes: minutes)
    }

    private func day(_ text: String) -> CalendarDate { CalendarDate(text)! }

    @Test("a trading day has 23 hours when the clocks go forward and 25 when they go back", .enabled(if: isThere))
    func lengths() throws {
        let sydney = try calendar("Australia/Sydney")
        func hours(_ text: String) -> Int64 {
            (sydney.start(of: day(text).adding(days: 1)).microseconds - sydney.start(of: day(text)).microseconds)
                / 3_600_000_000
        }
        #expect(hours("2026-10-03") == 23)
        #expect(hours("2026-10-04") == 24)
        #expect(hours("2026-04-04") == 25)
        #expect(sydney.start(of: day("2026-10-04")).description == "2026-10-03T17:00:00Z")
    }

    @Test("a cut-off the clocks jump over is the jump; one they show twice is the first", .enabled(if: isThere))
    func cutOffsInTheChange() throws {
        let sydney = try calendar("Australia/Sydney", 150)
        #expect(sydney.start(of: day("2026-10-04")).description == "2026-10-03T16:00:00Z")
        #expect(sydney.start(of: day("2026-04-05")).description == "2026-04-04T15:30:00Z")
        // Shown for the second time the clock says 02:10, but the day has begun.
        #expect(sydney.day(at: Instant(iso8601: "2026-04-04T16:10:00Z")!) == day("2026-04-05"))
    }

    @Test(
        "every moment belongs to the one day whose bounds hold it, in every zone and for every cut-off",
        .enabled(if: isThere),
        arguments: ["Australia/Sydney", "Pacific/Auckland", "Australia/Lord_Howe", "Europe/London", "America/New_York"],
        [0, 120, 150, 179, 240, 1439])
    func bounds(zone: String, minutes: Int) throws {
        let calendar = try calendar(zone, minutes)
        var last = CalendarDate(year: 2025, month: 1, day: 1)
        for minute in stride(from: Int64(29_000_000), to: 29_000_000 + 540 * 1440, by: 97) {
            let moment = Instant(secondsSince1970: minute * 60)
            let day = calendar.day(at: moment)
            #expect(calendar.start(of: day) <= moment && moment < calendar.start(of: day.adding(days: 1)))
            #expect(day >= last)
            last = day
        }
    }
}
