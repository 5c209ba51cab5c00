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

/// The configuration in effect: the file, and over it what people set of the mapping.
struct EffectiveConfiguration: Sendable {
    let settings: Settings
    /// The configuration as YAML: of the file itself, or with the edits in it.
    let bytes: [UInt8]
    /// Changes with the file and with each edit.
    let look: ContentHash

    /// What a mapping is known by.
    var hash: ContentHash { LiveMapping.hash(bytes) }
}

/// The mapper's configuration, file and edits, watched.
enum LiveMapping {
    /// Throws the same sentences as at start.
    static func load(path: String?, _ store: PostgresStore) async throws -> LoadedMapping {
        try await mapping(try await effective(path: path, for: .mapper, store), store)
    }

    /// - Throws: what is wrong with the file or with an edit; ``AbsentDatabase`` where that cannot be known.
    static func effective(
        path: String?, for worker: Worker?, _ store: PostgresStore
    ) async throws -> EffectiveConfiguration {
        let (settings, file) = try LiveSettings.loadWithFile(path: path, for: worker)
        return try await effective(settings, file: file, path: path, for: worker, store)
    }

    /// - Parameters:
    ///   - settings: those of the file alone.
    ///   - file: its bytes.
    static func effective(
        _ settings: Settings, file: [UInt8], path: String?, for worker: Worker?, _ store: PostgresStore
    ) async throws -> EffectiveConfiguration {
        let edits: MappingEdits
        do { edits = try await store.mappingEdits() } catch {
            throw AbsentDatabase(what: "what people set of the mapping", cause: "\(error)")
        }
        let look = hash(file, through: edits.through)
        guard edits.through > 0 else { return EffectiveConfiguration(settings: settings, bytes: file, look: look) }
        if let unknown = edits.standing.first(where: { $0.edit == nil }) {
            throw StartError("mapping edit \(unknown.id) sets \(unknown.what), which this version does not know")
        }
        let name = LiveSettings.path(path) ?? "the configuration"
        let edited = try LiveSettings.load(file: file, named: name, for: worker, edits: edits.edits)
        // The number makes each edit another mapping, also one that leads back to an earlier one.
        let heading = "# The configuration with the edits of the mapping through \(edits.through)\n"
        return EffectiveConfiguration(
            settings: edited, bytes: Array(heading.utf8) + (edited.editedText.map { Array($0.utf8) } ?? file),
            look: look)
    }

    /// The mapping that a configuration decides, with what the tables know of products and modes.
    static func mapping(_ effective: EffectiveConfiguration, _ store: PostgresStore) async throws -> LoadedMapping {
        let settings = effective.settings
        let books: [VenueKey: VenueBooks]
        do { books = try await LiveCatalogue.completed(settings.books, by: settings, from: store) } catch {
            throw AbsentDatabase(what: "the products", cause: "\(error)")
        }
        let agreed = try await agreed(books, store)
        return LoadedMapping(books: agreed, file: effective.bytes, hash: effective.hash)
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
        } catch { throw AbsentDatabase(what: "the modes of days", cause: "\(error)") }
        return agreed
    }

    /// Changes with the file and with each edit; nil where the file cannot be read. The file's bytes are few, and so no
    /// way of replacing it (a link on its path that leads elsewhere, as Kubernetes does; a clock that stands) escapes.
    ///
    /// - Throws: where the database is away.
    static func look(path: String?, _ store: any MappingEditStore) async throws -> ContentHash? {
        guard let file = LiveSettings.path(path).flatMap(LiveSettings.read) else { return nil }
        return hash(file, through: try await store.lastMappingEdit())
    }

    static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: bytes))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }

    private static func hash(_ file: [UInt8], through edit: Int64) -> ContentHash {
        hash(file + Array("\n\(edit)".utf8))
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

/// What the mapping needs of the database could not be read.
struct AbsentDatabase: UnavailableMapping, CustomStringConvertible {
    let what: String
    let cause: String
    var description: String { "\(what) cannot be read: \(cause)" }
}
