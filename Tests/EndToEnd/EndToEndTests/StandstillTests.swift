import AMQP
import Postgres
import Testing

@testable import FleetHarness

/// An organisation that takes no calls for longer than messages may be in a writer's hand.
@Suite(.enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(5)))
struct StandstillTests {
    @Test("its orders wait in their queue, in nobody's hand; another organisation's are written; then its own are, too")
    func offline() async throws {
        let environment = ["TILLBRIDGE_WRITING_HAND_MAX": "1s", "TILLBRIDGE_WRITING_LEASE": "3s"]
        try await RunningFleet.with("standstill", environment: environment) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            let harbour = try #require(running.fleet.plan.organisations.first { $0.key == "harbour" })
            try await running.fleet.xero.post(
                "/_control/faults", #"{"match":{"tenant":"\#(harbour.tenant)"},"action":{"status":503}}"#)
            let messages = Messages(run: running.fleet.run)
            let ids = (901...912).map { "\($0)" }
            try await running.publish(ids.map { messages.order(id: $0) })
            let queue = "\(running.fleet.run).write.harbour"
            try await running.wait("all of them in the queue") {
                try await running.watch.queued(of: queue) == ids.count
            }
            try await running.publish([messages.lakesideOrder("2101")])
            try await running.wait("the other organisation's") {
                try await running.invoiceNumbers().contains { $0.hasSuffix("2101") }
            }
            try await running.fleet.xero.delete("/_control/faults")
            try await running.wait("every order written and paid") {
                let counts = try await running.watch.counts()
                return counts.settled == ids.count + 1 && counts.dead == 0
            }
            #expect(try await running.invoiceNumbers().count == ids.count + 1)
            // Nobody died, and no attempt was counted: what waited failed in nothing.
            let suspects = try await running.rows("SELECT count(*) AS n FROM \(running.fleet.schema).suspect")
            #expect(try suspects[0].int("n") == 0)
        }
    }

    /// Why an organisation takes no calls for long.
    enum Cause: String, CaseIterable, Sendable {
        case limited, offline, disconnected
        /// Its calls of the day are used up.
        case day
    }

    @Test("whatever closes an organisation, its messages wait in its queue as they came, and the other's are written",
        arguments: Cause.allCases)
    func undisturbed(cause: Cause) async throws {
        let environment = ["TILLBRIDGE_WRITING_HAND_MAX": "1s", "TILLBRIDGE_WRITING_LEASE": "3s"]
        try await RunningFleet.with("standstill-\(cause)", limits: "x200", environment: environment) { running in
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            let messages = Messages(run: running.fleet.run)
            try await close(cause, running, messages)
            let ids = (901...912).map { "\($0)" }
            try await running.publish(ids.map { messages.order(id: $0) })
            let queue = "\(running.fleet.run).write.harbour"
            try await running.wait("all of them in the queue") {
                try await running.watch.queued(of: queue) == ids.count
            }
            try await running.publish([messages.lakesideOrder("2101")])
            try await running.wait("the other organisation's") {
                try await running.invoiceNumbers().contains { $0.hasSuffix("2101") }
            }
            if cause == .offline || cause == .disconnected { try await endProbes(running) }
            try await running.wait("nothing in hand") { try await running.watch.queued(of: queue) == ids.count }
            try await running.stop("writer")
            let waiting = try await running.drain(queue)
            #expect(waiting.count == ids.count)
            // None was handed out and given back by the broker, and none is nearer to the desk.
            #expect(waiting.allSatisfy { !$0.redelivered })
            #expect(waiting.allSatisfy { $0.headers["tb-attempt"] == .int(0) && $0.headers["tb-cause"] == nil })
            #expect(try await delayed(running) == (cause == .limited ? 1 : 0))
            #expect(try await running.watch.counts().dead == 0)

            try await open(running)
            try await running.publish(
                waiting.map {
                    AMQPMessage(
                        exchange: "", routingKey: queue, headers: $0.headers, messageID: $0.messageID, body: $0.body)
                })
            _ = try await running.fleet.startWorker("writer", log: "writer-again")
            try await running.wait("every order written and paid") {
                try await running.watch.counts().settled == ids.count + 1
            }
        }
    }

    private func close(_ cause: Cause, _ running: RunningFleet, _ messages: Messages) async throws {
        let tenant = try #require(running.fleet.plan.organisations.first { $0.key == "harbour" }).tenant
        let (xero, schema) = (running.fleet.xero, running.fleet.schema)
        switch cause {
        case .limited:
            try await xero.post(
                "/_control/faults",
                """
                {"match":{"tenant":"\(tenant)"},"action":{"status":429,"headers":{"Retry-After":"3600",\
                "X-Rate-Limit-Problem":"minute"}}}
                """)
            // The one that is refused goes to a delay queue, for as long as Xero asks.
            try await running.publish([messages.order(id: "900")])
            try await running.wait("the refusal") { try await delayed(running) == 1 }
        case .offline:
            try await xero.post(
                "/_control/faults", #"{"match":{"tenant":"\#(tenant)"},"action":{"status":503}}"#)
        case .disconnected:
            try await xero.post("/_control/organisations", #"{"tenantId":"\#(tenant)","disconnected":true}"#)
        case .day:
            _ = try await running.rows(
                """
                INSERT INTO \(schema).budget (organisation, day, day_calls)
                VALUES ('harbour', (now() AT TIME ZONE 'UTC')::date, 2000000000)
                ON CONFLICT (organisation) DO UPDATE SET day = excluded.day, day_calls = excluded.day_calls RETURNING 1
                """)
        }
    }

    /// The breaker tries now and then whether the organisation is back, with messages in hand: not any more.
    private func endProbes(_ running: RunningFleet) async throws {
        try await running.wait("an open breaker") {
            try await !running.rows(
                """
                UPDATE \(running.fleet.schema).budget SET breaker_until = now() + interval '1 hour'
                 WHERE organisation = 'harbour' AND breaker = 'open' RETURNING 1
                """
            ).isEmpty
        }
    }

    private func delayed(_ running: RunningFleet) async throws -> Int {
        var sum = 0
        for delay in ["5s", "30s", "2m", "10m", "1h", "6h"] {
            sum += try await running.watch.queued(of: "\(running.fleet.run).retry.\(delay)")
        }
        return sum
    }

    private func open(_ running: RunningFleet) async throws {
        let tenant = try #require(running.fleet.plan.organisations.first { $0.key == "harbour" }).tenant
        try await running.fleet.xero.delete("/_control/faults")
        try await running.fleet.xero.post("/_control/organisations", #"{"tenantId":"\#(tenant)","disconnected":false}"#)
        _ = try await running.rows(
            "DELETE FROM \(running.fleet.schema).budget WHERE organisation = 'harbour' RETURNING 1")
    }
}

extension Messages {
    /// An order of the other organisation's.
    func lakesideOrder(_ id: String) -> AMQPMessage {
        order(id: id, headers: ["tb-company": .string("lakeside")]) {
            $0.replacing("\"company_id\":162,\"site_id\":923", with: "\"company_id\":163,\"site_id\":3101")
        }
    }
}
