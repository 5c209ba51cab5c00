import HTTP
import JSON
import Kounta
import Logging
import Postgres
import Store
import Testing

@testable import Polling

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(3)))
struct WritingBackTests {
    @Test("a customer's contact id is written once, and looked at again only when there is another")
    func once() async throws {
        try await TillWorld.with("once") { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            try await world.sell(to: 162_003, contact: "x-3")
            try await work.look(rules)
            try await work.look(rules)
            #expect(try await world.reference(of: 162_003) == "x-3")
            #expect(try await world.puts(of: 162_003) == 1)
            #expect(try await world.outcomes() == ["162003": "written"])
            // What we wrote is ours: it follows the contact.
            try await world.store.link("162003", to: "x-merged", in: TillWorld.organisation)
            try await work.look(rules)
            #expect(try await world.reference(of: 162_003) == "x-merged")
            #expect(try await world.puts(of: 162_003) == 2)
        }
    }

    @Test("without rules nothing is asked of the till, whatever is due")
    func off() async throws {
        try await TillWorld.with("off") { world in
            try await world.sell(to: 162_003, contact: "x-3")
            try await world.writingBack().look(TillWorld.rules(""))
            let calls = try await world.call(.get, "/_control/counters")?["total"]?.integer
            #expect(calls == 0)
            #expect(try await world.outcomes() == ["162003": "none due"])
        }
    }

    @Test("somebody else's value is left and told once, until a rule says overwrite")
    func foreign() async throws {
        try await TillWorld.with("foreign") { world in
            let work = try world.writingBack()
            try await world.set("POS-7", of: 162_003)
            try await world.sell(to: 162_003, contact: "x-3")
            try await work.look(TillWorld.rules(TillWorld.byID))
            #expect(try await world.outcomes() == ["162003": "foreign"])
            try await world.store.link("162003", to: "x-4", in: TillWorld.organisation)
            try await work.look(TillWorld.rules(TillWorld.byID))
            #expect(try await world.reference(of: 162_003) == "POS-7")
            #expect(world.lines.lines(.warning).count == 1, "\(world.lines.lines(.warning))")
            #expect(try await world.store.tillWritesLeft(of: TillWorld.company) == [.foreign: 1])
            try await work.look(TillWorld.rules(
                "write_back: [{set: {reference_id: \"{contact_id}\"}, overwrite: true}]"))
            #expect(try await world.reference(of: 162_003) == "x-4")
            #expect(try await world.store.tillWritesLeft(of: TillWorld.company).isEmpty)
        }
    }

    @Test("an answer that was lost after the till had carried it out is no second write, nor somebody else's value")
    func lostAnswer() async throws {
        try await TillWorld.with("lost") { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            try await world.sell(to: 162_003, contact: "x-3")
            try await world.fault("PUT", #"{"drop":"after"}"#, count: 1)
            await #expect(throws: KountaError.self) { try await work.look(rules) }
            #expect(try await world.reference(of: 162_003) == "x-3")
            #expect(try await world.outcomes() == ["162003": "none due"])
            // Meanwhile the contact became another: the value that may have arrived is known as ours.
            try await world.store.link("162003", to: "x-4", in: TillWorld.organisation)
            try await world.makeEverythingDue()
            try await work.look(rules)
            #expect(try await world.reference(of: 162_003) == "x-4")
            #expect(try await world.outcomes() == ["162003": "written"])
            #expect(try await world.puts(of: 162_003) == 2)
        }
    }

    @Test("a customer who was deleted is noted, and tried again with the next document only")
    func gone() async throws {
        try await TillWorld.with("gone") { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            _ = try await world.call(.delete, "/_control/customers/162003")
            try await world.sell(to: 162_003, contact: "x-3")
            for _ in 0..<3 { try await work.look(rules) }
            #expect(try await world.outcomes() == ["162003": "gone"])
            let calls = try await world.call(.get, "/_control/counters")?["calls"]
            #expect(calls?.members.map(\.value.integer) == [1])
        }
    }

    @Test("what Kounta refuses is left at once, what it cannot do now waits, and neither holds up another customer")
    func refused() async throws {
        try await TillWorld.with("refused") { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            try await world.sell(to: 162_003, contact: "x-3", order: "1")
            try await world.sell(to: 162_004, contact: "x-4", order: "2")
            try await world.fault("PUT", #"{"status":422,"body":{"error":"invalid"}}"#, count: 1)
            try await work.look(rules)
            #expect(try await world.outcomes() == ["162003": "refused", "162004": "written"])
            #expect(world.lines.lines(.warning).count == 1)
            // A new document of theirs is a new try; the till is out of order meanwhile.
            try await world.sell(to: 162_003, contact: "x-3", order: "3")
            try await world.fault("GET", #"{"status":503}"#, count: 1)
            await #expect(throws: KountaError.self) { try await work.look(rules) }
            #expect(try await world.outcomes()["162003"] == "refused due")
            try await world.makeEverythingDue()
            try await work.look(rules)
            #expect(try await world.reference(of: 162_003) == "x-3")
        }
    }

    @Test("a used-up limit counts against nobody, and is waited for as the header says")
    func limit() async throws {
        try await TillWorld.with("limit") { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            try await world.sell(to: 162_003, contact: "x-3")
            try await world.fault(
                "GET", #"{"status":429,"body":"Limit exceeded","headers":{"Retry-After":"1"}}"#, count: 1)
            await #expect(throws: KountaError.self) { try await work.look(rules) }
            let before = try await world.pool.withSession { try $0.query("SELECT attempts FROM till_write")[0] }
            #expect(try before.int("attempts") == 0)
            // The budget that the poller's own calls go through is parked: the next call waits for its end.
            try await work.look(rules)
            #expect(try await world.reference(of: 162_003) == "x-3")
        }
    }

    @Test("where a PUT empties what it does not name, one customer is told of and no other one is risked")
    func altered() async throws {
        try await TillWorld.with("altered", replaces: true) { world in
            let (work, rules) = (try world.writingBack(), try TillWorld.rules(TillWorld.byID))
            try await world.sell(to: 162_003, contact: "x-3", order: "1")
            try await world.sell(to: 162_004, contact: "x-4", order: "2")
            for _ in 0..<3 { try await work.look(rules) }
            #expect(try await world.outcomes() == ["162003": "altered", "162004": "none due"])
            #expect(try await world.puts(of: 162_004) == 0)
            let told = world.lines.lines(.error)
            #expect(told.count == 1 && told[0].contains("first_name") && told[0].contains("write_back"), "\(told)")
            // Somebody changed a rule: it is tried again, and the same is seen again, on one customer.
            try await work.look(TillWorld.rules(
                "write_back: [{name: anew, set: {reference_id: \"{contact_number}\"}}]"))
            #expect(world.lines.lines(.error).count == 2)
        }
    }

    @Test("takings of a posted day are marked once; those that somebody marked are left; a venue without a rule, too")
    func takings() async throws {
        try await TillWorld.with("takings") { world in
            let work = try world.writingBack()
            let rules = try TillWorld.rules(
                "write_back: [{for: takings, when: {venue: Harbour Bistro}, set: {processed: true}}]")
            let rows = try await world.call(.get, "/v1/companies/162/sites/923/reconciliations.json")?.elements ?? []
            let ids = rows.prefix(3).compactMap { $0["id"]?.integer }
            try #require(ids.count == 3)
            _ = try await world.call(
                .put, "/v1/companies/162/reconciliations/\(ids[1]).json", #"{"processed":true}"#)
            for (id, venue) in zip(ids, ["Harbour Bistro", "Harbour Bistro", "Another"]) {
                try await world.post(takings: id, venue: venue)
            }
            try await work.look(rules)
            try await work.look(rules)
            #expect(
                try await world.outcomes() == [
                    "\(ids[0])": "written", "\(ids[1])": "stands", "\(ids[2])": "unruled",
                ])
            let marked = try await world.call(.get, "/_control/written")?["takings"]?.elements ?? []
            #expect(Set(marked.map { [$0["id"]?.integer, $0["puts"]?.integer] }) == [[ids[0], 1], [ids[1], 1]])
        }
    }

    @Test("the course of a failure is a value: bounded, ever later, and not about what is nobody's fault")
    func remedies() {
        typealias Work = WritingBack
        #expect(Work.remedy(for: KountaError.rateLimited, attempts: 0) == .wait)
        #expect(Work.remedy(for: KountaError.noToken("x"), attempts: 99) == .wait)
        #expect(
            Work.remedy(for: KountaError.unreachable("x"), attempts: 0) == .again(.seconds(60), endsLook: true))
        #expect(
            Work.remedy(for: KountaError.answered(status: 503, path: "/"), attempts: 3)
                == .again(.seconds(480), endsLook: true))
        #expect(
            Work.remedy(for: KountaError.answered(status: 409, path: "/"), attempts: 10)
                == .again(.seconds(21_600), endsLook: false))
        #expect(Work.remedy(for: KountaError.answered(status: 422, path: "/"), attempts: 0) == .giveUp(.refused))
        #expect(Work.remedy(for: UnkeptWrite(id: "1"), attempts: 11) == .giveUp(.failed))
        #expect(Work.remedy(for: KountaError.notFound, attempts: 0) == .again(.seconds(60), endsLook: false))
    }
}

extension TillWorld {
    /// Takings in a day all of whose documents stand in the ledger.
    fileprivate func post(takings id: Int64, venue: String) async throws {
        _ = try await pool.withSession { session in
            try session.script(
                """
                INSERT INTO venue_day (company, site, day, organisation, venue, mode, state, closed_at)
                VALUES ('harbour', '\(venue == "Another" ? "985" : "923")', date '1970-01-01' + \(id / 10_000),
                        'harbour', '\(venue)', 'daily_summary', 'posted', now());
                INSERT INTO takings (company, id, site, day, hash, body, counted_at, first_seen)
                VALUES ('harbour', '\(id)', '\(venue == "Another" ? "985" : "923")',
                        date '1970-01-01' + \(id / 10_000), sha256('\(id)'), '', now(), now());
                INSERT INTO till_write (company, kind, id, organisation, seen_at)
                VALUES ('harbour', 'takings', '\(id)', 'harbour', now());
                """)
        }
    }
}
