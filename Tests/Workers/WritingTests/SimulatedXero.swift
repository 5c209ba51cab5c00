import Domain
import HTTP
import Hummingbird
import Settings
import Testing
import Xero
import XeroSimulator

/// A simulated Xero with one organisation, and a client of it that nothing limits.
struct SimulatedXero: Sendable {
    static let harbour = OrganisationKey("harbour")
    static let tenant = "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a04"

    let http: HTTPClient
    let client: XeroClient
    let tokens: XeroTokens
    let base: String

    static func with(venues: [String], _ work: @escaping @Sendable (SimulatedXero) async throws -> Void) async throws {
        let simulator = Simulator(
            SimulatorSettings(
                organisations: [try .init(tenantID: tenant, name: "Harbour", venues: venues)], limits: .off))
        let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                // Ends by cancellation below; what it throws before that ends the stream, and the test fails on it.
                defer { continuation.finish() }
                try await simulator.application { continuation.yield($0) }.run()
            }
            var listening = ports.makeAsyncIterator()
            let port = try #require(await listening.next())
            let http = HTTPClient(name: "test-http", configuration: HTTPConfiguration())
            let result: Result<Void, any Error>
            do {
                result = .success(try await work(SimulatedXero(http, "http://127.0.0.1:\(port)")))
            } catch { result = .failure(error) }
            await http.close()
            group.cancelAll()
            try result.get()
        }
    }

    private init(_ http: HTTPClient, _ base: String) {
        self.http = http
        self.base = base
        tokens = XeroTokens(
            http: http, identity: base, credential: ClientCredential(id: "test", secret: Secret("hush")))
        client = XeroClient(
            organisation: Self.harbour, http: http, base: base, tenant: Self.tenant, tokens: tokens,
            budget: Unlimited(), onCall: { _, _, _ in })
    }
}

private struct Unlimited: CallBudget {
    func take(_ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey) async throws -> CallPermit {
        CallPermit(organisation: organisation, id: nil)
    }
    func takeAtOnce(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit? {
        try await take(purpose, isRead: isRead, for: organisation)
    }
    func giveBack(_ permit: CallPermit, headers: HTTP.HTTPHeaders?, result: CallResult) async {}
    func closed(_ organisation: OrganisationKey) async throws -> Duration? { nil }
    func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {}
}
