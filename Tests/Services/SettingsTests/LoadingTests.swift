import Domain
import Foundation
import Mapping
import Money
import Settings
import Testing

@Suite("Loading the settings") struct LoadingTests {
    @Test("the example that the project comes with is in order, and says what it seems to say")
    func shippedExample() throws {
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let yaml = try String(contentsOf: root.appending(path: "config/example.yaml"), encoding: .utf8)
        let settings = try SettingsExample.load(yaml)
        #expect(settings.organisations.map(\.key.text) == ["harbour", "lakeside"])
        #expect(settings.companies.map(\.kountaID) == ["162", "163"])
        #expect(settings.companies.flatMap(\.venues).map(\.prefix) == ["HBR", "PIER", "WHF", "LAKE", "BOAT"])
        #expect(settings.polling.overlap == .seconds(6 * 3600))
        #expect(settings.writing.linger == .milliseconds(200))
        let key = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
        let books = try #require(settings.books[key])
        let tenth = try #require(ExactDecimal("0.10"))
        #expect(books.taxTypes[tenth] == "OUTPUT")
        #expect(books.clearingAccounts["gift card"] == "233")
        #expect(books.tracking == Tracking(category: "Venue", option: "Harbour Bistro"))
        #expect(books.roundingMax == Money(cents: 5))
        #expect(books.contactNumber == "WALKIN-HBR")
    }

    @Test("organisations that a person connects share one app; one with a credential of its own is an app of its own")
    func apps() throws {
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let yaml = try String(contentsOf: root.appending(path: "config/example.yaml"), encoding: .utf8)
        let (harbour, lakeside) = (OrganisationKey("harbour"), OrganisationKey("lakeside"))
        #expect(try SettingsExample.load(yaml).sharingApp == [harbour, lakeside])
        let own = [
            "TILLBRIDGE_XERO_HARBOUR_CLIENT_ID": "id", "TILLBRIDGE_XERO_HARBOUR_CLIENT_SECRET": "hush",
        ]
        #expect(try SettingsExample.load(yaml, environment: own).sharingApp == [lakeside])
    }

    @Test("what is left out has its default")
    func defaults() throws {
        let settings = try SettingsExample.load()
        #expect(settings.polling.interval == .seconds(5))
        #expect(settings.writing.batch == 50)
        #expect(settings.connections.schema == "tillbridge")
        #expect(settings.connections.queuePrefix == "tillbridge")
        #expect(settings.connections.kounta == "https://api.kounta.com")
        #expect(settings.organisations[0].tenant == nil)
        #expect(settings.organisations[0].credential == nil)
        #expect(settings.companies[0].venues[0].tracking == nil)
        #expect(settings.companies[0].startFrom.description == "2026-07-01T00:00:00Z")
    }

    @Test("the environment wins over the file, also where the file has no such section")
    func overrides() throws {
        let interval = ["TILLBRIDGE_POLLING_INTERVAL": "7s"]
        #expect(try SettingsExample.load(environment: interval).polling.interval == .seconds(7))
        let yaml = SettingsExample.yaml + "\npolling:\n  interval: 90s\n  concurrency: 3"
        #expect(try SettingsExample.load(yaml).polling.interval == .seconds(90))
        let settings = try SettingsExample.load(yaml, environment: interval)
        #expect(settings.polling.interval == .seconds(7))
        #expect(settings.polling.concurrency == 3)
        let empty = ["TILLBRIDGE_POLLING_INTERVAL": ""]
        #expect(try SettingsExample.load(yaml, environment: empty).polling.interval == .seconds(90))
    }

    @Test("a multiple of the limits multiplies every one of them, and 0 lifts them")
    func limits() throws {
        let yaml = SettingsExample.yaml + "\nsimulation:\n  limits_multiple: 10"
        let settings = try SettingsExample.load(yaml)
        #expect(settings.organisations[0].limits.callsPerMinute == 600)
        #expect(settings.organisations[0].limits.callsInFlight == 50)
        #expect(settings.organisations[0].limits.callsPerDay == 50_000)
        #expect(settings.companies[0].callsPerMinute == 300)
        let lifted = try SettingsExample.load(yaml, environment: ["TILLBRIDGE_SIMULATION_LIMITS_MULTIPLE": "0"])
        #expect(lifted.organisations[0].limits.callsPerDay == 0)
        #expect(lifted.companies[0].callsPerMinute == 0)
    }
}
