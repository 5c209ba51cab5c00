import Domain
import Foundation
import Testing

@Suite struct TimeTests {
    @Test(
        "times of both services are read to the second",
        arguments: [
            ("2013-05-29T11:14:06+10:00", "2013-05-29T01:14:06Z"), ("2026-11-22T10:00:00Z", "2026-11-22T10:00:00Z"),
            ("2026-01-01T00:30:00+1100", "2025-12-31T13:30:00Z"), ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59Z"),
            ("2024-02-29T12:00:00.250-05:00", "2024-02-29T17:00:00Z"),
        ])
    func reads(text: String, expected: String) {
        #expect(Instant(iso8601: text)?.description == expected)
    }

    @Test(
        "a time without an offset, or of no day, is refused",
        arguments: [
            "", "2013-05-29", "2013-05-29T11:14:06", "2013-02-30T11:14:06Z", "2013-05-29T25:14:06Z", "yesterday",
            "2013-05-29T11:14:06+1", "2013-05-29T11:14:06Zx", "2013-13-01T00:00:00Z",
        ])
    func refuses(text: String) {
        #expect(Instant(iso8601: text) == nil)
    }

    @Test("dates count as the calendar does, over four hundred years")
    func dates() {
        #expect(CalendarDate(year: 1970, month: 1, day: 1).daysSince1970 == 0)
        #expect(CalendarDate(year: 2000, month: 3, day: 1).daysSince1970 == 11_017)
        for days in stride(from: -100_000, through: 100_000, by: 37) {
            #expect(CalendarDate(daysSince1970: days).daysSince1970 == days)
        }
        #expect(CalendarDate("2024-02-29") != nil)
        #expect(CalendarDate("2023-02-29") == nil)
        #expect(CalendarDate("2026-11-22")?.weekday == 7)
    }

    @Test(
        "the day at a place agrees with the system's own zone tables, daylight saving both ways",
        .enabled(if: FileManager.default.fileExists(atPath: "/usr/share/zoneinfo/Australia/Sydney"), "no tzdata here"),
        arguments: ["Australia/Sydney", "Pacific/Auckland", "Europe/London", "America/New_York", "Asia/Kolkata", "UTC"])
    func zones(name: String) throws {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/\(name)")))
        let rules = try #require(TimeZoneRules(zoneinfo: bytes))
        let zone = try #require(TimeZone(identifier: name))
        // Every 5 hours and 7 minutes from 1980 into 2060, past the last transition of any file.
        for seconds in stride(from: 315_532_800, to: 2_840_140_800, by: 18_420 * 9) {
            let expected = zone.secondsFromGMT(for: Date(timeIntervalSince1970: TimeInterval(seconds)))
            #expect(rules.offset(at: Instant(secondsSince1970: Int64(seconds))) == expected, "\(name) at \(seconds)")
        }
    }

    @Test("a broken zone file is refused, wherever it is cut")
    func brokenZones() throws {
        guard let data = try? Data(contentsOf: URL(fileURLWithPath: "/usr/share/zoneinfo/Australia/Sydney"))
        else { return }
        let bytes = Array(data)
        for length in stride(from: 0, to: bytes.count - 40, by: 13) {
            #expect(TimeZoneRules(zoneinfo: Array(bytes[..<length])) == nil, "cut at \(length)")
        }
    }
}
