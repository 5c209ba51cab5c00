import AMQP
import JSON
import Postgres

/// How far a run has come.
struct Progress: Sendable, Equatable {
    var isTradeOver = false
    /// Completed orders in Kounta.
    var orders = 0
    /// Orders that a poller has published.
    var seen = 0
    /// Documents the mapper made.
    var mapped = 0
    /// Documents that are written and paid.
    var settled = 0
    /// Invoices in the ledger.
    var written = 0
    var dead = 0
    var queued = 0
    var xeroCalls = 0
    var refusedCalls = 0
    /// Nil where every order is a document of its own.
    var days: DayProgress?

    /// What a person sees of a run that goes on.
    func line(after elapsed: Duration) -> String {
        let seconds = max(1, Int(elapsed.components.seconds))
        let rate = days == nil ? "\(written / seconds) orders/s, " : ""
        let days = days.map {
            "orders in their days \($0.orders), days posted \($0.posted), waiting \($0.waiting), "
        } ?? ""
        return "\(seconds) s: orders seen \(seen) of \(orders), \(days)mapped \(mapped), written \(written), "
            + "dead \(dead), \(rate)Xero calls \(xeroCalls) (refused \(refusedCalls)), queued \(queued)"
    }

    /// Every order is an invoice, paid, or lies on the desk, and nothing is on its way.
    var isDone: Bool {
        guard isTradeOver, orders > 0, settled + dead >= mapped, queued == 0 else { return false }
        guard let days else { return written + dead >= orders }
        return days.orders + dead >= orders && days.waiting == 0
    }
}

/// How far the days are that are posted as summaries.
struct DayProgress: Sendable, Equatable {
    /// Orders that are in the documents of their day, or have their own.
    var orders = 0
    /// Days whose documents all stand in the ledger, and days without sales.
    var posted = 0
    /// Days that are open, closing, on their way into the ledger or to be adjusted.
    var waiting = 0
}

extension Fleet {
    /// Whether every worker is ready. Only then can anything be published: a queue that can be seen may not be bound
    /// yet, and what is sent to it finds no way.
    func isReady() async -> Bool {
        await children.all.filter { !$0.name.hasSuffix("-sim") }.allSatisfy(\.isReady)
    }

    /// - Throws: where a worker ended by itself, or is not ready in time.
    func waitUntilReady() async throws {
        let start = ContinuousClock.now
        while await !isReady() {
            let ended = await children.ended()
            guard ended.isEmpty, ContinuousClock.now - start < .seconds(120) else {
                throw HarnessError("not every worker is ready; ended by themselves: \(ended); see \(options.folder)")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }

    func progress(_ watch: Watch) async throws -> Progress {
        var progress = Progress()
        let till = try await kounta.get("/_control/ledger")
        progress.isTradeOver = till["finished"]?.bool ?? false
        for company in till["companies"]?.elements ?? [] {
            for site in company["sites"]?.elements ?? [] { progress.orders += Int(site["orders"]?.integer ?? 0) }
        }
        let ledger = try await xero.get("/_control/ledger?summary=1")
        for organisation in ledger["organisations"]?.elements ?? [] {
            let invoices = organisation["invoices"]
            progress.written += Int(invoices?["count"]?.integer ?? invoices?.integer ?? 0)
        }
        progress.seen = try await watch.seen()
        (progress.mapped, progress.settled, progress.dead) = try await watch.counts()
        if options.postsDays { progress.days = try await watch.days() }
        progress.queued = try await watch.queued()
        let counters = try await xero.get("/_control/counters")
        for organisation in counters["organisations"]?.elements ?? [] {
            for (_, count) in organisation["calls"]?.members ?? [] { progress.xeroCalls += Int(count.integer ?? 0) }
            for (_, count) in organisation["refused"]?.members ?? [] {
                progress.refusedCalls += Int(count.integer ?? 0)
            }
        }
        return progress
    }

    /// The queues of this run, as the fleet names them.
    var queueNames: [String] {
        ["\(run).map", "\(run).dead", "\(run).unreadable"]
            + plan.organisations.map { "\(run).write.\($0.key)" }
            + ["5s", "30s", "2m", "10m", "1h", "6h"].map { "\(run).retry.\($0)" }
    }

    var schema: String { run.replacing("-", with: "_") }

    package func removeTraces() async {
        if let endpoint = try? AMQPEndpoint(url: options.rabbitMQ),
            let connection = try? await AMQPConnection.open(endpoint: endpoint, name: "tillbridge-harness")
        {
            for queue in queueNames { try? await connection.deleteQueue(queue) }
            await connection.close()
        }
        if let address = try? PostgresAddress(url: options.database) {
            let pool = PostgresPool(address: address, size: 1, name: "tillbridge-harness")
            _ = try? await pool.withSession { [schema] in try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
            await pool.close()
        }
    }
}

/// Looks at the run's queues and tables from outside the fleet.
final class Watch: Sendable {
    private let connection: AMQPConnection
    private let pool: PostgresPool
    private let queues: [String]
    private let schema: String

    init(_ fleet: Fleet) async throws {
        connection = try await AMQPConnection.open(
            endpoint: AMQPEndpoint(url: fleet.options.rabbitMQ), name: "tillbridge-harness")
        pool = PostgresPool(
            address: try PostgresAddress(url: fleet.options.database), size: 1, name: "tillbridge-harness")
        queues = fleet.queueNames
        schema = fleet.schema
    }

    func counts() async throws -> (mapped: Int, settled: Int, dead: Int) {
        let schema = schema
        return try await pool.withSession { session in
            // The schema's name is the harness's own.
            let rows = try session.query(
                """
                SELECT (SELECT count(*) FROM \(schema).document) AS mapped,
                       (SELECT count(*) FROM \(schema).document WHERE closed_at IS NOT NULL) AS settled,
                       (SELECT count(*) FROM \(schema).dead_letter) AS dead
                """)
            guard let row = rows.first else { return (0, 0, 0) }
            return (Int(try row.int("mapped")), Int(try row.int("settled")), Int(try row.int("dead")))
        }
    }

    /// Orders whose details a poller has published, confirmed; takings are remembered beside them.
    func seen() async throws -> Int {
        let schema = schema
        return try await pool.withSession { session in
            let rows = try session.query(
                "SELECT count(*) AS seen FROM \(schema).poll_seen WHERE id NOT LIKE 'takings/%'")
            return Int(try rows.first?.int("seen") ?? 0)
        }
    }

    func days() async throws -> DayProgress {
        let schema = schema
        return try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT (SELECT count(DISTINCT (company, source_id)) FROM \(schema).day_entry
                         WHERE booked IS NOT NULL AND source LIKE 'order/%')
                       + (SELECT count(DISTINCT (company, source_id)) FROM \(schema).document
                           WHERE source_kind = 'order') AS orders,
                       (SELECT count(*) FROM \(schema).venue_day
                         WHERE state = 'posted' AND changed_at IS NULL) AS posted,
                       (SELECT count(*) FROM \(schema).venue_day
                         WHERE state <> 'posted' OR changed_at IS NOT NULL) AS waiting
                """)
            guard let row = rows.first else { return DayProgress() }
            return DayProgress(
                orders: Int(try row.int("orders")), posted: Int(try row.int("posted")),
                waiting: Int(try row.int("waiting")))
        }
    }

    /// Documents of each organisation that stand in the ledger.
    func written(of organisations: [String]) async throws -> [Int] {
        let schema = schema
        return try await pool.withSession { session in
            var counts: [String: Int] = [:]
            for row in try session.query(
                """
                SELECT organisation, count(*) AS written FROM \(schema).document WHERE state = 'written' GROUP BY 1
                """)
            { counts[try row.text("organisation")] = Int(try row.int("written")) }
            return organisations.map { counts[$0] ?? 0 }
        }
    }

    /// From mapped to written, in milliseconds, once `count` documents are; the first `passing` are left out.
    func latency(
        of organisation: String, when count: Int, passing: Int = 0
    ) async throws -> (p99: Double, most: Double) {
        let schema = schema
        let deadline = ContinuousClock.now + .seconds(120)
        while try await written(of: [organisation])[0] < count {
            guard ContinuousClock.now < deadline else { throw HarnessError("\(organisation) has not written \(count)") }
            try await Task.sleep(for: .milliseconds(50))
        }
        let times = try await pool.withSession { session in
            try session.query(
                """
                SELECT (extract(epoch FROM written_at - created_at) * 1000)::bigint AS ms FROM \(schema).document
                 WHERE organisation = $1 ORDER BY id
                """, [.text(organisation)]
            ).map { Double(try $0.int("ms")) }
        }.dropFirst(passing).sorted()
        guard let most = times.last else { throw HarnessError("\(organisation) has no documents") }
        return (times[min(times.count - 1, times.count * 99 / 100)], most)
    }

    func queued() async throws -> Int {
        var sum = 0
        for queue in queues { sum += Int(try await connection.queueStatus(queue)?.messages ?? 0) }
        return sum
    }

    func queued(of queue: String) async throws -> Int {
        Int(try await connection.queueStatus(queue)?.messages ?? 0)
    }

    /// How many read a queue.
    func consumers(of queue: String) async throws -> Int {
        Int(try await connection.queueStatus(queue)?.consumers ?? 0)
    }

    func close() async {
        await connection.close()
        await pool.close()
    }
}
