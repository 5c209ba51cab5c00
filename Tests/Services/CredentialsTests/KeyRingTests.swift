import Domain
import Settings
import Testing

@testable import Credentials

@Suite struct KeyRingTests {
    private static let harbour = ConnectionName.kounta(CompanyKey("harbour"))
    private static let lakeside = ConnectionName.kounta(CompanyKey("lakeside"))
    private static let pair = TokenPair(access: Secret("access-ÄÖ-1"), refresh: Secret("refresh-1"))

    private func ring(_ ids: String...) throws -> (KeyRing, [String]) {
        let entries = ids.map { KeyRing.newEntry(id: $0) }
        return (try KeyRing(parsing: Secret(entries.joined(separator: "\n"))), entries)
    }

    @Test("what is sealed opens again, and is another text each time")
    func roundTrip() throws {
        let (ring, _) = try ring("k1")
        let first = ring.seal(Self.pair, Self.harbour, clientID: "app", generation: 3)
        let second = ring.seal(Self.pair, Self.harbour, clientID: "app", generation: 3)
        #expect(first.keyID == "k1" && first != second)
        #expect(try ring.open(first, Self.harbour, clientID: "app", generation: 3) == Self.pair)
        #expect(!String(decoding: first.bytes, as: UTF8.self).contains("access-"))
    }

    @Test("the first key seals, the others open what they sealed before")
    func severalKeys() throws {
        let entries = ["new", "old"].map { KeyRing.newEntry(id: $0) }
        let before = try KeyRing(parsing: Secret(entries[1]))
        let after = try KeyRing(parsing: Secret(entries.joined(separator: ",")))
        let sealed = before.seal(Self.pair, Self.harbour, clientID: "app", generation: 1)
        #expect(try after.open(sealed, Self.harbour, clientID: "app", generation: 1) == Self.pair)
        #expect(after.seal(Self.pair, Self.harbour, clientID: "app", generation: 1).keyID == "new")
    }

    @Test("a sealed text opens for no other connection, app or generation, nor with another key of that id")
    func binding() throws {
        let (ring, _) = try ring("k1")
        let sealed = ring.seal(Self.pair, Self.harbour, clientID: "app", generation: 3)
        func expectRefused(_ ring: KeyRing, _ name: ConnectionName, _ app: String, _ generation: Int64) {
            #expect(throws: SealError.notAuthentic(connection: name.text, keyID: "k1")) {
                try ring.open(sealed, name, clientID: app, generation: generation)
            }
        }
        expectRefused(ring, Self.lakeside, "app", 3)
        expectRefused(ring, Self.harbour, "other", 3)
        expectRefused(ring, Self.harbour, "app", 2)
        expectRefused(try self.ring("k1").0, Self.harbour, "app", 3)
        let other = try self.ring("k2").0
        #expect(throws: SealError.unknownKey(connection: Self.harbour.text, keyID: "k1")) {
            try other.open(sealed, Self.harbour, clientID: "app", generation: 3)
        }
    }

    @Test("every flipped bit and every cut of a sealed text is noticed")
    func tampering() throws {
        let (ring, _) = try ring("k1")
        let sealed = ring.seal(Self.pair, Self.harbour, clientID: "app", generation: 1)
        for index in sealed.bytes.indices {
            for bit in 0..<8 {
                var bytes = sealed.bytes
                bytes[index] ^= 1 << bit
                #expect(throws: SealError.self) {
                    try ring.open(
                        SealedTokens(keyID: "k1", bytes: bytes), Self.harbour, clientID: "app", generation: 1)
                }
            }
            #expect(throws: SealError.self) {
                try ring.open(
                    SealedTokens(keyID: "k1", bytes: Array(sealed.bytes[..<index])), Self.harbour, clientID: "app",
                    generation: 1)
            }
        }
    }

    @Test(
        "a key ring that cannot be read says which entry and how to mend it, and never the key",
        arguments: ["", "# nothing", "a2V5", "K1:a2V5", "k1:c2hvcnQ=", "k1:not base64!", ":a2V5"])
    func unreadable(_ text: String) throws {
        do {
            _ = try KeyRing(parsing: Secret(text))
            Issue.record("\(text) was taken")
        } catch {
            #expect(error.description.contains("tillbridge keys new"))
            #expect(!error.description.contains("a2V5") && !error.description.contains("c2hvcnQ"))
        }
        let entry = KeyRing.newEntry(id: "k1")
        #expect(throws: KeyRingError.self) { try KeyRing(parsing: Secret("\(entry)\n\(entry)")) }
    }

    @Test("neither a key ring nor a pair shows its secrets, however it is printed")
    func printing() throws {
        let (ring, entries) = try ring("k1")
        var text = "\(ring) \(String(reflecting: ring)) \(Self.pair) \(String(reflecting: Self.pair))"
        dump(ring, to: &text)
        dump(Self.pair, to: &text)
        #expect(text.contains("k1"))
        for secret in [String(entries[0].dropFirst(3)), "access-ÄÖ-1", "refresh-1"] { #expect(!text.contains(secret)) }
    }

    @Test("a token is due a sixth of its life before its end, five minutes at most, and unused for the last moment")
    func timing() {
        let half = Duration.seconds(1800)
        #expect(!TokenTiming.isDue(remaining: .milliseconds(300_001), lifetime: half))
        #expect(TokenTiming.isDue(remaining: .seconds(300), lifetime: half))
        #expect(TokenTiming.isDue(remaining: .seconds(-5), lifetime: half))
        #expect(!TokenTiming.isDue(remaining: .seconds(11), lifetime: .seconds(60)))
        #expect(TokenTiming.isDue(remaining: .seconds(10), lifetime: .seconds(60)))
        #expect(TokenTiming.margin(half) == .seconds(30) && TokenTiming.margin(.seconds(60)) == .seconds(5))
        #expect(TokenTiming.margin(half) < TokenTiming.ahead(half))
    }

    @Test("names of connections are read back as written, and nothing else is one")
    func names() {
        for text in ["xero", "xero/second", "kounta/harbour"] { #expect(ConnectionName(text)?.text == text) }
        let tooLong = "xero/" + String(repeating: "a", count: 41)
        for text in ["", "kounta", "xero/", "xero/A", "kounta/a/b", "myob", tooLong] {
            #expect(ConnectionName(text) == nil)
        }
        #expect(ConnectionName("xero/second")?.connectCommand == "tillbridge connect xero --name second")
    }
}
