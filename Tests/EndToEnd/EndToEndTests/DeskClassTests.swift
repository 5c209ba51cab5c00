import AMQP
import Foundation
import HTTP
import Testing

@testable import FleetHarness

/// For each class: from the cause to the letter, to the fix, to the replay, to books that are right and a closed group.
@Suite(
    "The desk, class by class", .serialized, .enabled(if: Servers.areThere, Servers.absence), .timeLimit(.minutes(8)))
struct DeskClassTests {
    @Test("archived: restored in Xero and replayed, two commands put three orders right")
    func archived() async throws {
        try await DeskRunning.with("archived") { desk in
            try await desk.inXero(#""archiveAccounts":["230"]"#)
            try await desk.running.publish(["901", "902", "903"].map { desk.messages.order(id: $0) })
            try await desk.waitForLetters(3)
            let letters = try await desk.letters("class,cause,remedy,amount,venue,number,business_date")
            #expect(letters[0]["class"] == "archived")
            #expect(letters[0]["cause"]?.hasPrefix("Account 230 is archived in Xero.") == true)
            #expect(letters[0]["remedy"]?.hasPrefix("Restore account 230 in Xero") == true)
            #expect(letters.allSatisfy { $0["amount"] == "12.30" && $0["venue"] == "Harbour Bistro" })
            #expect(letters[0]["business_date"] == "2026-11-20")
            let group = try await desk.group()
            let groups = try await desk.desk("groups")
            #expect(groups.output.contains("replay --group \(group)"), "\(groups.output)")
            // Too early: it comes back, and nothing is worse than before.
            let early = try await desk.desk("replay", "--group", group, "--wait", "--by", "ana")
            #expect(early.status == 4, "\(early.output)")
            #expect(try await desk.group() == group)

            try await desk.inXero(#""activateAccounts":["230"]"#)
            let replay = try await desk.desk("replay", "--group", group, "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            #expect(replay.output.contains("3 letters put right, 0 came back"))
            try await desk.waitForBooks(["901", "902", "903"].map { "HBR-\($0) 12.30 due 0.00" })
            let show = try await desk.desk("show", "1")
            let words = ["resolved (booked)", "replayed by ana", "came back by desk", "tb-first-seen", "invoices, key"]
            for word in words {
                #expect(show.output.contains(word), "\(word) in \(show.output)")
            }
        }
    }

    @Test("archived: a venue's contact, restored, heals by itself")
    func archivedContact() async throws {
        try await DeskRunning.with("contact", probeInterval: "1s") { desk in
            try await desk.running.publish([desk.messages.order(id: "910")])
            try await desk.waitForBooks(["HBR-910 12.30 due 0.00"])
            try await LedgerHand.with(desk.running) { hand in
                let contact = try await hand.contactID(number: "WALKIN-HBR")
                try await hand.call(.post, "/Contacts/\(contact)", #"{"ContactStatus":"ARCHIVED"}"#)
                try await desk.running.publish([desk.messages.order(id: "911")])
                try await desk.waitForLetters(1)
                #expect(try await desk.letters("class") == [["class": "archived"]])
                // Archived contacts cannot be edited by the API; a person restores them in Xero's pages.
                try await desk.inXero(#""restoreContacts":["WALKIN-HBR"]"#)
            }
            try await desk.waitForBooks(["HBR-910 12.30 due 0.00", "HBR-911 12.30 due 0.00"])
        }
    }

    @Test("locked_period: a period unlocked in Xero heals by itself, one letter ahead and the rest behind it")
    func locked() async throws {
        try await DeskRunning.with("locked", probeInterval: "1s") { desk in
            try await desk.inXero(#""periodLockDate":"2026-12-31""#)
            let ids = (1...30).map { "92\($0)" }
            try await desk.running.publish(ids.map { desk.messages.order(id: $0) })
            try await desk.waitForLetters(30)
            #expect(try await desk.letters("class")[0]["class"] == "locked_period")
            #expect(try await desk.openGroups().count == 1)
            try await desk.inXero(#""periodLockDate":"""#)
            try await desk.waitForBooks(ids.map { "HBR-\($0) 12.30 due 0.00" })
        }
    }

    @Test("mapping: a tax rate added to the configuration heals by itself once the workers know it")
    func mapping() async throws {
        try await DeskRunning.with("mapping", probeInterval: "1s") { desk in
            try await desk.running.publish([
                desk.messages.order(id: "930") { $0.replacing("\"rate\":0.1}", with: "\"rate\":0.15}") }
            ])
            try await desk.waitForLetters(1)
            let letter = try await desk.letters("class,cause,remedy,organisation,number")[0]
            #expect(letter["class"] == "mapping")
            #expect(letter["organisation"] == "harbour")
            #expect(letter["number"] == "HBR-930")
            let file = "\(desk.running.fleet.options.folder)/mended.yaml"
            try String(contentsOfFile: desk.running.fleet.options.configuration, encoding: .utf8)
                .replacing("\"0.1\": OUTPUT", with: "\"0.1\": OUTPUT\n      \"0.15\": OUTPUT")
                .write(toFile: file, atomically: true, encoding: .utf8)
            try await desk.running.restart("mapper", environment: ["TILLBRIDGE_CONFIG": file])
            try await desk.waitForBooks(["HBR-930 12.30 due 0.00"])
        }
    }

    @Test("mapping: a tracking option restored in Xero, replayed by its venue")
    func tracking() async throws {
        try await DeskRunning.with("tracking") { desk in
            try await desk.inXero(#""archiveVenues":["Harbour Bistro"]"#)
            try await desk.running.publish([desk.messages.order(id: "935")])
            try await desk.waitForLetters(1)
            let cause = try await desk.letters("class,cause")[0]
            #expect(cause["class"] == "mapping")
            #expect(cause["cause"]?.hasPrefix("Tracking option Harbour Bistro is missing or archived") == true)
            try await desk.inXero(#""activateVenues":["Harbour Bistro"]"#)
            let replay = try await desk.desk("replay", "--venue", "Harbour Bistro", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-935 12.30 due 0.00"])
        }
    }

    @Test("duplicate: another document under our number, renamed in Xero; ours is booked, the other one stays")
    func duplicate() async throws {
        try await DeskRunning.with("duplicate") { desk in
            try await LedgerHand.with(desk.running) { hand in
                let other = try await hand.enterInvoice(number: "HBR-940", amount: "99.00")
                try await desk.running.publish([desk.messages.order(id: "940")])
                try await desk.waitForLetters(1)
                #expect(try await desk.letters("class") == [["class": "duplicate"]])
                try await hand.call(.post, "/Invoices/\(other)", #"{"InvoiceNumber":"BY-HAND-1"}"#)
            }
            let replay = try await desk.desk("replay", "--number", "HBR-940", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["BY-HAND-1 99.00 due 99.00", "HBR-940 12.30 due 0.00"])
        }
    }

    @Test("value: a total typed wrong, corrected at the desk; correction and author are kept")
    func value() async throws {
        try await DeskRunning.with("value") { desk in
            try await desk.running.publish([
                desk.messages.order(id: "950") { $0.replacing("\"total\":12.30", with: "\"total\":21.30") }
            ])
            try await desk.waitForLetters(1)
            #expect(try await desk.letters("class,amount") == [["class": "value", "amount": "21.30"]])
            let refused = try await desk.desk("edit", "1", "--set", "id=951", "--by", "ana")
            #expect(refused.status == 1 && refused.output.contains("must stay so"), "\(refused.output)")
            let edit = try await desk.desk(
                "edit", "1", "--set", "total=12.30", "--reason", "digits swapped", "--by", "ana", "--replay")
            #expect(edit.status == 0, "\(edit.output)")
            try await desk.waitForBooks(["HBR-950 12.30 due 0.00"])
            let show = try await desk.desk("show", "1")
            #expect(show.output.contains("edited by ana: digits swapped"))
            #expect(show.output.contains("\"total\":21.30") && show.output.contains("\"total\":12.30"))
        }
    }

    @Test("too_large: a record beyond the bound is booked once the bound is raised")
    func tooLarge() async throws {
        try await DeskRunning.with("large", workers: ["writer", "dead-letter-handler"]) { desk in
            _ = try await desk.running.fleet.startWorker(
                "mapper", log: "mapper", environment: ["TILLBRIDGE_MAPPING_RECORD_BYTES_MAX": "1000"])
            let note = "{\"note\":\"\(String(repeating: "x", count: 2000))\",\"id\":960"
            try await desk.running.publish([
                desk.messages.order(id: "960") { $0.replacing("{\"id\":960", with: note) }
            ])
            try await desk.waitForLetters(1)
            #expect(try await desk.letters("class") == [["class": "too_large"]])
            try await desk.running.restart("mapper")
            let replay = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-960 12.30 due 0.00"])
        }
    }

    @Test("parse: a broken record is given whole by a file; what no version understands is kept with its headers")
    func parse() async throws {
        try await DeskRunning.with("parse") { desk in
            try await desk.running.publish([
                desk.messages.order(id: "970", body: #"{"id": 970, "total": "#),
                desk.messages.order(id: "971", headers: ["tb-colour": .string("red")]),
            ])
            try await desk.waitForLetters(2)
            #expect(try await desk.letters("class").allSatisfy { $0["class"] == "parse" })
            let folder = desk.running.fleet.options.folder
            try Messages.body(id: "970").write(toFile: "\(folder)/970.json", atomically: true, encoding: .utf8)
            let broken = try await desk.letters("id,source_id").first { $0["source_id"] == "970" }?["id"] ?? "?"
            let edit = try await desk.desk("edit", broken, "--file", "\(folder)/970.json", "--replay", "--by", "ana")
            #expect(edit.status == 0, "\(edit.output)")
            let list = try await desk.desk("list", "--class", "parse", "--json", "--order", "971")
            #expect(list.status == 0, "\(list.output)")
            let colour = try #require(
                try await desk.letters("id,source_id,headers").first { $0["source_id"] == "971" })
            let (id, headers) = (colour["id"] ?? "?", colour["headers"] ?? "")
            #expect(headers.contains("tb-colour") && headers.contains("tb-first-seen"), "\(headers)")
            // It is sent as it came, comes back, and is then put away.
            let replay = try await desk.desk("replay", id, "--wait", "--by", "ana")
            #expect(replay.status == 4, "\(replay.output)")
            let none = try await desk.desk("discard", id, "--by", "ana")
            #expect(none.status == 64, "a reason is required: \(none.output)")
            let discard = try await desk.desk("discard", id, "--reason", "a test message", "--by", "ana")
            #expect(discard.status == 0, "\(discard.output)")
            try await desk.waitForBooks(["HBR-970 12.30 due 0.00"])
        }
    }

    @Test("unknown: what the broker gave up on, because every worker that took it died, is booked when replayed")
    func unknown() async throws {
        try await DeskRunning.with("unknown", workers: ["writer", "dead-letter-handler"]) { desk in
            try await desk.running.publish([desk.messages.order(id: "980")])
            let queue = "\(desk.running.fleet.run).map"
            // Taken by one that dies, again and again, until the broker has had enough.
            try await desk.running.wait("the broker to give up") {
                if try await desk.running.watch.counts().dead == 1 { return true }
                try await desk.running.takeAndDie(queue)
                return false
            }
            #expect(try await desk.letters("class,source_id") == [["class": "unknown", "source_id": "980"]])
            _ = try await desk.running.fleet.startWorker("mapper", log: "mapper")
            let replay = try await desk.desk("replay", "1", "--wait", "--by", "ana")
            #expect(replay.status == 0, "\(replay.output)")
            try await desk.waitForBooks(["HBR-980 12.30 due 0.00"])
        }
    }

    @Test("connection and rate_limit are waited for, not parked: no letter, and right books once they are over")
    func waitedFor() async throws {
        try await DeskRunning.with("waited") { desk in
            try await desk.inXero(#""offline":true"#)
            try await desk.running.publish([desk.messages.order(id: "990")])
            try await desk.running.wait("a wait for the connection") {
                try String(contentsOfFile: "\(desk.running.fleet.options.folder)/writer.log", encoding: .utf8)
                    .contains("offline")
            }
            try await desk.inXero(#""offline":false"#)
            try await desk.waitForBooks(["HBR-990 12.30 due 0.00"])
            try await desk.running.fleet.xero.post(
                "/_control/faults",
                #"{"action":{"status":429,"headers":{"Retry-After":"1","X-Rate-Limit-Problem":"minute"}},"count":2}"#)
            try await desk.running.publish([desk.messages.order(id: "991")])
            try await desk.waitForBooks(["HBR-990 12.30 due 0.00", "HBR-991 12.30 due 0.00"])
            #expect(try await desk.running.watch.counts().dead == 0)
        }
    }
}
