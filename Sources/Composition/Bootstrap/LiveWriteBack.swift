import Domain
import Polling
import Settings
import Store

/// The rules that write back, read again when the configuration has changed: they need no restart.
actor LiveWriteBack {
    private let organisation: OrganisationKey
    private let path: String?
    private let store: PostgresStore
    private var latest: (look: ContentHash, rules: LoadedWriteBack)?

    init(organisation: OrganisationKey, path: String?, store: PostgresStore) {
        self.organisation = organisation
        self.path = path
        self.store = store
    }

    /// - Throws: what is wrong with the file, or that the database is away.
    func load() async throws -> LoadedWriteBack {
        if let latest, try await LiveMapping.look(path: path, store) == latest.look { return latest.rules }
        let effective = try await LiveMapping.effective(path: path, for: .poller, store)
        guard let own = effective.settings.organisation(organisation) else {
            throw StartError("the configuration has no organisation `\(organisation)` any more")
        }
        let loaded = LoadedWriteBack(
            rules: own.writeBack, hash: LiveMapping.hash(Array(own.writeBackText.utf8)),
            version: try await store.mappingVersion(hash: effective.hash, file: effective.bytes))
        latest = (effective.look, loaded)
        return loaded
    }
}
