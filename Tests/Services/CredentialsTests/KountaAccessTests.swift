import Credentials
import Domain
import HTTP
import JSON
import Kounta
import KountaSimulator
import Settings
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct KountaAccessTests {
    private static let name = ConnectionName.kounta(CompanyKey("lakeside"))

    /// A simulated Kounta, connected as company 163; token and client as the poller has them.
    private func with(
        _ name: String, _ work: @Sendable @escaping (Kounta) async throws -> Void
    ) async throws {
        try await Surroundings.with(name) { world in
            let process = try await world.process()
            var settings = KountaSettings()
            settings.limits = .off
            settings.ordersPerSite = 2
            settings.clients = [.init(id: "till-app", secret: "till-hush")]
            try await withKountaSimulator(settings) { base in
                let app = AppCredential(id: "till-app", secret: Secret("till-hush"))
                let endpoint = TokenEndpoint.kounta(process.http, base: base, app: app)
                let events = EventLog()
                let tokens = SharedTokens(
                    Self.name, store: process.credentials, endpoint: endpoint, patience: .short,
                    onEvent: { events.note($0) })
                let kounta = Kounta(
                    base: base, process: process, endpoint: endpoint, tokens: tokens, events: events,
                    client: KountaClient(
                        http: process.http, base: base, company: "163", access: .granted(tokens),
                        budget: KountaBudget(
                            callsPerMinute: 0, now: { Instant(secondsSince1970: 0) }, sleep: { _ in })))
                try await kounta.connect()
                try await work(kounta)
            }
        }
    }

    private struct Kounta: Sendable {
        let base: String
        let process: Process
        let endpoint: TokenEndpoint
        let tokens: SharedTokens
        let events: EventLog
        let client: KountaClient

        func connect() async throws {
            let redirect = "http://localhost:1/callback"
            let query = "response_type=code&client_id=till-app&company=163&state=s"
                + "&redirect_uri=\(FormText.escaped(redirect))"
            let page = HTTPRequest(method: .get, url: "\(base)/authorize?\(query)")
            guard case .answered(let response) = await process.http.send(page),
                let code = response.headers["Location"]?.split(separator: "code=").last?.prefix(while: { $0 != "&" }),
                case .granted(let granted) = await endpoint.exchange(
                    code: Secret(String(code)), redirect: redirect, verifier: Secret("unused")),
                let refresh = granted.refresh
            else { throw Unexpected("no tokens") }
            try await process.credentials.connect(
                KountaAccessTests.name, clientID: "till-app",
                tokens: TokenPair(access: granted.access, refresh: refresh), from: granted, tenants: [])
        }

        func control(_ path: String, _ body: String) async throws {
            let request = HTTPRequest(method: .post, url: "\(base)/_control/\(path)", body: Array(body.utf8))
            guard case .answered(let response) = await process.http.send(request), response.status < 300 else {
                throw Unexpected("the control API refuses \(path)")
            }
        }

        func page() async throws -> KountaClient.Page {
            let path = client.firstPagePath(
                site: SiteID("3101"), from: Instant(secondsSince1970: 0),
                until: Instant(secondsSince1970: 4_000_000_000))
            return try await client.page(path, priority: .newOrders)
        }

        var stored: StoredConnection? {
            get async throws { try await process.credentials.connection(KountaAccessTests.name) }
        }
    }

    @Test("an expired token is renewed once and the page read; an answer without a refresh token keeps the old one")
    func expired() async throws {
        try await with("kexpired") { kounta in
            #expect(try await kounta.page().rows.count == 2)
            let first = try #require(try await kounta.stored).pair.refresh
            // Every second renewal of the service leaves the refresh token out; it says "expired" in two ways by turns.
            for round in 1...4 {
                try await kounta.control("tokens", #"{"expire":true}"#)
                #expect(try await kounta.page().rows.count == 2)
                #expect(try await kounta.stored?.record.generation == Int64(round) + 1)
            }
            let last = try #require(try await kounta.stored).pair.refresh
            #expect(last != first && !last.revealed.isEmpty)
            #expect(try await kounta.stored?.record.refreshEnds == nil)
            #expect(kounta.events.deaths.isEmpty)
        }
    }

    @Test("a removed app is a dead connection whose error names the command; connected again, it goes on")
    func removed() async throws {
        try await with("kremoved") { kounta in
            _ = try await kounta.page()
            try await kounta.control("tokens", #"{"revoke":true}"#)
            do {
                _ = try await kounta.page()
                Issue.record("a revoked grant still reads")
            } catch let error as KountaError {
                #expect("\(error)".contains("`tillbridge connect kounta lakeside`"), "\(error)")
            }
            #expect(kounta.events.deaths.count == 1)
            try await kounta.connect()
            #expect(try await kounta.page().rows.count == 2)
        }
    }

    @Test("one record that answers 401 with nothing does not end the connection; a list that does so twice does")
    func emptyRefusal() async throws {
        try await with("kempty") { kounta in
            let id = try #require(try await kounta.page().rows.first?.id)
            try await kounta.control(
                "faults", #"{"match":{"path":"/v1/companies/163/orders/\#(id)"},"action":{"status":401}}"#)
            await #expect(throws: KountaError.self) { try await kounta.client.order(id, priority: .newOrders) }
            #expect(try await kounta.page().rows.count == 2)
            #expect(kounta.events.deaths.isEmpty)
            try await kounta.control(
                "faults",
                """
                {"match":{"path":"/v1/companies/163/sites"},"action":{"status":401,"body":{"error":"no"}},"count":2}
                """)
            await #expect(throws: KountaError.self) { try await kounta.page() }
            #expect(kounta.events.deaths.count == 1)
        }
    }

    @Test("the grant says which company it opens")
    func company() async throws {
        try await with("kcompany") { kounta in
            let token = try #require(try await kounta.stored).pair.access
            let company = try await KountaDirectory(http: kounta.process.http, base: kounta.base).company(token)
            #expect(company.id == "163" && company.name == "Lakeside Group")
        }
    }
}
