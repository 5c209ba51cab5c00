import Credentials
import HTTP
import Postgres
import Settings
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct RenewalTests {
    @Test("eight processes that need a renewal at once make exactly one call and use one pair")
    func race() async throws {
        try await Surroundings.with("race") { world in
            var processes: [Process] = []
            for _ in 0..<8 { processes.append(try await world.process()) }
            try await world.leave(1, processes[0])
            // Slow enough for all of them to come while it is under way.
            try await world.fault(#"{"delayMs":400}"#)
            let tokens = try await withThrowingTaskGroup(of: String.self) { group in
                for process in processes { group.addTask { try await process.tokens.accessToken() } }
                var tokens: Set<String> = []
                for try await token in group { tokens.insert(token) }
                return tokens
            }
            #expect(tokens.count == 1)
            #expect(try await world.renewals() == 1)
            #expect(processes.reduce(0) { $0 + $1.events.renewals } == 1)
            let stored = try #require(try await processes[0].credentials.connection(Surroundings.name))
            #expect(stored.record.generation == 2 && Set([stored.pair.access.revealed]) == tokens)
        }
    }

    @Test("fifty callers of one process, and callers whose token was refused elsewhere, share one renewal")
    func callers() async throws {
        try await Surroundings.with("callers") { world in
            let (one, other) = (try await world.process(), try await world.process())
            let old = try await one.tokens.accessToken()
            #expect(try await other.tokens.accessToken() == old)
            #expect(try await world.renewals() == 0)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<50 {
                    group.addTask {
                        let tokens = index % 2 == 0 ? one.tokens : other.tokens
                        let token = try await tokens.accessToken(insteadOf: old)
                        #expect(token != old)
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await world.renewals() == 1)
        }
    }

    @Test("an answer that was lost is fetched with the same refresh token, and nobody notices")
    func lostOnce() async throws {
        try await Surroundings.with("lost") { world in
            let process = try await world.process()
            try await world.leave(1, process)
            try await world.fault(#"{"drop":"after"}"#, count: 1)
            let token = try await process.tokens.accessToken()
            #expect(try await world.renewals() == 2)
            let stored = try #require(try await process.credentials.connection(Surroundings.name))
            #expect(stored.pair.access.revealed == token && stored.record.generation == 2)
            #expect(stored.record.unansweredSince == nil && stored.record.death == nil)
        }
    }

    @Test("a service that answers nothing for a quarter of an hour costs nothing but the wait")
    func lostForAWhile() async throws {
        try await Surroundings.with("while") { world in
            let process = try await world.process()
            try await world.leave(1, process)
            try await world.fault(#"{"drop":"after"}"#)
            let trouble = try #require(await process.tokens.trouble())
            #expect(!trouble.needsPerson)
            #expect(try await world.renewals() == 3)
            let since = try await process.credentials.connection(Surroundings.name)?.record.unansweredSince
            #expect(since != nil)
            world.time.advance(seconds: 15 * 60)
            _ = try await world.control(.delete, "faults")
            // Another process: the refresh token that was sent is in the store, not in somebody's memory.
            let other = try await world.process()
            _ = try await other.tokens.accessToken()
            #expect(try await world.renewals() == 4)
        }
    }

    @Test("an answer lost for longer than half an hour ends the connection, and the reason says so")
    func lostTooLong() async throws {
        try await Surroundings.with("toolong") { world in
            let process = try await world.process()
            try await world.leave(1, process)
            try await world.fault(#"{"drop":"after"}"#)
            #expect(await process.tokens.trouble()?.needsPerson == false)
            world.time.advance(seconds: 30 * 60 + 1)
            _ = try await world.control(.delete, "faults")
            let trouble = try #require(await process.tokens.trouble())
            #expect(trouble.needsPerson && trouble.description.contains("never answered"))
            #expect(trouble.description.contains("`tillbridge connect xero`"))
            #expect(process.events.deaths.count == 1)
        }
    }

    @Test("a revoked connection is dead for every process, told once in each, and lives again when a person connects")
    func revoked() async throws {
        try await Surroundings.with("revoked") { world in
            let (one, other) = (try await world.process(), try await world.process())
            try await world.leave(1, one)
            try await world.change(#""revokeTokens":true"#)
            for process in [one, other, one, other] {
                let trouble = try #require(await process.tokens.trouble())
                #expect(trouble.needsPerson && trouble.description.contains("dead since"))
            }
            #expect(one.events.deaths.count == 1 && other.events.deaths.count == 1)
            // One question to the service; the others read the answer in the store.
            #expect(try await world.renewals() == 1)
            try await world.connect(one)
            for process in [one, other] {
                _ = try await process.tokens.accessToken()
                #expect(process.events.all.contains { if case .revived = $0 { true } else { false } })
            }
        }
    }

    @Test("a refused refresh token is no death where another pair was stored meanwhile")
    func refusedButReplaced() async throws {
        try await Surroundings.with("replaced") { world in
            let process = try await world.process()
            let other = try await world.process()
            let stored = try #require(try await other.credentials.connection(Surroundings.name))
            try await world.leave(1, process)
            try await world.fault(#"{"status":400,"body":{"error":"invalid_grant"},"delayMs":500}"#, count: 1)
            async let token = process.tokens.accessToken()
            try await wait("the renewal to be under way") {
                try await other.credentials.connection(Surroundings.name)?.record.unansweredSince != nil
            }
            try await storeMeanwhile(other, stored.pair.refresh, world)
            #expect(try await token == "stored meanwhile")
            #expect(process.events.deaths.isEmpty)
        }
    }

    /// As a process does whose lock was lost with its connection: past the lock, under the next generation.
    private func storeMeanwhile(_ process: Process, _ refresh: Secret, _ world: Surroundings) async throws {
        let pair = TokenPair(access: Secret("stored meanwhile"), refresh: refresh)
        let sealed = try KeyRing(parsing: world.keys).seal(pair, Surroundings.name, clientID: "app", generation: 2)
        try await process.pool.withSession { session in
            try session.execute(
                """
                UPDATE credential SET sealed = $1, generation = 2, renewed_at = clock_timestamp(),
                                      access_ends = clock_timestamp() + interval '1800 seconds'
                """, [.bytes(sealed.bytes)])
        }
    }

    @Test("a pair that comes late, after another was stored, neither overwrites that one nor is used")
    func late() async throws {
        try await Surroundings.with("late") { world in
            let (process, other) = (try await world.process(), try await world.process())
            let stored = try #require(try await other.credentials.connection(Surroundings.name))
            try await world.leave(1, process)
            try await world.fault(#"{"delayMs":500}"#, count: 1)
            async let token = process.tokens.accessToken()
            try await wait("the renewal to be under way") {
                try await other.credentials.connection(Surroundings.name)?.record.unansweredSince != nil
            }
            try await storeMeanwhile(other, stored.pair.refresh, world)
            #expect(try await token == "stored meanwhile")
            #expect(process.events.renewals == 0)
            let kept = try #require(try await other.credentials.connection(Surroundings.name))
            #expect(kept.pair.access.revealed == "stored meanwhile" && kept.record.generation == 2)
        }
    }

    @Test("a pair that cannot be stored is not used, and the next attempt sends the old refresh token again")
    func storedBeforeUse() async throws {
        try await Surroundings.with("before") { world in
            let process = try await world.process()
            try await world.leave(1, process)
            try await world.sql(
                """
                CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
                    'BEGIN IF new.generation > old.generation THEN RAISE ''no room''; END IF; RETURN new; END';
                CREATE TRIGGER refuse BEFORE UPDATE ON credential FOR EACH ROW EXECUTE FUNCTION refuse();
                """, process)
            let trouble = try #require(await process.tokens.trouble())
            #expect(!trouble.needsPerson)
            try await world.sql("DROP TRIGGER refuse ON credential", process)
            let token = try await process.tokens.accessToken()
            let stored = try #require(try await process.credentials.connection(Surroundings.name))
            #expect(stored.pair.access.revealed == token && stored.record.generation == 2)
        }
    }

    @Test("a token well before its end is used as it is, one near it is renewed without a wait")
    func edges() async throws {
        try await Surroundings.with("edges") { world in
            let first = try await world.process()
            try await world.leave(301, first)
            let old = try await first.tokens.accessToken()
            #expect(try await world.renewals() == 0)
            try await wait("the renewal ahead of the end") {
                _ = try await first.tokens.accessToken()
                return try await world.renewals() == 1
            }
            try await wait("the new token") { try await first.tokens.accessToken() != old }
            // A process that comes late finds the time that is left, not a new half hour.
            let second = try await world.process()
            try await world.leave(299, first)
            let fresh = try await second.tokens.accessToken()
            #expect(fresh != old)
            #expect(try await world.renewals() == 2)
        }
    }

    @Test("while the identity service is away, a token that is still good is used; after its end the wait is told")
    func identityAway() async throws {
        try await Surroundings.with("away") { world in
            let process = try await world.process()
            try await world.leave(301, process)
            let old = try await process.tokens.accessToken()
            try await world.fault(#"{"status":503}"#)
            try await wait("a renewal that fails") {
                let token = try await process.tokens.accessToken()
                #expect(token == old)
                return process.events.all.contains { if case .postponed = $0 { true } else { false } }
            }
            #expect(try await process.tokens.accessToken() == old)
            let late = try await world.process()
            try await world.leave(1, process)
            let trouble = try #require(await late.tokens.trouble())
            #expect(!trouble.needsPerson && trouble.description.contains("503"))
        }
    }

    @Test("an app that is refused is the operator's mistake, not the connection's death")
    func wrongApp() async throws {
        try await Surroundings.with("app") { world in
            let process = try await world.process()
            try await world.leave(1, process)
            try await world.fault(#"{"status":400,"body":{"error":"invalid_client"}}"#, count: 1)
            let trouble = try #require(await process.tokens.trouble())
            #expect(trouble.needsPerson && trouble.description.contains("TILLBRIDGE_XERO_CLIENT_ID"))
            #expect(process.events.deaths.isEmpty)
            _ = try await process.tokens.accessToken()
            let stranger = SharedTokens(
                Surroundings.name, store: process.credentials,
                endpoint: .xero(process.http, identity: world.base, app: AppCredential(id: "other", secret: nil)),
                onEvent: { _ in })
            try await world.leave(1, process)
            let other = try #require(await stranger.trouble())
            #expect(other.needsPerson && other.description.contains("app app") && other.description.contains("other"))
        }
    }

    @Test("a fresh token that is refused kills the connection, unless another process has renewed it since")
    func refusedFresh() async throws {
        try await Surroundings.with("fresh") { world in
            let process = try await world.process()
            let old = try await process.tokens.accessToken()
            let fresh = try await process.tokens.accessToken(insteadOf: old)
            await process.tokens.refusedFresh(old, saying: "401")
            #expect(try await process.tokens.accessToken() == fresh)
            await process.tokens.refusedFresh(fresh, saying: "401 Unauthorized")
            let trouble = try #require(await process.tokens.trouble())
            #expect(trouble.needsPerson && trouble.description.contains("401 Unauthorized"))
            #expect(process.events.deaths.count == 1)
        }
    }
}
