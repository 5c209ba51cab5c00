package import Domain
package import Logging
package import Messaging
import ServiceLifecycle
import Mapping
import Settings
package import Store
package import Telemetry

/// Says that a mapping could not be read for a reason that passes, such as an absent database.
package protocol UnavailableMapping: Error {}

/// Takes a changed configuration into effect while the mapper runs: on SIGHUP, when the file has changed, and when
/// somebody set a value of the mapping over it.
///
/// It is validated first. A bad one changes nothing: the old mapping stays, and log and metric say so until it
/// is in order again. Only the mapping is taken over; everything else of the file waits for a restart.
package struct MappingReloading: Service {
    /// The configuration as it is now; throws what is wrong with it.
    private let load: @Sendable () async throws -> LoadedMapping
    /// Changes with file and edits; nil where the file cannot be read. Throws where the database is away.
    private let look: @Sendable () async throws -> ContentHash?
    /// Of what is in effect when this starts.
    private let lookAtStart: ContentHash
    private let hangUps: AsyncStream<Void>
    private let mapping: MappingInEffect
    private let store: any MappingVersionStore
    /// Those with queues, declared at start: a new organisation needs a restart.
    private let organisations: Set<OrganisationKey>
    private let clock: WorkClock
    private let metrics: Metrics
    private let logger: Logger

    /// How often file and edits are looked at.
    private static let interval = Duration.seconds(2)
    /// Every ten minutes products and items are read again.
    private static let looksBeforeRefresh = 300

    package init(
        load: @escaping @Sendable () async throws -> LoadedMapping,
        look: @escaping @Sendable () async throws -> ContentHash?, lookAtStart: ContentHash,
        hangUps: AsyncStream<Void>, mapping: MappingInEffect, store: any MappingVersionStore,
        organisations: Set<OrganisationKey>, clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.load = load
        self.look = look
        self.lookAtStart = lookAtStart
        self.hangUps = hangUps
        self.mapping = mapping
        self.store = store
        self.organisations = organisations
        self.clock = clock
        self.metrics = metrics
        self.logger = logger
    }

    package func run() async throws {
        metrics.set("tillbridge_mapping_version", to: await mapping.version)
        metrics.set("tillbridge_mapping_refused", to: 0)
        await cancelWhenGracefulShutdown {
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    for await _ in hangUps {
                        logger.notice("SIGHUP: reading the configuration again")
                        _ = await reload(always: true)
                    }
                }
                group.addTask { await watch() }
                await group.waitForAll()
            }
        }
    }

    private func watch() async {
        var seen: ContentHash? = lookAtStart
        var looks = 0
        while !Task.isCancelled {
            do { try await clock.sleep(Self.interval) } catch { return }
            let now: ContentHash?
            // While the database is away nothing can be taken over: the next look tells.
            do { now = try await look() } catch { continue }
            looks += 1
            if looks % Self.looksBeforeRefresh == 0, now == seen { _ = await reload(always: true) }
            guard now != seen else { continue }
            // What could not be stored, for the database was away, is tried again at the next look.
            if await reload() { seen = now }
        }
    }

    /// - Parameter always: also where the file is the one in effect: products may have changed.
    /// - Returns: false where it is worth another try with the same file and edits.
    package func reload(always: Bool = false) async -> Bool {
        let loaded: LoadedMapping
        do { loaded = try await load() } catch let error as any UnavailableMapping {
            logger.warning("the configuration is not taken over yet: \(error)")
            return false
        } catch {
            metrics.set("tillbridge_mapping_refused", to: 1)
            metrics.count("tillbridge_mapping_reloads_total", ["outcome": "refused"])
            let version = await mapping.version
            logger.error("the configuration is not taken over, mapping \(version) stays: \(error)")
            return true
        }
        do {
            let version = try await store.mappingVersion(hash: loaded.hash, file: loaded.file)
            metrics.set("tillbridge_mapping_refused", to: 0)
            let isNew = version != (await mapping.version)
            guard isNew || always else { return true }
            let books = loaded.books.filter { organisations.contains($0.value.organisation) }
            if books.count < loaded.books.count {
                logger.warning("venues of new organisations wait for a restart of all workers")
            }
            await mapping.replace(books: books, version: version)
            guard isNew else { return true }
            metrics.set("tillbridge_mapping_version", to: version)
            metrics.count("tillbridge_mapping_reloads_total", ["outcome": "taken"])
            logger.notice("mapping \(version) is in effect", metadata: ["hash": "\(loaded.hash)"])
            return true
        } catch {
            logger.warning("the configuration is not taken over yet: \(error)")
            return false
        }
    }
}
