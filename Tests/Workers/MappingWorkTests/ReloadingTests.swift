import Crypto
import Domain
import Logging
import Mapping
import MappingWork
import Messaging
import Money
import ServiceLifecycle
import Settings
import Store
import Synchronization
import Telemetry
import Testing

/// Gives each mapping a number; `refuse` makes the database absent.
private actor MemoryVersions: MappingVersionStore {
    private var known: [ContentHash] = []
    private var isAbsent = false

    struct Absent: Error {}

    func refuse(_ refuse: Bool) { isAbsent = refuse }

    func mappingVersion(hash: ContentHash, file: [UInt8]) throws -> Int64 {
        if isAbsent { throw Absent() }
        if let index = known.firstIndex(of: hash) { return Int64(index + 1) }
        known.append(hash)
        return Int64(known.count)
    }

    func keepBases(_ bases: [DocumentBasis]) {}
    func basis(of document: DocumentID) -> DocumentBasis? { nil }
}

/// A configuration file that tests write.
private final class MemoryFile: Sendable {
    private let text = Mutex("first")
    private let vainLooks = Mutex(0)

    func write(_ text: String) { self.text.withLock { $0 = text } }
    var looksInVain: Int { vainLooks.withLock { $0 } }

    /// While the database is away nobody knows whether something was set over the file.
    func look() throws -> ContentHash {
        let text = text.withLock { $0 }
        guard text.hasPrefix("absent") else { return hash }
        vainLooks.withLock { $0 += 1 }
        throw MemoryVersions.Absent()
    }

    var bytes: [UInt8] { Array(text.withLock { $0 }.utf8) }
    var hash: ContentHash { ContentHash(bytes: Array(SHA256.hash(data: bytes)))! }

    struct Bad: Error, CustomStringConvertible { let description = "fleet.yaml:3: this key is not known" }

    func load() throws -> LoadedMapping {
        let text = String(decoding: bytes, as: UTF8.self)
        if text.hasPrefix("bad") { throw Bad() }
        return LoadedMapping(books: ReloadingTests.books(text), file: bytes, hash: hash)
    }
}

@Suite("Taking a changed mapping over") struct ReloadingTests {
    static let venue = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))

    /// Each text is a mapping with its own sales account; `new …` adds a venue of an organisation without a queue.
    static func books(_ text: String) -> [VenueKey: VenueBooks] {
        func books(_ organisation: String, _ site: String) -> VenueBooks {
            VenueBooks(
                company: CompanyKey("harbour"), organisation: OrganisationKey(organisation), site: SiteID(site),
                name: text, numberPrefix: "HBR", currency: "AUD", timeZone: .utc, contactNumber: "W", tracking: nil,
                accounts: .init(sales: "230", tips: "825", rounding: "860", outsideTaxType: "BASEXCLUDED"),
                taxTypes: [:], clearingAccounts: [:], fallbackClearingAccount: nil)
        }
        var result = [venue: books("harbour", "923")]
        if text.hasPrefix("new") {
            result[VenueKey(company: CompanyKey("harbour"), site: SiteID("1"))] = books("another", "1")
        }
        return result
    }

    private struct World {
        let file = MemoryFile()
        let versions = MemoryVersions()
        let metrics = Metrics()
        let mapping: MappingInEffect
        let reloading: MappingReloading
        let hangUp: AsyncStream<Void>.Continuation

        init() async throws {
            let (hangUps, hangUp) = AsyncStream.makeStream(of: Void.self)
            self.hangUp = hangUp
            let file = file
            mapping = MappingInEffect(
                books: try file.load().books, version: try await versions.mappingVersion(hash: file.hash, file: []),
                recordBytesMax: 1000, basis: .rules)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            reloading = MappingReloading(
                load: { try file.load() }, look: { try file.look() }, lookAtStart: file.hash, hangUps: hangUps,
                mapping: mapping, store: versions, organisations: [OrganisationKey("harbour")],
                clock: WorkClock(
                    now: { Instant(secondsSince1970: 0) }, sleep: { _ in try await Task.sleep(for: .milliseconds(5)) },
                    randomInteger: { $0.lowerBound }), metrics: metrics, logger: logger)
        }

        func wait(until condition: () async -> Bool) async throws {
            for _ in 0..<2000 {
                if await condition() { return }
                try await Task.sleep(for: .milliseconds(5))
            }
            Issue.record("waited in vain")
        }
    }

    @Test("a good file takes effect under a number of its own, a bad one leaves the mapping and says so")
    func goodAndBad() async throws {
        let world = try await World()
        world.file.write("bad")
        #expect(await world.reloading.reload())
        #expect(await world.mapping.version == 1)
        #expect(world.metrics.rendered().contains("tillbridge_mapping_refused 1"))
        world.file.write("second")
        #expect(await world.reloading.reload())
        #expect(await world.mapping.version == 2)
        #expect(world.metrics.rendered().contains("tillbridge_mapping_refused 0"))
        #expect(world.metrics.rendered().contains(#"tillbridge_mapping_reloads_total{outcome="refused"} 1"#))
        #expect(await world.mapping.venues[Self.venue]?.name == "second")
        world.file.write("first")
        #expect(await world.reloading.reload())
        #expect(await world.mapping.version == 1)
    }

    @Test("while the database is away the old mapping stays and the new one is tried again")
    func noDatabase() async throws {
        let world = try await World()
        await world.versions.refuse(true)
        world.file.write("second")
        #expect(!(await world.reloading.reload()))
        #expect(await world.mapping.version == 1)
        await world.versions.refuse(false)
        #expect(await world.reloading.reload())
        #expect(await world.mapping.version == 2)
    }

    @Test("a venue of an organisation that has no queue yet is not taken over")
    func newOrganisation() async throws {
        let world = try await World()
        world.file.write("new venue")
        #expect(await world.reloading.reload())
        #expect(await world.mapping.venues.keys.map(\.site.text) == ["923"])
    }

    @Test("a changed file is seen, and SIGHUP reads it again at once; the service ends when it is told to")
    func watching() async throws {
        let world = try await World()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await world.reloading.run() }
            world.file.write("second")
            try await world.wait { await world.mapping.version == 2 }
            world.file.write("bad file")
            try await world.wait { world.metrics.rendered().contains("tillbridge_mapping_refused 1") }
            #expect(await world.mapping.version == 2)
            // What cannot be looked at is not read either; the next look takes it over.
            world.file.write("absent database")
            try await world.wait { world.file.looksInVain > 2 }
            #expect(await world.mapping.version == 2)
            world.file.write("third")
            world.hangUp.yield()
            try await world.wait { await world.mapping.version == 3 }
            group.cancelAll()
        }
    }
}
