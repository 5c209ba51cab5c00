import Domain
import Foundation
import Kounta
import Logging
import Messaging
import Settings
import Store
import Telemetry
import Testing

@testable import Polling

/// What a poller hands on.
private actor Published: Outbox {
    private(set) var messages = 0

    func publish(_ messages: [OutgoingMessage]) { self.messages += messages.count }
}

@Suite("The company's currency", .enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct CurrencyCheckTests {
    private static let clock = WorkClock(
        now: { Instant(secondsSince1970: Int64(Date().timeIntervalSince1970)) },
        sleep: { _ in try await Task.sleep(for: .milliseconds(5)) }, randomInteger: { $0.lowerBound })

    private static func settings(_ currency: String) throws -> Settings {
        let yaml = """
            organisations:
              - key: harbour
                name: Harbour
                timezone: UTC
                currency: AUD
                accounts: {sales: "230", tips: "825", rounding: "860"}
                taxes: {"0.1": OUTPUT}
            companies:
              - key: harbour
                kounta_company: "162"
                organisation: harbour
                start_from: 2015-01-01
                \(currency)
                venues: [{site: "923", name: Harbour Bistro, prefix: HBR}]
            """
        return try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: yaml,
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://a:b@broker/", "TILLBRIDGE_DATABASE_URL": "postgresql://a@b/c",
                ], readFile: { _ in nil }, readTimeZone: { _ in .utc }))
    }

    /// Runs a poller of the simulated till's company, which keeps its money in AUD, until something is seen of it.
    private func poll(
        _ world: TillWorld, _ currency: String, until isSeen: @Sendable (Published) async -> Bool
    ) async throws -> Int {
        let settings = try Self.settings(currency)
        let (company, outbox) = (settings.companies[0], Published())
        let lines = world.lines
        let logger = Logger(label: "tests") { _ in lines }
        let client = KountaClient(
            http: world.http, base: world.base, company: "162",
            access: .basic(ClientCredential(id: "a", secret: Secret("b"))),
            budget: KountaBudget(callsPerMinute: 0, now: Self.clock.now, sleep: Self.clock.sleep))
        let poller = CompanyPoller(
            company: company, settings: settings.polling, store: world.store,
            scanner: VenueScanner(
                client: client, store: world.store, outbox: outbox, settings: settings.polling, clock: Self.clock,
                metrics: world.metrics),
            currency: CurrencyCheck(
                company: company, base: settings.organisations[0].currency, client: client, clock: Self.clock,
                logger: logger),
            clock: Self.clock, metrics: world.metrics, logger: logger)
        let running = Task { try await poller.run() }
        for _ in 0..<4000 where await !isSeen(outbox) { try await Task.sleep(for: .milliseconds(5)) }
        running.cancel()
        try await running.value
        return await outbox.messages
    }

    @Test("of a company in another currency than it is booked in nothing is read, and both currencies are told")
    func foreign() async throws {
        try await TillWorld.with("foreign") { world in
            let lines = world.lines
            let stopped = #"tillbridge_venue_stopped{company="harbour",site="923"} 1"#
            let read = try await poll(world, "currency: NZD") { _ in lines.lines(.error).count >= 3 }
            #expect(read == 0)
            #expect(world.metrics.rendered().contains(stopped))
            let said = lines.lines(.error).first ?? ""
            #expect(said.contains("keeps its money in AUD") && said.contains("booked in NZD"), "\(said)")
            #expect(said.contains("set `currency: AUD` for company harbour"), "\(said)")
            // The organisation's own currency is the company's, and so is one that is named.
            let metrics = world.metrics
            let now = try await poll(world, "") { outbox in
                let read = await outbox.messages
                return read > 0 && !metrics.rendered().contains(stopped)
            }
            #expect(now > 0 && !metrics.rendered().contains(stopped))
        }
    }
}
