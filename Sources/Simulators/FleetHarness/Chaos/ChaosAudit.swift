import AMQP
import JSON
import Postgres

/// Looks at a seed's queues and tables from outside.
final class ChaosWatch: Sendable {
    private let endpoint: AMQPEndpoint
    private let pool: PostgresPool
    private let fleet: Fleet

    struct State: Sendable {
        var documents = 0
        var closed = 0
        var letters = 0
        /// Messages on which three workers died, the last one with nothing else in hand: here the harness killed them.
        var condemned = 0
        var queued: [String: Int] = [:]

        func isDone(_ trade: Trade) -> Bool {
            documents == trade.orders + trade.deleted && closed == documents && letters == trade.unbelievable.count
                && condemned == 0 && queued.isEmpty
        }

        /// Everything has arrived, nothing is open and nothing waits, though it may not be what it should be.
        func isAtRest(_ trade: Trade) -> Bool {
            documents >= trade.orders + trade.deleted && closed == documents && letters >= trade.unbelievable.count
                && condemned == 0 && queued.isEmpty
        }

        func words(_ trade: Trade) -> String {
            let queues = queued.sorted { $0.key < $1.key }.map { "\($0.value) in \($0.key)" }.joined(separator: ", ")
            return "\(documents) documents of \(trade.orders) orders and \(trade.deleted) deleted, "
                + "\(closed) closed, \(letters) letters of \(trade.unbelievable.count), "
                + "\(condemned) condemned; queues: \(queues.isEmpty ? "empty" : queues)"
        }
    }

    init(_ fleet: Fleet) async throws {
        self.fleet = fleet
        endpoint = try AMQPEndpoint(url: fleet.options.rabbitMQ)
        pool = PostgresPool(address: try PostgresAddress(url: fleet.options.database), size: 1, name: "chaos")
    }

    func close() async { await pool.close() }

    /// As the letters begin.
    static let condemned = "Three workers died"

    func state() async throws -> State {
        var state = State()
        let schema = fleet.schema
        let row = try await pool.withSession { session in
            // The schema's name is the harness's own.
            try session.query(
                """
                SELECT (SELECT count(DISTINCT (company, source_id)) FROM \(schema).document) AS documents,
                       (SELECT count(DISTINCT (company, source_id)) FROM \(schema).document AS d
                         WHERE NOT EXISTS (
                               SELECT FROM \(schema).document AS o
                                WHERE o.company = d.company AND o.source_id = d.source_id AND o.closed_at IS NULL)
                       ) AS closed,
                       (SELECT count(*) FROM \(schema).dead_letter
                         WHERE cause NOT LIKE '\(ChaosWatch.condemned)%') AS letters,
                       (SELECT count(*) FROM \(schema).dead_letter
                         WHERE cause LIKE '\(ChaosWatch.condemned)%' AND state NOT IN ('resolved', 'discarded')
                       ) AS condemned
                """
            ).map {
                State(
                    documents: Int(try $0.int("documents")), closed: Int(try $0.int("closed")),
                    letters: Int(try $0.int("letters")), condemned: Int(try $0.int("condemned")))
            }
        }.first
        state = row ?? State()
        state.queued = try await queued()
        return state
    }

    /// Queues with ready messages. What a worker holds unacknowledged is not counted: it is seen when the worker ends.
    func queued() async throws -> [String: Int] {
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "chaos look")
        var queued: [String: Int] = [:]
        do {
            for queue in fleet.queueNames {
                if let count = try await connection.queueStatus(queue)?.messages, count > 0 { queued[queue] = count }
            }
        } catch {
            await connection.close()
            throw error
        }
        await connection.close()
        return queued
    }

    /// As if minutes had passed for documents that wait for a message: the sweeper shall find those whose is lost.
    func age() async throws {
        let schema = fleet.schema
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE \(schema).document SET published_at = published_at - interval '10 minutes'
                 WHERE closed_at IS NULL AND published_at > now() - interval '3 minutes'
                """)
        }
    }

    func rows<Value: Sendable>(_ sql: String, _ read: @escaping @Sendable (PostgresRow) throws -> Value) async throws
        -> [Value]
    {
        try await pool.withSession { try $0.query(sql).map(read) }
    }
}

/// What is wrong with the books of a seed, in sentences; none where all is right.
struct ChaosAudit {
    private(set) var problems: [String] = []
    private(set) var orders = 0

    /// After every worker has ended: what one held unacknowledged is in its queue again.
    init(fleet: Fleet, watch: ChaosWatch) async throws {
        let trade = try await Trade(fleet)
        orders = trade.orders
        let ledger = try await fleet.xero.get("/_control/ledger")
        let queued = try await watch.queued()
        let schema = fleet.schema
        for (queue, count) in queued.sorted(by: { $0.key < $1.key }) {
            problems.append("\(count) messages are left in \(queue)")
        }
        try await letters(trade, watch, schema)
        let proof = try Proof(
            plan: fleet.plan, till: try await fleet.kounta.get("/_control/ledger?orders=1"), ledger: ledger, dead: 0,
            queued: 0)
        if !proof.holds { problems += proof.lines }
        let open = try await watch.rows(
            """
            SELECT number, state, cause FROM \(schema).document
             WHERE closed_at IS NULL OR state NOT IN ('written', 'voided', 'withdrawn')
            """
        ) { "\(try $0.text("number")) is \(try $0.text("state")) (\(try $0.textOrNil("cause") ?? "no cause"))" }
        problems += Self.few("a document is not finished: ", open)
        try await payments(fleet, watch, ledger)
        contacts(ledger)
        try await refusedCalls(fleet)
    }

    /// Whatever died, waited or was cut: nobody asked for more than the ledger allows.
    private mutating func refusedCalls(_ fleet: Fleet) async throws {
        let counters = try await fleet.xero.get("/_control/counters")
        for organisation in counters["organisations"]?.elements ?? [] {
            for (problem, count) in organisation["refused"]?.members ?? [] where count.integer != 0 {
                problems.append("\(count.integer ?? 0) calls were refused: the limit \(problem)")
            }
        }
    }

    /// One letter for each record that cannot be booked, and none beside.
    private mutating func letters(_ trade: Trade, _ watch: ChaosWatch, _ schema: String) async throws {
        let letters = try await watch.rows(
            """
            SELECT source_id, class, cause FROM \(schema).dead_letter
             WHERE cause NOT LIKE '\(ChaosWatch.condemned)%' OR state <> 'resolved'
            """
        ) {
            (id: try $0.textOrNil("source_id") ?? "?", words: "\(try $0.text("class")): \(try $0.text("cause"))")
        }
        let expected = Set(trade.unbelievable)
        problems += Self.few("an unexpected letter, ", letters.filter { !expected.contains($0.id) }.map(\.words))
        let kept = Dictionary(grouping: letters, by: \.id)
        problems += expected.filter { kept[$0] == nil }.sorted().map { "no letter tells of the record \($0)" }
        problems += kept.filter { $0.value.count > 1 }.keys.sorted().map { "more than one letter tells of \($0)" }
    }

    /// Each payment of ours stands in the ledger once, and none that is not ours.
    private mutating func payments(_ fleet: Fleet, _ watch: ChaosWatch, _ ledger: JSON) async throws {
        var standing: [String: String] = [:]
        for books in ledger["organisations"]?.elements ?? [] {
            for payment in books["payments"]?.elements ?? [] where payment["Status"]?.string != "DELETED" {
                standing[payment["PaymentID"]?.string ?? ""] = "\(payment["InvoiceNumber"]?.string ?? "?"): "
                    + "\(payment["Amount"]?.numberText ?? "?") to \(payment["AccountCode"]?.string ?? "?")"
            }
        }
        let ours = try await watch.rows(
            """
            SELECT p.xero_id, p.state, d.number FROM \(fleet.schema).payment AS p
              JOIN \(fleet.schema).document AS d ON d.id = p.document_id
            """
        ) { (id: try $0.textOrNil("xero_id"), state: try $0.text("state"), number: try $0.text("number")) }
        problems += Self.few(
            "a payment is not recorded as written: ",
            ours.filter { $0.state != "written" && $0.state != "removed" }.map { "\($0.number) \($0.state)" })
        // What was removed stands no more, or it is one that nobody remembers.
        let known = Dictionary(grouping: ours.filter { $0.id != nil && $0.state == "written" }, by: { $0.id ?? "" })
        problems += Self.few(
            "a payment in the ledger that nobody remembers: ",
            standing.filter { known[$0.key] == nil }.map(\.value).sorted())
        problems += Self.few(
            "a payment that the ledger does not hold: ",
            known.filter { standing[$0.key] == nil }.flatMap { $0.value.map(\.number) }.sorted())
        problems += Self.few(
            "two payments of ours are one in the ledger: ",
            known.values.filter { $0.count > 1 }.map { $0[0].number }.sorted())
    }

    private mutating func contacts(_ ledger: JSON) {
        for books in ledger["organisations"]?.elements ?? [] {
            var counts: [String: Int] = [:]
            for contact in books["contacts"]?.elements ?? [] {
                counts[contact["ContactNumber"]?.string ?? "?", default: 0] += 1
            }
            let doubled = counts.filter { $0.value > 1 && !$0.key.isEmpty }
            problems += doubled.map { "contact \($0.key) stands \($0.value) times" }
        }
    }

    private static func few(_ what: String, _ list: [String]) -> [String] {
        list.prefix(5).map { what + $0 } + (list.count > 5 ? ["… and \(list.count - 5) more like it"] : [])
    }
}
