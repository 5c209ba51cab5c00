import Credentials
import Domain
import Postgres
import Settings
import Store
import Testing

@Suite(.enabled(if: Database.isThere, Database.absence), .timeLimit(.minutes(2)))
struct SealedRowTests {
    private static let second = ConnectionName("xero/second")!

    @Test("no token lies readable in the database")
    func sealed() async throws {
        try await Surroundings.with("sealed") { world in
            let process = try await world.process()
            let stored = try #require(try await process.credentials.connection(Surroundings.name))
            let rows = try await process.pool.withSession { try $0.query("SELECT c::text AS text FROM credential c") }
            let text = try rows.map { try $0.text("text") }.joined()
            for secret in [stored.pair.access, stored.pair.refresh] {
                #expect(!secret.revealed.isEmpty && !text.contains(secret.revealed))
                let hex = secret.revealed.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                #expect(!text.contains(hex))
            }
        }
    }

    @Test("with another key, or one of the same id but other bytes, nobody is called and the reason names the key's id")
    func wrongKey() async throws {
        try await Surroundings.with("wrongkey") { world in
            for id in ["k2", "k1"] {
                let stranger = try await world.process(keys: Secret(KeyRing.newEntry(id: id)))
                let trouble = try #require(await stranger.tokens.trouble())
                #expect(trouble.needsPerson && trouble.description.contains("`k1`"))
                #expect(trouble.description.contains("tillbridge connect xero"))
                #expect(stranger.events.deaths.isEmpty)
            }
            #expect(try await world.renewals() == 0)
            // The one with the key is not disturbed.
            _ = try await world.process().tokens.accessToken()
        }
    }

    @Test("sealed texts that changed rows, and one with a flipped bit, do not open")
    func swapped() async throws {
        try await Surroundings.with("swapped") { world in
            let process = try await world.process()
            try await world.connect(process, as: Self.second, tenants: [Surroundings.lakeside])
            try await world.sql(
                """
                UPDATE credential AS mine SET sealed = other.sealed
                  FROM credential AS other WHERE mine.name <> other.name
                """, process)
            for name in [Surroundings.name, Self.second] {
                await #expect(throws: SealError.notAuthentic(connection: name.text, keyID: "k1")) {
                    try await process.credentials.connection(name)
                }
            }
            try await world.connect(process)
            _ = try await process.credentials.connection(Surroundings.name)
            try await world.sql(
                "UPDATE credential SET sealed = set_byte(sealed, 20, get_byte(sealed, 20) # 1) WHERE name = 'xero'",
                process)
            await #expect(throws: SealError.self) { try await process.credentials.connection(Surroundings.name) }
        }
    }

    @Test("rotation seals every row with the new key, again does nothing, and the tokens stay what they were")
    func rotation() async throws {
        try await Surroundings.with("rotation") { world in
            let old = try await world.process()
            try await world.connect(old, as: Self.second, tenants: [Surroundings.lakeside])
            let before = try #require(try await old.credentials.connection(Surroundings.name))
            let added = KeyRing.newEntry(id: "k2")
            let both = try await world.process(keys: Secret("\(added)\n\(world.keys.revealed)"))
            #expect(try await both.credentials.rotate() == (sealed: 2, current: 0))
            #expect(try await both.credentials.rotate() == (sealed: 0, current: 2))
            let alone = try await world.process(keys: Secret(added))
            let after = try #require(try await alone.credentials.connection(Surroundings.name))
            #expect(after.pair == before.pair && after.record.keyID == "k2")
            #expect(after.record.generation == before.record.generation)
            _ = try await alone.tokens.accessToken(insteadOf: after.pair.access.revealed)
            #expect(try await world.renewals() == 1)
        }
    }

    @Test("a rotation that meets a row it cannot open changes nothing at all")
    func rotationAllOrNone() async throws {
        try await Surroundings.with("none") { world in
            let process = try await world.process()
            try await world.connect(process, as: Self.second, tenants: [Surroundings.lakeside])
            try await world.sql("UPDATE credential SET key_id = 'gone' WHERE name = 'xero/second'", process)
            let both = try await world.process(keys: Secret("\(KeyRing.newEntry(id: "k2")),\(world.keys.revealed)"))
            await #expect(throws: SealError.unknownKey(connection: "xero/second", keyID: "gone")) {
                _ = try await both.credentials.rotate()
            }
            let listed = try await process.store.connections()
            #expect(listed.map(\.record.keyID) == ["k1", "gone"])
            _ = try await process.credentials.connection(Surroundings.name)
        }
    }

    @Test("a renewal under way while the keys rotate ends well under either key")
    func rotationDuringRenewal() async throws {
        try await Surroundings.with("during") { world in
            let process = try await world.process()
            let both = try await world.process(keys: Secret("\(KeyRing.newEntry(id: "k2")),\(world.keys.revealed)"))
            try await world.leave(1, process)
            try await world.fault(#"{"delayMs":300}"#, count: 1)
            async let token = process.tokens.accessToken()
            try await wait("the renewal to be under way") {
                try await both.credentials.connection(Surroundings.name)?.record.unansweredSince != nil
            }
            _ = try await both.credentials.rotate()
            let fresh = try await token
            // The process with the old key first sealed with it: rotating again finds that.
            #expect(try await both.credentials.rotate().sealed == 1)
            #expect(try await both.credentials.connection(Surroundings.name)?.pair.access.revealed == fresh)
        }
    }

    @Test("an organisation belongs to the connection made last; a connection that is made again keeps none it lost")
    func tenants() async throws {
        try await Surroundings.with("tenants") { world in
            let process = try await world.process()
            #expect(try await process.credentials.name(covering: Surroundings.lakeside) == Surroundings.name)
            try await world.connect(process, as: Self.second, tenants: [Surroundings.lakeside])
            #expect(try await process.credentials.name(covering: Surroundings.lakeside) == Self.second)
            #expect(try await process.credentials.name(covering: Surroundings.harbour) == Surroundings.name)
            try await world.connect(process, tenants: [Surroundings.lakeside])
            #expect(try await process.credentials.name(covering: Surroundings.harbour) == nil)
            #expect(try await process.store.forget(Surroundings.name))
            #expect(try await process.credentials.name(covering: Surroundings.lakeside) == nil)
            #expect(try await !process.store.forget(Surroundings.name))
            let trouble = try #require(await process.tokens.trouble())
            #expect(trouble.needsPerson && trouble.description.contains("run `tillbridge connect xero`"))
        }
    }

    @Test("the lock is waited for with a bound, and ends with the one who held it")
    func lock() async throws {
        try await Surroundings.with("lock") { world in
            let (one, other) = (try await world.process(), try await world.process())
            try await one.credentials.exclusively(Surroundings.name, within: .seconds(5)) { _ in
                await #expect(throws: CredentialBusy.self) {
                    try await other.credentials.exclusively(Surroundings.name, within: .milliseconds(100)) { _ in }
                }
                // Another connection's tokens are not held up.
                try await other.credentials.exclusively(Self.second, within: .seconds(5)) { _ in }
            }
            try await other.credentials.exclusively(Surroundings.name, within: .seconds(5)) { _ in }
        }
    }
}
