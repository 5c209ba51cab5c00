import Foundation
import Postgres
import Testing

@testable import FleetHarness

/// Handlers that die with SIGKILL while letters are on their way out, and while they come back.
@Suite(
    "Killed while sending again", .serialized, .enabled(if: Servers.areThere, Servers.absence),
    .timeLimit(.minutes(6)))
struct ReplayKillTests {
    /// Each of what the desk does with a letter that is sent again: taken and not sent, sent and not noted, come back
    /// and not stored, stored and not acknowledged.
    @Test(
        "a handler killed at a named point of a replay loses no letter and doubles none",
        arguments: ["handler.taken", "handler.sent", "handler.received", "handler.kept"])
    func killed(point: String) async throws {
        let name = "killed-" + point.replacing(".", with: "-")
        try await DeskRunning.with(name, workers: ["mapper", "writer"]) { desk in
            let ids = (1...12).map { "13\(10 + $0)" }
            let fleet = desk.running.fleet
            let first = try await fleet.startWorker("dead-letter-handler", log: "first")
            try await fleet.waitUntilReady()
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish(ids.map { desk.messages.order(id: $0) })
            try await desk.waitForLetters(ids.count)
            // In order, so that its lease is free at once.
            await fleet.children.remove(first)
            #expect(await first.stop() == 0)

            // Letters that come back are what the last two points need: there the cause is still the same.
            let comesBack = ["handler.received", "handler.kept"].contains(point)
            if !comesBack { try await desk.inXero(#""activateAccounts":["230"]"#) }
            let replay = try await desk.desk("replay", "--all", "--by", "ana")
            #expect(replay.output.contains("12 letters will be sent again"), "\(replay.output)")
            let doomed = try await fleet.startWorker(
                "dead-letter-handler", log: "doomed", environment: ["TILLBRIDGE_CRASH_AT": point])
            // Looked at directly: for the fleet it would have ended against its will.
            await fleet.children.remove(doomed)
            try await desk.running.wait("its end at \(point)") { !doomed.isRunning }
            #expect(await doomed.waitForExit() != 0)
            try await expect(desk, after: point)

            // What it had taken is anybody's after a minute, and its lease after a quarter of one: both are over.
            _ = try await desk.running.rows(
                """
                WITH lapsed AS (UPDATE \(desk.schema).lease SET until = now() - interval '1 second' RETURNING 1)
                UPDATE \(desk.schema).dead_letter SET taken_at = taken_at - interval '5 minutes'
                 WHERE state = 'replaying' RETURNING id
                """)
            _ = try await fleet.startWorker("dead-letter-handler", log: "second")
            try await fleet.waitUntilReady()
            if comesBack {
                try await desk.running.wait("all of them to be back") {
                    let states = try await desk.letters("state,replays")
                    return states.count == 12 && states.allSatisfy { $0 == ["state": "open", "replays": "1"] }
                }
                #expect(try await desk.books().isEmpty)
                try await desk.inXero(#""activateAccounts":["230"]"#)
                let again = try await desk.desk("replay", "--all", "--wait", "--by", "ana")
                #expect(again.status == 0, "\(again.output)")
            }
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })
            #expect(try await desk.letters("id").count == 12)
            // Once each, though what the dead one had not acknowledged was delivered again.
            let back = try await desk.running.rows(
                "SELECT count(*) AS n FROM \(desk.schema).dead_letter_event WHERE action = 'came back'")
            #expect(try back[0].int("n") == (comesBack ? 12 : 0))
            let ledger = try await desk.running.ledger()
            #expect(ledger.payments.count == 12, "\(ledger.payments.count) payments")
        }
    }

    /// Where the letters are when the handler has died.
    private func expect(_ desk: DeskRunning, after point: String) async throws {
        let letters = try await desk.running.rows(
            """
            SELECT count(*) FILTER (WHERE state = 'replaying') AS taken, count(published_at) AS noted,
                   count(*) FILTER (WHERE state = 'open') AS back
              FROM \(desk.schema).dead_letter
            """)[0]
        let (taken, noted, back) = (
            try letters.int("taken"), try letters.int("noted"), try letters.int("back")
        )
        switch point {
        case "handler.taken": #expect(taken == 12 && noted == 0)
        case "handler.sent": #expect(taken == 12 && noted == 0)
        case "handler.received": #expect(taken == 12 && back == 0)
        default: #expect(back > 0)
        }
        if point == "handler.taken" { #expect(try await desk.books().isEmpty) }
    }
}
