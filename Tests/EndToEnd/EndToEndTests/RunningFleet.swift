import AMQP
import Foundation
import Glibc
import JSON
import Postgres
import Testing
import Threads

@testable import FleetHarness

/// The addresses of the test run's own servers; suites that need them are skipped with a message where they are absent.
enum Servers {
    static let rabbitMQ = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_URL"]
    static let database = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    /// `rabbitmqctl` of the same broker.
    static let control = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQCTL"]
    static let areThere = rabbitMQ != nil && database != nil
    static let absence: Comment =
        "TILLBRIDGE_TEST_RABBITMQ_URL and TILLBRIDGE_TEST_DATABASE_URL are not set: use `make test`"
}

/// The names of the fleets of this process so far: two with one name would share tables, queues and logs.
private let fleetNames = Locked<Set<String>>([])

/// Real processes, built beside the tests, in queues and tables of their own.
struct RunningFleet {
    let fleet: Fleet
    let watch: Watch

    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    /// A file with the example configuration, changed; to be removed by whoever asks for it.
    static func configuration(_ edit: (String) throws -> String) throws -> URL {
        let example = try String(contentsOf: root.appendingPathComponent("config/example.yaml"), encoding: .utf8)
        let changed = try edit(example)
        try #require(changed != example, "the example has other lines by now")
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tillbridge-\(UUID()).yaml")
        try changed.write(to: file, atomically: true, encoding: .utf8)
        return file
    }

    static func with(
        _ name: String, ordersPerVenue: Int = 0, ordersFile: String? = nil, limits: String = "off",
        configuration: String? = nil, postsDays: Bool = false, tillArguments: [String] = [],
        environment: [String: String] = [:], rabbitMQ: String? = nil,
        _ work: (RunningFleet) async throws -> Void
    ) async throws {
        guard fleetNames.withLock({ $0.insert(name).inserted }) else {
            throw HarnessError("two tests call their fleet \(name): give this one another name")
        }
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("tillbridge-\(getpid())-\(name)").path
        var options = FleetOptions(
            programs: programs, configuration: configuration ?? root.appendingPathComponent("config/example.yaml").path,
            folder: folder,
            rabbitMQ: try #require(rabbitMQ ?? Servers.rabbitMQ), database: try #require(Servers.database))
        options.run = "e2e-\(name)-\(getpid())"
        options.limits = limits
        options.ordersPerVenue = ordersPerVenue
        options.ordersFile = ordersFile
        options.duration = 0
        options.postsDays = postsDays
        options.tillArguments = tillArguments
        options.environment["TILLBRIDGE_POLLING_INTERVAL"] = "500ms"
        options.environment.merge(environment) { $1 }
        let fleet = try await Fleet(options)
        let result: Result<Void, any Error>
        do {
            let watch = try await Watch(fleet)
            result = .success(try await work(RunningFleet(fleet: fleet, watch: watch)))
            await watch.close()
        } catch { result = .failure(error) }
        let disorderly = await fleet.stop()
        if case .success = result { try? FileManager.default.removeItem(atPath: folder) }
        try result.get()
        #expect(disorderly.isEmpty, "\(disorderly)")
    }

    /// The folder of the built executables: the test bundle lies in it.
    static var programs: String {
        let bundle = Bundle.allBundles.map(\.bundlePath).first { $0.hasSuffix(".xctest") }
        let path = bundle ?? ((try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "")
        return (path as NSString).deletingLastPathComponent
    }

    /// Polls until `condition` holds; the fleet has no signal that reaches across processes.
    ///
    /// - Parameter limit: only what never comes is waited for so long: a machine may be several times slower than ours.
    func wait(
        _ what: String, within limit: Duration = .seconds(180), until condition: () async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        while try await !condition() {
            let ended = await fleet.children.ended()
            guard ended.isEmpty else { throw HarnessError("ended by itself: \(ended), see \(fleet.options.folder)") }
            guard ContinuousClock.now - start < limit else {
                throw HarnessError("waited \(limit) in vain for: \(what); logs in \(fleet.options.folder)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    /// - Returns: the look that found everything done.
    @discardableResult
    func waitUntilDone() async throws -> FleetHarness.Progress {
        var last = Progress()
        do {
            try await wait("every order written and paid") {
                last = try await fleet.progress(watch)
                return last.isDone
            }
        } catch { throw HarnessError("\(error); it came as far as \(last)") }
        return last
    }

    /// Of a fleet that has done everything. It goes on reading the till: what of that is in a queue just now is waited
    /// for, and only what stays there is the proof's.
    func proof() async throws -> Proof {
        let progress = try await waitUntilDone()
        return try Proof(
            plan: fleet.plan, till: try await fleet.kounta.get("/_control/ledger?orders=1"),
            ledger: try await fleet.xero.get("/_control/ledger"), dead: progress.dead, queued: progress.queued)
    }

    /// What a worker says of itself, at the port it took: one that is chosen before it starts may be another's by then.
    func health(of log: String) async throws -> SimulatorClient {
        var port = ""
        try await wait("the health of \(log)") {
            let text = try String(contentsOfFile: "\(fleet.options.folder)/\(log).log", encoding: .utf8)
            let line = text.split(separator: "\n").first { $0.contains("health at") }
            // Read to its end only when the end is there.
            guard let line, text.contains("\(line)\n") else { return false }
            port = line.split(separator: ":").last.map { String($0.prefix { $0.isNumber }) } ?? ""
            return !port.isEmpty
        }
        return SimulatorClient(base: "http://127.0.0.1:\(port)")
    }

    /// The numbers of the invoices in the ledger.
    func invoiceNumbers() async throws -> [String] {
        let ledger = try await fleet.xero.get("/_control/ledger")
        return (ledger["organisations"]?.elements ?? [])
            .flatMap { $0["invoices"]?.elements ?? [] }.compactMap { $0["InvoiceNumber"]?.string }
    }

    func publish(_ messages: [AMQPMessage]) async throws {
        let connection = try await AMQPConnection.open(
            endpoint: AMQPEndpoint(url: fleet.options.rabbitMQ), name: "e2e publish")
        let outcomes = await connection.publish(messages)
        await connection.close()
        for outcome in outcomes { if case .failed(let error) = outcome { throw error } }
    }

    /// Moves of documents of which the audit does not say why.
    func movesWithoutReason() async throws -> [String] {
        try await rows(
            """
            SELECT DISTINCT coalesce(before, 'nothing') || ' → ' || after AS move FROM \(fleet.schema).audit
             WHERE coalesce(why, '') = ''
            """
        ).map { try $0.text("move") }
    }

    func rows(_ sql: String) async throws -> [PostgresRow] {
        let pool = PostgresPool(address: try PostgresAddress(url: fleet.options.database), size: 1, name: "e2e")
        let rows = try await pool.withSession { try $0.query(sql) }
        await pool.close()
        return rows
    }
}

extension RunningFleet {
    /// Ends the workers of a name, in order.
    func stop(_ name: String) async throws {
        for child in await fleet.children.all where child.name == name {
            await fleet.children.remove(child)
            let status = await child.stop()
            #expect(status == 0, "\(name) ended with \(status)")
        }
    }

    func restart(_ name: String, environment: [String: String] = [:]) async throws {
        try await stop(name)
        _ = try await fleet.startWorker(name, log: "\(name)-again", environment: environment)
    }

    func kill(_ child: ChildProcess) async {
        await fleet.children.remove(child)
        child.signal(SIGKILL)
        _ = await child.waitForExit()
    }

    /// Takes what a queue holds and ends without a word, as a worker that crashes.
    func takeAndDie(_ queue: String) async throws {
        _ = try await take(queue)
    }

    /// The first message of a queue, which stays there.
    func look(_ queue: String) async throws -> AMQPMessage {
        try #require(try await take(queue).first).message
    }

    /// What a queue hands out at once; nothing is acknowledged.
    private func take(_ queue: String) async throws -> [AMQPDelivery] {
        guard try await watch.queued(of: queue) > 0 else { return [] }
        let consumer = AMQPConsumer(endpoint: try AMQPEndpoint(url: fleet.options.rabbitMQ), name: "e2e take")
        // Unstructured: it runs beside the reading and ends with close().
        let task = Task { await consumer.run() }
        let subscription = await consumer.subscribe(queue: queue, prefetch: 1)
        let batch = try await subscription.nextBatch(max: 1)
        await consumer.close()
        await task.value
        return batch
    }

    /// Takes everything out of a queue that nobody else reads.
    func drain(_ queue: String) async throws -> [AMQPDelivery] {
        // Counted before anything is taken, and after the last reader's are back: what is in a hand is not counted.
        try await wait("nobody at \(queue)") { try await watch.consumers(of: queue) == 0 }
        let expected = try await watch.queued(of: queue)
        let consumer = AMQPConsumer(endpoint: try AMQPEndpoint(url: fleet.options.rabbitMQ), name: "e2e drain")
        // Unstructured: it runs beside the reading and ends with close().
        let task = Task { await consumer.run() }
        let subscription = await consumer.subscribe(queue: queue, prefetch: 1000)
        var taken: [AMQPDelivery] = []
        while taken.count < expected {
            let batch = try await subscription.nextBatch(max: 500)
            taken += batch
            await subscription.acknowledge(batch)
        }
        await consumer.close()
        await task.value
        return taken
    }
}

extension String {
    /// A configuration whose organisations have an account for what tills are over or short.
    var bookingVariance: String {
        let mark = "      outside_tax_type: BASEXCLUDED\n"
        return replacing(mark, with: mark + "      variance: \"870\"\n")
    }
}
