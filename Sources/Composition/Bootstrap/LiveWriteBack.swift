import Crypto
import Domain
import Polling
import Settings
import Store

/// The rules that write back, read again when the configuration's file has changed: they need no restart.
actor LiveWriteBack {
    private let organisation: OrganisationKey
    private let path: String?
    private let store: PostgresStore
    private var latest: (file: ContentHash, rules: LoadedWriteBack)?

    init(organisation: OrganisationKey, path: String?, store: PostgresStore) {
        self.organisation = organisation
        self.path = path
        self.store = store
    }

    /// - Throws: what is wrong with the file, or that the database is away.
    func load() async throws -> LoadedWriteBack {
        if let latest, LiveMapping.hash(path: path) == latest.file { return latest.rules }
        let (settings, file) = try LiveSettings.loadWithFile(path: path, for: .poller)
        guard let own = settings.organisation(organisation) else {
            throw StartError("the configuration has no organisation `\(organisation)` any more")
        }
        let hash = Self.hash(file)
        let loaded = LoadedWriteBack(
            rules: own.writeBack, hash: Self.hash(Array(own.writeBackText.utf8)),
            version: try await store.mappingVersion(hash: hash, file: file))
        latest = (hash, loaded)
        return loaded
    }

    private static func hash(_ bytes: [UInt8]) -> ContentHash {
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: bytes))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        return hash
    }
}
