import AMQP
import Glibc
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Writers that die with SIGKILL in the middle of corrections.
@Suite(.serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct CorrectionKillTests {
    /// Every one makes some way and dies: before its second change is sent, or as soon as the ledger has answered.
    private static let deaths = [
        "writer.change-stored:1", "writer.change-answered:1", "writer.change-answered:2", "writer.change-stored:3",
        "writer.task-done:1", "writer.payments-answered:1", "writer.change-answered:1", "writer.answered:1",
        "writer.change-answered:3", "writer.payments-stored:1", "writer.task-done:2", "writer.change-answered:1",
    ]

    @Test("writers killed in the middle of voids, changes, allocations and refunds leave a ledger that is exact")
    func kills() async throws {
        try await CorrectionTests.with("corrections-killed") { running in
            let deleted = [TillOrder(401, 1230), TillOrder(402, 900)].map { order in
                order.with { $0.payments = [.card(400, on: "2026-11-20"), .cash($0.cents - 400, on: "2026-11-20")] }
            }
            let edited = TillOrder(403, 2200)
            let owed = TillOrder(404, 3300).onAccount(of: 5501, "Ada", "Byron")
            let settled = TillOrder(405, 1000).onAccount(of: 5501, "Ada", "Byron")
            let returned = TillOrder(406, 1500)
            let resettled = TillOrder(407, 2000).onAccount(of: 5501, "Ada", "Byron")
            let sales = deleted + [edited, owed, settled, returned, resettled]
            try await running.publish(all: sales)
            try await running.wait("the sales") { try await running.watch.counts().settled == 7 }
            try await running.publish(resettled.refund(417, 500, []))
            try await running.wait("the first refund") { try await running.watch.counts().settled == 8 }
            let usual = try #require(await running.fleet.children.all.first { $0.name == "writer" })
            await running.kill(usual)

            try await running.publish(
                all: deleted.map { order in order.with { $0.isDeleted = true } } + [
                    edited.with { ($0.cents, $0.payments) = (2310, [.card(2310, on: "2026-11-20")]) },
                    owed.with { ($0.cents, $0.payments) = (3520, [.cash(1000, on: "2026-11-22")]) },
                    settled.refund(415, 400, []),
                    // Paid back in two halves of one amount: of the two payments none may be missing or doubled.
                    returned.refund(416, 1000, [.cash(500, on: "2026-11-21"), .cash(500, on: "2026-11-21")]),
                    resettled.with { $0.cents = 2100 },
                ])
            var died = 0
            for (turn, point) in Self.deaths.enumerated() {
                if try await running.isCorrected() { break }
                died += try await running.live(until: point, turn) ? 1 : 0
            }
            // How far each came is the machine's.
            #expect(died >= 6, "\(died)")
            try await running.takeOver("last")
            _ = try await running.fleet.startWorker("writer", log: "writer-last")
            try await running.fleet.waitUntilReady()
            try await running.wait("the corrections") { try await running.isCorrected() }
            let ledger = try await running.ledger()
            #expect(ledger.lines == CorrectionKillTests.wanted)
            #expect(ledger.allocations == ["HBR-415 HBR-405 4.00", "HBR-417 HBR-407-r1 5.00"])
            // 403 as it is now and 406 by card; 10.00 of 404 in cash less 10.00 given back for 406.
            #expect(ledger.takings == ["231": 0, "232": 2310 + 1500])
            #expect(ledger.payments.filter { !$0.isDeleted }.count == 5)
            #expect(try await running.letters().isEmpty)
            let claimed = try await running.rows(
                """
                SELECT count(*) AS n FROM \(running.fleet.schema).payment AS p
                  JOIN \(running.fleet.schema).document AS d ON d.id = p.document_id
                 WHERE d.state = 'written' AND p.state <> 'written'
                """)
            #expect(try claimed[0].int("n") == 0)
        }
    }

    static let wanted = [
        "HBR-401 VOIDED 12.30 due 12.30", "HBR-402 VOIDED 9.00 due 9.00", "HBR-403 VOIDED 22.00 due 22.00",
        "HBR-403-r1 PAID 23.10 due 0.00", "HBR-404 AUTHORISED 35.20 due 25.20", "HBR-405 AUTHORISED 10.00 due 6.00",
        "HBR-406 PAID 15.00 due 0.00", "HBR-407 VOIDED 20.00 due 20.00", "HBR-407-r1 AUTHORISED 21.00 due 16.00",
        "HBR-415 PAID 4.00 due 0.00", "HBR-416 PAID 10.00 due 0.00", "HBR-417 PAID 5.00 due 0.00",
    ]
}

extension RunningFleet {
    fileprivate func publish(all orders: [TillOrder]) async throws {
        let messages = Messages(run: fleet.run)
        try await publish(orders.map { $0.message(messages) })
    }

    fileprivate func isCorrected() async throws -> Bool {
        guard try await ledger().lines == CorrectionKillTests.wanted else { return false }
        return try await unfinished().isEmpty
    }

    /// A writer that dies at a point, or is killed because there is nothing left to do there.
    ///
    /// - Returns: whether it died there.
    fileprivate func live(until point: String, _ turn: Int) async throws -> Bool {
        // What the last one had in hand comes back to the queue and would count as a suspect's.
        try await takeOver("\(turn)")
        let writer = try await fleet.startWorker(
            "writer", log: "writer-\(turn)", environment: ["TILLBRIDGE_CRASH_AT": point])
        let start = ContinuousClock.now
        while writer.isRunning, .now - start < .seconds(30) {
            try await Task.sleep(for: .milliseconds(100))
            if try await isCorrected() { break }
        }
        let died = !writer.isRunning
        await fleet.children.remove(writer)
        if !died { writer.signal(SIGKILL) }
        _ = await writer.waitForExit()
        return died
    }

    /// As if a dead writer's leases had ended: whatever is open is anybody's, and is announced anew.
    fileprivate func takeOver(_ turn: String) async throws {
        let queue = "\(fleet.run).write.harbour"
        let connection = try await AMQPConnection.open(
            endpoint: AMQPEndpoint(url: fleet.options.rabbitMQ), name: "e2e purge")
        // What it held comes back when the broker has noticed its end.
        try await wait("the dead writer's messages") { try await connection.queueStatus(queue)?.consumers == 0 }
        _ = try await connection.purge(queue)
        await connection.close()
        _ = try await rows(
            """
            UPDATE \(fleet.schema).document SET lease_until = now() - interval '1 second'
             WHERE closed_at IS NULL AND lease_until > now() RETURNING id
            """)
        let open = try await rows("SELECT id FROM \(fleet.schema).document WHERE closed_at IS NULL").map {
            try $0.int("id")
        }
        try await publish(
            open.map { id in
                AMQPMessage(
                    exchange: "\(fleet.run).work", routingKey: queue,
                    headers: [
                        "tb-version": .int(1), "tb-attempt": .int(0), "tb-first-seen": .int(1_760_000_000_000_000),
                        "tb-organisation": .string("harbour"), "tb-document": .int(id),
                    ], contentType: "application/json", messageID: "again/\(turn)/\(id)",
                    body: Array("{\"document\":\(id)}".utf8))
            })
    }
}
