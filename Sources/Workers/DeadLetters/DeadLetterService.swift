import AMQP
import Crypto
import Domain
import JSON
package import Logging
package import Messaging
import ServiceLifecycle
package import Store
package import Telemetry

/// Takes dead letters and unreadable messages into the database and says so in the log. Nothing is dropped: a letter is
/// acknowledged only after it is stored, and storing it twice is storing it once.
package struct DeadLetterService: Service {
    private let inbox: any Inbox
    private let store: any DeadLetterStore
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    private static let batch = 100
    private static let linger = Duration.milliseconds(50)
    private static let pause = Duration.milliseconds(250)
    private static let pauseMax = Duration.seconds(10)

    package init(
        inbox: any Inbox, store: any DeadLetterStore, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.inbox = inbox
        self.store = store
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
        let letters = batch.map { DeadLetterReading.letter(from: $0, now: clock.now()) }
        var pause = Self.pause
        while true {
            do {
                let new = try await store.keep(letters)
                metrics.count("tillbridge_dead_letters_kept_total", by: new)
                break
            } catch {
                // The database is away: the letters wait in hand and in the queue, where the broker keeps them.
                logger.warning("dead letters wait: \(error)", metadata: ["letters": "\(letters.count)"])
                try await clock.sleep(pause)
                pause = min(pause * 2, Self.pauseMax)
            }
        }
        pass(.handlerKept)
        await inbox.acknowledge(batch)
        for letter in letters {
            logger.warning(
                "dead letter: \(letter.cause) \(letter.remedy)",
                metadata: [
                    "class": "\(letter.deadLetterClass.rawValue)", "origin": "\(letter.origin ?? "?")",
                    "venue": "\(letter.venue ?? "?")", "id": "\(letter.sourceID ?? "?")",
                ])
        }
    }
}
