import Alerting
import Domain
import Foundation
import Testing

/// From facts to what a person is needed for: each bound from both sides.
@Suite("a person is needed for")
struct ConcernTests {
    private func kinds(_ change: (inout AlertFacts) -> Void, now: Instant = at(24)) -> [AlertKind] {
        var facts = AlertFacts(watchingSince: at(0))
        facts.currencies = [harbour: "AUD"]
        change(&facts)
        return facts.concerns(AlertPolicy(), at: now).map(\.kind)
    }

    private func desk(open: Int = 3, opened: Instant = at(23)) -> AlertFacts.Group {
        AlertFacts.Group(
            id: 7, deadLetterClass: "archived", cause: "Account 4010 is archived in Xero.", remedy: "Restore it.",
            organisation: harbour, venues: "Harbour Bistro", open: open, amount: "88.10", openedAt: opened)
    }

    private func venue(
        hours: String? = "09:00-17:00", order: Instant? = nil, polled: Instant? = at(24),
        rescanned: Instant? = at(23), listed: Instant? = at(23)
    ) -> AlertFacts.Venue {
        var venue = AlertFacts.Venue(
            company: CompanyKey("harbour"), organisation: harbour, site: SiteID("923"), name: "Harbour Bistro",
            hours: hours.flatMap { WeeklyHours($0) }, lastOrder: order, lastPolled: polled)
        (venue.lastRescanned, venue.sideListsRead) = (rescanned, listed)
        return venue
    }

    private func day(_ oldest: Instant, day: Int = 24) -> AlertFacts.OpenDay {
        AlertFacts.OpenDay(
            organisation: harbour, venue: "Harbour Bistro", day: CalendarDate(year: 2026, month: 11, day: day),
            count: 4, amount: "71.00", oldest: oldest)
    }

    private func grant(
        renewed: Instant = at(0), ends: Instant? = at(1440), dead: Instant? = nil
    ) -> AlertFacts.Connection {
        AlertFacts.Connection(
            name: "xero", service: "xero", organisations: [harbour], renewedAt: renewed, refreshEnds: ends,
            deadSince: dead, deadWhy: dead.map { _ in "Access was withdrawn." })
    }

    @Test("a group of the desk, soon after it opened, with figures and the command")
    func groups() throws {
        #expect(kinds { $0.groups = [desk(opened: at(24).adding(seconds: -59))] } == [])
        #expect(kinds { $0.groups = [desk(open: 0)] } == [])
        var facts = AlertFacts(watchingSince: at(0))
        facts.currencies = [harbour: "AUD"]
        facts.groups = [desk()]
        let concern = try #require(facts.concerns(AlertPolicy(), at: at(24)).first)
        #expect(concern.key == "dead_letter_group:7")
        #expect(concern.amount == "88.10 AUD")
        #expect(concern.command == "tillbridge dead-letters replay --group 7 --wait")
        #expect(!concern.isGrave)
        facts.groups = [desk(open: 100)]
        #expect(facts.concerns(AlertPolicy(), at: at(24)).map(\.isGrave) == [true])
        facts.groups = [desk(opened: at(0))]
        #expect(facts.concerns(AlertPolicy(), at: at(24)).map(\.isGrave) == [true])
    }

    @Test(
        "a group, with the command that fits its class",
        arguments: [
            ("archived", 2, "replay --group 7 --wait"), ("unknown", 1, "replay --group 7 --wait"),
            ("value", 1, "edit 31 --set FIELD=VALUE --reason WHY --replay"), ("value", 2, "list --group 7"),
            ("parse", 1, "show 31"), ("parse", 9, "list --group 7"),
        ])
    func groupCommands(_ deadLetterClass: String, _ open: Int, _ command: String) {
        var facts = AlertFacts(watchingSince: at(0))
        facts.groups = [
            AlertFacts.Group(
                id: 7, deadLetterClass: deadLetterClass, cause: "c", remedy: "r", organisation: harbour, venues: "",
                open: open, amount: nil, openedAt: at(23), firstLetter: 31)
        ]
        let commands = facts.concerns(AlertPolicy(), at: at(24)).map(\.command)
        #expect(commands == ["tillbridge dead-letters " + command])
    }

    @Test("a venue without orders while it is open, and not otherwise")
    func silentVenue() {
        // Day 25 of November, 13:00 UTC, open since nine.
        let noon = at(13)
        #expect(kinds({ $0.venues = [venue(polled: noon)] }, now: noon) == [.venueSilent])
        #expect(kinds({ $0.venues = [venue(order: at(11), polled: noon)] }, now: noon) == [.venueSilent])
        #expect(kinds({ $0.venues = [venue(order: at(11, 1), polled: noon)] }, now: noon) == [])
        #expect(kinds({ $0.venues = [venue(polled: at(10, 59))] }, now: at(10, 59)) == [], "it has just opened")
        #expect(kinds({ $0.venues = [venue(polled: at(18))] }, now: at(18)) == [], "it is closed")
        #expect(kinds({ $0.venues = [venue(hours: nil, polled: noon)] }, now: noon) == [])
    }

    @Test("a venue whose cursor stands still, once and not as a venue without orders too")
    func silentSync() {
        #expect(kinds({ $0.venues = [venue(polled: at(12, 45))] }, now: at(13)) == [.syncSilent])
        #expect(kinds({ $0.venues = [venue(polled: at(12, 46))] }, now: at(13)) == [.venueSilent])
        #expect(kinds({ $0.venues = [venue(hours: nil, polled: nil)] }, now: at(0, 14)) == [])
        #expect(kinds({ $0.venues = [venue(hours: nil, polled: nil)] }, now: at(0, 15)) == [.syncSilent])
    }

    @Test("a venue whose new orders are read, and not what was changed, deleted or paid later")
    func unrevised() throws {
        #expect(kinds { $0.venues = [venue(hours: nil, rescanned: at(18, 1), listed: at(18, 1))] } == [])
        #expect(kinds { $0.venues = [venue(hours: nil, rescanned: at(18))] } == [.syncSilent])
        #expect(kinds { $0.venues = [venue(hours: nil, listed: at(18))] } == [.syncSilent])
        #expect(kinds { $0.venues = [venue(hours: nil, polled: at(18), rescanned: at(18))] } == [.syncSilent])
        #expect(kinds({ $0.venues = [venue(hours: nil, rescanned: nil)] }, now: at(5, 59)) == [], "just begun")
        #expect(kinds { $0.venues = [venue(hours: nil, rescanned: nil)] } == [.syncSilent])
        var facts = AlertFacts(watchingSince: at(0))
        facts.venues = [venue(hours: nil, rescanned: at(17), listed: at(18))]
        let told = try #require(facts.concerns(AlertPolicy(), at: at(24)).first)
        #expect(told.key == "sync_silent:harbour/923/again" && told.since == at(17))
        #expect(told.cause.contains("the last days, and the lists of deleted orders"), "\(told.cause)")
        #expect(told.title == "corrections of Harbour Bistro are not read")
    }

    @Test("a day that is not in the ledger long after its end")
    func days() {
        // The day of the 24th ends on the 25th at 04:00; twelve hours later is 16:00.
        #expect(kinds({ $0.openDays = [day(at(-3))] }, now: at(15, 59)) == [.queueAge])
        #expect(kinds({ $0.openDays = [day(at(-3))] }, now: at(16)) == [.dayNotPosted, .queueAge])
        #expect(kinds({ $0.openDays = [day(at(15, 50), day: 1)] }, now: at(16)) == [], "an old day, read just now")
    }

    @Test("a day whose till nobody counted long after its end, and one that is not closed for another reason")
    func unclosed() {
        func open(_ day: Int, met: Instant, counted: Bool) -> AlertFacts.UnclosedDay {
            AlertFacts.UnclosedDay(
                organisation: harbour, venue: "Harbour Bistro", day: CalendarDate(year: 2026, month: 11, day: day),
                metAt: met, waitsForTakings: !counted)
        }
        #expect(kinds({ $0.unclosedDays = [open(24, met: at(-9), counted: false)] }, now: at(15, 59)) == [])
        #expect(kinds({ $0.unclosedDays = [open(24, met: at(-9), counted: false)] }, now: at(16)) == [.dayNotPosted])
        #expect(kinds({ $0.unclosedDays = [open(1, met: at(4, 1), counted: false)] }, now: at(16)) == [], "just read")
        var facts = AlertFacts(watchingSince: at(0))
        facts.unclosedDays = [open(23, met: at(-9), counted: false), open(24, met: at(-9), counted: true)]
        let told = facts.concerns(AlertPolicy(), at: at(16))
        #expect(told.map(\.title) == [
            "the till of Harbour Bistro was not counted on 2026-11-23", "Harbour Bistro of 2026-11-24 is not closed",
        ])
        #expect(told[0].remedy.contains("takings_within") && !told[1].remedy.contains("takings_within"))
    }

    @Test("documents that wait for Xero longer than the bound")
    func queueAge() {
        #expect(kinds({ $0.openDays = [day(at(0), day: 25)] }, now: at(0, 29)) == [])
        #expect(kinds({ $0.openDays = [day(at(0), day: 25)] }, now: at(0, 30)) == [.queueAge])
    }

    @Test("a dead connection, which explains what waits for it")
    func connections() {
        #expect(kinds { $0.connections = [grant()] } == [])
        #expect(kinds {
            $0.connections = [grant(dead: at(1))]
            $0.openDays = [day(at(-3))]
        } == [.connectionDead])
        #expect(kinds {
            $0.disconnections = [.init(organisation: harbour, since: at(1), why: "Xero answers 403.")]
            $0.openDays = [day(at(-3))]
        } == [.connectionDead])
    }

    @Test("a refresh token of 50 days, where the service lets one die of age")
    func refreshToken() {
        #expect(kinds({ $0.connections = [grant()] }, now: at(50 * 24 - 1)) == [])
        #expect(kinds({ $0.connections = [grant()] }, now: at(50 * 24)) == [.refreshTokenOld])
        #expect(kinds({ $0.connections = [grant(ends: nil)] }, now: at(50 * 24)) == [])
    }

    @Test("a day's calls used to 80 %")
    func budget() {
        #expect(kinds { $0.budgets = [.init(organisation: harbour, used: 3999, limit: 5000)] } == [])
        #expect(kinds { $0.budgets = [.init(organisation: harbour, used: 4000, limit: 5000)] } == [.dayBudget])
        #expect(kinds { $0.budgets = [.init(organisation: harbour, used: 4000, limit: 0)] } == [])
    }

    @Test("a dead-letter handler that is gone, seen by its lease or by its queue")
    func handler() {
        func queue(_ since: Instant, desk: Bool = true) -> AlertFacts.IdleQueue {
            .init(name: "tillbridge.dead", isForDesk: desk, waiting: 9, since: since)
        }
        #expect(kinds { $0.handlerSeen = at(23, 56) } == [])
        #expect(kinds { $0.handlerSeen = at(23, 55) } == [.handlerDown])
        #expect(kinds { $0.idleQueues = [queue(at(23, 56))] } == [])
        #expect(kinds { $0.idleQueues = [queue(at(23, 55))] } == [.handlerDown])
        #expect(kinds { $0.idleQueues = [queue(at(23, 31), desk: false)] } == [])
        #expect(kinds { $0.idleQueues = [queue(at(23, 30), desk: false)] } == [.queueAge])
        // Read, and yet nothing becomes of its messages.
        func stuck(_ since: Instant) -> AlertFacts.IdleQueue {
            .init(name: "tillbridge.map", isForDesk: false, waiting: 9, since: since, hasConsumer: true)
        }
        #expect(kinds { $0.idleQueues = [stuck(at(23, 31))] } == [])
        #expect(kinds { $0.idleQueues = [stuck(at(23, 30))] } == [.queueAge])
    }

    @Test("a writers' queue that nobody reads, with the writer's command; not while its organisation takes no calls")
    func writersQueue() throws {
        func facts(_ change: (inout AlertFacts) -> Void = { _ in }) -> AlertFacts {
            var facts = AlertFacts(watchingSince: at(0))
            facts.idleQueues = [
                .init(
                    name: "tillbridge.write.harbour", isForDesk: false, waiting: 9, since: at(20),
                    organisation: harbour)
            ]
            change(&facts)
            return facts
        }
        let told = try #require(facts().concerns(AlertPolicy(), at: at(24)).first)
        #expect(told.command == "writer --config tillbridge.yaml" && told.organisation == harbour)
        #expect(told.remedy.hasPrefix("Start a writer"))
        var map = facts()
        map.idleQueues = [.init(name: "tillbridge.map", isForDesk: false, waiting: 9, since: at(20))]
        #expect(map.concerns(AlertPolicy(), at: at(24)).map(\.command) == ["mapper --config tillbridge.yaml"])
        #expect(kinds { $0 = facts { $0.resting = [OrganisationKey("lakeside")] } } == [.queueAge])
        // It rests as designed; how long documents may wait for it is told by itself.
        #expect(kinds { $0 = facts { $0.resting = [harbour] } } == [])
        #expect(kinds { $0 = facts { $0.connections = [grant(dead: at(1))] } } == [.connectionDead])
        #expect(kinds {
            $0 = facts { $0.disconnections = [.init(organisation: harbour, since: at(1), why: "403")] }
        } == [.connectionDead])
    }

    @Test("what a command names is one word of a shell, whatever a venue is called")
    func quoting() throws {
        let name = "Joe's Bar; $(rm -rf ~) \"x\""
        var facts = AlertFacts(watchingSince: at(0))
        facts.openDays = [
            AlertFacts.OpenDay(
                organisation: harbour, venue: name, day: CalendarDate(year: 2026, month: 11, day: 23), count: 1,
                amount: "1.00", oldest: at(-30))
        ]
        facts.unclosedDays = [
            AlertFacts.UnclosedDay(
                organisation: harbour, venue: name, day: CalendarDate(year: 2026, month: 11, day: 22), metAt: at(-50),
                waitsForTakings: false)
        ]
        let commands = facts.concerns(AlertPolicy(), at: at(24)).filter { $0.kind == .dayNotPosted }.map(\.command)
        #expect(commands.count == 2)
        for command in commands {
            let words = try words(of: command)
            #expect(words.first == "tillbridge" && words.contains(name), "\(command)")
        }
        for text in ["plain", "a b", "", "it's", "''", "-x", "a\\", "*", "Café"] {
            #expect(try words(of: "x " + ShellWord.bare(text)) == ["x", text])
            #expect(try words(of: "x " + ShellWord.quoted(text)) == ["x", text])
        }
    }

    /// As a shell reads it.
    private func words(of command: String) throws -> [String] {
        let shell = Process()
        shell.executableURL = URL(fileURLWithPath: "/bin/sh")
        shell.arguments = ["-c", "printf '%s\\n' \(command)"]
        let pipe = Pipe()
        shell.standardOutput = pipe
        try shell.run()
        let text = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        shell.waitUntilExit()
        return text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
    }

    @Test("nothing, where all is well")
    func quiet() {
        #expect(kinds {
            $0.handlerSeen = at(24)
            $0.venues = [venue(order: at(23), polled: at(24))]
            $0.connections = [grant()]
            $0.budgets = [.init(organisation: harbour, used: 10, limit: 5000)]
        } == [])
    }

    @Test("an organisation that Xero shuts us out of, with the words for either kind of credential")
    func shutOut() throws {
        for (own, command) in [
            (false, "tillbridge connect xero --port 8734"), (true, "tillbridge mapping check --organisation harbour"),
        ] {
            var facts = AlertFacts(watchingSince: at(0))
            facts.disconnections = [
                .init(organisation: harbour, since: at(3), why: "403", hasOwnCredential: own)
            ]
            facts.openDays = [day(at(-3))]
            let concerns = facts.concerns(AlertPolicy(), at: at(24))
            #expect(concerns.map(\.kind) == [.connectionDead], "what waits for it is not told as well")
            #expect(concerns.first?.command == command && concerns.first?.since == at(3))
            #expect(concerns.first?.remedy.contains("developer.xero.com") == own)
        }
    }
}

@Suite("an alert's text")
struct AlertTextTests {
    private func told(_ reason: Notice.Reason, _ concern: Concern) -> ToldAlert {
        ToldAlert(Notice(reason, ordinal: 1, notBefore: at(1)), alert: 3, concern, openedAt: at(1))
    }

    private func text(_ reason: Notice.Reason, _ concern: Concern) -> AlertText {
        AlertText(told(reason, concern), clock: PlaceClock())
    }

    @Test("says what, where, since when, how many, how much, what to do, and the command")
    func whole() {
        let text = self.text(.opened, group())
        for part in [
            "What: 12 letters on the desk: archived", "Where: Harbour Bistro (harbour)", "Since: 2026-11-25 00:00",
            "How many: 12", "How much: 1204.50 AUD", "Why: Account 4010 is archived in Xero.",
            "What to do: Restore it.", "Command: tillbridge dead-letters replay --group 1 --wait",
            "Alert 3: dead_letter_group:1",
        ] { #expect(text.body.contains(part)) }
        #expect(text.subject == "[Tillbridge] 12 letters on the desk: archived – Harbour Bistro (harbour)")
        #expect(text.payload.contains("\"count\":12"))
    }

    @Test("of an end says nothing of what to do, and of escalation that it is urgent")
    func reasons() {
        let end = text(.resolved, group())
        #expect(!end.body.contains("What to do"))
        #expect(end.subject.hasPrefix("[Tillbridge, resolved]"))
        let urgent = text(.escalated, group())
        #expect(urgent.subject.contains("URGENT"))
    }

    @Test("of many at once is one message: of each what, where, since when, how many, how much and the command")
    func digest() {
        let many = (1...30).map { told($0 == 9 ? .escalated : .opened, group(Int64($0))) }
        let text = AlertText(digest: many, clock: PlaceClock())
        #expect(text.subject == "[Tillbridge, URGENT] 30 alerts at once, in one place")
        for part in [
            "– 12 letters on the desk: archived – Harbour Bistro (harbour) (since 2026-11-25 00:00, 12, 1204.50 AUD)",
            "  Account 4010 is archived in Xero.", "Command: tillbridge dead-letters replay --group 20 --wait",
            "… and 10 more", "tillbridge alerts list",
        ] { #expect(text.body.contains(part), "\(text.body)") }
        #expect(!text.body.contains("--group 21 "))
        #expect(text.payload.contains("\"digest\":30") && text.payload.contains("dead_letter_group:30"))
        let ends = AlertText(digest: many.map { told(.resolved, $0.concern) }, clock: PlaceClock())
        #expect(ends.subject.hasPrefix("[Tillbridge, resolved] 30 alerts") && !ends.body.contains("Command"))
    }

    @Test("keeps what a till wrote on its line")
    func lineBreaks() {
        var concern = group()
        concern.cause = "Product \"Tea\r\nBcc: all@example.com\" is unknown.\u{2028}x"
        let text = self.text(.opened, concern)
        #expect(text.body.contains("Why: Product \"Tea  Bcc: all@example.com\" is unknown. x"))
    }
}
