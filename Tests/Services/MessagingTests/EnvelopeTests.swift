import AMQP
import Domain
import Messaging
import Testing

@Suite("An envelope") struct EnvelopeTests {
    private var full: Envelope {
        var envelope = Envelope(
            firstSeen: Instant(microseconds: 1_790_000_000_123_456),
            subject: .init(
                organisation: OrganisationKey("harbour"), company: CompanyKey("162"), venue: "Pier Café", kind: "order",
                id: "93824701", hash: "ab12", document: 77))
        envelope.attempt = 3
        envelope.origin = "tillbridge.map"
        envelope.failure = .init(.lockedPeriod, cause: "The period is locked.", remedy: "Open it.")
        envelope.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        return envelope
    }

    /// The reason a set of headers is unreadable for.
    private func reason(_ change: (inout [String: AMQPField]) -> Void) throws -> String {
        var headers = full.headers
        change(&headers)
        let unreadable = try #require(throws: Unreadable.self) { _ = try Envelope(headers: headers) }
        return unreadable.reason
    }

    @Test("what was written is read back, full and empty")
    func roundTrip() throws {
        #expect(try Envelope(headers: full.headers) == full)
        let empty = Envelope(firstSeen: Instant(secondsSince1970: -1))
        #expect(try Envelope(headers: empty.headers) == empty)
        #expect(empty.headers.count == 3)
    }

    @Test("headers of others are left alone, whatever they hold")
    func foreign() throws {
        var headers = full.headers
        headers["x-death"] = .array([.table(["count": .int(7), "queue": .string("q")])])
        headers["x-delivery-count"] = .int(2)
        headers["baggage"] = .bytes([0xFF])
        headers["TB-NEW"] = .null
        #expect(try Envelope(headers: headers) == full)
    }

    @Test("a header of the fleet's that this version does not know makes it unreadable, and is named")
    func unknown() throws {
        #expect(try reason { $0["tb-priority"] = .int(1) }.contains("tb-priority"))
    }

    @Test("another version is unreadable, and both are named", arguments: [Int64(0), 2, .max])
    func version(version: Int64) throws {
        let reason = try reason { $0["tb-version"] = .int(version) }
        #expect(reason.contains("\(version)") && reason.contains("\(Envelope.version)"))
    }

    @Test("a header that is missing is named", arguments: ["tb-version", "tb-attempt", "tb-first-seen"])
    func missing(name: String) throws {
        #expect(try reason { $0[name] = nil }.contains(name))
        #expect(throws: Unreadable.self) { _ = try Envelope(headers: [:]) }
    }

    @Test(
        "a value of the wrong type is unreadable, and its header is named",
        arguments: [
            ("tb-version", AMQPField.string("1")), ("tb-attempt", .string("3")), ("tb-attempt", .int(-1)),
            ("tb-attempt", .int(.max)), ("tb-first-seen", .timestamp(1)), ("tb-origin", .int(1)),
            ("tb-class", .bool(true)), ("tb-organisation", .bytes([1])), ("tb-id", .int(93_824_701)),
            ("tb-hash", .null), ("tb-cause", .array([])), ("tb-venue", .table([:])),
        ])
    func wrongType(name: String, value: AMQPField) throws {
        #expect(try reason { $0[name] = value }.contains(name))
    }

    @Test("a document's id that is no number is unreadable, not forgotten")
    func documentOfWrongType() throws {
        #expect(try reason { $0["tb-document"] = .string("77") }.contains("tb-document"))
    }

    @Test("a class of a later version is unknown, and its sentence is kept")
    func laterClass() throws {
        var headers = full.headers
        headers["tb-class"] = .string("invented_later")
        let failure = try #require(try Envelope(headers: headers).failure)
        #expect(failure.deadLetterClass == .unknown)
        #expect(failure.cause == "The period is locked.")
    }

    @Test(
        "somebody else's text is cut before it is too large for a frame: a letter may be of any number of bytes",
        arguments: [("x", 0), ("é", 0), ("👨‍👩‍👧‍👦", 0), ("a", 300)])
    func bounds(letter: String, accents: Int) throws {
        let unit = letter + String(repeating: "\u{301}", count: accents)
        var envelope = full
        envelope.failure = .init(.value, cause: String(repeating: unit, count: 20_000), remedy: "")
        let cause = try #require(envelope.headers["tb-cause"]?.stringValue)
        let bytes = cause.utf8.count
        #expect(bytes <= 4000)
        #expect(bytes >= 900)
    }
}
