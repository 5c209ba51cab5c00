import AMQP
import Foundation
import HTTP
import JSON
import Testing

@testable import FleetHarness

/// For each class: from the cause to the letter, to the alert on somebody's phone, to the fix, to the replay, to books
/// that are right and to the alert's end. One fleet for all of them, with everything wrong at once.
@Suite("The desk, class by class", .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(12)))
struct DeskClassTests {
    @Test("everything is wrong at once: each cause has its letters and its alert; each is put right as the alert says")
    func everyClass() async throws {
        try await DutyDay.with("duty") { day in
            try await day.testMessage()
            try await day.silentVenue()
            try await day.killEveryWorkerOf("980")
            // Whoever waits half a minute or longer in a delay queue has waited enough.
            let time = try ChaosMessages(day.running.fleet)
            try await time.hurry()
            try await day.everythingGoesWrong()
            try await day.refuseForTheLimit("986")
            let alerts = try await day.checkAlerts()
            let served = try await day.useUpTheDay()
            try await day.mendConfiguration(served)
            try await day.shutLakesideOut()
            try await day.mendInXero(alerts)
            try await day.mendAtTheDesk(alerts)
            try await day.desk.waitForBooks(day.expected, within: .seconds(150))
            try await day.checkEnds(alerts)
            try await day.letLakesideIn(served + ["2105"])
            try await day.loseTheHandler()
            await time.close()
            let list = try await day.running.fleet.command(["alerts", "list"])
            #expect(list.output.contains("no alert is open"), "\(list.output)")
        }
    }

    @Test("an archived account, from the alert to restored and replayed: two commands")
    func twoCommands() async throws {
        try await DutyDay.with("two") { day in
            try await day.startWorkers(["mapper", "writer", "dead-letter-handler"])
            try await day.desk.inXero(#""archiveAccounts":["230"]"#)
            try await day.running.publish(["901", "902"].map { day.messages.order(id: $0) })
            try await day.desk.waitForLetters(2)
            let alert = try await day.alert("archived")
            #expect(alert.fields["Why"]?.hasPrefix("Account 230 is archived in Xero.") == true, "\(alert.text)")
            let toDo = alert.fields["What to do"] ?? ""
            #expect(
                toDo == "Restore account 230 in Xero (Accounting, Chart of accounts), or map all other sales to "
                    + "another account in the configuration, then replay. By command: `tillbridge mapping set "
                    + "--organisation harbour account.230 CODE --reason WHY`.")
            // The person restores it in Xero's chart of accounts, and asks whether all is well now: one.
            try await day.desk.inXero(#""activateAccounts":["230"]"#)
            let check = try await day.running.fleet.command(["mapping", "check", "--organisation", "harbour"])
            #expect(check.status == 0, "\(check.output)")
            // The command of the alert: two.
            let replay = try await day.obey(alert)
            #expect(replay.status == 0, "\(replay.output)")
            #expect(replay.output.contains("2 letters put right, 0 came back"))
            try await day.desk.waitForBooks(["HBR-901 12.30 due 0.00", "HBR-902 12.30 due 0.00"])
            try await day.waitForEnd(of: "archived")
        }
    }

    @Test("mended in Xero, they heal by themselves: a locked period, a venue's contact, a tracking option")
    func byItself() async throws {
        try await DeskRunning.with("heal", probeInterval: "1s") { desk in
            try await desk.inXero(#""periodLockDate":"2026-12-31""#)
            var ids = (1...30).map { "92\($0)" }
            try await desk.running.publish(ids.map { desk.messages.order(id: $0) })
            try await desk.waitForLetters(30)
            #expect(try await desk.letters("class")[0]["class"] == "locked_period")
            #expect(try await desk.openGroups().count == 1)
            try await desk.inXero(#""periodLockDate":"""#)
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })

            try await LedgerHand.with(desk.running) { hand in
                let contact = try await hand.contactID(number: "WALKIN-HBR")
                try await hand.call(.post, "/Contacts/\(contact)", #"{"ContactStatus":"ARCHIVED"}"#)
                ids.append("911")
                try await desk.running.publish([desk.messages.order(id: "911")])
                try await desk.running.wait("the letter") { try await desk.unclosed() == 1 }
                #expect(try await desk.letters("class").last == ["class": "archived"])
                // Archived contacts cannot be edited by the API; a person restores them in Xero's pages.
                try await desk.inXero(#""restoreContacts":["WALKIN-HBR"]"#)
                try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })

                // Two walk-in contacts become one: the other takes the venue's sales from then on.
                try await hand.call(.put, "/Contacts", #"{"Contacts":[{"Name":"Walk-ins","ContactNumber":"ALL"}]}"#)
                try await desk.inXero(#""mergeContacts":{"WALKIN-HBR":"ALL"}"#)
                ids.append("912")
                try await desk.running.publish([desk.messages.order(id: "912")])
            }
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })

            try await desk.inXero(#""archiveVenues":["Harbour Bistro"]"#)
            ids.append("935")
            try await desk.running.publish([desk.messages.order(id: "935")])
            try await desk.running.wait("the letter") { try await desk.unclosed() == 1 }
            let cause = try #require(try await desk.letters("class,cause").last)
            #expect(cause["class"] == "mapping")
            #expect(cause["cause"]?.hasPrefix("Tracking option Harbour Bistro is missing or archived") == true)
            try await desk.inXero(#""activateVenues":["Harbour Bistro"]"#)
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })
        }
    }
}

extension DutyDay {
    func startWorkers(_ names: [String]) async throws {
        for name in names { _ = try await running.fleet.startWorker(name, log: name) }
        try await running.fleet.waitUntilReady()
    }

    /// The handler alone: `alerts test` reaches both channels, and says which did not take it.
    fileprivate func testMessage() async throws {
        try await startWorkers(["writer", "dead-letter-handler"])
        let test = try await running.fleet.command(["alerts", "test"])
        #expect(test.status == 0 && test.output.contains("duty: arrived"), "\(test.output)")
        #expect(Set(phone.heard.map(\.channel)) == ["duty", "boss"])
        // Not the silent venue's alert, which may come in between.
        phone.refuse(1, of: "a test message")
        let failed = try await running.fleet.command(["alerts", "test", "--channel", "boss"])
        #expect(failed.status == 1 && failed.output.contains("boss: the address of boss answered 500"))
    }

    /// A venue that should be trading and sends no order. Its alert's command mutes it; unmuted, its end is told.
    fileprivate func silentVenue() async throws {
        let alert = try await alert("no orders of Pier Cafe & Bar in its trading hours")
        let words = alert.command.map { $0 == "NAME" ? "ana" : $0 }
        let mute = try await running.fleet.command(words)
        #expect(mute.status == 0 && mute.output.contains("muted until"), "\(mute.output)")
        let list = try await running.fleet.command(["alerts", "list"])
        #expect(list.output.contains("venue_silent:harbour/985: no orders of Pier Cafe & Bar"), "\(list.output)")
        #expect(list.output.contains("mute 1: venue_silent:harbour/985 until"))
        let unmute = try await running.fleet.command(["alerts", "unmute", "1"])
        #expect(unmute.status == 0 && unmute.output.contains("1 mute ended"))
        let none = try await running.fleet.command(["alerts", "unmute", "1"])
        #expect(none.status == 3, "\(none.output)")
    }

    /// `unknown`: taken by one that dies, again and again, until the broker has had enough.
    fileprivate func killEveryWorkerOf(_ id: String) async throws {
        try await running.publish([messages.order(id: id)])
        try await running.wait("the broker to give up") {
            if try await running.watch.counts().dead == 1 { return true }
            try await running.takeAndDie("\(running.fleet.run).map")
            return false
        }
        _ = try await running.fleet.startWorker(
            "mapper", log: "mapper", environment: ["TILLBRIDGE_MAPPING_RECORD_BYTES_MAX": "3000"])
        try await running.fleet.waitUntilReady()
    }

    fileprivate func everythingGoesWrong() async throws {
        // The first message of all is not taken, and tried again.
        phone.refuse(1)
        try await desk.inXero(#""archiveAccounts":["200"],"periodLockDate":"2026-10-31""#)
        try await LedgerHand.with(running) { hand in
            _ = try await hand.enterInvoice(number: "HBR-940", amount: "99.00")
        }
        // `connection`: Xero fails on this one every time.
        try await running.fleet.xero.post(
            "/_control/faults",
            #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices","text":"HBR-985"},"action":{"status":500}}"#)
        let note = "{\"note\":\"\(String(repeating: "x", count: 4000))\",\"id\":960"
        let locked = ["921", "922", "923"].map {
            messages.order(id: $0) { $0.replacing("2026-11-20", with: "2026-10-20") }
        }
        try await running.publish(
            locked + [
                messages.order(id: "900"),
                messages.order(id: "990") { $0.replacing("\"site_id\":923", with: "\"site_id\":985") },
                messages.order(id: "901") { $0.replacing("Pie", with: "Wine") },
                messages.order(id: "930") { $0.replacing("\"rate\":0.1}", with: "\"rate\":0.15}") },
                messages.order(id: "940"), messages.order(id: "985"),
                messages.order(id: "950") { $0.replacing("\"total\":12.30", with: "\"total\":21.30") },
                messages.order(id: "960") { $0.replacing("{\"id\":960", with: note) },
                messages.order(id: "970", body: #"{"id": 970, "total": "#),
                lakesideOrder("2101"),
            ])
        try await desk.waitForLetters(10 + 1, within: .seconds(180))
        try await waitForEnd(of: "no orders of Pier Cafe & Bar")
    }

    fileprivate var expected: [String] {
        ["900", "901", "921", "922", "923", "930", "940", "950", "960", "970", "980", "985", "986"].map {
            "HBR-\($0) 12.30 due 0.00"
        } + ["BY-HAND-1 99.00 due 99.00", "PIER-990 12.30 due 0.00"]
    }

    static let classes = [
        "value", "mapping", "duplicate", "locked_period", "archived", "connection", "rate_limit", "too_large", "parse",
        "unknown",
    ]

    /// What, where, since when, how many, how much, what to do, and the command.
    fileprivate func checkAlerts() async throws -> [String: DutyPhone.Message] {
        var alerts: [String: DutyPhone.Message] = [:]
        for name in Self.classes {
            let count = name == "locked_period" ? 3 : 1
            let alert = try await alert("\(count) \(count == 1 ? "letter" : "letters") on the desk: \(name) ")
            alerts[name] = alert
            #expect(alert.fields["What"] == "\(count) \(count == 1 ? "letter" : "letters") on the desk: \(name)")
            #expect(alert.fields["How many"] == "\(count)")
            #expect(alert.fields["Since"]?.hasPrefix("20") == true, "\(alert.text)")
            #expect(alert.fields["Why"]?.isEmpty == false && alert.fields["What to do"]?.isEmpty == false)
            #expect(alert.fields["Command"]?.hasPrefix("tillbridge dead-letters ") == true)
            if name == "archived" {
                #expect(alert.fields["What to do"]?.contains("or map wine to another account") == true, "\(alert.text)")
            }
            if name == "parse" {
                #expect(alert.fields["Where"] == "harbour" && alert.fields["How much"] == nil, "\(alert.text)")
            } else {
                #expect(alert.fields["Where"] == "Harbour Bistro (harbour)", "\(alert.text)")
                let amount = name == "locked_period" ? "36.90 AUD" : name == "value" ? "21.30 AUD" : "12.30 AUD"
                #expect(alert.fields["How much"] == amount, "\(alert.text)")
            }
        }
        // Three letters are many here: the second line hears of them at once, and of nothing else.
        try await running.wait("the second line") {
            phone.heard.contains { $0.channel == "boss" && $0.subject.contains("URGENT") }
        }
        #expect(phone.heard.filter { $0.channel == "boss" && $0.subject.contains("desk:") }.count == 1)
        #expect(phone.stillToRefuse == 0)
        let table = try await desk.desk("groups").output
        #expect(table.contains("locked_period  harbour  3 letters  36.90 AUD  1 venue"), "\(table)")
        #expect(table.contains("parse  harbour  1 letter  amount unknown  venue unknown"), "\(table)")
        let dry = try await desk.desk(
            "discard", "--class", "value", "--reason", "x", "--dry-run", "--json", "--by", "ana")
        #expect(dry.status == 0 && dry.output.contains(#""letters":1"#), "\(dry.output)")
        let groups = try await desk.desk("groups", "--json")
        let parsed = try JSON(parsing: Array(groups.output.utf8))
        #expect(Set(parsed.elements.compactMap { $0["class"]?.string }) == Set(Self.classes), "\(groups.output)")
        return alerts
    }

    /// `rate_limit`: another app uses up what Xero allows the organisation. Sent when its neighbours are through: the
    /// limit is the organisation's, and whatever travels with it is refused as well.
    fileprivate func refuseForTheLimit(_ id: String) async throws {
        try await running.fleet.xero.post(
            "/_control/faults",
            #"{"match":{"method":"PUT","path":"/api.xro/2.0/Invoices","text":"HBR-\#(id)"},"action":{"status":429,"#
                + #""headers":{"Retry-After":"1","X-Rate-Limit-Problem":"minute"}}}"#)
        try await running.publish([messages.order(id: id)])
        try await desk.waitForLetters(10 + 2, within: .seconds(180))
        let alert = try await alert("1 letter on the desk: rate_limit ")
        #expect(alert.fields["Why"]?.contains("Xero's limit of calls to this organisation is used up") == true)
        #expect(alert.fields["What to do"]?.contains("which other app calls the organisation") == true)
        #expect(alert.fields["What to do"]?.contains("sent again by themselves") == true, "\(alert.text)")
    }

    /// A limit that our own count keeps is no refusal: nothing is parked; the organisation waits, and a person hears of
    /// it when four fifths are used. Orders come until all is told: a day's calls are used up in the end, though
    /// midnight UTC give new ones meanwhile.
    ///
    /// - Returns: the orders of Lakeside so far.
    fileprivate func useUpTheDay() async throws -> [String] {
        try await running.wait("the first order of Lakeside") { try await !lakesideBooks().isEmpty }
        var orders = ["2101"]
        let told = [
            "of today's 5 calls to Xero are used", "Lakeside Tavern of 2026-11-20 is not in the ledger",
            "documents wait for Xero too long – lakeside",
        ]
        try await running.wait("a day that is used up", within: .seconds(120)) {
            if try await isLakesideServed(orders.count) {
                orders.append("\(2110 + orders.count)")
                try await running.publish([lakesideOrder(orders[orders.count - 1])])
            }
            return told.allSatisfy(isTold)
        }
        let alert = try await alert(told[0])
        #expect(alert.fields["Where"] == "lakeside")
        #expect(alert.fields["What to do"]?.contains("raise the limit") == true)
        #expect(try await !desk.letters("organisation").contains { $0["organisation"] == "lakeside" })
        return orders
    }

    /// `mapping`, `too_large` and a day that is used up are mended in the configuration, which a restart takes over.
    fileprivate func mendConfiguration(_ served: [String]) async throws {
        try configuration.write(taxes: ["0.1", "0.15"], lakesideCallsPerDay: 5000)
        for name in ["mapper", "writer", "dead-letter-handler"] { try await running.restart(name) }
        try await running.fleet.waitUntilReady()
        let booked = served.map { "LAKE-\($0) 12.30 due 0.00" }.sorted()
        try await running.wait("Lakeside's books", within: .seconds(120)) { try await lakesideBooks() == booked }
        for end in ["calls to Xero are used", "Lakeside Tavern of 2026-11-20", "documents wait for Xero too long"] {
            try await waitForEnd(of: end)
        }
    }

    /// An organisation that shuts us out: nothing is parked either; its neighbour's work goes on meanwhile.
    fileprivate func shutLakesideOut() async throws {
        try await inLakeside(#""disconnected":true"#)
        try await running.publish([lakesideOrder("2105")])
        let alert = try await alert("no longer lets us into lakeside")
        #expect(alert.fields["Why"]?.contains("403") == true, "\(alert.text)")
        #expect(alert.fields["What to do"]?.contains("developer.xero.com") == true)
        #expect(alert.fields["Command"] == "tillbridge mapping check --organisation lakeside")
        let check = try await running.fleet.command(alert.command)
        #expect(check.status == 2, "\(check.output)")
        try await inLakeside(#""disconnected":false"#)
    }

    fileprivate func mendInXero(_ alerts: [String: DutyPhone.Message]) async throws {
        let archived = try #require(alerts["archived"])
        // Too early: it comes back, and nothing is worse than before.
        let early = try await obey(archived)
        #expect(early.status == 4 && early.output.contains("0 letters put right, 1 came back"), "\(early.output)")
        try await desk.inXero(#""activateAccounts":["200"],"periodLockDate":"""#)
        try await running.fleet.xero.delete("/_control/faults")
        try await LedgerHand.with(running) { hand in
            let other = try await hand.invoiceID(number: "HBR-940")
            try await hand.call(.post, "/Invoices/\(other)", #"{"InvoiceNumber":"BY-HAND-1"}"#)
        }
        let toReplay = [
            "archived", "locked_period", "duplicate", "connection", "rate_limit", "mapping", "too_large", "unknown",
        ]
        for name in toReplay {
            let replay = try await obey(try #require(alerts[name]))
            #expect(replay.status == 0 && replay.output.contains(", 0 came back"), "\(name): \(replay.output)")
        }
        let letters = try await desk.letters("id,class")
        let id = letters.first { $0["class"] == "archived" }?["id"] ?? "?"
        let show = try await desk.desk("show", id)
        for word in ["resolved (booked)", "replayed by ana", "came back by desk", "tb-first-seen", "invoices, key"] {
            #expect(show.output.contains(word), "\(word) in \(show.output)")
        }
    }

    /// `value` and `parse`: the record is corrected, by a value or whole, and both are kept.
    fileprivate func mendAtTheDesk(_ alerts: [String: DutyPhone.Message]) async throws {
        let value = try #require(alerts["value"])
        let id = value.command[2]
        let refused = try await desk.desk("edit", id, "--set", "id=951", "--by", "ana")
        #expect(refused.status == 1 && refused.output.contains("must stay so"), "\(refused.output)")
        let words = value.command.map { ["FIELD=VALUE": "total=12.30", "WHY": "digits swapped"][$0] ?? $0 }
        let edit = try await running.fleet.command(words + ["--by", "ana"])
        #expect(edit.status == 0, "\(edit.output)")
        let show = try await desk.desk("show", id)
        #expect(show.output.contains("edited by ana: digits swapped"))
        #expect(show.output.contains("\"total\":21.30") && show.output.contains("\"total\":12.30"))

        let parse = try #require(alerts["parse"])
        let seen = try await running.fleet.command(parse.command)
        #expect(seen.status == 0 && seen.output.contains("{\"id\": 970"), "\(seen.output)")
        let file = "\(running.fleet.options.folder)/970.json"
        try Messages.body(id: "970").write(toFile: file, atomically: true, encoding: .utf8)
        let whole = try await desk.desk("edit", parse.command[2], "--file", file, "--replay", "--by", "ana")
        #expect(whole.status == 0, "\(whole.output)")
    }

    /// Each alert ends once, on the channels that heard of it.
    fileprivate func checkEnds(_ alerts: [String: DutyPhone.Message]) async throws {
        for name in alerts.keys { try await waitForEnd(of: "on the desk: \(name) ") }
        for name in alerts.keys {
            let told = phone.heard.filter { $0.channel == "duty" && $0.subject.contains("on the desk: \(name) ") }
            #expect(told.count(where: \.isEnd) == 1 && told.last?.isEnd == true, "\(told.map(\.subject))")
            #expect(told.count == 2 || name == "locked_period", "\(told.map(\.subject))")
        }
        try await running.wait("the second line's end") { phone.heard.contains { $0.channel == "boss" && $0.isEnd } }
    }

    /// With no handler left a writer stands in, and tells that too.
    fileprivate func loseTheHandler() async throws {
        try await running.stop("dead-letter-handler")
        let alert = try await alert("no dead-letter handler is at work")
        #expect(alert.command.isEmpty == false && alert.fields["What to do"]?.contains("Start a") == true)
        try await startWorkers(["dead-letter-handler"])
        try await waitForEnd(of: "no dead-letter handler is at work")
        let again = try await running.fleet.command(["alerts", "list", "--all", "--json"])
        #expect(again.output.contains(#""kind":"handler_down""#) && again.output.contains(#""undelivered":0"#))
    }

    fileprivate func letLakesideIn(_ served: [String]) async throws {
        let check = try await running.fleet.command(["mapping", "check", "--organisation", "lakeside"])
        #expect(check.status == 0, "\(check.output)")
        let booked = served.map { "LAKE-\($0) 12.30 due 0.00" }.sorted()
        try await running.wait("Lakeside's books", within: .seconds(180)) { try await lakesideBooks() == booked }
        try await waitForEnd(of: "no longer lets us into lakeside")
        #expect(try await desk.unclosed() == 0)
    }
}
