import Domain
import HTTP
import Hummingbird
import Settings
import Testing
import Xero
import XeroSimulator

/// A Xero simulator on a free port with a client of the fleet's own before it.
enum SimulatedLedger {
    static let tenant = "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01"

    static func with(
        venues: [String] = ["Harbour Bistro", "Pier"],
        _ body: @escaping @Sendable (XeroClient, HTTPClient, Int) async throws -> Void
    ) async throws {
        let simulator = Simulator(
            SimulatorSettings(
                organisations: [try .init(tenantID: tenant, name: "Harbour Hospitality", venues: venues)],
                limits: .off))
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
            let base = "http://127.0.0.1:\(port)"
            let client = XeroClient(
                organisation: OrganisationKey("harbour"), http: http, base: base, tenant: tenant,
                tokens: XeroTokens(
                    http: http, identity: base, credential: ClientCredential(id: "test", secret: Secret("hush"))),
                budget: UnlimitedBudget(), onCall: { _, _, _ in })
            let result: Result<Void, any Error>
            do { result = .success(try await body(client, http, port)) } catch { result = .failure(error) }
            await http.close()
            group.cancelAll()
            try result.get()
        }
    }

    /// Changes the organisation while the simulator runs.
    static func change(_ http: HTTPClient, _ port: Int, _ members: String) async throws {
        let outcome = await http.send(
            HTTP.HTTPRequest(
                method: .post, url: "http://127.0.0.1:\(port)/_control/organisations",
                headers: [("Content-Type", "application/json")],
                body: Array(#"{"tenantId":"\#(tenant)",\#(members)}"#.utf8)))
        guard case .answered(let response) = outcome, response.status == 200 else {
            throw Absent(what: "the simulator did not change: \(outcome)")
        }
    }
}

struct Absent: Error { let what: String }

/// One process calls a simulator without limits.
private struct UnlimitedBudget: CallBudget {
    func take(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit {
        CallPermit(organisation: organisation, id: nil)
    }
    func takeAtOnce(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit? {
        try await take(purpose, isRead: isRead, for: organisation)
    }
    func giveBack(_ permit: CallPermit, headers: HTTPHeaders?, result: CallResult) async {}
    func closed(_ organisation: OrganisationKey) async throws -> Duration? { nil }
    func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {}
}

extension Lookup {
    func value() throws -> Value {
        switch self {
        case .found(let value): return value
        case .failed(let outcome): throw Absent(what: "\(outcome)")
        }
    }
}
