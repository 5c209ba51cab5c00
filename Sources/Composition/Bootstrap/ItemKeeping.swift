import Domain
import Logging
import Mapping
import Messaging
import ServiceLifecycle
import Settings
import Store
import Xero

/// Does what `tillbridge items` does without being asked, where `items.sync` is on: once a day, and when the poller has
/// read the catalogue anew. It runs inside the writers, which have Xero's credentials; a lease keeps all but one of
/// them from asking, and its calls come after all others.
struct ItemKeeping: Service {
    let organisation: OrganisationKey
    let ledger: XeroClient
    let store: PostgresStore
    /// The mapping in effect, as the mapper has it: the file as it is now, and over it what people set.
    let load: @Sendable () async throws -> Settings
    let clock: WorkClock
    let logger: Logger

    private static let interval = Duration.seconds(60)
    private static let period = Duration.seconds(20 * 3600)
    /// After the ledger could not be asked.
    private static let retryPeriod = Duration.seconds(600)

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                do { try await look() } catch {
                    if Task.isCancelled { return }
                    logger.warning("the items are not compared yet: \(error)", metadata: about)
                }
                do { try await clock.sleep(Self.interval) } catch { return }
            }
        }
    }

    private var about: Logger.Metadata { ["organisation": "\(organisation)"] }

    private func look() async throws {
        let settings = try await load()
        guard let own = settings.organisation(organisation), own.items.isOn else { return }
        var products: [Product] = []
        for company in settings.companies where company.organisation == organisation {
            products += try await store.products(of: company.key)
        }
        // Before the catalogue was read there is nothing to compare, and nothing to wait a day for.
        guard !products.isEmpty, let lease = try await store.acquire(ItemLink.lease(organisation), for: Self.period)
        else { return }
        var upsert = ItemUpsert(own, client: ledger, store: store, purpose: .backfill)
        let result: Result<XeroOutcome?, any Error>
        do { result = .success(try await upsert.run(products)) } catch { result = .failure(error) }
        if case .success(nil) = result {} else {
            // Also when this task is cancelled: another writer is to try again before tomorrow.
            await Task.detached { [store] in _ = try? await store.renew(lease, for: Self.retryPeriod) }.value
        }
        for line in upsert.lines { logger.info("\(line)") }
        for problem in upsert.problems { logger.warning("\(problem)", metadata: about) }
        if let outcome = try result.get() {
            logger.warning("the items are not compared yet: \(outcome.sentence)", metadata: about)
        }
    }
}
