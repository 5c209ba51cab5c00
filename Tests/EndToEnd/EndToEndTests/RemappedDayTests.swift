import Foundation
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// Trading days whose mapping is edited: while they are open, and when the ledger has refused them.
@Suite("Days mapped anew", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct RemappedDayTests {
    private static let day = "2025-11-20"
    private static let number = "HBR-D20251120"

    private func with(
        _ name: String, posting: String = "mode: daily_summary", rules: [String] = [],
        _ work: (RunningFleet, DeskRunning) async throws -> Void
    ) async throws {
        // A person replays, nothing by itself.
        let environment = ["TILLBRIDGE_DESK_PROBE_INTERVAL": "1h"]
        try await RunningFleet.withTradingDays(
            "remapped-\(name)", posting: posting, rules: rules, environment: environment
        ) { running in
            try await work(running, DeskRunning(running: running, messages: Messages(run: running.fleet.run)))
        }
    }

    /// What goes to an account goes to another one from now on, in every mapper.
    private func map(_ account: String, to other: String, _ running: RunningFleet) async throws {
        let set = try await running.fleet.command([
            "mapping", "set", "--organisation", "harbour", "account.\(account)", other, "--reason", "archived", "--by",
            "ana",
        ])
        #expect(set.status == 0, "\(set.output)")
        try await running.wait("the mapping in effect") {
            let rows = try await running.rows("SELECT max(version) AS v FROM \(running.fleet.schema).mapping_version")
            let words = "mapping \(try rows[0].int("v")) is in effect"
            return try String(contentsOfFile: "\(running.fleet.options.folder)/mapper-2.log", encoding: .utf8)
                .contains(words)
        }
    }

    /// The orders that have something in the day.
    private func orders(_ running: RunningFleet) async throws -> [String] {
        try await running.rows(
            """
            SELECT DISTINCT source_id FROM \(running.fleet.schema).day_entry
             WHERE site = '923' AND now IS NOT NULL AND source LIKE 'order/%' ORDER BY source_id
            """
        ).map { try $0.text("source_id") }
    }

    @Test("an account archived and mapped elsewhere while a day is open: all of the day is booked as its preview says")
    func openDay() async throws {
        let training = "{name: training, for: order, when: {sale_number: TRAINING}, skip: no sale}"
        try await with("open", posting: "close_on: takings, takings_within: 30d", rules: [training]) { running, desk in
            let till = running.fleet.kounta
            try await till.sell(TillOrder(1, 1230, on: Self.day), at: "10:00:00")
            try await till.sell(TillOrder(2, 500, on: Self.day), at: "11:00:00")
            try await till.sell(TillOrder(3, 1000, on: Self.day), at: "12:00:00")
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await running.wait("three sales") { try await orders(running) == ["1", "2", "3"] }
            // Changed at the till so that a rule leaves it out: nothing of it was booked.
            try await till.sell(TillOrder(3, 1500, on: Self.day).with { $0.saleNumber = "TRAINING" }, at: "12:00:00")
            try await running.wait("two sales") { try await orders(running) == ["1", "2"] }

            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await map("230", to: "200", running)
            try await till.sell(TillOrder(4, 700, on: Self.day), at: "15:00:00")
            try await running.wait("one more sale") { try await orders(running) == ["1", "2", "4"] }
            let arguments = ["preview", "--venue", "Harbour Bistro", "--day", Self.day, "--json"]
            let told = try await running.fleet.tillbridge(arguments, log: "preview")
            let preview = try JSON(parsing: Array(told.output.utf8))
            let previewed = (preview["documents"]?.elements ?? []).map(PostedDocument.init(previewed:))
            #expect(previewed.map(\.number) == [Self.number], "\(told.output)")

            try await till.count(21, register: 9091, at: "23:30:00", recorded: "0.00", counted: "0.00")
            try await running.wait("the day") {
                try await running.ledger().line(Self.number) == "PAID 24.30 due 0.00"
            }
            let posted = try await running.posted(Self.number)
            #expect([posted] == previewed)
            #expect(posted.lines == ["200 OUTPUT 24.30 2.21"])
            #expect(try await running.letters().isEmpty)
            let versions = try await running.rows(
                """
                SELECT d.mapping_version = (SELECT max(version) FROM \(running.fleet.schema).mapping_version) AS latest
                  FROM \(running.fleet.schema).venue_day AS d WHERE site = '923' AND day = '\(Self.day)'
                """)
            #expect(try versions.map { try $0.bool("latest") } == [true])
        }
    }

    @Test("a day that Xero refused for an archived account: the letter's two commands, and it is booked to the cent")
    func refusedDay() async throws {
        try await with("refused") { running, desk in
            let till = running.fleet.kounta
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await till.sell(TillOrder(1, 1230, on: Self.day), at: "10:00:00")
            let cash = TillOrder(2, 500, on: Self.day).with { $0.payments = [.cash(500, on: Self.day)] }
            try await till.sell(cash, at: "11:00:00")
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await desk.waitForLetters(1)
            func refused(_ total: String) async throws {
                try await running.wait("the day, refused at \(total)") {
                    try await running.rows(
                        """
                        SELECT id FROM \(desk.schema).document
                         WHERE number = '\(Self.number)' AND total = \(total) AND state = 'refused'
                           AND closed_at IS NOT NULL
                        """).count == 1
                }
            }
            try await refused("17.30")
            // What comes late adjusts nothing that does not stand: it goes into the document.
            try await till.sell(TillOrder(3, 700, on: Self.day), at: "21:00:00")
            try await refused("24.30")
            try await desk.waitForLetters(1)

            let remedy = try await desk.letters("remedy")[0]["remedy"] ?? ""
            #expect(remedy.contains("`tillbridge mapping set --organisation harbour account.230 CODE"), "\(remedy)")
            try await map("230", to: "200", running)
            let replay = try await desk.desk("replay", "--group", try await desk.group(), "--wait", "--by", "ana")
            #expect(replay.output.contains("1 letter put right, 0 came back"), "\(replay.output)")
            try await desk.waitForBooks(["\(Self.number) 24.30 due 0.00"])
            let posted = try await running.posted(Self.number)
            #expect(posted.lines == ["200 OUTPUT 24.30 2.21"])
            #expect(posted.payments == ["231 5.00 2025-11-20", "232 19.30 2025-11-20"])

            // What changes after that takes back what was booked, where it was booked.
            try await till.sell(TillOrder(1, 1000, on: Self.day), at: "10:00:00")
            try await running.wait("the adjustment") {
                try await running.ledger().line("\(Self.number)-a1") == "PAID 2.30 due 0.00"
            }
            let adjustment = try await running.posted("\(Self.number)-a1")
            #expect(adjustment.kind == "credit note" && adjustment.lines == ["200 OUTPUT 2.30 0.21"])
            #expect(adjustment.payments == ["232 2.30 2025-11-20"])
            #expect(try await running.posted(Self.number) == posted)
            #expect(try await desk.unclosed() == 0)
        }
    }

    @Test("a day's payment into an archived clearing account: mapped elsewhere and replayed, it is paid there, once")
    func refusedPayment() async throws {
        try await with("paid") { running, desk in
            let till = running.fleet.kounta
            try await desk.inXero(#""archiveAccounts":["232"]"#)
            try await till.sell(TillOrder(1, 1230, on: Self.day), at: "10:00:00")
            let cash = TillOrder(2, 500, on: Self.day).with { $0.payments = [.cash(500, on: Self.day)] }
            try await till.sell(cash, at: "11:00:00")
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await desk.waitForLetters(1)
            #expect(try await running.ledger().line(Self.number) == "AUTHORISED 17.30 due 12.30")
            try await map("232", to: "231", running)
            let replay = try await desk.desk("replay", "--group", try await desk.group(), "--wait", "--by", "ana")
            #expect(replay.output.contains("1 letter put right, 0 came back"), "\(replay.output)")
            try await desk.waitForBooks(["\(Self.number) 17.30 due 0.00"])
            let posted = try await running.posted(Self.number)
            #expect(posted.lines == ["230 OUTPUT 17.30 1.57"])
            #expect(posted.payments == ["231 12.30 2025-11-20", "231 5.00 2025-11-20"])

            // Money goes back out of where it is.
            try await till.sell(TillOrder(1, 1000, on: Self.day), at: "10:00:00")
            try await running.wait("the adjustment") {
                try await running.ledger().line("\(Self.number)-a1") == "PAID 2.30 due 0.00"
            }
            #expect(try await running.posted("\(Self.number)-a1").payments == ["231 2.30 2025-11-20"])
            #expect(try await desk.unclosed() == 0)
        }
    }
}
