package import Domain
package import Logging
package import Mapping
package import Messaging
import ServiceLifecycle
package import Settings

/// The mapping by which letters are read, and their remedies named: the one in effect, which may change while the
/// handler runs.
package actor DeskBooks {
    private(set) var reading: DeadLetterReading

    package init(_ books: [VenueKey: VenueBooks]) { reading = DeadLetterReading(books: books) }

    func replace(_ books: [VenueKey: VenueBooks]) { reading = DeadLetterReading(books: books) }
}

/// Takes a changed mapping over for the desk, file and edits alike. What is not in order changes nothing: the mapper
/// says so.
package struct DeskBooksWatch: Service {
    private let books: DeskBooks
    /// The books as they are now; throws what is wrong with them.
    private let load: @Sendable () async throws -> [VenueKey: VenueBooks]
    /// Changes with file and edits; nil where the file cannot be read. Throws where the database is away.
    private let look: @Sendable () async throws -> ContentHash?
    private let clock: WorkClock
    private let logger: Logger

    private static let interval = Duration.seconds(2)

    package init(
        _ books: DeskBooks, load: @escaping @Sendable () async throws -> [VenueKey: VenueBooks],
        look: @escaping @Sendable () async throws -> ContentHash?, clock: WorkClock, logger: Logger
    ) {
        self.books = books
        self.load = load
        self.look = look
        self.clock = clock
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            var seen: ContentHash?
            while !Task.isCancelled {
                // What could not be looked at or read is tried at the next look.
                if let now = try? await look(), now != seen {
                    do {
                        await books.replace(try await load())
                        seen = now
                    } catch {
                        if Task.isCancelled { return }
                        logger.debug("letters are read by the mapping before: \(error)")
                    }
                }
                do { try await clock.sleep(Self.interval) } catch { return }
            }
        }
    }
}
