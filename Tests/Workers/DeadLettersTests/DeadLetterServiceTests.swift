import AMQP
import Domain
import Logging
import Mapping
import Messaging
import Settings
import Store
import Telemetry
import Testing

@testable import DeadLetters

@Suite("The dead-letter handler") struct DeadLetterServiceTests {
    /// Hands out one batch, then none; notes in one list with the store what happened in which order.
    actor Journal: Inbox, DeadLetterStore {
        struct Away: Error {}
        private var batches: [[IncomingMessage]]
        private var failures: Int
        private(set) var events: [String] = []

        init(_ batch: [IncomingMessage], failures: Int) {
            batches = [batch]
            self.failures = failures
        }

        func nextBatch(max: Int, linger: @Sendable () -> Duration) async throws -> [IncomingMessage] {
            batches.isEmpty ? [] : batches.removeFirst()
        }

        func acknowledge(_ messages: [IncomingMessage]) async { events.append("acknowledged \(messages.count)") }
        func stop() async {}

        func keep(_ letters: [DeadLetter]) async throws -> (new: Int, returned: Int) {
            if failures > 0 {
                failures -= 1
                events.append("failed")
                throw Away()
            }
            events.append("stored \(letters.count)")
            return (letters.count, 0)
        }
    }

    static func parked(_ id: String, body: String = "{}", queue: String = "t.dead") -> IncomingMessage {
        var envelope = Envelope(
            firstSeen: Instant(secondsSince1970: 5),
            subject: .init(company: CompanyKey("harbour"), kind: "order", id: id))
        envelope.origin = "t.map"
        envelope.failure = .init(.value, cause: "Order \(id) is wrong.", remedy: "Correct it.")
        return IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: queue)
    }

    @Test("a letter is acknowledged after it is stored, never before, while the database is away too", arguments: 0...3)
    func order(failures: Int) async throws {
        let journal = Journal([Self.parked("1"), Self.parked("2")], failures: failures)
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 9) }, sleep: { _ in }, randomInteger: { $0.lowerBound })
        let service = DeadLetterService(
            inbox: journal, store: journal, books: DeskBooks([:]), clock: clock, metrics: Metrics(),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await service.run()
        let expected = Array(repeating: "failed", count: failures) + ["stored 2", "acknowledged 2"]
        #expect(await journal.events == expected)
    }
}

@Suite("What a letter is made of") struct DeadLetterReadingTests {
    private let reading = DeadLetterReading(books: [:])
    private let now = Instant(secondsSince1970: 9)

    private func letter(_ message: IncomingMessage) -> DeadLetter { letter(reading, message) }
    private func letter(_ reading: DeadLetterReading, _ message: IncomingMessage) -> DeadLetter {
        reading.letter(from: message, now: now)
    }

    @Test("the matter is the record's version: another body is another letter, another cause is not")
    func identity() {
        let first = letter(DeadLetterServiceTests.parked("1"))
        #expect(letter(DeadLetterServiceTests.parked("1")).occurrence == first.occurrence)
        #expect(letter(DeadLetterServiceTests.parked("1", body: "{ }")).identity != first.identity)
        #expect(letter(DeadLetterServiceTests.parked("2")).identity != first.identity)
        var other = Envelope(
            firstSeen: Instant(secondsSince1970: 5),
            subject: .init(company: CompanyKey("harbour"), kind: "order", id: "1"))
        other.origin = "t.map"
        other.failure = .init(.mapping, cause: "Something else.", remedy: "")
        let again = letter(IncomingMessage(body: Array("{}".utf8), envelope: .success(other), queue: "t.dead"))
        #expect(again.identity == first.identity)
        #expect(again.occurrence != first.occurrence)
    }

    @Test("of an archived account the remedy names what is booked to it, and the command that maps it to another")
    func archived() {
        var books = VenueBooks(
            company: CompanyKey("harbour"), organisation: OrganisationKey("harbour"), site: SiteID("1"), name: "Bistro",
            numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
            accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"), taxTypes: [:],
            clearingAccounts: ["cash": "231", "card": "4010"], fallbackClearingAccount: nil)
        var outcome = Rule.Outcome()
        outcome.account = TextTemplate("4010")
        books.rules = RuleBook(rules: ["Beverages", "Bar"].map {
            Rule(name: $0, subject: .line, condition: .always, outcome: outcome)
        })
        let reading = DeadLetterReading(books: [VenueKey(company: CompanyKey("harbour"), site: SiteID("1")): books])
        func remedy(
            _ deadLetterClass: DeadLetterClass, _ cause: String, of organisation: String = "harbour"
        ) -> String {
            var envelope = Envelope(
                firstSeen: now, subject: .init(organisation: OrganisationKey(organisation), document: 7))
            envelope.failure = .init(
                deadLetterClass, cause: cause,
                remedy: "Restore it, or map its sales to another account in the configuration, then replay.")
            return letter(reading, IncomingMessage(body: [], envelope: .success(envelope), queue: "t.dead")).remedy
        }
        func sentence(_ what: String) -> String {
            "Restore it, or map \(what) to another account in the configuration, then replay."
        }
        func named(_ what: String, _ account: String) -> String {
            sentence(what) + " By command: `tillbridge mapping set --organisation harbour account.\(account) CODE "
                + "--reason WHY`."
        }
        #expect(remedy(.archived, "Account 4010 is archived in Xero. Xero refused it: x") == named(
            "Beverages, Bar, payments by card", "4010"))
        #expect(remedy(.archived, "Account 230 is archived in Xero.") == named("all other sales", "230"))
        #expect(remedy(.archived, "Account 825 is archived in Xero.") == named("tips", "825"))
        // Nothing goes there; not an account; another class; an organisation nobody knows.
        for (deadLetterClass, cause, organisation) in [
            (DeadLetterClass.archived, "Account 999 is archived in Xero.", "harbour"),
            (.archived, "The contact is archived in Xero.", "harbour"),
            (.mapping, "Account 4010 is archived in Xero.", "harbour"),
            (.archived, "Account 4010 is archived in Xero.", "lakeside"),
        ] {
            #expect(remedy(deadLetterClass, cause, of: organisation) == sentence("its sales"), "\(cause)")
        }
    }

    @Test("amount and day are read from the record where no document says them")
    func matter() {
        let body = #"{"id":1,"total":"12.3","created_at":"2026-11-20T10:00:00+11:00","site_id":1}"#
        let made = letter(DeadLetterServiceTests.parked("1", body: body))
        #expect(made.amount == "12.30")
        #expect(made.businessDate == CalendarDate(year: 2026, month: 11, day: 20))
    }

    @Test(
        "whatever the body is, there is a letter",
        arguments: ["", "{", "[]", "{\"total\":1e999}", "{\"total\":\"NaN\",\"created_at\":7}", "\u{0}"])
    func hostile(body: String) {
        #expect(letter(DeadLetterServiceTests.parked("1", body: body)).amount == nil)
    }
}

@Suite("What a replay sends") struct ReplayMessageTests {
    private let harbour = OrganisationKey("harbour")

    private func replay(_ route: Replay.Route, origin: String = "t.map", headers: String = "{}") -> Replay {
        Replay(
            mark: LetterMark(letter: 7, replay: 2), route: route, origin: origin, organisation: harbour, venue: "Pier",
            body: [1], headers: Array(headers.utf8), firstSeen: Instant(secondsSince1970: 5))
    }

    private func message(_ replay: Replay) throws -> OutgoingMessage {
        try ReplayMessage.message(replay, prefix: "t", organisations: [harbour])
    }

    @Test("a record goes to the mapper, begins anew, and carries its letter's mark and its age")
    func record() throws {
        let message = try message(replay(.map(company: CompanyKey("c"), kind: "order", id: "9")))
        #expect(message.queue == .map)
        let envelope = try Envelope(headers: message.envelope.headers)
        #expect(envelope.attempt == 0)
        #expect(envelope.failure == nil)
        #expect(envelope.mark == LetterMark(letter: 7, replay: 2))
        #expect(envelope.firstSeen == Instant(secondsSince1970: 5))
        #expect(envelope.subject.id == "9")
    }

    @Test("what nobody understood goes as it came, without what the desk added, with the mark")
    func raw() throws {
        let headers = #"{"tb-version":9,"tb-colour":"red","tb-cause":"x","x-death":[1],"nested":{"a":true}}"#
        let message = try message(replay(.raw, headers: headers))
        #expect(message.rawHeaders == [
            "tb-version": .int(9), "tb-colour": .string("red"), "nested": .table(["a": .bool(true)]),
            "tb-letter": .int(7), "tb-replay": .int(2),
        ])
    }

    @Test("headers come back of the kind they were, out of the desk too; message id and content type are kept")
    func kinds() throws {
        let foreign: [String: AMQPField] = [
            "bytes": .bytes([0, 255]), "when": .timestamp(1_790_000_000), "price": .decimal(places: 2, digits: 1230),
            "ratio": .double(0.1), "none": .null, "list": .array([.int(1), .bool(false), .string("x")]),
            "table": .table(["$bytes": .int(1), "in": .bytes([1])]),
        ]
        #expect(HeaderText.headers(HeaderText.json(foreign)) == foreign)
        let message = IncomingMessage(
            body: [1], envelope: .failure(Unreadable("x")), queue: "t.unreadable", messageID: "m-1",
            contentType: "text/csv", foreign: foreign)
        let letter = DeadLetterReading(books: [:]).letter(from: message, now: Instant(secondsSince1970: 5))
        let kept = HeaderText.headers(letter.headers)
        #expect(kept["amqp-message-id"] == .string("m-1") && kept["amqp-content-type"] == .string("text/csv"))
        var replay = replay(.raw)
        replay = Replay(
            mark: replay.mark, route: .raw, origin: replay.origin, organisation: nil, venue: nil, body: [1],
            headers: letter.headers, firstSeen: replay.firstSeen)
        #expect(try self.message(replay).rawHeaders == foreign.merging(replay.mark.headers) { $1 })
    }

    @Test("nothing is sent to a queue that is not the fleet's, or to an organisation that is gone")
    func strangers() {
        #expect(throws: NotSendable.self) { try message(replay(.raw, origin: "somebody.else")) }
        #expect(throws: NotSendable.self) { try message(replay(.write(OrganisationKey("gone"), document: 1))) }
    }
}
