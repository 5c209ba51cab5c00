import Credentials
import Domain
import HTTP
import Settings
import Store
import Synchronization
import Testing
import Xero

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct XeroAccessTests {
    private struct Unlimited: CallBudget {
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

    /// Notes who waits for a permit; at once there is none.
    private actor UsedUp: CallBudget {
        private(set) var waited = 0
        private(set) var askedAtOnce = 0
        private(set) var givenBack = 0

        func take(
            _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
        ) async throws -> CallPermit {
            waited += 1
            return CallPermit(organisation: organisation, id: nil)
        }
        func takeAtOnce(
            _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
        ) async throws -> CallPermit? {
            askedAtOnce += 1
            return nil
        }
        func giveBack(_ permit: CallPermit, headers: HTTPHeaders?, result: CallResult) async { givenBack += 1 }
        func closed(_ organisation: OrganisationKey) async throws -> Duration? { nil }
        func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {}
    }

    private final class Closures: Sendable {
        private let all = Mutex<[String?]>([])
        func note(_ why: String?) { all.withLock { $0.append(why) } }
        var seen: [String?] { all.withLock { $0 } }
    }

    private func client(
        _ world: Surroundings, _ process: Process, tenant: String = Surroundings.harbour,
        closed: Closures = Closures(), budget: any CallBudget = Unlimited(), leaveMax: Duration = .seconds(30)
    ) -> XeroClient {
        let book = ConnectionBook(
            store: process.credentials, endpoint: { _ in process.endpoint }, patience: .short,
            onEvent: { process.events.note($1) })
        let tokens = TenantTokens(tenant: tenant, title: "harbour", book: book, onClosed: { closed.note($0) })
        return XeroClient(
            organisation: OrganisationKey("harbour"), http: process.http, base: world.base, tenant: tenant,
            tokens: tokens, budget: budget, leaveMax: leaveMax, onCall: { _, _, _ in })
    }

    private func isAnswered(_ outcome: XeroOutcome) -> Bool { if case .answered = outcome { true } else { false } }
    private func disconnection(_ outcome: XeroOutcome) -> String? {
        if case .disconnected(let why) = outcome { why } else { nil }
    }

    @Test("an expired token costs one renewal and one more try, whatever the clock said")
    func expired() async throws {
        try await Surroundings.with("expired") { world in
            let client = client(world, try await world.process())
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            try await world.change(#""expireTokens":true"#)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            #expect(try await world.renewals() == 1)
        }
    }

    @Test("after 401 a call under a key goes out again at once or not at all; a look waits for its turn")
    func expiredUnderKey() async throws {
        try await Surroundings.with("expiredkey") { world in
            let budget = UsedUp()
            let client = client(world, try await world.process(), budget: budget)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            #expect(await budget.waited == 1)
            try await world.change(#""expireTokens":true"#)
            let permit = CallPermit(organisation: OrganisationKey("harbour"), id: nil)
            let payments = Array(#"{"Payments":[]}"#.utf8)
            let reply = try await client.createPayments(payments, key: "k", permit: permit)
            guard case .neverSent(let why) = reply.outcome else {
                Issue.record("\(reply.outcome)")
                return
            }
            #expect(why.contains("fresh token"))
            // The 401 was the only call: its permit came back, and nobody waited for another.
            #expect(await budget.waited == 1)
            #expect(await budget.askedAtOnce == 1)
            #expect(await budget.givenBack == 2)
            try await world.change(#""expireTokens":true"#)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            #expect(await budget.waited == 3)
        }
    }

    @Test("a call under a key for which the token came too late never leaves; one without a key does")
    func lateUnderKey() async throws {
        try await Surroundings.with("latekey") { world in
            let budget = UsedUp()
            let client = client(world, try await world.process(), budget: budget, leaveMax: .zero)
            let permit = CallPermit(organisation: OrganisationKey("harbour"), id: nil)
            let reply = try await client.createPayments(Array(#"{"Payments":[]}"#.utf8), key: "k", permit: permit)
            guard case .neverSent(let why) = reply.outcome else {
                Issue.record("\(reply.outcome)")
                return
            }
            #expect(why.contains("too late for the call's key"))
            #expect(await budget.givenBack == 1)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
        }
    }

    @Test("a fresh token that gets 401 too ends the connection: reconnecting mends it, nothing else does")
    func refusedTwice() async throws {
        try await Surroundings.with("twice") { world in
            let process = try await world.process()
            let client = client(world, process)
            try await world.fault(#"{"status":401,"body":{"Detail":"TokenExpired"}}"#, path: "/api.xro", count: 2)
            #expect(disconnection(try await client.call(.get, "/Organisation")) != nil)
            let why = try #require(disconnection(try await client.call(.get, "/Organisation")))
            #expect(why.contains("dead since") && why.contains("`tillbridge connect xero`"))
            #expect(process.events.deaths.count == 1)
            #expect(try await world.renewals() == 1)
            try await world.connect(process)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
        }
    }

    @Test("a tenant that was switched off is noted with Xero's sentence, the other is not, and it comes back by itself")
    func switchedOff() async throws {
        try await Surroundings.with("off") { world in
            let process = try await world.process()
            let closed = Closures()
            let client = client(world, process, closed: closed)
            let other = self.client(world, process, tenant: Surroundings.lakeside)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            try await world.change(#""disconnected":true"#)
            let why = try #require(disconnection(try await client.call(.get, "/Organisation")))
            #expect(why.contains("AuthenticationUnsuccessful") && why.contains("`tillbridge connect xero`"))
            #expect(isAnswered(try await other.call(.get, "/Organisation")))
            func notes() async throws -> [String?] {
                try await process.store.connections().flatMap(\.tenants)
                    .filter { $0.tenant == Surroundings.harbour }.map(\.disconnected)
            }
            #expect(try await notes() == ["403 AuthenticationUnsuccessful"])
            try await world.change(#""disconnected":false"#)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            #expect(try await notes() == [nil])
            #expect(closed.seen == ["403 AuthenticationUnsuccessful", nil])
            #expect(process.events.deaths.isEmpty)
            #expect(try await world.renewals() == 0)
        }
    }

    @Test("a renewal for one organisation is every other's that shares the connection, in every process")
    func sharedRenewal() async throws {
        try await Surroundings.with("shared") { world in
            let (one, other) = (try await world.process(), try await world.process())
            let harbour = client(world, one)
            let lakeside = client(world, other, tenant: Surroundings.lakeside)
            let lakesideBeside = client(world, one, tenant: Surroundings.lakeside)
            for client in [harbour, lakeside, lakesideBeside] {
                #expect(isAnswered(try await client.call(.get, "/Organisation")))
            }
            let old = try await one.tokens.accessToken()
            // From here on nobody is served with the old one, which each of them holds.
            world.time.advance(seconds: 1810)
            #expect(isAnswered(try await harbour.call(.get, "/Organisation")))
            #expect(try await world.renewals() == 1)
            #expect(isAnswered(try await lakeside.call(.get, "/Organisation")))
            #expect(isAnswered(try await lakesideBeside.call(.get, "/Organisation")))
            #expect(try await world.renewals() == 1)
            let stored = try #require(try await other.credentials.connection(Surroundings.name))
            #expect(stored.pair.access.revealed != old && stored.record.generation == 2)
            let tenants = try await other.store.connections().map { Set($0.tenants.map(\.tenant)) }
            #expect(tenants == [[Surroundings.harbour, Surroundings.lakeside]])
        }
    }

    @Test("an organisation nobody connected says which command mends it; one that moves is followed")
    func uncovered() async throws {
        try await Surroundings.with("uncovered") { world in
            let process = try await world.process()
            let stranger = client(world, process, tenant: "5d1ac0de-0000-4000-8000-000000000003")
            let why = try #require(disconnection(try await stranger.call(.get, "/Organisation")))
            #expect(why.contains("no connection to Xero covers") && why.contains("`tillbridge connect xero`"))
            let client = client(world, process)
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
            try await world.change(#""revokeTokens":true"#)
            #expect(disconnection(try await client.call(.get, "/Organisation")) != nil)
            let second = try #require(ConnectionName("xero/second"))
            try await world.connect(process, as: second, tenants: [Surroundings.harbour])
            #expect(isAnswered(try await client.call(.get, "/Organisation")))
        }
    }

    @Test("the list of connections has the organisations that were ticked, and an ended one is gone from it")
    func directory() async throws {
        try await Surroundings.with("directory") { world in
            let process = try await world.process()
            let directory = XeroDirectory(http: process.http, base: world.base)
            let token = try #require(try await process.credentials.connection(Surroundings.name)).pair.access
            let tenants = try await directory.tenants(token)
            #expect(tenants.map(\.name) == ["Harbour", "Lakeside"])
            try await directory.remove(tenants[0].connectionID, token)
            #expect(try await directory.tenants(token).map(\.tenant) == [Surroundings.lakeside])
            await #expect(throws: XeroDirectoryError.self) { try await directory.remove("../x", token) }
        }
    }
}
