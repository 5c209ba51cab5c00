import Domain
import Logging
import Mapping
import Messaging
import Operator
import ServiceLifecycle
import Settings
import Store
import Telemetry
import Xero

/// Does what `tillbridge mapping check` does without being asked: when the writers start, and before each trading day
/// is closed; one that is posted order by order, before its cut-off. What is found is told, and hinders nothing: only a
/// document that Xero refuses is laid on the desk.
///
/// It runs inside the writers, which alone have Xero's credentials; a lease keeps all but one of them from asking.
struct MappingWatch: Service {
    let organisation: OrganisationKey
    let ledger: XeroClient
    let store: any SweepingStore & DayCheckStore
    /// The configuration as it is now, edits included: the mapper takes it over without a restart.
    let load: @Sendable () async throws -> Settings
    let file: String
    let clock: WorkClock
    let metrics: Metrics
    let logger: Logger

    private static let interval = Duration.seconds(10)
    /// The first check waits for a quiet moment, so that a backlog met at the start has all the calls; but not longer.
    private static let looksBeforeStart = 6
    private static let looksBeforeStartMax = 60
    /// Writers that start together ask once.
    private static let startLease = Duration.seconds(600)
    private static let closeLease = Duration.seconds(60)
    /// So long before its cut-off a day that is posted order by order is checked. As long as its lease, so that each
    /// cut-off has one check, and venues that end within it have theirs together.
    private static let beforeCutOff = Duration.seconds(1800)
    /// Looks between two readings of the cut-offs: a good deal shorter than the half hour.
    private static let looksBetweenReadings = 60

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var isStartChecked = false
            var looks = 0
            var cutOffs: [TradingCalendar] = []
            while !Task.isCancelled {
                do {
                    try await checkBeforeClose()
                    if looks % Self.looksBetweenReadings == 0 { cutOffs = try await perOrderCutOffs() }
                    try await checkBeforeCutOff(cutOffs)
                    looks += 1
                    if !isStartChecked { isStartChecked = try await checkAtStart(looks) }
                } catch {
                    if Task.isCancelled { return }
                    logger.warning("the mapping is not checked yet: \(error)", metadata: about)
                }
                do { try await clock.sleep(Self.interval) } catch { return }
            }
        }
    }

    private func lease(_ when: String) -> String { "mapping-check/\(when)/\(organisation)" }
    private var about: Logger.Metadata { ["organisation": "\(organisation)"] }

    /// - Returns: whether it is done, by this writer or another.
    private func checkAtStart(_ looks: Int) async throws -> Bool {
        guard looks > Self.looksBeforeStart else { return false }
        let open = try await store.openDocuments(dueAfter: .zero)[organisation]?.all ?? 0
        if looks < Self.looksBeforeStartMax, open > 0 { return false }
        guard try await store.acquire(lease("start"), for: Self.startLease) != nil else { return true }
        return try await check() != nil
    }

    private func checkBeforeClose() async throws {
        guard try await store.hasUncheckedDays(organisation),
            try await store.acquire(lease("close"), for: Self.closeLease) != nil
        else { return }
        guard let problems = try await check() else { return }
        try await store.noteChecked(organisation, problems: problems, at: clock.now())
    }

    /// Where days are posted order by order.
    private func perOrderCutOffs() async throws -> [TradingCalendar] {
        let now = clock.now()
        let companies = try await load().companies.filter { $0.organisation == organisation }
        return companies.flatMap(\.venues).compactMap { venue in
            let calendar = TradingCalendar(zone: venue.timeZone, cutOffMinutes: venue.posting.cutOffMinutes)
            return venue.posting.mode(on: calendar.day(at: now)) == .perOrder ? calendar : nil
        }
    }

    private func checkBeforeCutOff(_ calendars: [TradingCalendar]) async throws {
        let now = clock.now()
        guard calendars.contains(where: { $0.end(ofDayAt: now) <= now.adding(Self.beforeCutOff) }),
            let lease = try await store.acquire(lease("cut-off"), for: Self.beforeCutOff)
        else { return }
        // Xero could not be asked: somebody tries again.
        if try await check() == nil { try await store.giveBack(lease) }
    }

    /// - Returns: how many problems there are; nil where the ledger could not be asked.
    private func check() async throws -> Int? {
        guard let settings = try await load().organisation(organisation) else { return 0 }
        let chart: Chart
        switch try await ledger.chart(withCurrencies: settings.booksOtherCurrencies) {
        case .failed(let outcome):
            logger.warning("the mapping could not be checked: \(outcome.sentence)", metadata: about)
            return nil
        case .found(let found): chart = found
        }
        let problems = ChartCheck(settings, chart: chart, file: file).problems()
        metrics.set("tillbridge_mapping_problems", ["organisation": organisation.text], to: Int64(problems.count))
        for problem in problems { logger.warning("mapping check: \(problem)", metadata: about) }
        if problems.isEmpty { logger.info("mapping check: all that is named is in the chart", metadata: about) }
        return problems.count
    }
}
