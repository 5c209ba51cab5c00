import Foundation
import HTTP
import JSON
import Postgres
import Testing

@testable import FleetHarness

/// The mapping edited from the desk: nobody touches the configuration's file, and nothing is restarted.
@Suite(
    "The mapping edited from the desk", .serialized, .enabled(if: Servers.areThere, Servers.absence),
    .timeLimit(.minutes(6)))
struct MappingEditDeskTests {
    /// The command that an alert's `What to do` ends with, as a person completes it.
    private func command(of alert: DutyPhone.Message, code: String) throws -> [String] {
        let toDo = try #require(alert.fields["What to do"])
        let words = try #require(toDo.split(separator: "`").dropFirst().first, "\(toDo)").split(separator: " ")
        #expect(words.first == "tillbridge")
        return words.dropFirst().map { ["CODE": code, "WHY": "archived since July"][String($0)] ?? String($0) }
            + ["--by", "ana"]
    }

    /// The accounts that the lines of Harbour's invoices are booked to.
    private func accounts(_ day: DutyDay) async throws -> [String: Set<String>] {
        var invoices: [JSON] = []
        try await LedgerHand.with(day.running) { hand in
            // By pages Xero gives the lines as well.
            invoices = try await hand.call(.get, "/Invoices?page=1")["Invoices"]?.elements ?? []
        }
        return invoices.reduce(into: [:]) { accounts, invoice in
            let lines = invoice["LineItems"]?.elements ?? []
            accounts[invoice["InvoiceNumber"]?.string ?? "?"] = Set(lines.compactMap { $0["AccountCode"]?.string })
        }
    }

    /// How many mappings were in effect so far.
    private func versions(_ day: DutyDay) async throws -> Int64 {
        try await day.running.rows("SELECT count(*) AS n FROM \(day.desk.schema).mapping_version")[0].int("n")
    }

    /// The latest mapping: known in the database it is not yet in effect in a mapper.
    private func waitForMapping(in logs: [String], _ day: DutyDay) async throws {
        let rows = try await day.running.rows("SELECT max(version) AS latest FROM \(day.desk.schema).mapping_version")
        let version = try rows[0].int("latest")
        for log in logs {
            try await day.running.wait("mapping \(version) in effect in \(log)") {
                try String(contentsOfFile: "\(day.running.fleet.options.folder)/\(log).log", encoding: .utf8)
                    .contains("mapping \(version) is in effect")
            }
        }
    }

    @Test("an archived account, from the alert to mapped elsewhere and replayed: two commands, and who did it is kept")
    func twoCommands() async throws {
        try await DutyDay.with("mapped") { day in
            try await day.startWorkers(["mapper", "writer", "dead-letter-handler"])
            _ = try await day.running.fleet.startWorker("mapper", log: "mapper-2")
            try await day.running.fleet.waitUntilReady()
            try await day.desk.inXero(#""archiveAccounts":["230"]"#)
            try await day.running.publish((901...912).map { day.messages.order(id: "\($0)") })
            try await day.desk.waitForLetters(12)
            let alert = try await day.alert("archived")
            let set = try await day.running.fleet.command(try command(of: alert, code: "200"))
            #expect(set.status == 0, "\(set.output)")
            #expect(set.output.contains("harbour: account.230 is 200") && set.output.contains("is in effect"))
            // Two mappers share the letters, and both have it: a person would see to that by the metric.
            try await waitForMapping(in: ["mapper", "mapper-2"], day)
            let replay = try await day.obey(alert)
            #expect(replay.output.contains("12 letters put right, 0 came back"), "\(replay.output)")
            let expected = (901...912).map { "HBR-\($0) 12.30 due 0.00" }
            try await day.desk.waitForBooks(expected)
            let booked = try await accounts(day)
            #expect(booked.count == 12 && booked.allSatisfy { $0.value == ["200"] }, "\(booked)")
            try await day.waitForEnd(of: "archived")
            let letter = try await day.desk.letters("id")[0]["id"] ?? "?"
            let show = try await day.desk.desk("show", letter).output
            #expect(show.contains("harbour: account.230 is 200, by ana: archived since July"), "\(show)")
            #expect(show.contains("replayed by ana"), "\(show)")

            // It outlives the mappers, and what the file says of other things is taken over with it.
            for name in ["mapper"] { try await day.running.restart(name) }
            try await day.running.fleet.waitUntilReady()
            try day.configuration.write(taxes: ["0.1", "0.15"], lakesideCallsPerDay: 1)
            try await day.running.wait("the file's other tax") { try await versions(day) == 3 }
            try await waitForMapping(in: ["mapper-again"], day)
            try await day.running.publish([
                day.messages.order(id: "913") { $0.replacing("\"rate\":0.1}", with: "\"rate\":0.15}") }
            ])
            try await day.desk.waitForBooks(expected + ["HBR-913 12.30 due 0.00"])
            #expect(try await accounts(day)["HBR-913"] == ["200"])
            // Restored, and taken away again: what the file says counts.
            try await day.desk.inXero(#""activateAccounts":["230"]"#)
            let unset = try await day.running.fleet.command([
                "mapping", "unset", "--organisation", "harbour", "account.230", "--reason", "restored", "--by", "ben",
            ])
            #expect(unset.status == 0 && unset.output.contains("what the file says, was 200"), "\(unset.output)")
            try await day.running.publish([day.messages.order(id: "914")])
            try await day.desk.waitForBooks(expected + ["913", "914"].map { "HBR-\($0) 12.30 due 0.00" })
            #expect(try await accounts(day)["HBR-914"] == ["230"])
            let history = try await day.running.fleet.command(["mapping", "list", "--history", "--json"])
            let authors = try history.output.split(separator: "\n").map {
                try JSON(parsing: Array($0.utf8))["author"]?.string
            }
            #expect(authors == ["ben", "ana"], "\(history.output)")
            // Each edit is a mapping of its own, also the one that leads back.
            #expect(try await versions(day) == 4)
        }
    }

    @Test("nobody replays: the group heals by itself soon after the edit, and the alert ends")
    func healsByItself() async throws {
        try await DutyDay.with("editheals", probeInterval: "1s") { day in
            try await day.startWorkers(["mapper", "writer", "dead-letter-handler"])
            // A tax that the mapping does not know, at one venue; and an account that only a rule names.
            try await day.desk.inXero(#""archiveAccounts":["200"]"#)
            try await day.running.publish(
                (921...925).map {
                    day.messages.order(id: "\($0)") { $0.replacing("\"rate\":0.1}", with: "\"rate\":0.15}") }
                } + (931...935).map { day.messages.order(id: "\($0)") { $0.replacing("Pie", with: "Wine") } })
            try await day.desk.waitForLetters(10)
            let archived = try await day.alert("archived")
            _ = try await day.alert("mapping")
            // Tried so often that the next try is long away.
            _ = try await day.running.rows(
                """
                UPDATE \(day.desk.schema).dead_letter_group SET next_probe = now() + interval '1 hour'
                 WHERE probe IS NULL RETURNING id
                """)
            let wrong = try await day.running.fleet.command([
                "mapping", "set", "--venue", "HBR", "accounts.sales", "a code that is none", "--reason", "x", "--by",
                "ana",
            ])
            #expect(wrong.status == 1, "\(wrong.output)")
            let tax = try await day.running.fleet.command([
                "mapping", "set", "--venue", "HBR", "taxes.0.15", "OUTPUT", "--reason", "new rate", "--by", "ana",
            ])
            #expect(tax.status == 0, "\(tax.output)")
            let account = try await day.running.fleet.command(try command(of: archived, code: "230"))
            #expect(account.status == 0, "\(account.output)")
            try await day.desk.waitForBooks(
                ((921...925).map { $0 } + (931...935)).map { "HBR-\($0) 12.30 due 0.00" })
            let senders = try await day.desk.letters("replayed_by")
            #expect(senders.allSatisfy { $0 == ["replayed_by": "desk"] }, "\(senders)")
            #expect(try await accounts(day)["HBR-931"] == ["230"])
            for words in ["archived", "mapping"] { try await day.waitForEnd(of: words) }
        }
    }
}
