import Domain
package import Kounta
package import Logging
package import Messaging
package import Settings
package import Store

/// Reads a company's products once a day, for rules that look at categories, tags and codes, and for items. It takes
/// only what new orders leave of the company's allowance.
package struct CatalogueReading: Sendable {
    private let company: CompanySettings
    private let client: KountaClient
    private let store: any ProductStore & LeaseStore
    private let clock: WorkClock
    private let logger: Logger

    private static let interval = Duration.seconds(60)
    private static let period = Duration.seconds(20 * 3600)
    private static let retryPeriod = Duration.seconds(600)

    package init(
        company: CompanySettings, client: KountaClient, store: any ProductStore & LeaseStore, clock: WorkClock,
        logger: Logger
    ) {
        self.company = company
        self.client = client
        self.store = store
        self.clock = clock
        self.logger = logger
    }

    /// Ends by cancellation only.
    func run() async {
        while !Task.isCancelled {
            do {
                if let lease = try await store.acquire("catalogue/\(company.key)", for: Self.period) {
                    try await read(holding: lease)
                }
            } catch {
                if Task.isCancelled { return }
                logger.warning("the products were not read, they are tried again: \(error)")
            }
            do { try await clock.sleep(Self.interval) } catch { return }
        }
    }

    private func read(holding lease: Lease) async throws {
        do {
            let products = try await client.products()
            try await store.keepProducts(products, of: company.key)
            logger.info("the catalogue was read", metadata: ["products": "\(products.count)"])
            try await store.letItemsBeCompared(company.organisation)
        } catch {
            // Also when this task is cancelled: another poller is to read it before tomorrow.
            await Task.detached { [store] in _ = try? await store.renew(lease, for: Self.retryPeriod) }.value
            throw error
        }
    }
}
