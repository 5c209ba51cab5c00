import Hummingbird
import JSON
import NIOHTTP1
import Synchronization
import Testing
import XeroSimulator

/// A clock that stands until a test moves it. Starts on 14 September 2026 at three o'clock, on the minute.
final class ManualTime: Sendable {
    private let value = Atomic<Int64>(1_789_344_000_000 + 3 * 3_600_000)

    var now: Int64 { value.load(ordering: .relaxed) }

    func advance(seconds: Int64) { value.add(seconds * 1000, ordering: .relaxed) }
}

struct Reply: Sendable {
    let status: Int
    let headers: HTTPHeaders
    let text: String

    var json: JSON {
        get throws { try JSON(parsing: text) }
    }

    func header(_ name: String) throws -> String? { headers.first(name: name) }

    /// The only element of the list of that name.
    func only(_ name: String) throws -> JSON {
        let elements = try json[key: name]?.elements ?? []
        try #require(elements.count == 1, "\(text)")
        return elements[0]
    }

    /// The sentences of the only element of the list of that name.
    func messages(_ name: String) throws -> [String] { try only(name).messages }
}

extension JSON {
    var messages: [String] { self["ValidationErrors"]?.elements.compactMap { $0["Message"]?.string } ?? [] }

    /// Digits of a member, or nothing.
    func digits(_ key: String) -> String? { self[key: key]?.numberText }
}

/// A simulator that listens, with a client and a token for its first organisation.
struct World: Sendable {
    static let tenant = "5d1ac0de-0000-4000-8000-000000000001"
    let client: LoopbackClient
    let time: ManualTime
    var token = ""
    var tenantHeader: String? = World.tenant

    func call(
        _ method: HTTPMethod, _ path: String, _ body: String? = nil, headers: [String: String] = [:]
    ) async throws -> Reply {
        var fields: HTTPHeaders = ["Accept": "application/json", "Authorization": "Bearer \(token)"]
        if let tenantHeader { fields.replaceOrAdd(name: "xero-tenant-id", value: tenantHeader) }
        for (name, value) in headers {
            if value.isEmpty { fields.remove(name: name) } else { fields.replaceOrAdd(name: name, value: value) }
        }
        let answer = try await client.send(method, path.hasPrefix("/") ? path : "/api.xro/2.0/\(path)", fields, body)
        return Reply(status: answer.status, headers: answer.headers, text: answer.text)
    }

    func control(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> Reply {
        try await call(method, "/_control/\(path)", body)
    }

    func change(_ members: String) async throws {
        let reply = try await control(.POST, "organisations", #"{"tenantId":"\#(Self.tenant)",\#(members)}"#)
        try #require(reply.status == 200, "\(reply.text)")
    }

    func contact(_ name: String = "Walk-in") async throws -> String {
        let reply = try await call(.PUT, "Contacts", #"{"Contacts":[{"Name":"\#(name)"}]}"#)
        return try #require(try reply.only("Contacts")["ContactID"]?.string)
    }

    /// Creates one authorised invoice.
    func invoice(
        _ number: String, contact: String, lines: String? = nil, types: String = "Inclusive", more: String = "",
        query: String = "", method: HTTPMethod = .PUT
    ) async throws -> Reply {
        try await call(
            method, "Invoices\(query)",
            "{\"Invoices\":[\(Self.element(number, contact: contact, lines: lines, types: types, more: more))]}")
    }

    static func element(
        _ number: String, contact: String, lines: String? = nil, types: String = "Inclusive", more: String = ""
    ) -> String {
        """
        {"Type":"ACCREC","InvoiceNumber":"\(number)","Contact":{"ContactID":"\(contact)"},"Date":"2026-09-14",\
        "DueDate":"2026-09-14","LineAmountTypes":"\(types)","Status":"AUTHORISED",\(more)\
        "LineItems":[\(lines ?? line("1", "11.00"))]}
        """
    }

    static func line(
        _ quantity: String, _ unitAmount: String, tax: String = "OUTPUT", account: String = "200", more: String = ""
    ) -> String {
        """
        {"Description":"Coffee","Quantity":\(quantity),"UnitAmount":\(unitAmount),"AccountCode":"\(account)",\
        "TaxType":"\(tax)"\(more)}
        """
    }

    func pay(_ number: String, _ amount: String, account: String = "231", query: String = "") async throws -> Reply {
        try await call(
            .PUT, "Payments\(query)",
            """
            {"Payments":[{"Invoice":{"InvoiceNumber":"\(number)"},"Account":{"Code":"\(account)"},\
            "Date":"2026-09-14","Amount":\(amount)}]}
            """)
    }

    /// The organisation's books as the control API shows them.
    func ledger() async throws -> JSON {
        let reply = try await control(.GET, "ledger")
        return try #require(try reply.json["organisations"]?.elements.first)
    }

    /// The organisation's counters.
    func counters() async throws -> JSON {
        let reply = try await control(.GET, "counters")
        return try #require(try reply.json["organisations"]?.elements.first)
    }
}

/// Runs a simulator on a free port for one test.
func withSimulator(
    limits: LimitScale = .off, country: String = "AU", clients: [String] = [], idempotencyMegabytes: Int = 128,
    appMinuteLimit: Int = 10_000, _ body: @escaping @Sendable (World) async throws -> Void
) async throws {
    let time = ManualTime()
    let organisation = try OrganisationSettings(
        tenantID: World.tenant, name: "Harbour Hospitality", country: country, venues: ["Bondi", "Manly"])
    let other = try OrganisationSettings(flag: "5d1ac0de-0000-4000-8000-000000000002|Second|NZ|NZD|Pacific/Auckland")
    let settings = SimulatorSettings(
        organisations: [organisation, other], clients: clients.compactMap { Client(flag: $0) }, limits: limits,
        appMinuteLimit: appMinuteLimit, idempotencyMegabytes: idempotencyMegabytes, seed: 7, now: { time.now })
    let (ports, continuation) = AsyncStream.makeStream(of: Int.self)
    try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask {
            // Ends by cancellation below; what it throws before that ends the stream, and the test fails on it.
            defer { continuation.finish() }
            try await Simulator(settings).application { continuation.yield($0) }.run()
        }
        var listening = ports.makeAsyncIterator()
        var world = World(client: LoopbackClient(port: try #require(await listening.next())), time: time)
        if clients.isEmpty {
            let reply = try await world.grant(
                "grant_type=authorization_code&client_id=tb&client_secret=s&\(try await world.code("tb"))")
            world.token = try #require(try reply.json["access_token"]?.string)
        }
        try await body(world)
        group.cancelAll()
    }
}

extension World {
    /// Has the consent page give a code to a client; the form's fields that trade it.
    func code(_ client: String, more: String = "") async throws -> String {
        let redirect = "http%3A%2F%2Flocalhost%3A1%2Fback"
        let query = "response_type=code&client_id=\(client)&redirect_uri=\(redirect)&state=s\(more)"
        let reply = try await call(.GET, "/identity/connect/authorize?\(query)")
        let location = try #require(try reply.header("Location"))
        let code = try #require(location.split(separator: "code=").last?.prefix { $0 != "&" })
        return "code=\(code)&redirect_uri=\(redirect)"
    }

    func grant(_ form: String, basic: String? = nil) async throws -> Reply {
        var headers = ["Content-Type": "application/x-www-form-urlencoded", "Authorization": ""]
        if let basic { headers["Authorization"] = "Basic \(basic)" }
        return try await call(.POST, "/connect/token", form, headers: headers)
    }
}
