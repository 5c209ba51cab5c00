import Domain
import HTTP
import JSON
import Logging
import Messaging
import Postgres
import Store
import Telemetry
import Testing
import Xero

@testable import Writing

@Suite(.timeLimit(.minutes(1))) struct ContactBookTests {
    private static let creation = #""match":{"method":"PUT","path":"/api.xro/2.0/Contacts"}"#
    private static let look = #""match":{"method":"GET","path":"/api.xro/2.0/Contacts"}"#

    @Test("after a 500 that did nothing the contact is created at the next attempt")
    func storedFailure() async throws {
        try await withLedger { ledger in
            try await ledger.plan("{\(Self.creation),\"action\":{\"status\":500},\"count\":1}")
            let id = try await ledger.writer().id(of: "WALKIN", holding: [])
            #expect(try await ledger.contacts() == [id])
        }
    }

    @Test("a creation that was answered with 500 and carried out all the same is found, not done again")
    func carriedOut() async throws {
        try await withLedger { ledger in
            try await ledger.plan("{\(Self.creation),\"action\":{\"status\":500,\"commit\":true},\"count\":1}")
            let id = try await ledger.writer().id(of: "WALKIN", holding: [])
            #expect(try await ledger.contacts() == [id])
            #expect(try await ledger.calls("PUT /Contacts") == 1)
        }
    }

    @Test("an answer that Xero keeps under a key is not asked for again: each further attempt has a key of its own")
    func ownKeys() async throws {
        try await withLedger { ledger in
            try await ledger.plan("{\(Self.creation),\"action\":{\"status\":500,\"commit\":true},\"count\":1}")
            // The look after the 500 comes too early to see the contact.
            try await ledger.plan("{\(Self.look),\"action\":{\"status\":200,\"body\":{\"Contacts\":[]}},\"count\":2}")
            let id = try await ledger.writer().id(of: "WALKIN", holding: [])
            #expect(try await ledger.contacts() == [id])
            #expect(try await ledger.calls("PUT /Contacts") == 2)
            #expect(try await ledger.replays() == 0)
        }
    }

    @Test("two writers that miss a contact at the same moment get one answer: their first keys are the same")
    func sharedKey() async throws {
        try await withLedger { ledger in
            // Neither sees what the other does.
            try await ledger.plan("{\(Self.look),\"action\":{\"status\":200,\"body\":{\"Contacts\":[]}},\"count\":2}")
            let first = try await ledger.writer().id(of: "WALKIN", holding: [])
            let second = try await ledger.writer().id(of: "WALKIN", holding: [])
            #expect(first == second)
            #expect(try await ledger.contacts() == [first])
            #expect(try await ledger.replays() == 1)
        }
    }

    @Test("writers that start together spend two calls on a venue's contact, not two each")
    func oneAsks() async throws {
        try await withLedger { ledger in
            let links = SharedLinks()
            let ids = try await withThrowingTaskGroup(of: String.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        // The others look every 100 ms: with no wait, theirs would be over before the answer.
                        let writer = try ledger.writer(links, names: ["WALKIN": "Walk-in"]) {
                            try await Task.sleep(for: $0)
                        }
                        return try await writer.id(of: "WALKIN", holding: [])
                    }
                }
                return try await group.reduce(into: Set<String>()) { $0.insert($1) }
            }
            #expect(try await ledger.contacts() == Array(ids))
            #expect(try await ledger.calls("PUT /Contacts") == 1)
            #expect(try await ledger.calls("GET /Contacts") == 1)
        }
    }

    @Test("a writer that died while it asked holds nobody up for good")
    func deadAsker() async throws {
        try await withLedger { ledger in
            let links = SharedLinks()
            _ = try await links.acquire("contact/harbour/WALKIN", for: .seconds(10))
            let writer = try ledger.writer(links, names: ["WALKIN": "Walk-in"]) { _ in await Task.yield() }
            let id = try await writer.id(of: "WALKIN", holding: [])
            #expect(try await ledger.contacts() == [id])
        }
    }

    @Test("a refusal under the shared key may be an old one told again: it is believed under another key only")
    func oldRefusal() async throws {
        let refusal = #"{"status":400,"body":{"Message":"A validation exception occurred"}}"#
        try await withLedger { ledger in
            try await ledger.plan("{\(Self.creation),\"action\":\(refusal),\"count\":1}")
            let id = try await ledger.writer().id(of: "WALKIN", holding: [])
            #expect(try await ledger.contacts() == [id])
            try await ledger.plan("{\(Self.creation),\"action\":\(refusal)}")
            let writer = try ledger.writer()
            await #expect(throws: Park.self) { try await writer.id(of: "OTHER", holding: []) }
        }
    }
}

/// A simulator with a writer's client before it.
private struct LedgerWithContacts: Sendable {
    let client: XeroClient
    let http: HTTPClient
    let base: String

    /// A writer that remembers nothing, nor does its database.
    func writer() throws -> ContactBook {
        let waits = Waits()
        return try writer(NoLinks(), names: [:]) { _ in try await waits.note() }
    }

    func writer(
        _ links: any ContactStore & LeaseStore, names: [String: String],
        sleep: @escaping @Sendable (Duration) async throws -> Void
    ) throws -> ContactBook {
        let organisation = OrganisationKey("harbour")
        // Holds no documents here, so that its store is never asked.
        let patience = Patience(
            organisation: organisation,
            store: PostgresStore(
                pool: PostgresPool(
                    address: try PostgresAddress(url: "postgres://nobody@127.0.0.1:1/none"), size: 1, name: "none"),
                holder: "none"),
            lease: .seconds(60),
            clock: WorkClock(
                now: { Instant(secondsSince1970: 0) }, sleep: sleep,
                randomInteger: { $0.lowerBound }),
            metrics: Metrics(), logger: Logger(label: "test"))
        return ContactBook(
            organisation: organisation, names: names, store: links, ledger: client, patience: patience)
    }

    func plan(_ fault: String) async throws {
        _ = try await control(.post, "faults", body: Array(fault.utf8))
    }

    func contacts() async throws -> [String] {
        let ledger = try await control(.get, "ledger")
        return (ledger["organisations"]?.elements ?? []).flatMap { books in
            (books["contacts"]?.elements ?? []).compactMap { $0["ContactID"]?.string }
        }
    }

    func replays() async throws -> Int64? { try await control(.get, "counters")["idempotentReplays"]?.integer }

    func calls(_ endpoint: String) async throws -> Int64? {
        let counters = try await control(.get, "counters")
        return counters["organisations"]?.elements.first?["calls"]?[key: endpoint]?.integer
    }

    private func control(_ method: HTTPMethod, _ path: String, body: [UInt8]? = nil) async throws -> JSON {
        let outcome = await http.send(
            HTTP.HTTPRequest(
                method: method, url: "\(base)/_control/\(path)",
                headers: body == nil ? [] : [("Content-Type", "application/json")], body: body))
        guard case .answered(let response) = outcome, response.status == 200 else {
            throw Unanswered(what: "\(path): \(outcome)")
        }
        return try JSON(parsing: response.body)
    }
}

private struct Unanswered: Error { let what: String }

/// A writer that waits time and again makes no headway.
private actor Waits {
    private var count = 0

    func note() throws {
        count += 1
        if count > 4 { throw Unanswered(what: "it waits for the fifth time") }
    }
}

private struct NoLinks: ContactStore, LeaseStore {
    func acquire(_ name: String, for duration: Duration) async throws -> Lease? { Lease(name: name, fence: 1) }
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool { true }
    func giveBack(_ lease: Lease) async throws {}
    func contactID(_ number: String, in organisation: OrganisationKey) async throws -> String? { nil }
    func link(_ number: String, to id: String, in organisation: OrganisationKey) async throws {}
}

/// The database of several writers, as far as contacts go.
private actor SharedLinks: ContactStore, LeaseStore {
    private var links: [String: String] = [:]
    private var held: [String: Int64] = [:]
    private var fence: Int64 = 0

    func contactID(_ number: String, in organisation: OrganisationKey) async throws -> String? { links[number] }
    func link(_ number: String, to id: String, in organisation: OrganisationKey) async throws { links[number] = id }
    func acquire(_ name: String, for duration: Duration) async throws -> Lease? {
        guard held[name] == nil else { return nil }
        fence += 1
        held[name] = fence
        return Lease(name: name, fence: fence)
    }
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool { held[lease.name] == lease.fence }
    func giveBack(_ lease: Lease) async throws {
        if held[lease.name] == lease.fence { held[lease.name] = nil }
    }
}

private func withLedger(_ body: @escaping @Sendable (LedgerWithContacts) async throws -> Void) async throws {
    try await SimulatedXero.with(venues: []) { xero in
        try await body(LedgerWithContacts(client: xero.client, http: xero.http, base: xero.base))
    }
}
