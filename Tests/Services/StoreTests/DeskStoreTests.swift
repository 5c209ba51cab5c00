import Domain
import Money
import Postgres
import Store
import Testing

@Suite("The desk's tables", .enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DeskStoreTests {
    @Test("a letter delivered twice is one letter; hostile text in it is kept, NUL replaced")
    func twice() async throws {
        try await Desk.with("twice") { desk in
            var letter = DeadLetter("1", cause: "quote \" brace { comma , back\\slash \0 end")
            letter.body = [0, 255]
            letter.venue = "Pier, Cafe"
            #expect(try await desk.store.keep([letter, letter]) == (1, 0))
            #expect(try await desk.store.keep([letter]) == (0, 0))
            let row = try await desk.pool.withSession { try $0.query("SELECT cause, body, venue FROM dead_letter")[0] }
            #expect(try row.text("cause") == "quote \" brace { comma , back\\slash \u{FFFD} end")
            #expect(try row.bytes("body") == [0, 255])
            #expect(try row.text("venue") == "Pier, Cafe")
        }
    }

    @Test("letters of one cause are one group, those of another organisation or class are not")
    func groups() async throws {
        try await Desk.with("groups") { desk in
            var other = DeadLetter("900")
            other.organisation = OrganisationKey("lakeside")
            _ = try await desk.store.keep((1...50).map { DeadLetter("\($0)", cause: "Invoice HBR-\($0) is refused.") })
            _ = try await desk.store.keep([other, DeadLetter("901", deadLetterClass: .mapping)])
            let groups = try await desk.groups()
            #expect(groups.count == 3)
            #expect(groups[0].open == 50)
            #expect(groups[0].amount == "615.00")
        }
    }

    @Test("of two people who replay the same letters at the same moment, one sends each letter; in flight it stays put")
    func inFlight() async throws {
        try await Desk.with("flight") { desk in
            _ = try await desk.store.keep((1...200).map { DeadLetter("\($0)") })
            let counts = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<4 { group.addTask { try await desk.replay().count } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(counts.reduce(0, +) == 200)
            let taken = try await withThrowingTaskGroup(of: [Replay].self) { group in
                for _ in 0..<3 { group.addTask { try await desk.store.takeQueued(100) } }
                return try await group.reduce(into: []) { $0 += $1 }
            }
            #expect(Set(taken.map(\.mark.letter)).count == taken.count)
            let again = try await desk.replay()
            #expect(again.count == 0)
            #expect(again.passedOver == 200)
        }
    }

    @Test("a handler that died between taking and publishing leaves its letters to the next one, after a minute")
    func diedBetween() async throws {
        try await Desk.with("died") { desk in
            _ = try await desk.store.keep([DeadLetter("1"), DeadLetter("2")])
            _ = try await desk.replay()
            #expect(try await desk.store.takeQueued(1).count == 1)
            #expect(try await desk.send().count == 1)
            #expect(try await desk.store.takeQueued(10).isEmpty)
            try await desk.run("UPDATE dead_letter SET taken_at = now() - interval '61 seconds'")
            let late = try await desk.send()
            #expect(late.map(\.mark) == [LetterMark(letter: late[0].mark.letter, replay: 1)])
            #expect(try await desk.store.takeQueued(10).isEmpty)
        }
    }

    @Test("what comes back is the same letter with its new cause; an answer to an earlier replay changes nothing")
    func cameBack() async throws {
        try await Desk.with("back") { desk in
            _ = try await desk.store.keep([DeadLetter("1")])
            _ = try await desk.replay()
            let mark = try await desk.send()[0].mark
            let back = DeadLetter("1", cause: "Another.", deadLetterClass: .mapping, mark: mark, delivery: "b")
            #expect(try await desk.store.keep([back]) == (0, 1))
            #expect(try await desk.store.keep([back]) == (0, 0))
            let letters = try await desk.all()
            #expect(letters.map(\.cause) == ["Another."])
            #expect(letters[0].state == .open)
            #expect(try await desk.groups().map(\.deadLetterClass) == ["mapping"])
            _ = try await desk.replay()
            _ = try await desk.send()
            // The first replay's message, delivered a second time by other headers.
            let stale = DeadLetter("1", cause: "Old.", mark: mark, delivery: "c")
            #expect(try await desk.store.keep([stale]) == (0, 0))
            #expect(try await desk.states() == ["replaying": 1])
        }
    }

    @Test("without a mark: an open letter has its latest cause, one in flight waits, a discarded one stays so")
    func unmarked() async throws {
        try await Desk.with("unmarked") { desk in
            _ = try await desk.store.keep(["1", "2", "3"].map { DeadLetter($0) })
            let letters = try await desk.all()
            var filter = LetterFilter()
            filter.ids = [letters[1].id]
            _ = try await desk.replay(filter)
            filter.ids = [letters[2].id]
            _ = try await desk.store.discard(filter, by: "ana", reason: "booked by hand")
            _ = try await desk.store.keep(["1", "2", "3"].map { DeadLetter($0, cause: "New.", delivery: "x") })
            let after = try await desk.all()
            #expect(after.map(\.cause) == ["New.", "The account is archived.", "The account is archived."])
            #expect(after.map(\.state) == [.open, .queued, .discarded])
        }
    }

    @Test("a letter is resolved when its document stands and is paid, not before and not when a payment is refused")
    func settles() async throws {
        try await Desk.with("settles") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now(), cause = 'no'")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            _ = try await desk.replay()
            let sent = try await desk.send()
            guard case .map(_, _, "1") = sent[0].route else {
                Issue.record("\(sent[0].route)")
                return
            }
            // Not mapped yet: that it is refused is the old news.
            try await desk.run("UPDATE document SET closed_at = now() - interval '1 hour'")
            #expect(try await desk.store.settleReplays().returned == 0)
            #expect(try await desk.store.accept([record("1")])[0].outcome == .replaced)
            try await desk.store.noteMapped([MappedReplay(mark: sent[0].mark, document: id)])
            #expect(try await desk.store.settleReplays().resolved == 0)
            try await desk.stand()
            try await desk.run("UPDATE payment SET state = CASE ordinal WHEN 0 THEN 'written' ELSE 'refused' END")
            #expect(try await desk.store.settleReplays().resolved == 0)
            try await desk.run("UPDATE payment SET state = 'written'")
            #expect(try await desk.store.settleReplays().resolved == 1)
            #expect(try await desk.store.closeGroups().count == 1)
        }
    }

    @Test("a refusal whose letter was never sent opens its letter again from the document, after half a minute")
    func lostLetter() async throws {
        try await Desk.with("lost") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            _ = try await desk.replay()
            let mark = try await desk.send()[0].mark
            try await desk.store.noteMapped([MappedReplay(mark: mark, document: id)])
            #expect(try await desk.store.settleReplays().returned == 0)
            try await desk.run("UPDATE document SET cause = 'locked', closed_at = now() - interval '31 seconds'")
            #expect(try await desk.store.settleReplays().returned == 1)
            #expect(try await desk.all().map(\.cause) == ["locked"])
        }
    }

    @Test("an old version of an order is not sent once a later one lies on the desk or was accepted")
    func outdated() async throws {
        try await Desk.with("outdated") { desk in
            var first = DeadLetter("1", seen: 100)
            first.identity = hash("first version")
            _ = try await desk.store.keep([first, DeadLetter("1", delivery: "later", seen: 200)])
            #expect(try await desk.replay().count == 2)
            #expect(try await desk.send().map(\.firstSeen) == [Instant(secondsSince1970: 200)])
            #expect(try await desk.states() == ["resolved": 1, "replaying": 1])
            _ = try await desk.store.keep([DeadLetter("2", seen: 100)])
            var accepted = record("2")
            accepted.firstSeen = Instant(secondsSince1970: 300)
            _ = try await desk.store.accept([accepted])
            #expect(try await desk.store.settleOpen() == 1)
        }
    }

    @Test("a version that lay on the desk does not win over one that came later, whatever the order they are mapped in")
    func versions() async throws {
        try await Desk.with("versions") { desk in
            var later = record("1", cents: 2000, content: "later")
            later.firstSeen = Instant(secondsSince1970: 200)
            var earlier = record("1", cents: 1000, content: "earlier")
            earlier.firstSeen = Instant(secondsSince1970: 100)
            _ = try await desk.store.accept([later])
            #expect(try await desk.store.accept([earlier])[0].outcome == .stale)
            let rows = try await desk.pool.withSession { try $0.query("SELECT total FROM document") }
            let total = try rows[0].numeric("total")
            #expect(total == "20.00")
        }
    }
}
