import Domain
import Messaging
import Testing

@Suite("The postbox") struct PostboxTests {
    private let broker = MemoryBroker()
    private let now = Instant(secondsSince1970: 1_790_000_000)

    private func postbox(_ broker: MemoryBroker) -> Postbox {
        let now = now
        return Postbox(inbox: broker, outbox: broker, now: { now })
    }

    private func message(attempt: Int = 0, body: String = "{}") -> IncomingMessage {
        var envelope = Envelope(firstSeen: Instant(secondsSince1970: 5), subject: .init(id: "93824701"))
        envelope.attempt = attempt
        return IncomingMessage(body: Array(body.utf8), envelope: .success(envelope), queue: "p.map")
    }

    /// What one verdict publishes.
    private func settled(_ message: IncomingMessage, _ verdict: Verdict) async throws -> OutgoingMessage {
        let broker = MemoryBroker()
        try await postbox(broker).settle([(message, verdict)])
        let published = await broker.published
        try #require(published.count == 1)
        return published[0]
    }

    @Test("what follows is confirmed before anything is acknowledged, all in one go")
    func order() async throws {
        let following = OutgoingMessage(
            queue: .write(OrganisationKey("harbour")), envelope: Envelope(firstSeen: now), body: [])
        try await postbox(broker).settle(
            [
                (message(), .done), (message(), .retry(after: .seconds(6), counted: true, cause: "c")),
                (message(), .unreadable("why")),
            ], following: [following])
        #expect(
            await broker.events == [
                .published([.write(OrganisationKey("harbour")), .retry(.thirtySeconds), .unreadable]), .acknowledged(3),
            ])
    }

    @Test("what is done publishes nothing and is acknowledged")
    func done() async throws {
        try await postbox(broker).settle([(message(), .done)])
        #expect(await broker.events == [.acknowledged(1)])
    }

    @Test("when publishing fails nothing is acknowledged: the broker delivers again")
    func publishFails() async {
        let refusing = MemoryBroker(refuses: true)
        await #expect(throws: MemoryBroker.Refused.self) {
            try await postbox(refusing).settle([
                (message(), .done), (message(), .retry(after: .zero, counted: false, cause: "c")),
            ])
        }
        #expect(await refusing.events.isEmpty)
    }

    @Test("a retry goes back to where it came from, with its body and everything it said about itself")
    func retry() async throws {
        let out = try await settled(message(body: "hello"), .retry(after: .seconds(60), counted: true, cause: "c"))
        #expect(out.queue == .retry(.twoMinutes))
        #expect(out.returnTo == "p.map")
        #expect(out.body == Array("hello".utf8))
        #expect(out.envelope.attempt == 1)
        #expect(out.envelope.origin == "p.map")
        #expect(out.envelope.firstSeen == Instant(secondsSince1970: 5))
        #expect(out.envelope.subject.id == "93824701")
        #expect(out.envelope.failure == nil)
    }

    @Test("a retry waits as long as it was told, in the shortest queue that lets it; no longer than the longest does")
    func waits() async throws {
        let told: [(after: Duration, queue: RetryDelay, wait: Duration)] = [
            (.zero, .fiveSeconds, .zero), (.milliseconds(10), .fiveSeconds, .milliseconds(10)),
            (.seconds(5), .fiveSeconds, .seconds(5)), (.milliseconds(5_001), .thirtySeconds, .milliseconds(5_001)),
            (.seconds(3601), .sixHours, .seconds(3601)), (.seconds(100_000), .sixHours, .seconds(21_600)),
        ]
        for (after, queue, wait) in told {
            let out = try await settled(message(), .retry(after: after, counted: true, cause: "c"))
            #expect(out.queue == .retry(queue) && out.wait == wait)
        }
        #expect(try await settled(message(), .handBack).wait == nil)
        #expect(try await settled(message(), .unreadable("x")).wait == nil)
    }

    @Test("a counted retry ends at the desk after the last attempt, with the last cause and a remedy")
    func attemptsEnd() async throws {
        var current = message()
        for attempt in 1...attemptsMax {
            let out = try await settled(current, .retry(after: .zero, counted: true, cause: "c"))
            #expect(out.queue == .retry(.fiveSeconds))
            #expect(out.envelope.attempt == attempt)
            current = IncomingMessage(body: out.body, envelope: .success(out.envelope), queue: "p.map")
        }
        let last = try await settled(current, .retry(after: .zero, counted: true, cause: "no such host"))
        #expect(last.queue == .dead)
        #expect(last.returnTo == nil)
        let failure = try #require(last.envelope.failure)
        #expect(failure.deadLetterClass == .unknown)
        #expect(failure.cause.contains("no such host") && !failure.remedy.isEmpty)
        #expect(last.envelope.subject.id == "93824701")
    }

    @Test("a retry that does not count never ends at the desk", arguments: [0, 1, attemptsMax])
    func uncounted(attempt: Int) async throws {
        var current = message(attempt: attempt)
        for _ in 0..<20 {
            let out = try await settled(current, .retry(after: .zero, counted: false, cause: "429"))
            #expect(out.queue == .retry(.fiveSeconds))
            #expect(out.envelope.attempt == attempt)
            current = IncomingMessage(body: out.body, envelope: .success(out.envelope), queue: "p.map")
        }
    }

    @Test("what is parked keeps its body, and says what it is about, why, and what to do")
    func park() async throws {
        let subject = Envelope.Subject(organisation: OrganisationKey("harbour"), venue: "Pier", id: "1", document: 9)
        let park = Park(.mapping, "No account for Bitcoin.", remedy: "Name one.")
        let out = try await settled(message(attempt: 2, body: "body"), .park(park, about: subject))
        #expect(out.queue == .dead)
        #expect(out.body == Array("body".utf8))
        #expect(out.envelope.subject == subject)
        #expect(out.envelope.attempt == 2)
        #expect(out.envelope.origin == "p.map")
        #expect(out.envelope.failure == .init(.mapping, cause: "No account for Bitcoin.", remedy: "Name one."))
    }

    @Test("what nobody understands is kept with its body, apart from what failed")
    func unreadable() async throws {
        let stranger = IncomingMessage(
            body: [0xFF, 0x00], envelope: .failure(Unreadable("tb-version is 9")), queue: "p.map")
        let out = try await settled(stranger, .unreadable("tb-version is 9"))
        #expect(out.queue == .unreadable)
        #expect(out.body == [0xFF, 0x00])
        #expect(out.envelope.firstSeen == now)
        #expect(out.envelope.origin == "p.map")
        #expect(out.envelope.failure?.deadLetterClass == .parse)
        #expect(out.envelope.failure?.cause.contains("tb-version is 9") == true)
    }
}
