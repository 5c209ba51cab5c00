import Crypto
import Domain
import Mapping
import MappingWork
import Messaging
import ServiceLifecycle
import Settings
import Store
import UnixSignals

/// A configuration file as it was read at start.
struct ConfigurationFile: Sendable {
    /// As the option named it; nil: the environment names it.
    let path: String?
    let bytes: [UInt8]
}

/// The mapper's configuration file, watched.
enum LiveMapping {
    /// Throws the same sentences as at start.
    static func load(path: String?, _ store: PostgresStore) async throws -> LoadedMapping {
        let (settings, file) = try LiveSettings.loadWithFile(path: path, for: .mapper)
        return try await mapping(settings, file: file, store)
    }

    static func mapping(_ settings: Settings, file: [UInt8], _ store: PostgresStore) async throws -> LoadedMapping {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: file))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        let books: [VenueKey: VenueBooks]
        do { books = try await LiveCatalogue.completed(settings.books, by: settings, from: store) } catch {
            throw AbsentCatalogue(cause: "\(error)")
        }
        let agreed = try await agreed(books, store)
        return LoadedMapping(books: agreed, file: file, hash: hash)
    }

    /// The books with the modes that all mappers have agreed on: another mode takes effect on the day after.
    private static func agreed(
        _ books: [VenueKey: VenueBooks], _ store: PostgresStore
    ) async throws -> [VenueKey: VenueBooks] {
        var agreed = books
        do {
            for (venue, books) in books.sorted(by: { $0.value.numberPrefix < $1.value.numberPrefix }) {
                let today = OrderMapping(books: books).calendar.day(at: LiveClock.clock.now())
                agreed[venue]?.posting = try await store.agreed(books.posting, of: venue, today: today)
            }
        } catch { throw AbsentCatalogue(cause: "\(error)") }
        return agreed
    }

    /// Of the file's bytes: they are few, and no way of replacing a file (a link on its path that leads elsewhere, as
    /// Kubernetes does; a clock that stands) escapes.
    static func hash(path: String?) -> ContentHash? {
        LiveSettings.path(path).flatMap(LiveSettings.read).flatMap { ContentHash(bytes: Array(SHA256.hash(data: $0))) }
    }

    /// One element for each SIGHUP that this process is sent.
    static func hangUps() async -> AsyncStream<Void> {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        // Unstructured: it lives as long as the process, which is trapped for SIGHUP from now on.
        let task = Task { for await _ in signals { continuation.yield() } }
        continuation.onTermination = { _ in task.cancel() }
        return stream
    }
}

/// The products could not be read from the database.
struct AbsentCatalogue: UnavailableMapping, CustomStringConvertible {
    let cause: String
    var description: String { "the products cannot be read: \(cause)" }
}
