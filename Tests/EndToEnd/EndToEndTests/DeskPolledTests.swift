import Foundation
import Testing

@testable import FleetHarness

/// From the till's own interface to the desk and back: what is laid there came by the poller, in the form Kounta sends.
@Suite("The desk, from the till", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(6)))
struct DeskPolledTests {
    @Test("orders of an archived account, read from the till, are sent again by one command; the books are the till's")
    func archived() async throws {
        // No letter is sent ahead while one looks at them, however long the others take.
        try await RunningFleet.with(
            "desk-polled", ordersPerVenue: 12, environment: ["TILLBRIDGE_DESK_PROBE_INTERVAL": "1h"]
        ) { running in
            let desk = DeskRunning(running: running, messages: Messages(run: running.fleet.run))
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            // Written, or on the desk.
            try await running.waitUntilDone()
            let letters = try await desk.letters("class,state,source_kind,organisation")
            #expect(letters.count >= 12)
            let all = ["class": "archived", "state": "open", "source_kind": "order", "organisation": "harbour"]
            #expect(letters.allSatisfy { $0 == all })
            // The other organisation's orders are booked meanwhile.
            #expect(try await running.invoiceNumbers().isEmpty == false)
            try await desk.inXero(#""activateAccounts":["230"]"#)
            let replay = try await desk.desk("replay", "--class", "archived", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            #expect(replay.output.contains("\(letters.count) letters put right, 0 came back"), "\(replay.output)")
            var proof = try await running.proof()
            // It counts every letter there ever was.
            proof.dead = try await desk.unclosed()
            #expect(proof.holds, "\(proof.lines.joined(separator: "\n"))")
        }
    }

    @Test("takings without an account for their difference: the later count takes the letter's place, then closes it")
    func takings() async throws {
        let file = try RunningFleet.configuration { text in
            text.replacing("      mode: per_order\n      cut_off: \"04:00\"\n", with: """
                      mode: daily_summary
                      close_on: takings
                      takings_within: 30d

                """)
        }
        defer { try? FileManager.default.removeItem(at: file) }
        try await RunningFleet.with(
            "polled-takings", ordersPerVenue: 6, configuration: file.path,
            tillArguments: ["--days", "1", "--hold-takings"],
            environment: ["TILLBRIDGE_MAPPING_CLOSE_DELAY": "1s", "TILLBRIDGE_DESK_PROBE_INTERVAL": "1h"]
        ) { running in
            let desk = DeskRunning(running: running, messages: Messages(run: running.fleet.run))
            let bistro = try #require(try await running.till().days.keys.first { $0.site == "923" })
            func count(_ cents: Int) async throws {
                try await running.fleet.kounta.post(
                    "/_control/takings",
                    #"{"site":\#(bistro.site),"day":"\#(bistro.day)","method":"Cash","difference_cents":\#(cents)}"#)
            }
            func letters() async throws -> [[String: String]] {
                try await desk.letters("source_kind,source_id,class,state,cause,outcome")
            }
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await count(-150)
            try await running.wait("the letter") { try await letters().count == 1 }
            let first = try #require(try await letters().first)
            #expect(first["source_kind"] == "takings" && first["class"] == "mapping", "\(first)")
            #expect(first["cause"]?.contains("no account is set for the difference of -1.50") == true, "\(first)")
            // Counted again, wrong again: one letter of these takings is left, the later one's.
            try await count(-120)
            try await running.wait("the second letter in the first one's place") {
                try await letters().map { $0["state"] } == ["resolved", "open"]
            }
            // Counted right: nothing is left on the desk, and the day is booked.
            try await count(0)
            try await running.wait("an empty desk") { try await desk.unclosed() == 0 }
            let both = try await letters()
            #expect(Set(both.map { $0["source_id"] }).count == 1)
            #expect(both.allSatisfy { $0["outcome"] == "a later version of the takings takes its place" }, "\(both)")
            let number = "HBR-D\(bistro.day.replacing("-", with: ""))"
            try await running.wait(number) { try await running.invoiceNumbers().contains(number) }
        }
    }

    /// `unknown`: no worker knows why it dies of it, so the broker's tries are all there is to tell.
    @Test("an order of the till that kills every mapper is told as one, and booked by the first that can take it")
    func killer() async throws {
        try await DutyDay.with("polled-killer") { duty in
            let (desk, running) = (duty.desk, duty.running)
            let till = running.fleet.kounta
            for id in 1310...1312 { try await till.post("/_control/orders", TillOrder(id, 1230).json) }
            try await running.fleet.startWorkers(["poller", "writer", "dead-letter-handler"])
            var deaths = 0
            while deaths < 5 {
                let mapper = try await running.fleet.startWorker(
                    "mapper", log: "mapper-\(deaths)",
                    environment: ["TILLBRIDGE_CRASH_AT": "mapper.mapped@\"id\":1311,"])
                try await running.waitFor("a death or the letter", beside: mapper) {
                    if !mapper.isRunning { return true }
                    return try await running.watch.counts().dead > 0
                }
                if mapper.isRunning { break }
                await running.fleet.children.remove(mapper)
                deaths += 1
            }
            #expect(deaths == 3)
            let letter = try #require(try await desk.letters("class,source_id,cause,venue,amount").first)
            #expect(letter["class"] == "unknown" && letter["source_id"] == "1311", "\(letter)")
            #expect(letter["cause"]?.hasPrefix("Three workers died") == true, "\(letter)")
            let told = try await duty.alert("letter on the desk: unknown")
            #expect(told.text.contains("12.30 AUD") && told.text.contains("Harbour Bistro"), "\(told.text)")
            try await running.wait("the neighbours") {
                try await desk.books() == [1310, 1312].map { "HBR-\($0) 12.30 due 0.00" }
            }
            // A version that can take it.
            try await running.restart("mapper", environment: [:])
            let replay = try await desk.desk("replay", "--class", "unknown", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks((1310...1312).map { "HBR-\($0) 12.30 due 0.00" })
            try await duty.waitForEnd(of: "letter on the desk: unknown")
        }
    }

    /// The causes that lie in the till's own records; the others are Xero's, or the fleet's.
    @Test("a wrong total, an unknown tax, a record that is too large and one that breaks off, all from the till")
    func classes() async throws {
        let configuration = try DutyConfiguration("polled-classes")
        defer { configuration.remove() }
        try await RunningFleet.with(
            "polled-classes", configuration: configuration.path,
            environment: [
                "TILLBRIDGE_DESK_PROBE_INTERVAL": "1h", "TILLBRIDGE_MAPPING_RECORD_BYTES_MAX": "3000",
                "TILLBRIDGE_POLLING_RESCAN_INTERVAL": "1s", "TILLBRIDGE_POLLING_RESCAN_WINDOW": "3650d",
            ]
        ) { running in
            let desk = DeskRunning(running: running, messages: Messages(run: running.fleet.run))
            let till = running.fleet.kounta
            let note = "{\"notes\":\"\(String(repeating: "x", count: 4000))\","
            try await till.post(
                "/_control/faults",
                #"{"match":{"path":"/companies/162/orders/1304"},"action":{"status":200,"body":"{\"id\":1304,\"tot"}}"#)
            for order in [
                TillOrder(1300, 1230).json,
                TillOrder(1301, 1230).json.replacing("\"total\":12.30", with: "\"total\":12.305"),
                TillOrder(1302, 1230).json.replacing("\"rate\":0.1}", with: "\"rate\":0.15}"),
                note + TillOrder(1303, 1230).json.dropFirst(), TillOrder(1304, 1230).json,
            ] { try await till.post("/_control/orders", order) }
            try await running.fleet.startWorkers(running.fleet.usualWorkers)
            try await desk.waitForLetters(4)
            let letters = try await desk.letters("source_id,class")
            let classes = letters.sorted { $0["source_id"] ?? "" < $1["source_id"] ?? "" }
            #expect(classes.map { $0["class"] } == ["value", "mapping", "too_large", "parse"], "\(classes)")
            try await running.wait("the neighbour") { try await desk.books() == ["HBR-1300 12.30 due 0.00"] }
            // Put right where each is wrong: two in the till, one in the mapping, one by a larger bound.
            try await till.post("/_control/edit/1301", #"{"total":12.30}"#)
            try await till.delete("/_control/faults")
            try await till.post("/_control/edit/1304", #"{"sale_number":"T1-1304B"}"#)
            try configuration.write(taxes: ["0.1", "0.15"], lakesideCallsPerDay: 5000)
            try await running.restart("mapper", environment: ["TILLBRIDGE_MAPPING_RECORD_BYTES_MAX": "30000"])
            for name in ["mapping", "too_large"] {
                let replay = try await desk.desk("replay", "--class", name, "--wait", "--by", "ana")
                #expect(replay.status == 0, "\(name): \(replay.output)")
            }
            try await desk.waitForBooks((1300...1304).map { "HBR-\($0) 12.30 due 0.00" })
        }
    }
}
