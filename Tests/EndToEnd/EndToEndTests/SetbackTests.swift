import AMQP
import Foundation
import Glibc
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// What fails time and again, and what kills whoever takes it: it ends on the desk, and its neighbours are booked.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct SetbackTests {
    private static let count = 24

    @Test("documents on which Xero fails every time go through the delay queues to the desk; their neighbours are paid")
    func persistentFailure() async throws {
        try await with("failure") { running, messages in
            try await running.fleet.startWorkers(["writer"])
            // One invoice, and the payment of another, never get through.
            for fault in [
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices","text":"HBR-907"},"action":{"status":500}}"#,
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Payments","text":"45.60"},"action":{"status":500}}"#,
            ] { try await running.fleet.xero.post("/_control/faults", fault) }
            // Whoever waits half a minute or longer has waited enough.
            let hand = try ChaosMessages(running.fleet)
            try await hand.hurry()
            try await running.publish(
                (1...Self.count).map { number in
                    let id = number < 10 ? "90\(number)" : "9\(number)"
                    return messages.order(id: id) { number == 5 ? Self.dearer($0) : $0 }
                })
            try await running.wait("both letters, everything else paid", within: .seconds(180)) {
                let counts = try await running.watch.counts()
                return counts.dead == 2 && counts.settled == Self.count
            }
            await hand.close()

            #expect(try await running.invoiceNumbers().count == Self.count - 1)
            #expect(try await !running.invoiceNumbers().contains("HBR-907"))
            let letters = try await running.rows(
                """
                SELECT class, cause, attempts::bigint AS attempts
                  FROM \(running.fleet.schema).dead_letter ORDER BY cause
                """)
            #expect(try letters.allSatisfy { try $0.text("class") == "connection" })
            for (letter, name) in zip(letters, ["HBR-907", "the payment of 45.60"]) {
                let cause = try letter.text("cause")
                #expect(cause.contains(name) && cause.contains("7 times") && cause.contains("500"), "\(cause)")
                #expect(try letter.int("attempts") == 6)
            }
            // A bounded number of times: nine requests at most hold the invoice (one with all, one with ten, the rest
            // alone), and each had a key of its own.
            let tries = try await running.rows(
                """
                SELECT count(*) AS n, min(cardinality(ids))::bigint AS least FROM \(running.fleet.schema).attempt
                 WHERE kind = 'invoices' AND position('HBR-907'::bytea in bytes) > 0
                """)[0]
            #expect(try (7...9).contains(tries.int("n")))
            #expect(try tries.int("least") == 1)
            #expect(try await running.movesWithoutReason().isEmpty)
        }
    }

    /// The same order at 45.60 instead of 12.30.
    private static func dearer(_ order: String) -> String {
        [
            ("12.30", "45.60"), ("11.1818", "41.4545"), ("1.1182", "4.1455"), ("11.18", "41.45"), ("1.12", "4.15"),
        ].reduce(order) { $0.replacing($1.0, with: $1.1) }
    }

    @Test("a message that kills every writer is parked after three deaths; its neighbours are written", arguments: [
        "writer", "mapper",
    ])
    func killer(worker: String) async throws {
        try await with("killer-\(worker)") { running, messages in
            if worker == "mapper" { try await running.stop("mapper") }
            try await running.publish([messages.order(id: "901")])
            if worker == "writer" {
                // Writers know their messages by documents only: the first order, mapped alone, is the first document.
                try await running.wait("the first document") { try await running.watch.counts().mapped == 1 }
            }
            try await running.publish((902...920).map { messages.order(id: "\($0)") })
            let trap = worker == "writer"
                ? "writer.claimed@{\"document\":1}" : "mapper.mapped@\"id\":901,"
            let deaths = try await supervise(running, worker, trap)
            #expect(deaths == 3)
            let letters = try await running.rows("SELECT class, cause FROM \(running.fleet.schema).dead_letter")
            #expect(letters.count == 1)
            #expect(try letters.first?.text("class") == "unknown")
            #expect(try letters.first?.text("cause").hasPrefix("Three workers died") == true)
            if worker == "mapper" { _ = try await running.fleet.startWorker("writer", log: "writer") }
            try await running.wait("the neighbours") { try await running.invoiceNumbers().count == 19 }
            #expect(try await !running.invoiceNumbers().contains("HBR-901"))
            // Nothing of it is left to do: no sweeper brings it back.
            try await running.wait("rest") {
                let counts = try await running.watch.counts()
                let queued = try await running.watch.queued()
                return counts.settled == counts.mapped && queued == 0
            }
        }
    }

    /// Starts the worker again whenever it dies, until a letter is there.
    ///
    /// - Returns: how often it died.
    private func supervise(_ running: RunningFleet, _ worker: String, _ trap: String) async throws -> Int {
        var deaths = 0
        while deaths < 10 {
            let child = try await running.fleet.startWorker(
                worker, log: "\(worker)-\(deaths)", environment: ["TILLBRIDGE_CRASH_AT": trap])
            try await running.waitFor("a death or the letter", beside: child) {
                if !child.isRunning { return true }
                return try await running.watch.counts().dead > 0
            }
            if child.isRunning { return deaths }
            await running.fleet.children.remove(child)
            #expect(await child.waitForExit() == SIGKILL)
            deaths += 1
        }
        return deaths
    }

    /// A mapper and a dead-letter-handler, ready.
    private func with(_ name: String, _ work: (RunningFleet, Messages) async throws -> Void) async throws {
        // No letter is sent ahead: what is counted here is what the workers did.
        let environment = ["TILLBRIDGE_WRITING_LEASE": "3s", "TILLBRIDGE_DESK_PROBE_INTERVAL": "1h"]
        try await RunningFleet.with("setback-\(name)", environment: environment) { running in
            for worker in ["mapper", "dead-letter-handler"] {
                _ = try await running.fleet.startWorker(worker, log: worker)
                let log = "\(running.fleet.options.folder)/\(worker).log"
                try await running.wait("a ready \(worker)") {
                    try String(contentsOfFile: log, encoding: .utf8).contains("\(worker): ready")
                }
            }
            try await work(running, Messages(run: running.fleet.run))
        }
    }
}

extension RunningFleet {
    /// As ``wait(_:within:until:)``, where `child` may end.
    func waitFor(
        _ what: String, beside child: ChildProcess, within limit: Duration = .seconds(180),
        until condition: () async throws -> Bool
    ) async throws {
        let start = ContinuousClock.now
        while try await !condition() {
            guard ContinuousClock.now - start < limit else {
                throw HarnessError("waited \(limit) in vain for: \(what); logs in \(fleet.options.folder)")
            }
            try await Task.sleep(for: .milliseconds(100))
        }
    }
}
