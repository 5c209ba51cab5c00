import AMQP
import Domain
import Logging
import Messaging
import Store
import Telemetry
import Testing
import Threads

@testable import DeadLetters

@Suite("What the dead-letter handler logs") struct DeadLetterLogTests {
    /// Keeps what is logged, as the workers' own handler would write it.
    private struct Collecting: LogHandler {
        let lines: Locked<[String]>
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        private let writer = LineLogHandler(label: "dead-letter-handler", format: .text, level: .info)

        init(_ lines: Locked<[String]>) { self.lines = lines }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let line = writer.line(event.level, "\(event.message)", event.metadata ?? [:], time: "T")
            lines.withLock { $0.append(line) }
        }
    }

    private static func letter(_ id: String, venue: String, cause: String) -> IncomingMessage {
        var envelope = Envelope(
            firstSeen: Instant(secondsSince1970: 5),
            subject: .init(company: CompanyKey("harbour"), venue: venue, kind: "order", id: id))
        envelope.origin = "t.map"
        envelope.failure = .init(.mapping, cause: cause, remedy: "Add it to the configuration.")
        return IncomingMessage(body: Array("{}".utf8), envelope: .success(envelope), queue: "t.dead")
    }

    private static func logged(_ batch: [IncomingMessage]) async throws -> [String] {
        let lines = Locked<[String]>([])
        let clock = WorkClock(
            now: { Instant(secondsSince1970: 9) }, sleep: { _ in }, randomInteger: { $0.lowerBound })
        let journal = DeadLetterServiceTests.Journal(batch, failures: 0)
        try await DeadLetterService(
            inbox: journal, store: journal, books: DeskBooks([:]), clock: clock, metrics: Metrics(),
            logger: Logger(label: "test") { _ in Collecting(lines) }
        ).run()
        return lines.withLock { $0 }
    }

    @Test("a letter is one line with its class, its venue and its cause")
    func one() async throws {
        let lines = try await Self.logged([Self.letter("17", venue: "Pier Cafe", cause: "No tax type for 0.15.")])
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        for part in [
            "WARNING", "class=mapping", "venue=\"Pier Cafe\"", "No tax type for 0.15. Add it to the configuration.",
            "id=17", "origin=t.map", "letters=1",
        ] { #expect(line.contains(part), "\(line)") }
    }

    @Test("letters of one cause are one line that counts them; another cause has its own")
    func several() async throws {
        let lines = try await Self.logged([
            Self.letter("17", venue: "Pier", cause: "No tax type for 0.15."),
            Self.letter("18", venue: "Pier", cause: "No tax type for 0.15."),
            Self.letter("19", venue: "Pier", cause: "The total is negative."),
        ])
        #expect(lines.count == 2)
        #expect(lines.filter { $0.contains("No tax type") && $0.contains("letters=2") }.count == 1)
        #expect(lines.filter { $0.contains("negative") && $0.contains("letters=1") }.count == 1)
    }
}
