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
}

extension Messages {
    /// An order of the other organisation's.
    func lakesideOrder(_ id: String) -> AMQPMessage {
        order(id: id, headers: ["tb-company": .string("lakeside")]) {
            $0.replacing("\"company_id\":162,\"site_id\":923", with: "\"company_id\":163,\"site_id\":3101")
        }
    }
}
