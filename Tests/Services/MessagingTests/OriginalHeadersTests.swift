import AMQP
import Domain
import Messaging
import Testing

@Suite(
    "A letter's original headers", .enabled(if: RabbitFixture.url != nil, RabbitFixture.absence),
    .timeLimit(.minutes(1)))
struct OriginalHeadersTests {
    /// Sends a message with these headers, parks it with a long cause, and reads the letter.
    private func parked(_ headers: [String: AMQPField]) async throws -> [String: AMQPField] {
        var read: [String: AMQPField] = [:]
        try await RabbitFixture.withTopology { topology, _ in
            try await RabbitFixture.withBroker(topology) { broker in
                let envelope = Envelope(firstSeen: Instant(secondsSince1970: 7))
                var sent = OutgoingMessage(queue: .map, envelope: envelope, body: [])
                sent.rawHeaders = headers
                try await broker.publish([sent])
                let inbox = await broker.inbox(.map, prefetch: 1)
                let message = try #require(try await inbox.nextBatch(max: 1, linger: .zero).first)
                #expect(message.headers == headers)
                let park = Park(
                    .value, String(repeating: "c", count: 5000), remedy: String(repeating: "r", count: 5000))
                let postbox = Postbox(inbox: inbox, outbox: broker, now: { Instant(secondsSince1970: 8) })
                try await postbox.settle([(message, .park(park, about: Envelope.Subject(id: "1")))])
                let desk = await broker.inbox(.dead, prefetch: 1)
                let letter = try #require(try await desk.nextBatch(max: 1, linger: .zero).first)
                guard case .table(let original)? = letter.headers["tb-original"] else { return }
                // Not a header, but told beside them.
                read = original.filter { $0.key != "amqp-content-type" }
                await desk.acknowledge([letter])
            }
        }
        return read
    }

    @Test("a hundred thousand bytes of headers reach the desk, every one")
    func whole() async throws {
        var headers: [String: AMQPField] = (0..<1_000).reduce(into: [:]) { $0["x-\($1)"] = .int(Int64($1)) }
        headers["x-large"] = .string(String(repeating: "l", count: 88_000))
        #expect(try await parked(headers) == headers)
    }

    @Test("what no frame carries beside the letter's own is named, the smaller ones are kept")
    func tooMany() async throws {
        var headers: [String: AMQPField] = ["x-small": .string("kept")]
        for name in ["x-one", "x-two"] { headers[name] = .string(String(repeating: "l", count: 64_000)) }
        let kept = try await parked(headers)
        #expect(kept["x-small"] == .string("kept"))
        #expect(kept["x-one"] == headers["x-one"] || kept["x-two"] == headers["x-two"])
        #expect(kept["x-one"] == .string("left out: 64015 bytes") || kept["x-two"] == .string("left out: 64015 bytes"))
    }

    @Test("so many that not even their names find room are counted")
    func counted() async throws {
        let headers: [String: AMQPField] = (0..<1_150).reduce(into: [:]) {
            $0["x-\(String(repeating: "n", count: 93))-\($1)"] = .string("v")
        }
        let kept = try await parked(headers)
        let marks = kept.values.filter { if case .string(let text) = $0 { text.hasPrefix("left out") } else { false } }
        let whole = kept.values.filter { $0 == .string("v") }
        guard case .string(let left)? = kept["tb-left-out"] else {
            Issue.record("\(whole.count) are whole and \(marks.count) named, none is counted")
            return
        }
        let counted = try #require(Int(left.prefix { $0 != " " }))
        #expect(counted > 0 && whole.count > 800 && whole.count + marks.count + counted == 1_150)
    }

    @Test("a name that grew by being read is counted, and so is a table with one: no letter is held up by it")
    func longName() {
        let long = String(repeating: "\u{FFFD}", count: 100)
        let table = AMQPField.table([long: .int(1)])
        let kept = OriginalHeaders.bounded(["x": .string("v"), long: .int(1), "y": table], beside: [:])
        #expect(kept["x"] == .string("v") && kept[long] == nil)
        #expect(kept["y"]?.stringValue?.hasPrefix("left out") == true)
        #expect(kept["tb-left-out"]?.stringValue?.hasPrefix("1 more headers") == true)
        #expect(kept.filter { OriginalHeaders.isMark($0.key, $0.value) }.count == 2)
    }

    @Test("an id that grew by being read is cut, and the message arrives")
    func longID() async throws {
        try await RabbitFixture.withTopology { topology, _ in
            try await RabbitFixture.withBroker(topology) { broker in
                let id = "a" + String(repeating: "\u{FFFD}", count: 100)
                let envelope = Envelope(firstSeen: Instant(secondsSince1970: 7))
                try await broker.publish([OutgoingMessage(queue: .map, envelope: envelope, body: [], messageID: id)])
                let inbox = await broker.inbox(.map, prefetch: 1)
                let message = try #require(try await inbox.nextBatch(max: 1, linger: .zero).first)
                let read = try #require(message.messageID)
                #expect(read.utf8.count <= 255 && read.utf8.count > 240 && id.hasPrefix(read.dropLast()))
                await inbox.acknowledge([message])
                var large = OutgoingMessage(queue: .map, envelope: envelope, body: [])
                large.rawHeaders = ["x": .string(String(repeating: "l", count: 200_000))]
                await #expect(throws: Unsendable.self) { try await broker.publish([large]) }
            }
        }
    }
}
