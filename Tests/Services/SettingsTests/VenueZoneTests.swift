import Domain
import Foundation
import Mapping
import Settings
import Testing

@Suite("Venues in time zones of their own") struct VenueZoneTests {
    private static func zone(_ name: String) -> TimeZoneRules? {
        FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)")
            .flatMap { TimeZoneRules(zoneinfo: Array($0)) }
    }

    private func load(_ venue: String) throws(SettingsError) -> Settings {
        let perth = "\n      - site: \"985\"\n        name: Perth Pier\n        prefix: PRT\n"
        let yaml = SettingsExample.yaml + perth + venue
        return try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: yaml, environment: SettingsExample.environment, readFile: { _ in nil },
                readTimeZone: Self.zone))
    }

    private let sydney = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
    private let perth = VenueKey(company: CompanyKey("harbour"), site: SiteID("985"))

    @Test("two venues of one organisation have trading days, cut-offs and first days by their own clocks")
    func clocks() throws {
        let settings = try load("        timezone: Australia/Perth\n        posting: {cut_off: \"03:00\"}\n")
        // Midnight of 1 July: ten hours before UTC's in Sydney, eight in Perth.
        #expect(settings.startFrom[sydney]?.description == "2026-06-30T14:00:00Z")
        #expect(settings.startFrom[perth]?.description == "2026-06-30T16:00:00Z")
        #expect(settings.companies[0].startFrom == settings.startFrom[sydney])
        let calendars = try [sydney, perth].map { OrderMapping(books: try #require(settings.books[$0])).calendar }
        let day = CalendarDate(year: 2026, month: 7, day: 2)
        #expect(calendars.map { $0.start(of: day).description } == ["2026-07-01T18:00:00Z", "2026-07-01T19:00:00Z"])
        // Half past four in the morning in Sydney, half past two in Perth.
        let moment = try #require(Instant(iso8601: "2026-07-01T18:30:00Z"))
        #expect(calendars.map { $0.day(at: moment) } == [day, day.adding(days: -1)])
    }

    @Test("the first day begins at midnight where the organisation is, also in summer")
    func firstDay() throws {
        let settings = try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: SettingsExample.yaml.replacing("2026-07-01", with: "2026-12-01"),
                environment: SettingsExample.environment, readFile: { _ in nil }, readTimeZone: Self.zone))
        #expect(settings.startFrom[sydney]?.description == "2026-11-30T13:00:00Z")
    }

    @Test("a venue that names no zone has its organisation's; one that nobody knows is a problem")
    func defaults() throws {
        let settings = try load("")
        #expect(settings.startFrom[perth] == settings.startFrom[sydney])
        #expect(settings.companies[0].venues[1].timeZoneName == "Australia/Sydney")
        let error = #expect(throws: SettingsError.self) { try load("        timezone: Australia/Pert\n") }
        #expect(error?.problems.first?.message.contains("`Australia/Pert` is no time zone") == true)
    }
}
