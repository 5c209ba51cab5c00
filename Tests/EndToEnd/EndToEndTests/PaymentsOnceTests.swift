import Foundation
import Glibc
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Payments have no number that Xero would keep unique, and of an invoice that is paid in part a second one is taken
/// without a word: each way to send one twice is tried here with such an invoice.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(5)))
struct PaymentsOnceTests {
    /// 20.00 on Ada's account, of which 5.00 are paid.
    private let order = TillOrder(601, 2000).onAccount(of: 5501, "Ada", "Byron").with {
        $0.payments = [.cash(500, on: "2026-11-20")]
    }

    @Test("a payment whose answer was lost, asked for again when no calls were left: one payment")
    func lostThenLimited() async throws {
        try await RunningFleet.with("payment-lost") { running in
            // It is carried out and nobody hears of it; then the minute is used up.
            for action in [
                #"{"drop":"after"}"#,
                #"{"status":429,"headers":{"Retry-After":"1","X-Rate-Limit-Problem":"minute"}}"#,
            ] {
                try await running.fleet.xero.post(
                    "/_control/faults",
                    #"{"match":{"method":"PUT","path":"/api.xro/2.0/Payments"},"action":\#(action),"count":1}"#)
            }
            try await running.fleet.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await running.fleet.waitUntilReady()
            try await running.publish(order)
            try await running.wait("the payment to be settled") { try await running.watch.counts().settled == 1 }
            #expect(try await running.ledger().lines == ["HBR-601 AUTHORISED 20.00 due 15.00"])
            #expect(try await running.ledger().payments.map(\.amount) == ["5.00"])
            #expect(try await running.paymentCalls() >= 2, "the second call was not made: this shows nothing")
            #expect(try await running.unfinished().isEmpty)
        }
    }

    @Test("a writer that stands still after it looked what is paid, is taken over and wakes: it sends nothing")
    func stoodStillLooking() async throws {
        try await RunningFleet.with("payment-looked") { running in
            let fleet = running.fleet
            // Xero keeps the 500 under its key: nothing is left to be sent again, and whoever comes next looks.
            try await fleet.xero.post(
                "/_control/faults",
                #"{"match":{"method":"PUT","path":"/api.xro/2.0/Payments"},"action":{"status":500},"count":1}"#)
            let lease = ["TILLBRIDGE_WRITING_LEASE": "3s"]
            try await fleet.startWorkers(["mapper", "dead-letter-handler"])
            // The second look is that of the claim that would send.
            let first = try await fleet.startWorker(
                "writer", log: "writer-first",
                environment: lease.merging(["TILLBRIDGE_STOP_AT": "writer.payments-looked:2"]) { $1 })
            try await fleet.waitUntilReady()
            try await running.publish(order)
            try await running.wait("it to stand still") { first.isStopped }
            _ = try await fleet.startWorker("writer", log: "writer-next", environment: lease)
            try await running.wait("the takeover") {
                _ = try await running.rows(
                    "UPDATE \(fleet.schema).document SET published_at = now() - interval '10 minutes' RETURNING id")
                return try await running.watch.counts().settled == 1
            }
            #expect(try await running.paymentCalls() == 2)
            first.signal(SIGCONT)
            try await running.wait("the late writer to let go") {
                try await running.watch.queued(of: "\(fleet.run).retry.30s") == 1
            }
            try await running.stop("writer")
            #expect(try await running.paymentCalls() == 2, "the late writer sent it once more")
            #expect(try await running.ledger().payments.map(\.amount) == ["5.00"])
        }
    }

    @Test("a writer that stands still with a payment in hand, is taken over and wakes: both send, one payment")
    func stoodStill() async throws {
        try await RunningFleet.with("payment-late") { running in
            let fleet = running.fleet
            let lease = ["TILLBRIDGE_WRITING_LEASE": "3s"]
            try await fleet.startWorkers(["mapper", "dead-letter-handler"])
            let first = try await fleet.startWorker(
                "writer", log: "writer-first",
                environment: lease.merging(["TILLBRIDGE_STOP_AT": "writer.payments-stored:1"]) { $1 })
            try await fleet.waitUntilReady()
            try await running.publish(order)
            try await running.wait("it to stand still") { first.isStopped }
            _ = try await fleet.startWorker("writer", log: "writer-next", environment: lease)
            // Its message is in the hand of the one that stands still: found by its age, as if minutes had passed.
            try await running.wait("the takeover") {
                _ = try await running.rows(
                    "UPDATE \(fleet.schema).document SET published_at = now() - interval '10 minutes' RETURNING id")
                return try await running.paymentCalls() == 1
            }
            try await running.wait("the payment to be settled") { try await running.watch.counts().settled == 1 }
            first.signal(SIGCONT)
            try await running.wait("the late call") { try await running.paymentCalls() == 2 }
            try await running.stop("writer")
            #expect(try await running.ledger().lines == ["HBR-601 AUTHORISED 20.00 due 15.00"])
            #expect(try await running.ledger().payments.map(\.amount) == ["5.00"])
            #expect(try await running.unfinished().isEmpty)
        }
    }
}

extension RunningFleet {
    /// How often Xero was asked to take payments, whatever it said.
    fileprivate func paymentCalls() async throws -> Int64 {
        let counters = try await fleet.xero.get("/_control/counters")
        return (counters["calls"]?.members ?? []).first { $0.key == "PUT /Payments" }?.value.integer ?? 0
    }
}
