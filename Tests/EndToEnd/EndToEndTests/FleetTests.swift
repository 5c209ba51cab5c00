import Postgres
import AMQP
import Foundation
import Glibc
import JSON
import Testing

@testable import FleetHarness

@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct FleetTests {
    @Test("a busy service with discounts, tips and split payments comes out even, venue by venue, order by order")
    func service() async throws {
        try await RunningFleet.with("service", ordersPerVenue: 60) { running in
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.waitUntilDone()
            let proof = try await running.proof()
            #expect(proof.holds, "\(proof.lines.joined(separator: "\n"))")
            #expect(proof.orders == 300)
            #expect(try await running.movesWithoutReason().isEmpty)
        }
    }

    @Test("the proof notices one order that is missing, doubled or a cent out")
    func canary() async throws {
        try await RunningFleet.with("canary", ordersPerVenue: 4) { running in
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.waitUntilDone()
            let till = try await running.fleet.kounta.get("/_control/ledger?orders=1")
            let ledger = try await running.fleet.xero.get("/_control/ledger")
            func proof(_ edit: (String) -> String) throws -> Proof {
                let text = edit(String(decoding: ledger.raw, as: UTF8.self))
                return try Proof(
                    plan: running.fleet.plan, till: till, ledger: try .init(parsing: text), dead: 0, queued: 0)
            }
            #expect(try proof { $0 }.holds)
            let number = try #require(try await running.invoiceNumbers().first)
            #expect(try !proof { $0.replacing("\"\(number)\"", with: "\"\(number)-x\"") }.holds)
            let total = try #require(
                ledger["organisations"]?.elements.first?["invoices"]?.elements.first?["Total"]?.numberText)
            let shiftedTotal = "\(total.dropLast())\(total.last == "9" ? "8" : "9")"
            let shifted = try proof { $0.replacing("\"Total\":\(total)", with: "\"Total\":\(shiftedTotal)") }
            #expect(!shifted.holds)
            #expect(!shifted.different.isEmpty)
        }
    }

    @Test("writers killed with -9 in the middle of their work: nothing is lost, nothing doubled, to the cent")
    func killedWriters() async throws {
        try await RunningFleet.with("killed", ordersPerVenue: 150) { running in
            let lease = ["TILLBRIDGE_WRITING_LEASE": "3s"]
            for name in ["poller", "mapper", "dead-letter-handler"] {
                _ = try await running.fleet.startWorker(name, log: name)
            }
            // Three times: two writers, killed when some of the orders are written and others are under way.
            for round in 1...3 {
                var writers: [ChildProcess] = []
                for index in 1...2 {
                    let log = "writer-\(round)-\(index)"
                    writers.append(try await running.fleet.startWorker("writer", log: log, environment: lease))
                }
                let before = try await running.fleet.progress(running.watch).written
                try await running.wait("some more orders") {
                    try await running.fleet.progress(running.watch).written >= min(before + 60, 600)
                }
                for writer in writers {
                    await running.fleet.children.remove(writer)
                    writer.signal(SIGKILL)
                    _ = await writer.waitForExit()
                }
            }
            _ = try await running.fleet.startWorker("writer", log: "writer-last", environment: lease)
            try await running.wait("every order written and paid", within: .seconds(240)) {
                let progress = try await running.fleet.progress(running.watch)
                let letters = try await running.rows(
                    "SELECT count(*) AS n FROM \(running.fleet.schema).dead_letter WHERE state <> 'resolved'")
                // What was in hand at three deaths, at the last one alone, lies on the desk, and rightly: nobody can
                // tell our signal from a crash. A person sends it again.
                guard try letters[0].int("n") == 0 else {
                    _ = try await running.fleet.command([
                        "dead-letters", "replay", "--cause", ChaosWatch.condemned, "--state", "open", "--by", "ana",
                    ])
                    return false
                }
                return progress.isTradeOver && progress.orders > 0 && progress.written == progress.orders
                    && progress.settled == progress.mapped && progress.queued == 0
            }
            var proof = try await running.proof()
            // It counts every letter there ever was; that none is open was seen above.
            proof.dead = 0
            #expect(proof.holds, "\(proof.lines.joined(separator: "\n"))")
        }
    }

    @Test("what Xero refuses lies on the desk with Xero's sentence; restored and replayed it is written")
    func refused() async throws {
        try await RunningFleet.with("refused") { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            let tenant = try #require(running.fleet.plan.organisations.first?.tenant)
            try await running.fleet.xero.post(
                "/_control/organisations", #"{"tenantId":"\#(tenant)","archiveAccounts":["230"]}"#)
            try await running.publish([messages.order(id: "901")])
            try await running.wait("the letter") { try await running.watch.counts().dead == 1 }
            let letters = try await running.rows("SELECT cause FROM \(running.fleet.schema).dead_letter")
            let cause = try #require(try letters.first?.text("cause"))
            #expect(cause.contains("HBR-901") && cause.contains("230"), "\(cause)")
            #expect(try await running.invoiceNumbers().isEmpty)
            try await running.fleet.xero.post(
                "/_control/organisations", #"{"tenantId":"\#(tenant)","activateAccounts":["230"]}"#)
            try await running.publish([messages.order(id: "901")])
            try await running.wait("the invoice") { try await running.invoiceNumbers() == ["HBR-901"] }
        }
    }

    @Test("a killed poller is replaced within ten seconds, and a drained one at once")
    func takeover() async throws {
        try await RunningFleet.with("takeover", ordersPerVenue: 2) { running in
            /// Completed just now, and booked by whoever polls.
            func sell(_ id: Int) async throws {
                let now = Date.now.formatted(.iso8601)
                let order = TillOrder(id, 1250).json
                    .replacing("2026-11-20T12:00:00+11:00", with: now).replacing("2026-11-20T12:00:05+11:00", with: now)
                try await running.fleet.kounta.post("/_control/orders", order)
                try await running.wait("the invoice of \(id)") {
                    try await running.invoiceNumbers().contains("HBR-\(id)")
                }
            }
            for name in ["mapper", "writer"] { _ = try await running.fleet.startWorker(name, log: name) }
            var active = try await running.fleet.startWorker("poller", log: "poller-0")
            try await running.wait("the first poller's leases") { try await running.isPolled(by: active) }
            var fences = try await running.pollerLeases().map(\.fence)
            // A machine that stood still for some seconds says nothing of the fleet: not three times in a row.
            var fastest = Duration.seconds(3600)
            for turn in 1...3 where fastest >= .seconds(10) {
                // Had it to be waited for, its lease would last for a minute.
                let next = try await running.fleet.startWorker(
                    "poller", log: "poller-\(turn)", environment: ["TILLBRIDGE_POLLING_LEASE": "60s"])
                await running.kill(active)
                let killed = ContinuousClock.now
                if turn > 1 {
                    _ = try await running.rows(
                        "UPDATE \(running.fleet.schema).lease SET until = now() + interval '6 seconds'"
                            + " WHERE name LIKE 'poller/%' RETURNING name")
                }
                try await running.wait("the next poller's leases") { try await running.isPolled(by: next) }
                fastest = min(fastest, ContinuousClock.now - killed)
                active = next
            }
            #expect(fastest < .seconds(10))
            let later = try await running.pollerLeases().map(\.fence)
            #expect(later.count == 2 && zip(fences, later).allSatisfy { $0 < $1 })
            fences = later
            try await sell(6_100_000_001)

            let last = try await running.fleet.startWorker("poller", log: "poller-last")
            try await running.fleet.waitUntilReady()
            #expect(try await running.isPolled(by: active))
            await running.fleet.children.remove(active)
            #expect(await active.stop() == 0)
            // Given back: nobody holds them, or the last does already.
            #expect(try await !running.pollerLeases().contains { $0.process == "\(active.processID)" })
            try await running.wait("the last poller's leases") { try await running.isPolled(by: last) }
            #expect(try await zip(fences, running.pollerLeases().map(\.fence)).allSatisfy { $0 < $1 })
            try await sell(6_100_000_002)
        }
    }

    @Test("SIGTERM in the middle of a backlog: the mapper ends with 0 in time, nothing is lost or made twice")
    func drain() async throws {
        try await RunningFleet.with("drain") { running in
            let declarer = try await running.fleet.startWorker("mapper", log: "declare")
            try await running.fleet.waitUntilReady()
            await running.fleet.children.remove(declarer)
            #expect(await declarer.stop() == 0)
            let messages = Messages(run: running.fleet.run)
            let count = 4000
            try await running.publish((1...count).map { messages.order(id: "9\($0)") })
            let mapper = try await running.fleet.startWorker(
                "mapper", log: "mapper", environment: ["TILLBRIDGE_STOP_AT": "mapper.committed:3"])
            try await running.wait("the middle") { mapper.isStopped }
            #expect(try await running.watch.counts().mapped > 0)
            await running.fleet.children.remove(mapper)
            #expect(await mapper.stop(grace: .seconds(30)) == 0)

            let mapped = try await running.watch.counts().mapped
            let left = try await running.drain("\(running.fleet.run).map")
            #expect(left.count(where: \.redelivered) == 0)
            // What was acknowledged is in the table, and nothing else is.
            #expect(mapped + left.count == count)
            #expect(mapped < count, "the backlog was too short to be interrupted")
        }
    }

    @Test("a worker without broker and database waits and says what for, in its log and at /ready")
    func waits() async throws {
        try await RunningFleet.with("waits") { running in
            let dead = try Ports.free()
            let child = try await running.fleet.startWorker(
                "mapper", log: "mapper",
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://guest:hidden-word@127.0.0.1:\(dead)/",
                    "TILLBRIDGE_DATABASE_URL": "postgresql://nobody:hidden-word@127.0.0.1:\(dead)/none",
                ])
            let client = try await running.health(of: "mapper")
            try await running.wait("/live") { await client.status("/live") == 200 }
            try await running.wait("503 at /ready") { await client.status("/ready") == 503 }
            let reason = try #require(await client.text("/ready"))
            #expect(reason.contains("broker") && reason.contains("database"))
            await running.fleet.children.remove(child)
            #expect(await child.stop() == 0)
            let log = try String(contentsOfFile: "\(running.fleet.options.folder)/mapper.log", encoding: .utf8)
            #expect(log.contains("broker") && log.contains("database"))
            #expect(!(log + reason).contains("hidden-word"))
            await client.close()
        }
    }

    @Test("real orders of a takeaway come out even", .enabled(if: RealOrders.areThere, "../shared/data is not here"))
    func realOrders() async throws {
        let file = try RealOrders.excerpt(lines: 3000)
        defer { try? FileManager.default.removeItem(atPath: file) }
        try await RunningFleet.with("real", ordersFile: file) { running in
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.waitUntilDone()
            let proof = try await running.proof()
            #expect(proof.holds, "\(proof.lines.joined(separator: "\n"))")
            #expect(proof.orders > 400)
        }
    }
}

extension RunningFleet {
    /// Whose they are: by the process, because one that stood still for long has lost and taken them again.
    fileprivate func pollerLeases() async throws -> [(process: String, fence: Int64)] {
        try await rows(
            """
            SELECT split_part(split_part(holder, '/', 2), '-', 1) AS process, fence FROM \(fleet.schema).lease
             WHERE name LIKE 'poller/%' AND until > now() ORDER BY name
            """
        ).map { (try $0.text("process"), try $0.int("fence")) }
    }

    /// Whether it is this one that reads every company.
    fileprivate func isPolled(by child: ChildProcess) async throws -> Bool {
        let leases = try await pollerLeases()
        return leases.count == 2 && leases.allSatisfy { $0.process == "\(child.processID)" }
    }
}

/// The real orders that lie beside the project; `make demo ORDERS=…` plays all of them.
enum RealOrders {
    static let path = RunningFleet.root.appendingPathComponent("../shared/data/takeaway-orders.csv").standardized.path
    static let areThere = FileManager.default.fileExists(atPath: path)

    /// The first lines as a file of their own, without the last order, which may be cut.
    static func excerpt(lines count: Int) throws -> String {
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(whereSeparator: \.isNewline).prefix(count)
        let last = lines.last?.prefix { $0 != "," } ?? ""
        let whole = lines.filter { !$0.hasPrefix(last + ",") }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("orders-\(getpid()).csv").path
        try whole.joined(separator: "\n").write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
