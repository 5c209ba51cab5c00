import Domain
import Kounta
package import Logging
package import Messaging
import ServiceLifecycle
package import Settings
package import Store
package import Telemetry

/// Reads the completed orders of one Kounta company and hands them to the mapper.
///
/// Any number of these run; one is active, the one that holds the lease. The others ask for it every second, so a
/// killed poller is replaced when its lease ends.
package struct CompanyPoller: Service {
    let company: CompanySettings
    let settings: PollingSettings
    private let store: any PollingStore
    let scanner: VenueScanner
    /// Nil where nobody needs the products.
    private let catalogue: CatalogueReading?
    /// Nil where nothing can be written back.
    private let writingBack: WritingBack?
    let currency: CurrencyCheck
    let clock: WorkClock
    let metrics: Metrics
    let logger: Logger
    let stops = StoppedVenues()

    /// How often a poller without the lease asks for it.
    private static let standbyInterval = Duration.seconds(1)

    package init(
        company: CompanySettings, settings: PollingSettings, store: any PollingStore, scanner: VenueScanner,
        currency: CurrencyCheck, catalogue: CatalogueReading? = nil, writingBack: WritingBack? = nil,
        clock: WorkClock, metrics: Metrics, logger: Logger
    ) {
        self.company = company
        self.settings = settings
        self.store = store
        self.scanner = scanner
        self.catalogue = catalogue
        self.writingBack = writingBack
        self.currency = currency
        self.clock = clock
        self.metrics = metrics
        var logger = logger
        logger[metadataKey: "company"] = "\(company.key)"
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do {
                    if let lease = try await store.acquire("poller/\(company.key)", for: settings.leaseDuration) {
                        await hold(lease)
                        continue
                    }
                } catch {
                    if Task.isCancelled { break }
                    logger.warning("cannot ask for the lease: \(error)")
                }
                metrics.set("tillbridge_poller_active", ["company": company.key.text], to: 0)
                try? await clock.sleep(Self.standbyInterval)
            }
        }
    }

    /// Polls for as long as the lease can be renewed.
    private func hold(_ lease: Lease) async {
        logger.info("this poller is active", metadata: ["fence": "\(lease.fence)"])
        metrics.set("tillbridge_poller_active", ["company": company.key.text], to: 1)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await renew(lease) }
            if let catalogue { group.addTask { await catalogue.run() } }
            if let writingBack { group.addTask { await writingBack.run() } }
            for venue in company.venues {
                for reading in VenueReading.allCases { group.addTask { await keep(reading, venue, lease) } }
                if venue.needsTakings { group.addTask { await count(venue, lease) } }
            }
            // The first to end is the renewal (the lease is lost) or a venue (the process ends): all end with it.
            await group.next()
            group.cancelAll()
        }
        // Given back even when this task is cancelled, so that the next poller starts at once.
        await Task.detached { [store] in try? await store.giveBack(lease) }.value
    }

    private func renew(_ lease: Lease) async {
        while !Task.isCancelled {
            do { try await clock.sleep(settings.leaseDuration / 4) } catch { return }
            do {
                guard try await store.renew(lease, for: settings.leaseDuration) else {
                    logger.warning("the lease was lost: another poller is active")
                    return
                }
            } catch {
                if Task.isCancelled { return }
                // The database is away: nobody else can take the lease either; the fence guards the cursor.
                logger.warning("cannot renew the lease: \(error)")
            }
        }
    }

    /// Reads what was counted in the venue's tills. Nothing else waits for it.
    private func count(_ venue: VenueSettings, _ lease: Lease) async {
        // All of them once; then what may have come since.
        var since: Instant?
        while !Task.isCancelled {
            do {
                let start = clock.now()
                try await currency.check()
                try await scanner.readTakings(of: venue, in: at(venue), since: since, lease: lease)
                since = start.adding(.zero - settings.rescanWindow)
            } catch {
                if Task.isCancelled { return }
                await report(error, nil, venue)
            }
            let pause = max(settings.interval, min(settings.interval * 12, .seconds(60)))
            do { try await clock.sleep(pause) } catch { return }
        }
    }

    /// Orders are read from the first day's midnight where the venue is.
    func at(_ venue: VenueSettings) -> CompanySettings {
        var company = company
        company.startFrom = venue.startFrom
        return company
    }
}
