import Domain
import HTTP
import JSON
import Logging
import Messaging
import Money
import Postgres
import Setbacks
import Settings
import Store
import Telemetry
import Testing
import Xero

@testable import Writing

/// A simulated Xero on one side, a real database on the other, and the writer between them.
struct SimulatedBooks: Sendable {
    static let harbour = SimulatedXero.harbour
    static let contactNumber = "WALKIN-HBR"

    let pool: PostgresPool
    let store: PostgresStore
    private let xero: SimulatedXero

    var http: HTTPClient { xero.http }

    static func with(_ name: String, _ work: @escaping @Sendable (SimulatedBooks) async throws -> Void) async throws {
        try await LiveServers.withDatabase(name) { pool in
            try await SimulatedXero.with(venues: ["Bistro"]) { xero in
                try await work(
                    SimulatedBooks(pool: pool, store: PostgresStore(pool: pool, holder: "writer"), xero: xero))
            }
        }
    }

    // MARK: the fleet's side

    /// An order as the mapper stores it: one line, paid in full unless told otherwise.
    struct Order {
        let number: String
        var cents: Int64 = 1000
        var account = "200"
        var tax = "OUTPUT"
        var tracking = ""
        var tenders = [(account: "231", cents: Int64(1000))]

        var element: String {
            """
            {"Type":"ACCREC","InvoiceNumber":"\(number)","Date":"2026-11-20","DueDate":"2026-11-20",\
            "LineAmountTypes":"Inclusive","Status":"AUTHORISED","LineItems":[{"Description":"Coffee","Quantity":1,\
            "UnitAmount":\(Money(cents: cents)),"AccountCode":"\(account)","TaxType":"\(tax)"\(tracking)}]}
            """
        }
    }

    func map(_ orders: [Order]) async throws -> [DocumentID] {
        try await store.accept(
            orders.map { order in
                MappedRecord.made(
                    order.number, for: Self.harbour, contact: Self.contactNumber, cents: order.cents,
                    element: order.element, tenders: order.tenders)
            }
        ).map(\.id)
    }

    /// A writer takes these in one batch, settles them and ends.
    ///
    /// - Returns: what it published.
    func write(_ ids: [DocumentID]) async throws -> [OutgoingMessage] {
        let broker = ScriptedBroker([ids.map { message($0.value) }])
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 0) }, sleep: { try await Task.sleep(for: $0) },
            randomInteger: { $0.lowerBound })
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let settings = try WriterServiceTests.settings()
        try await WriterService(
            organisation: settings.organisations[0], inbox: broker, outbox: broker, store: store, ledger: xero.client,
            contactNames: [Self.contactNumber: "Walk-in"], settings: settings.writing, clock: clock, metrics: Metrics(),
            logger: logger, suspicion: Suspicion(store: store, turn: SoloTurn())
        ).run()
        return await broker.published
    }

    /// A writer that died after it had sent these, and before it knew what became of them.
    func leaveInDoubt(_ ids: [DocumentID]) async throws {
        let read = try await store.take(ids, lease: .zero).compactMap { result in
            if case .claimed(let claim) = result.outcome { claim } else { nil }
        }
        _ = try await store.recordSending(
            read, SendingAttempt(organisation: Self.harbour, key: "lost", bytes: [1], lease: .zero))
    }

    /// A writer that died when its invoice stood, with no payment of it sent.
    ///
    /// - Returns: its claim, and Xero's id of the invoice.
    func leaveStanding(
        _ id: DocumentID, number: String, amount: String = "10.00", cause: String? = nil
    ) async throws -> (claim: Claim, invoice: String) {
        let contact = try await contact("Walk-in", number: Self.contactNumber)
        let answer = try await hand(
            .put, "Invoices",
            AdoptionTests.body(.init(amount: amount, difference: nil), contact: contact, number: number))
        let invoice = try #require(answer["Invoices"]?.elements.first?["InvoiceID"]?.string)
        try await leaveInDoubt([id])
        let taken = try await store.take([id], lease: .zero).first
        guard case .claimed(let claim)? = taken?.outcome else { throw Refused(what: "no claim") }
        try await store.recordInvoices(
            [InvoiceResult(claim: claim, state: .written, xeroID: invoice, cause: cause)], of: nil, payments: [])
        return (claim, invoice)
    }

    /// `refused: cause` or `written`, by number.
    func states() async throws -> [String: String] {
        let rows = try await pool.withSession { session in
            try session.query("SELECT number, state, cause, closed_at IS NOT NULL AS closed FROM document")
        }
        return try rows.reduce(into: [:]) { states, row in
            let cause = try row.textOrNil("cause").map { ": \($0)" } ?? ""
            states[try row.text("number")] = try row.text("state") + (try row.bool("closed") ? "" : " open") + cause
        }
    }

    // MARK: Xero's side

    /// `HBR-1 10.00 paid 10.00`, in the order in which they were made.
    func invoices() async throws -> [String] {
        try await books()["invoices"]?.elements.map { invoice in
            let amount = { (name: String) in invoice[key: name]?.numberText ?? "?" }
            return "\(invoice["InvoiceNumber"]?.string ?? "?") \(amount("Total")) paid \(amount("AmountPaid"))"
        } ?? []
    }

    /// The numbers that were paid, one for each payment that stands.
    func payments() async throws -> [String] {
        try await books()["payments"]?.elements.compactMap { $0["InvoiceNumber"]?.string }.sorted() ?? []
    }

    /// `2026-11-20 5.00` of each payment that stands on this invoice.
    func payments(named number: String) async throws -> [String] {
        try await books()["payments"]?.elements.filter { $0["InvoiceNumber"]?.string == number }.map { payment in
            "\(payment["Date"]?.string ?? "?") \(payment["Amount"]?.numberText ?? "?")"
        } ?? []
    }

    /// Xero's ids of the payments that count as written.
    func recordedPayments() async throws -> [String] {
        try await pool.withSession { session in
            try session.query("SELECT xero_id FROM payment WHERE state = 'written'").map { try $0.text("xero_id") }
        }
    }

    func calls() async throws -> [String: Int64] {
        let calls = try await control(.get, "counters")["organisations"]?.elements.first?["calls"]
        return (calls?.members ?? []).reduce(into: [:]) { $0[$1.key] = $1.value.integer }
    }

    private func books() async throws -> JSON {
        try #require(try await control(.get, "ledger")["organisations"]?.elements.first)
    }

    func control(_ method: HTTPMethod, _ path: String, _ body: String? = nil) async throws -> JSON {
        let request = HTTP.HTTPRequest(
            method: method, url: "\(xero.base)/_control/\(path)",
            headers: body == nil ? [] : [("Content-Type", "application/json")], body: body.map { Array($0.utf8) })
        guard case .answered(let response) = await http.send(request), response.status == 200 else {
            throw Refused(what: path)
        }
        return try JSON(parsing: response.body)
    }

    /// What a person, or an earlier call of ours, did in Xero.
    @discardableResult
    func hand(_ method: HTTPMethod, _ path: String, _ body: String) async throws -> JSON {
        let token = try await xero.tokens.accessToken(insteadOf: nil)
        let request = HTTP.HTTPRequest(
            method: method, url: "\(xero.base)/api.xro/2.0/\(path)",
            headers: [
                ("Authorization", "Bearer \(token)"), ("xero-tenant-id", SimulatedXero.tenant),
                ("Accept", "application/json"), ("Content-Type", "application/json"),
            ], body: Array(body.utf8))
        guard case .answered(let response) = await http.send(request), response.status == 200 else {
            throw Refused(what: "\(method) \(path)")
        }
        return try JSON(parsing: response.body)
    }

    func contact(_ name: String, number: String) async throws -> String {
        let answer = try await hand(
            .put, "Contacts", #"{"Contacts":[{"Name":"\#(name)","ContactNumber":"\#(number)"}]}"#)
        return try #require(answer["Contacts"]?.elements.first?["ContactID"]?.string)
    }

    struct Refused: Error { let what: String }
}
