import Domain
import Money
import Postgres
import Store
import Testing

/// What a person made of a record, and what the till sends after it.
@Suite("A correction at the desk", .enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DeskEditTests {
    private func version(_ content: String, cents: Int64, seen: Int64) -> MappedRecord {
        var record = record("1", cents: cents, content: content)
        record.firstSeen = Instant(secondsSince1970: seen)
        return record
    }

    /// An order of which Xero refused version one, with its letter.
    private func refused(_ desk: Desk) async throws -> Int64 {
        let id = try await desk.store.accept([version("first", cents: 1230, seen: 100)])[0].id
        try await desk.run("UPDATE document SET state = 'refused', closed_at = now(), cause = 'archived'")
        _ = try await desk.store.keep([DeadLetter("1", document: id.value, seen: 100)])
        return try await desk.all()[0].id
    }

    private func edit(_ desk: Desk, _ letter: Int64, to text: String) async throws {
        let payload = try #require(try await desk.store.payload(of: letter))
        try await desk.store.edit(payload, to: Array(text.utf8), by: "ana", reason: "typed wrong")
    }

    @Test("made of an earlier version than the till's latest is not sent, the latest is; what was done stays")
    func superseded() async throws {
        try await Desk.with("edit_old") { desk in
            let letter = try await refused(desk)
            try await edit(desk, letter, to: "corrected")
            #expect(try await desk.store.letter(letter)?.isEditSuperseded == false)
            // The till corrects the order, Xero refuses that too: the same letter, with its edit.
            #expect(
                try await desk.store.accept([version("second", cents: 2000, seen: 200)])[0].outcome == .replaced)
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
            #expect(String(decoding: try #require(await desk.store.payload(of: letter)).body, as: UTF8.self)
                == "record 1 second")
            _ = try await desk.replay()
            let sent = try await desk.send()
            #expect(sent.map { String(decoding: $0.body, as: UTF8.self) } == ["record 1 second"])
            #expect(sent.map(\.firstSeen) == [Instant(secondsSince1970: 200)])
            let file = try #require(try await desk.store.letter(letter))
            #expect(file.isEditSuperseded && file.editedBody == Array("corrected".utf8))
            let events = try await desk.store.events(of: letter, after: nil, limit: 10)
            #expect(events.map(\.action).sorted() == ["edited", "replayed"])
            var exported = LetterFilter()
            exported.states = LetterState.allCases
            let bodies = try await desk.store.letters(exported, after: 0, limit: 9, withBodies: true).map(\.body)
            #expect(bodies == [Array("{\"id\":1}".utf8)])
        }
    }

    @Test("made of the till's latest version is sent, as often as asked for, and counts as just newer than that")
    func latest() async throws {
        try await Desk.with("edit_new") { desk in
            let letter = try await refused(desk)
            _ = try await desk.store.accept([version("second", cents: 2000, seen: 200)])
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
            try await edit(desk, letter, to: "corrected")
            var moments: [Instant] = []
            for turn in 0..<2 {
                _ = try await desk.replay()
                let sent = try await desk.send()
                #expect(sent.map { String(decoding: $0.body, as: UTF8.self) } == ["corrected"])
                let seen = try #require(sent.first?.firstSeen)
                moments.append(seen)
                // Accepted, and refused by Xero once more: that is no version of the till's.
                var corrected = version("corrected", cents: 2100, seen: 0)
                corrected.firstSeen = seen
                _ = try await desk.store.accept([corrected])
                try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
                let back = DeadLetter("1", document: 1, mark: sent[0].mark, delivery: "back \(turn)")
                _ = try await desk.store.keep([back])
            }
            #expect(moments == [Instant(microseconds: 200_000_001), Instant(microseconds: 200_000_001)])
            // A second correction is made of the first, and newer.
            try await edit(desk, letter, to: "corrected again")
            _ = try await desk.replay()
            let last = try await desk.send()
            #expect(last.map { String(decoding: $0.body, as: UTF8.self) } == ["corrected again"])
            #expect(try #require(last.first).firstSeen > moments[1])
        }
    }

    @Test("of a record that was never mapped is closed with its letter when the till's later version went through")
    func neverMapped() async throws {
        try await Desk.with("edit_parked") { desk in
            _ = try await desk.store.keep([DeadLetter("1", seen: 100)])
            let letter = try await desk.all()[0].id
            try await edit(desk, letter, to: "corrected")
            #expect(try await desk.store.settleOpen() == 0)
            // The correction itself went through another way, such as a replay whose note was lost: no later version.
            var corrected = version("corrected", cents: 1230, seen: 0)
            corrected.firstSeen = Instant(microseconds: 100_000_001)
            _ = try await desk.store.accept([corrected])
            #expect(try await desk.store.settleOpen() == 0)
            _ = try await desk.store.accept([version("second", cents: 2000, seen: 200)])
            _ = try await desk.replay()
            #expect(try await desk.send().isEmpty)
            #expect(try await desk.all().map(\.outcome) == ["a later version of the order takes its place"])
        }
    }

    @Test("of an order that is in the books says so, whichever letter it is about: its site must stay")
    func inTheBooks() async throws {
        try await Desk.with("edit_site") { desk in
            _ = try await desk.store.keep([DeadLetter("1"), DeadLetter("2"), DeadLetter("3"), DeadLetter("4")])
            let letters = try await desk.all().sorted { ($0.sourceID ?? "") < ($1.sourceID ?? "") }.map(\.id)
            func isBooked(_ index: Int) async throws -> Bool {
                try #require(try await desk.store.payload(of: letters[index])).isBooked
            }
            for index in letters.indices { #expect(try await !isBooked(index)) }
            // A version of it was booked; its letter is about another version, and has no document.
            _ = try await desk.store.accept([version("first", cents: 1230, seen: 50)])
            try await desk.stand()
            #expect(try #require(try await desk.store.payload(of: letters[0])).accepted == Array("record 1 first".utf8))
            // In its day's summary; and a record that was pruned, whose document has the letter's number.
            try await desk.run(
                """
                INSERT INTO posting_claim (company, source_id, route, organisation, number)
                VALUES ('harbour', '2', 'summary', 'harbour', 'HBR-2');
                UPDATE dead_letter SET number = 'HBR-1' WHERE id = \(letters[2]);
                """)
            #expect(try await [isBooked(0), isBooked(1), isBooked(2), isBooked(3)] == [true, true, true, false])
        }
    }
}
