import Bootstrap
import Crypto
import Domain
import Foundation
import JSON
import Logging
import Money
import Postgres
import Settings
import Store
import Testing

/// `tillbridge dead-letters` as people and machines see it, over letters that are known to the byte.
@Suite(
    "tillbridge dead-letters", .enabled(if: ExampleFleet.databaseURL != nil, ExampleFleet.absence),
    .timeLimit(.minutes(2)))
struct DeskCommandTests {
    /// The desk of one test, and the program.
    private struct Desk {
        let environment: [String: String]
        let pool: PostgresPool
        let store: PostgresStore

        static func with(_ work: (Desk) async throws -> Void) async throws {
            let schema = "desk_\(UInt32.random(in: 0...UInt32.max))"
            let environment = [
                "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
                "TILLBRIDGE_DATABASE_URL": try #require(ExampleFleet.databaseURL),
                "TILLBRIDGE_DATABASE_SCHEMA": schema, "USER": "ana",
            ]
            let pool = try LiveDatabase.migrationPool(
                try ExampleFleet.settings(environment: environment),
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            let result: Result<Void, any Error>
            do {
                _ = try await Migrator(pool: pool, schema: schema).migrate()
                let desk = Desk(
                    environment: environment, pool: pool, store: PostgresStore(pool: pool, holder: "tests"))
                try await desk.lay()
                result = .success(try await work(desk))
            } catch { result = .failure(error) }
            try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
            await pool.close()
            try result.get()
        }

        /// Three letters of two groups, at known moments.
        private func lay() async throws {
            var first = DeskCommandTests.letter("501", .archived, "Account 230 is archived in Xero.")
            first.number = "HBR-501"
            var second = DeskCommandTests.letter("502", .archived, "Account 230 is archived in Xero.")
            second.number = "PIER-502"
            second.venue = "Pier Cafe & Bar"
            second.amount = "99.00"
            second.businessDate = CalendarDate(year: 2026, month: 12, day: 1)
            var third = DeskCommandTests.letter("503", .value, "=cmd, \"total\" is wrong\u{1B}[2J.")
            third.amount = "-5.00"
            third.remedy = "Correct it."
            for letter in [first, second, third] { _ = try await store.keep([letter]) }
            try await pool.withSession {
                try $0.script(
                    """
                    UPDATE dead_letter SET last_seen = '2026-11-25T02:00:00Z';
                    UPDATE dead_letter_arrival SET arrived_at = '2026-11-25T02:00:00Z';
                    UPDATE dead_letter_group SET opened_at = '2026-11-25T02:00:00Z', last_seen = '2026-11-25T02:00:00Z',
                                                 next_probe = '2026-11-25T03:00:00Z';
                    """)
            }
        }

        func run(_ arguments: String...) async throws -> Program.Ended { try await run(arguments) }

        func run(_ arguments: [String]) async throws -> Program.Ended {
            try await Program.run(
                "tillbridge",
                ["dead-letters"] + arguments + ["--config", ExampleFleet.file], environment: environment)
        }
    }

    private static func hash(_ text: String) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: Array(text.utf8)))) else {
            preconditionFailure("32 bytes")
        }
        return hash
    }

    private static func letter(_ id: String, _ deadLetterClass: DeadLetterClass, _ cause: String) -> DeadLetter {
        var letter = DeadLetter(
            identity: hash("matter \(id)"), occurrence: hash("message \(id)"), queue: "tillbridge.dead",
            deadLetterClass: deadLetterClass, cause: cause, remedy: "Restore account 230, then replay.",
            fingerprint: CauseFingerprint.of(cause), attempts: 2,
            headers: Array(#"{"colour":"red","nested":{"a":[1,true]},"tb-id":"\#(id)"}"#.utf8),
            body: Array("{\"id\":\(id),\"total\":12.30}".utf8), firstSeen: Instant(secondsSince1970: 1_795_600_000))
        letter.origin = "tillbridge.map"
        letter.organisation = OrganisationKey("harbour")
        letter.company = CompanyKey("harbour")
        letter.venue = "Harbour Bistro"
        letter.sourceKind = "order"
        letter.sourceID = id
        letter.amount = "12.30"
        letter.businessDate = CalendarDate(year: 2026, month: 11, day: 20)
        return letter
    }

    @Test("list, groups and show are these lines")
    func lines() async throws {
        try await Desk.with { desk in
            let list = try await desk.run("list")
            #expect(list.status == 0 && list.output == Golden.list, "\(list.output)\(list.errors)")
            let groups = try await desk.run("groups")
            #expect(groups.status == 0 && groups.output == Golden.groups, "\(groups.output)")
            let show = try await desk.run("show", "1")
            #expect(show.status == 0 && show.output == Golden.show, "\(show.output)")
            let payload = try await desk.run("show", "1", "--payload")
            #expect(payload.output == "{\"id\":501,\"total\":12.30}\n")
        }
    }

    @Test("for machines: JSON of list, groups, show and export, and a table that no spreadsheet runs")
    func machines() async throws {
        try await Desk.with { desk in
            let list = try await desk.run("list", "--json", "--number", "HBR-501")
            #expect(list.output == Golden.json(body: false) + "\n", "\(list.output)")
            let export = try await desk.run("export", "--number", "HBR-501")
            #expect(export.output == Golden.json(body: true) + "\n", "\(export.output)")
            let csv = try await desk.run("export", "--csv")
            #expect(csv.output == Golden.csv, "\(csv.output)")
            let groups = try await desk.run("groups", "--json", "--class", "archived")
            #expect(groups.output == Golden.groupsJSON, "\(groups.output)")
            let show = try await desk.run("show", "1", "--json")
            // Every header as it came, of each arrival.
            #expect(show.output.contains(#""headers":{"tb-id": "501", "colour": "red", "nested": {"a": [1, true]}}"#),
                "\(show.output)")
        }
    }

    @Test("of a letter that arrived and was called for a thousand times the latest are shown, and all where asked")
    func everyAttempt() async throws {
        try await Desk.with { desk in
            let id = try #require(
                try await desk.store.accept([Self.mapped("501")]).first?.id.value)
            try await desk.pool.withSession {
                try $0.script(
                    """
                    UPDATE dead_letter SET document_id = \(id) WHERE id = 1;
                    INSERT INTO dead_letter_arrival (occurrence, letter_id, replay, class, cause, attempts, headers,
                                                     arrived_at)
                    SELECT sha256(n::text::bytea), 1, n, 'archived', 'arrival ' || n, n,
                           ('{"n": "h' || n || '"}')::jsonb,
                           -- Many at one moment.
                           '2026-11-25T03:00:00Z'::timestamptz + n / 300 * interval '1 second'
                      FROM generate_series(1, 999) AS n;
                    INSERT INTO dead_letter_event (letter_id, action, author, note)
                    SELECT 1, 'came back', 'desk', 'event ' || n FROM generate_series(1, 451) AS n;
                    INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by, sent_at, outcome)
                    SELECT 'harbour', 'invoices', 'key-' || n, '', ARRAY[\(id), 7], 'w',
                           clock_timestamp() + n / 100 * interval '1 second', 'refused'
                      FROM generate_series(1, 601) AS n;
                    INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by)
                    VALUES ('harbour', 'invoices', 'of-another', '', '{7}', 'w');
                    """)
            }
            let show = try await desk.run("show", "1")
            #expect(show.lines.count { $0.contains("counted attempts") } == 50)
            #expect(show.lines.count { $0.contains("key key-") } == 20)
            #expect(show.output.contains("  … 950 more, earlier: --all shows them\n\nCalls to Xero:"), "\(show.errors)")
            for more in ["401 more", "581 more"] { #expect(show.output.contains("… \(more), earlier"), "\(more)") }
            let all = try await desk.run("show", "1", "--all")
            #expect(!all.output.contains("more, earlier") && !all.output.contains("of-another"))
            let json = try await desk.run("show", "1", "--json")
            let file = try JSON(parsing: Array(json.output.utf8))
            // Every one, once.
            let arrivals = (file["arrivals"]?.elements ?? []).compactMap { $0["cause"]?.string }
            #expect(arrivals.count == 1000 && Set(arrivals).count == 1000)
            #expect(Set((file["events"]?.elements ?? []).compactMap { $0["note"]?.string }).count == 451)
            let calls = (file["calls"]?.elements ?? []).compactMap { $0["idempotency_key"]?.string }
            #expect(calls.count == 601 && Set(calls).count == 601)
            for (words, count) in [("counted attempts", 1000), ("by desk: event ", 451), ("key key-", 601)] {
                #expect(all.lines.count { $0.contains(words) } == count, "\(words)")
            }
            for n in 1...999 { #expect(all.output.contains("\"h\(n)\"")) }
        }
    }

    /// A record that became a document, for letters that are about one.
    private static func mapped(_ id: String) -> MappedRecord {
        let day = CalendarDate(year: 2026, month: 11, day: 20)
        return MappedRecord(
            source: SourceKey(company: CompanyKey("harbour"), kind: .order, id: id), hash: hash("record \(id)"),
            body: Array("{}".utf8),
            document: NewDocument(
                organisation: OrganisationKey("harbour"), number: DocumentNumber("HBR-\(id)"), venue: "Harbour Bistro",
                contactNumber: "WALKIN-HBR", tradingDate: day, currency: "AUD", total: Money(cents: 1230),
                body: Array("{}".utf8), contentHash: hash("content \(id)"), payments: []))
    }

    @Test("letters are found by venue, day, amount and number, and by nothing that does not fit", arguments: [
        (["--venue", "Pier Cafe & Bar"], ["2"]), (["--venue", "Harbour Bistro"], ["1", "3"]),
        (["--from", "2026-11-21"], ["2"]), (["--to", "2026-11-20"], ["1", "3"]),
        (["--from", "2026-11-20", "--to", "2026-12-01"], ["1", "2", "3"]), (["--amount", "12.3"], ["1"]),
        (["--amount-min", "12.30", "--amount-max", "99"], ["1", "2"]), (["--amount-max", "0"], ["3"]),
        (["--number", "PIER-502"], ["2"]), (["--order", "503"], ["3"]), (["--class", "archived"], ["1", "2"]),
        (["--cause", "ACCOUNT 230"], ["1", "2"]), (["--organisation", "lakeside"], []), (["2", "3"], ["2", "3"]),
        (["--venue", "Harbour Bistro", "--class", "archived", "--amount-min", "1"], ["1"]),
        (["--group", "3"], ["3"]),
    ] as [([String], [String])])
    func search(_ filter: [String], _ expected: [String]) async throws {
        try await Desk.with { desk in
            let list = try await desk.run(["list", "--json"] + filter)
            let found = list.lines.compactMap { $0.split(separator: ",").first?.split(separator: ":").last }
            #expect(found.map(String.init) == expected, "\(list.output)\(list.errors)")
            #expect(list.status == (expected.isEmpty ? 3 : 0))
        }
    }

    @Test("exit statuses are those the help says: 0, 1, 3, 4 and 64")
    func statuses() async throws {
        try await Desk.with { desk in
            let help = try await Program.run("tillbridge", ["dead-letters", "--help"], environment: desk.environment)
                .output.split { $0.isWhitespace }.joined(separator: " ")
            for words in [
                "0 done; 1 it could not be done", "3 no letter matches", "4 some letters were passed over",
                "64 the command was written wrong",
            ] {
                #expect(help.contains(words), "\(words) in \(help)")
            }
            #expect(try await desk.run("show", "1").status == 0)
            #expect(try await desk.run("show", "99").status == 3)
            #expect(try await desk.run("replay", "--venue", "Nowhere").status == 3)
            #expect(try await desk.run("replay").status == 64)
            #expect(try await desk.run("discard", "1").status == 64)
            #expect(try await desk.run("list", "--amount", "twelve").status == 64)
            #expect(try await desk.run("edit", "1", "--set", "id=7").status == 1)
            // Nobody sends while no handler is at work: it is said, and the letter is queued.
            let replay = try await desk.run("replay", "1")
            #expect(replay.status == 0 && replay.errors.contains("no dead-letter-handler is at work"))
            let again = try await desk.run("replay", "1", "2")
            #expect(again.status == 4, "\(again.output)")
        }
    }

    @Test("assign, edit and discard keep who did it, why, and what stood there before")
    func authors() async throws {
        try await Desk.with { desk in
            let assign = try await desk.run("assign", "--class", "archived", "--person", "ben", "--by", "cleo")
            #expect(assign.output == "2 letters assigned to ben, amount 111.30\n", "\(assign.output)")
            // Without --by it is the user of the session.
            let edit = try await desk.run("edit", "1", "--set", "total=13.20", "--reason", "digits swapped")
            #expect(edit.output == "letter 1: correction 1 is kept\n", "\(edit.output)\(edit.errors)")
            let discard = try await desk.run("discard", "2", "--reason", "booked by hand", "--by", "dora")
            #expect(discard.output == "1 letter discarded, amount 99.00\n", "\(discard.output)")
            let first = try await desk.run("show", "1").output
            for words in [
                "assigned by cleo: ben", "edited by ana: digits swapped", "assigned to  ben",
                #"{"id":501,"total":12.30}"#, #"{"id":501,"total":13.20}"#,
            ] {
                #expect(first.contains(words), "\(words) in \(first)")
            }
            let second = try await desk.run("show", "2").output
            #expect(second.contains("discarded by dora: booked by hand"), "\(second)")
            #expect(second.contains("state        discarded (discarded)"), "\(second)")
            #expect(try await desk.run("list", "--assignee", "ben").lines.count == 2)
            #expect(try await desk.run("list", "--state", "discarded", "--json").lines.count == 1)
            // A discarded letter is not sent with its group.
            let replay = try await desk.run("replay", "--group", "1")
            #expect(replay.output.hasPrefix("1 letter will be sent again"), "\(replay.output)")
            let rows = try await desk.pool.withSession {
                try $0.query("SELECT author, before, after FROM dead_letter_event WHERE action = 'edited'")
            }
            let kept = try rows.map { row in
                [try row.text("author")]
                    + (try [row.bytes("before"), row.bytes("after")].map { String(decoding: $0, as: UTF8.self) })
            }
            #expect(kept == [["ana", #"{"id":501,"total":12.30}"#, #"{"id":501,"total":13.20}"#]])
        }
    }
}

private enum Golden {
    static let list = """
        letter  group  class     state  day         venue            number    amount  cause
             1      1  archived  open   2026-11-20  Harbour Bistro   HBR-501    12.30  Account 230 is archived in Xero.
             2      1  archived  open   2026-12-01  Pier Cafe & Bar  PIER-502   99.00  Account 230 is archived in Xero.
             3      3  value     open   2026-11-20  Harbour Bistro   503        -5.00  =cmd, "total" is wrong [2J.

        """

    static let groups = """
        group 1  archived  harbour  2 letters  111.30 AUD  2 venues
          cause: Account 230 is archived in Xero.
          to do: Restore account 230, then replay.
          since 2026-11-25 13:00, last seen 2026-11-25 13:00, tried by itself from 2026-11-25 14:00
          $ tillbridge dead-letters replay --group 1 --wait

        group 3  value  harbour  1 letter  -5.00 AUD  1 venue
          cause: =cmd, "total" is wrong [2J.
          to do: Correct it.
          since 2026-11-25 13:00, last seen 2026-11-25 13:00
          $ tillbridge dead-letters edit 3 --set FIELD=VALUE --reason WHY --replay


        """

    static let show = """
        letter       1, group 1
        class        archived
        state        open
        cause        Account 230 is archived in Xero.
        to do        Restore account 230, then replay.
        organisation harbour
        company      harbour
        venue        Harbour Bistro
        day          2026-11-20
        number       HBR-501
        order        501
        amount       12.30 AUD
        came from    tillbridge.map
        first seen   2026-11-25 20:46
        last seen    2026-11-25 13:00

        How it arrived:
          2026-11-25 13:00  after 2 counted attempts: Account 230 is archived in Xero.
            headers {"tb-id": "501", "colour": "red", "nested": {"a": [1, true]}}

        Message:
          {"id":501,"total":12.30}

        """

    static let csv = #"""
        letter,group,class,state,organisation,venue,day,number,order,amount,cause,to do,assignee,outcome
        "1","1","archived","open","harbour","Harbour Bistro","2026-11-20","HBR-501","501","12.30",\#
        "Account 230 is archived in Xero.","Restore account 230, then replay.","",""
        "2","1","archived","open","harbour","Pier Cafe & Bar","2026-12-01","PIER-502","502","99.00",\#
        "Account 230 is archived in Xero.","Restore account 230, then replay.","",""
        "3","3","value","open","harbour","Harbour Bistro","2026-11-20","","503","-5.00",\#
        "'=cmd, ""total"" is wrong [2J.","Correct it.","",""

        """#

    static let groupsJSON = #"""
        [{"group":1,"class":"archived","cause":"Account 230 is archived in Xero.",\#
        "command":"tillbridge dead-letters replay --group 1 --wait","remedy":"Restore account 230, then replay.",\#
        "organisation":"harbour","open":2,"in_flight":0,"amount":111.30,"venues":2,\#
        "opened_at":"2026-11-25T02:00:00Z","last_seen":"2026-11-25T02:00:00Z","next_probe":"2026-11-25T03:00:00Z"}]

        """#

    static func json(body: Bool) -> String {
        #"{"letter":1,"group":1,"state":"open","class":"archived","cause":"Account 230 is archived in Xero.","#
            + #""remedy":"Restore account 230, then replay.","organisation":"harbour","company":"harbour","#
            + #""venue":"Harbour Bistro","order":"501","number":"HBR-501","amount":12.30,"day":"2026-11-20","#
            + #""came_from":"tillbridge.map","attempts":2,"replays":0,"corrections":0,"#
            + #""first_seen":"2026-11-25T09:46:40Z","last_seen":"2026-11-25T02:00:00Z""#
            + (body ? #","body":"{\"id\":501,\"total\":12.30}"}"# : "}")
    }
}
