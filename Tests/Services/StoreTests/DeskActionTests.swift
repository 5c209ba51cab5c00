import Domain
import Money
import Postgres
import Store
import Testing

@Suite("What is done at the desk", .enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct DeskActionTests {
    private let interval = Duration.milliseconds(1)

    @Test("one letter of a group goes ahead; when it is through the rest follows, and the group closes")
    func heals() async throws {
        try await Desk.with("heals") { desk in
            _ = try await desk.store.keep((1...20).map { DeadLetter("\($0)") })
            try await desk.run("UPDATE dead_letter_group SET opened_at = now() - interval '1 hour'")
            #expect(try await desk.store.probe(interval).count == 1)
            #expect(try await desk.store.probe(interval).isEmpty)
            let probe = try await desk.send()
            #expect(probe.count == 1)
            try await desk.run("UPDATE dead_letter SET state = 'resolved' WHERE state = 'replaying'")
            guard case .healed(19) = try await desk.store.probe(interval).first?.outcome else {
                Issue.record("not healed")
                return
            }
            #expect(try await desk.send().count == 19)
            #expect(try await desk.store.closeGroups().isEmpty)
            try await desk.run("UPDATE dead_letter SET state = 'resolved'")
            #expect(try await desk.store.closeGroups().count == 1)
            #expect(try await desk.groups(closedToo: true)[0].closedAt != nil)
            // The cause is back: so is the group.
            _ = try await desk.store.keep([DeadLetter("99")])
            #expect(try await desk.groups().map(\.open) == [1])
        }
    }

    @Test("a letter sent ahead whose order says something else by then tells nothing of the cause: the next one goes")
    func supersededProbe() async throws {
        try await Desk.with("superseded") { desk in
            _ = try await desk.store.keep((1...3).map { DeadLetter("\($0)", seen: 100) })
            try await desk.run("UPDATE dead_letter_group SET opened_at = now() - interval '1 hour'")
            #expect(try await desk.store.probe(interval).count == 1)
            // The order was corrected at the till between the two: another record of it is here.
            try await desk.run(
                """
                INSERT INTO source_record (company, kind, id, hash, body, first_seen)
                SELECT company, source_kind, source_id, sha256('other'), 'other', first_seen + interval '1 minute'
                  FROM dead_letter WHERE state = 'queued'
                """)
            #expect(try await desk.send().isEmpty)
            let next = try await desk.store.probe(interval)
            #expect(next.count == 1)
            guard case .sent = next.first?.outcome else {
                Issue.record("the rest was sent after it: \(next)")
                return
            }
            #expect(try await desk.states() == ["resolved": 1, "open": 1, "queued": 1])
        }
    }

    @Test("a document refused again after its letter was discarded, because the till changed its order, is told")
    func refusedAfterDiscard() async throws {
        try await Desk.with("discarded") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            func refuse() async throws {
                try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
            }
            try await refuse()
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            _ = try await desk.store.discard(LetterFilter(), by: "ana", reason: "booked by hand")
            // The same letter comes once more, as a broker may hand it out: it stays discarded.
            _ = try await desk.store.keep([DeadLetter("1", document: id.value, delivery: "late")])
            #expect(try await desk.states() == ["discarded": 1])
            #expect(try await desk.store.accept([record("1", content: "second")])[0].outcome == .replaced)
            try await refuse()
            _ = try await desk.store.keep([
                DeadLetter("1", cause: "The date is locked.", deadLetterClass: .lockedPeriod, document: id.value)
            ])
            #expect(try await desk.states() == ["open": 1])
            #expect(try await desk.groups().map(\.fingerprint) == [CauseFingerprint.of("The date is locked.")])
        }
    }

    @Test("a letter on its way whose order is deleted meanwhile is closed with its document", arguments: [true, false])
    func deletedMeanwhile(isSent: Bool) async throws {
        try await Desk.with("deleted_\(isSent)") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now()")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            if isSent {
                _ = try await desk.replay()
                let mark = try #require(try await desk.send().first?.mark)
                try await desk.store.noteMapped([MappedReplay(mark: mark, document: id)])
            }
            try await desk.run("UPDATE document SET state = 'withdrawn', closed_at = now()")
            if isSent {
                #expect(try await desk.store.settleReplays().resolved == 1)
            } else {
                #expect(try await desk.store.settleOpen() == 1)
            }
            #expect(try await desk.states() == ["resolved": 1])
            #expect(try await desk.store.closeGroups().count == 1)
        }
    }

    @Test("who waits for letters waits for those alone, and counts those alone")
    func waitingForOnesOwn() async throws {
        try await Desk.with("own") { desk in
            _ = try await desk.store.keep((1...6).map { DeadLetter("\($0)") })
            var others = LetterFilter()
            others.ids = Array(try await desk.all().map(\.id).prefix(3))
            #expect(try await desk.replay(others).count == 3)
            // By a filter that means all six: three are on their way already, for somebody else.
            let mine = try await desk.replay()
            #expect(mine.count == 3 && mine.passedOver == 3)
            #expect(Set(mine.letters).isDisjoint(with: others.ids) && Set(mine.letters).count == 3)
            func resolve(_ letters: [Int64]) async throws {
                let list = letters.map(String.init).joined(separator: ",")
                try await desk.run(
                    "UPDATE dead_letter SET state = 'resolved', closed_at = now() WHERE id IN (\(list))")
            }
            try await resolve(Array(others.ids.prefix(2)))
            var outcome = try await desk.store.outcome(of: mine.letters)
            #expect(outcome.inFlight.count == 3 && outcome.resolved == 0)
            try await resolve(Array(mine.letters.prefix(2)))
            try await desk.run("UPDATE dead_letter SET state = 'open' WHERE id = \(mine.letters[2])")
            // One of the others' is still on its way.
            outcome = try await desk.store.outcome(of: mine.letters)
            #expect(outcome.inFlight.isEmpty && outcome.resolved == 2)
        }
    }

    @Test("takings whose later version was accepted, or lies on the desk, are settled; equal and earlier ones are not")
    func supersededTakings() async throws {
        try await Desk.with("takings_old") { desk in
            func letter(_ id: String, seen: Int64) -> DeadLetter {
                var letter = DeadLetter(id, seen: seen)
                letter.identity = hash("\(id) \(seen)")
                letter.occurrence = letter.identity
                letter.sourceKind = "takings"
                letter.body = Array("{\"id\":\(id),\"seen\":\(seen)}".utf8)
                return letter
            }
            func accept(_ id: String, _ body: String, seen: Int64, company: String = "harbour") async throws {
                try await desk.run(
                    """
                    INSERT INTO takings (company, id, site, day, hash, body, counted_at, first_seen)
                    VALUES ('\(company)', '\(id)', '923', '2026-11-20', sha256('\(body)'), '\(body)', now(),
                            to_timestamp(\(seen)))
                    """)
            }
            _ = try await desk.store.keep([
                letter("1", seen: 100), letter("2", seen: 100), letter("3", seen: 100), letter("4", seen: 100),
                letter("5", seen: 100), letter("5", seen: 200),
            ])
            // An order of the same number is another matter.
            _ = try await desk.store.keep([DeadLetter("1", seen: 100)])
            try await accept("1", "later", seen: 150)
            try await accept("2", "earlier", seen: 50)
            try await accept("3", #"{"id":3,"seen":100}"#, seen: 150)
            try await accept("4", "later", seen: 150, company: "lakeside")
            #expect(try await desk.store.settleOpen() == 2)
            func closed() async throws -> [String] {
                try await desk.all().filter { $0.state == .resolved }.map {
                    "\($0.sourceID ?? "") \($0.firstSeen.secondsSince1970) \($0.outcome ?? "")"
                }
            }
            let outcome = "a later version of the takings takes its place"
            #expect(try await closed() == ["1 100 \(outcome)", "5 100 \(outcome)"])
            // One that a person sends at that moment is not sent.
            _ = try await desk.store.keep([letter("6", seen: 100)])
            try await accept("6", "later", seen: 150)
            var filter = LetterFilter()
            filter.order = "6"
            #expect(try await desk.replay(filter).count == 1)
            #expect(try await desk.send().isEmpty)
            #expect(try await closed().last == "6 100 \(outcome)")
        }
    }

    @Test("a probe that comes back waits twice as long each time, and an hour at most")
    func backsOff() async throws {
        try await Desk.with("backoff") { desk in
            _ = try await desk.store.keep([DeadLetter("1"), DeadLetter("2")])
            try await desk.run("UPDATE dead_letter_group SET opened_at = now() - interval '9 hours', probes = 3")
            _ = try await desk.store.probe(.seconds(60))
            let mark = try await desk.send()[0].mark
            _ = try await desk.store.keep([DeadLetter("1", mark: mark, delivery: "back")])
            _ = try await desk.store.probe(.seconds(60))
            let minutes = try await desk.pool.withSession { session in
                try session.query(
                    "SELECT round(extract(epoch FROM next_probe - now()) / 60)::bigint AS m FROM dead_letter_group"
                )[0].int("m")
            }
            #expect(minutes == 8)
            #expect(try await desk.states() == ["open": 2])
        }
    }

    @Test("a wrong value and what kills workers are never tried by themselves")
    func neverProbed() async throws {
        try await Desk.with("never") { desk in
            _ = try await desk.store.keep([
                DeadLetter("1", deadLetterClass: .value), DeadLetter("2", deadLetterClass: .unknown),
                DeadLetter("3", deadLetterClass: .parse),
            ])
            try await desk.run("UPDATE dead_letter_group SET opened_at = now() - interval '9 hours'")
            #expect(try await desk.store.probe(interval).isEmpty)
        }
    }

    @Test("a refused payment is sent again, into the account the mapping names today, after a look in the ledger")
    func payment() async throws {
        try await Desk.with("payment") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.stand()
            try await desk.run(
                "UPDATE payment SET state = CASE ordinal WHEN 0 THEN 'written' ELSE 'refused' END, cause = 'archived'")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            let letter = try await desk.all()[0]
            #expect(letter.lacks == "payment")
            #expect(letter.amount == "5.00")
            var changed = record("1")
            let payments = try #require(changed.document?.payments)
            changed.document?.payments[1] = InvoicePayment(
                account: "299", amount: payments[1].amount, date: payments[1].date, reference: "Card")
            #expect(try await desk.store.accept([changed])[0].outcome == .replaced)
            let claim = try #require(try await desk.store.claim([id], lease: .seconds(60)).first?.claim)
            #expect(claim.before == .written)
            #expect(claim.payments.map(\.state) == ["written", "uncertain"])
            #expect(claim.payments.map(\.account) == ["231", "299"])
        }
    }

    @Test("an order that changed after posting sends no payment, even where one was refused")
    func changedOrder() async throws {
        try await Desk.with("changed") { desk in
            _ = try await desk.store.accept([record("1")])
            try await desk.stand()
            try await desk.run("UPDATE payment SET state = 'refused'")
            let outcome = try await desk.store.accept([record("1", content: "second")])[0].outcome
            #expect(outcome == .conflict(.written, total: "10.00"))
            let states = try await desk.pool.withSession { session in
                try session.query("SELECT DISTINCT state FROM payment").map { try $0.text("state") }
            }
            #expect(states == ["refused"])
        }
    }

    @Test("where the ledger lacks nothing there is nothing to send again")
    func nothingToSend() async throws {
        try await Desk.with("nothing") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.stand()
            try await desk.run("UPDATE payment SET state = 'written'")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            let touched = try await desk.replay()
            #expect(touched.count == 0)
            #expect(touched.passedOver == 1)
            #expect(try await desk.store.settleOpen() == 0)
        }
    }

    @Test("a document whose record is gone goes straight to its writers, its refused payments in doubt")
    func straight() async throws {
        try await Desk.with("straight") { desk in
            let id = try await desk.store.accept([record("1")])[0].id
            try await desk.run("UPDATE document SET state = 'refused', closed_at = now(); DELETE FROM source_record")
            _ = try await desk.store.keep([DeadLetter("1", document: id.value)])
            _ = try await desk.replay()
            let sent = try await desk.send()
            #expect(sent.map(\.route) == [.write(OrganisationKey("harbour"), document: id.value)])
            #expect(try await desk.store.claim([id], lease: .seconds(9)).first?.claim?.before == .ready)
        }
    }

    @Test("a correction and its author are kept, the original beside it; the replay sends it as the newer one")
    func edit() async throws {
        try await Desk.with("edit") { desk in
            _ = try await desk.store.keep([DeadLetter("1", seen: 100)])
            let letter = try await desk.all()[0].id
            let payload = try #require(try await desk.store.payload(of: letter))
            try await desk.store.edit(payload, to: [1, 2], by: "ana", reason: "typed wrong")
            await #expect(throws: DeskRefusal.self) {
                try await desk.store.edit(payload, to: [3], by: "ben", reason: nil)
            }
            _ = try await desk.replay()
            let sent = try await desk.send()
            #expect(sent[0].body == [1, 2])
            #expect(sent[0].firstSeen == Instant(microseconds: 100_000_001))
            let row = try await desk.pool.withSession {
                try $0.query("SELECT author, note, before, after FROM dead_letter_event WHERE action = 'edited'")[0]
            }
            #expect(try row.text("author") == "ana")
            #expect(try row.text("note") == "typed wrong")
            #expect(try row.bytes("before") == Array("{\"id\":1}".utf8))
            #expect(try row.bytes("after") == [1, 2])
        }
    }

    @Test("what was done can be neither changed nor deleted")
    func onlyGrows() async throws {
        try await Desk.with("grows") { desk in
            _ = try await desk.store.keep([DeadLetter("1")])
            _ = try await desk.replay()
            for sql in ["UPDATE dead_letter_event SET author = 'x'", "DELETE FROM dead_letter_event",
                "TRUNCATE dead_letter_event"] {
                await #expect(throws: PostgresError.self) { try await desk.run(sql) }
            }
        }
    }

    @Test("letters are found by venue, day, amount, number, order, class, person and words of the cause")
    func search() async throws {
        try await Desk.with("search") { desk in
            var other = DeadLetter("2", cause: "Locked until 30 June.", deadLetterClass: .lockedPeriod)
            other.venue = "Pier"
            other.number = "PIER-2"
            other.amount = "99.00"
            other.businessDate = CalendarDate(year: 2026, month: 12, day: 1)
            _ = try await desk.store.keep([DeadLetter("1"), other])
            let edits: [(inout LetterFilter) -> Void] = [
                { $0.venue = "Pier" }, { $0.number = "PIER-2" }, { $0.amountMin = "50" }, { $0.order = "2" },
                { $0.from = CalendarDate(year: 2026, month: 11, day: 21) }, { $0.deadLetterClass = .lockedPeriod },
                { $0.text = "locked UNTIL" },
            ]
            for edit in edits {
                var filter = LetterFilter()
                edit(&filter)
                let found = try await desk.store.letters(filter, after: 0, limit: 10, withBodies: false)
                #expect(found.map(\.sourceID) == ["2"], "\(filter)")
            }
            var filter = LetterFilter()
            filter.venue = "Pier"
            _ = try await desk.store.assign(filter, to: "ben", by: "ana")
            filter = LetterFilter()
            filter.assignee = "ben"
            let preview = try await desk.store.preview(filter, forReplay: true)
            #expect(preview.count == 1)
            #expect(preview.amount == "99.00")
        }
    }
}
