import AMQP
import Domain
package import Logging
package import Messaging
import ServiceLifecycle
package import Store
package import Telemetry

/// Takes dead letters and unreadable messages into the database and says so in the log. Nothing is dropped: a letter is
/// acknowledged only after it is stored, and storing it twice is storing it once. One that the database refuses is
/// stored without what may be refused of it.
package struct DeadLetterService: Service {
    private let inbox: any Inbox
    private let store: any DeadLetterStore
    private let books: DeskBooks
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    /// Messages in hand. Few, because one may have sixteen megabytes and memory shall stay flat.
    package static let prefetch = 50
    private static let batch = 25
    private static let linger = Duration.milliseconds(10)
    private static let pause = Duration.milliseconds(250)
    private static let pauseMax = Duration.seconds(10)

    package init(
        inbox: any Inbox, store: any DeadLetterStore, books: DeskBooks, clock: WorkClock, metrics: Metrics,
        logger: Logger
    ) {
        self.inbox = inbox
        self.store = store
        self.books = books
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        try await withGracefulShutdownHandler {
            while true {
                let batch = try await inbox.nextBatch(max: Self.batch, linger: Self.linger)
                if batch.isEmpty { return }
                try await keep(batch)
            }
        } onGracefulShutdown: {
            // Unstructured: the handler is synchronous. Stopping the inbox is what ends the loop.
            Task { await inbox.stop() }
        }
    }

    private func keep(_ batch: [IncomingMessage]) async throws {
        pass(.handlerReceived)
        let reading = await books.reading
        let letters = batch.map { reading.letter(from: $0, now: clock.now()) }
        let kept = try await keep(letters)
        pass(.handlerKept)
        await inbox.acknowledge(zip(batch, kept).filter(\.1).map(\.0))
        tell(zip(letters, kept).filter(\.1).map(\.0))
    }

    /// One letter that the database refuses holds up no other: it is looked for, and kept without what may be refused.
    ///
    /// - Returns: of each letter whether it is kept.
    private func keep(_ letters: [DeadLetter]) async throws -> [Bool] {
        if try await store(letters) { return letters.map { _ in true } }
        var kept: [Bool] = []
        for letter in letters {
            if try await store([letter]) { kept.append(true) } else {
                let isKept = try await store([letter.bare(seen: clock.now())])
                logger.error(
                    isKept
                        ? "a dead letter is kept without what the database refuses of it"
                        : "a dead letter is refused by the database in any form: it stays in the broker",
                    metadata: ["id": "\(letter.sourceID?.prefix(60) ?? "?")"])
                kept.append(isKept)
            }
        }
        return kept
    }

    /// Waits while the database is away: the letters wait in hand and in the queue, where the broker keeps them.
    ///
    /// - Returns: false where the database is there and refuses them.
    private func store(_ letters: [DeadLetter]) async throws -> Bool {
        var pause = Self.pause
        while true {
            do {
                let kept = try await store.keep(letters)
                metrics.count("tillbridge_dead_letters_kept_total", by: kept.new)
                metrics.count("tillbridge_dead_letter_replays_total", ["outcome": "came_back"], by: kept.returned)
                return true
            } catch {
                if case .refused(let why) = StoreTrouble(error) {
                    logger.warning("dead letters are refused: \(why)", metadata: ["letters": "\(letters.count)"])
                    return false
                }
                logger.warning("dead letters wait: \(error)", metadata: ["letters": "\(letters.count)"])
                try await clock.sleep(pause)
                pause = min(pause * 2, Self.pauseMax)
            }
        }
    }

    /// One line a cause: ten thousand letters of one cause are told by a few lines a second, not by ten thousand.
    private func tell(_ letters: [DeadLetter]) {
        var counts: [String: Int] = [:]
        for letter in letters { counts[letter.fingerprint, default: 0] += 1 }
        for letter in letters {
            guard let count = counts.removeValue(forKey: letter.fingerprint) else { continue }
            logger.warning(
                "dead letter: \(letter.cause) \(letter.remedy)",
                metadata: [
                    "class": "\(letter.deadLetterClass.rawValue)", "origin": "\(letter.origin ?? "?")",
                    "venue": "\(letter.venue ?? "?")", "id": "\(letter.sourceID ?? "?")", "letters": "\(count)",
                ])
        }
    }
}
