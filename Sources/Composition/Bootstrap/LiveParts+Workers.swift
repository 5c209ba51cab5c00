import Credentials
import Telemetry
import DeadLetters
import Domain
import Kounta
import Logging
import Mapping
import MappingWork
import Messaging
import Polling
import ServiceLifecycle
import Setbacks
import Settings
import Store
import Writing
import Xero

extension LiveParts {
    func pollers() async throws -> [any Service] {
        let connections = try LiveConnections(self)
        var services: [any Service] = []
        for company in settings.companies {
            guard let access = try await connections.access(to: company) else { continue }
            let poller = poller(of: company, access)
            if case .granted(let tokens) = access {
                services.append(connected(.kounta, company.key.text, tokens) { poller })
            } else {
                services.append(poller)
            }
        }
        return services
    }

    private func poller(of company: CompanySettings, _ access: KountaAccess) -> CompanyPoller {
        let budget = KountaBudget(callsPerMinute: company.callsPerMinute, now: clock.now, sleep: clock.sleep)
        let client = KountaClient(
            http: http, base: settings.connections.kounta, company: company.kountaID, access: access, budget: budget)
        let questions = LiveCustomerQuestions(company: company.key, path: configuration?.path, store: store)
        let customers = CustomerReading(
            company: company.key, client: client, store: store, settings: settings.polling,
            questions: { try await questions.load() }, clock: clock, metrics: metrics)
        let scanner = VenueScanner(
            client: client, customers: customers, store: store, outbox: broker, settings: settings.polling,
            clock: clock, metrics: metrics)
        let catalogue = CatalogueReading(company: company, client: client, store: store, clock: clock, logger: logger)
        let rules = LiveWriteBack(
            organisation: company.organisation, path: configuration?.path, store: store)
        let writingBack = WritingBack(
            company: company, client: client, store: store, load: { try await rules.load() }, clock: clock,
            metrics: metrics, logger: logger)
        // One without its organisation does not pass the settings' validation.
        let base = settings.organisation(company.organisation)?.currency ?? ""
        let currency = CurrencyCheck(company: company, base: base, client: client, clock: clock, logger: logger)
        return CompanyPoller(
            company: company, settings: settings.polling, store: store, scanner: scanner, currency: currency,
            catalogue: usesCatalogue(company) ? catalogue : nil, writingBack: writingBack, clock: clock,
            metrics: metrics, logger: logger)
    }

    /// Whether anything looks at what the catalogue says of the company's products.
    private func usesCatalogue(_ company: CompanySettings) -> Bool {
        guard let organisation = settings.organisation(company.organisation) else { return false }
        let isGrouped = settings.books.contains {
            $0.key.company == company.key && $0.value.posting.grouping.contains(.category)
        }
        return organisation.items.isOn || !organisation.rules.isEmpty || isGrouped
    }

    private func connected(
        _ service: ConnectedService, _ key: String, _ tokens: any AccessTokens,
        _ make: @escaping @Sendable () async throws -> any Service
    ) -> ConnectedWork {
        ConnectedWork(
            service: service, key: key, tokens: tokens, clock: clock, health: health, metrics: metrics, logger: logger,
            make: make)
    }

    func mappers() async throws -> [any Service] {
        let path = configuration?.path
        let file = try configuration?.bytes ?? LiveSettings.loadWithFile(path: path, for: .mapper).file
        let (loaded, version, look) = try await waitingForDatabase {
            let effective = try await LiveMapping.effective(settings, file: file, path: path, for: .mapper, store)
            let loaded = try await LiveMapping.mapping(effective, store)
            return (loaded, try await store.mappingVersion(hash: loaded.hash, file: loaded.file), effective.look)
        }
        let mapping = MappingInEffect(
            books: loaded.books, version: version,
            recordBytesMax: settings.mapping.recordBytesMax, basis: settings.mapping.basis)
        let mapper = MapperService(
            inbox: await broker.inbox(.map, prefetch: settings.mapping.prefetch), outbox: broker, store: store,
            mapping: mapping, settings: settings.mapping, clock: clock, metrics: metrics, logger: logger,
            suspicion: Suspicion(store: store, turn: SoloTurn()))
        let reloading = MappingReloading(
            load: { [store] in try await LiveMapping.load(path: path, store) },
            look: { [store] in try await LiveMapping.look(path: path, store) }, lookAtStart: look,
            hangUps: await LiveMapping.hangUps(), mapping: mapping, store: store,
            organisations: Set(settings.organisations.map(\.key)), clock: clock, metrics: metrics, logger: logger)
        let closing = DayClosing(
            store: store, outbox: broker, depth: broker, mapping: mapping,
            startFrom: settings.startFrom,
            delay: settings.mapping.closeDelay, clock: clock, metrics: metrics, logger: logger)
        return [mapper, reloading, closing]
    }

    /// What is read before the work begins: a database that goes away just then is waited for as at any other time.
    private func waitingForDatabase<Value>(_ read: () async throws -> Value) async throws -> Value {
        while true {
            do { return try await read() } catch {
                guard error is any UnavailableMapping || StoreTrouble(error) == .away, !Task.isShuttingDownGracefully,
                    !Task.isCancelled
                else { throw error }
                logger.warning("waiting: \(error)")
            }
            try await clock.sleep(.milliseconds(500))
        }
    }

    func writers() async throws -> [any Service] {
        let limits = Dictionary(uniqueKeysWithValues: settings.organisations.map { ($0.key, $0.limits) })
        let metrics = metrics
        let budget = PostgresBudget(
            store: store, limits: limits, appCallsPerMinute: settings.writing.appCallsPerMinute,
            sharingApp: settings.sharingApp,
            sleep: { [clock] duration in
                // A worker that ends waits for no window: what it cannot send now goes back.
                if duration > Self.drainWaitMax, Task.isShuttingDownGracefully { throw CancellationError() }
                try await clock.sleep(duration)
            },
            onEvent: { organisation, event in
                switch event {
                case .breaker(let state):
                    metrics.set("tillbridge_breaker_state", ["organisation": organisation.text], to: state.level)
                case .waited(let reason):
                    metrics.count(
                        "tillbridge_budget_waits_total", ["organisation": organisation.text, "reason": reason])
                }
            })
        let suspicion = Suspicion(store: store, turn: SoloTurn())
        let connections = try LiveConnections(self)
        var services: [any Service] = []
        for organisation in settings.organisations {
            guard let tokens = connections.tokens(of: organisation) else { continue }
            let ledger = ledger(of: organisation, tokens, budget)
            services += ledgerServices(of: organisation, ledger)
            if organisation.credential != nil {
                services.append(await writer(of: organisation, ledger, suspicion))
            } else {
                // Its queue is not even subscribed to before somebody has connected it.
                services.append(
                    connected(.xero, organisation.key.text, tokens) {
                        await writer(of: organisation, ledger, suspicion)
                    })
            }
        }
        services.append(
            Sweeper(
                organisations: settings.organisations.map(\.key), store: store, outbox: broker, queues: broker,
                clock: clock, metrics: metrics, logger: logger))
        services.append(PermitNews(budget: budget))
        services.append(alerts(isSpare: true))
        return services
    }

    /// What is done with an organisation's ledger besides writing.
    private func ledgerServices(of organisation: OrganisationSettings, _ ledger: XeroClient) -> [any Service] {
        let path = configuration?.path
        let load: @Sendable () async throws -> Settings = { [store] in
            try await LiveMapping.effective(path: path, for: .writer, store).settings
        }
        return [
            ItemKeeping(
                organisation: organisation.key, ledger: ledger, store: store, load: load, clock: clock,
                logger: logger),
            Attaching(
                organisation: organisation.key, store: store, ledger: ledger, clock: clock, metrics: metrics,
                logger: logger),
            MappingWatch(
                organisation: organisation.key, ledger: ledger, store: store, load: load,
                file: LiveSettings.path(path) ?? "", clock: clock, metrics: metrics, logger: logger),
        ]
    }

    private func ledger(
        of organisation: OrganisationSettings, _ tokens: any AccessTokens, _ budget: any CallBudget
    ) -> XeroClient {
        let (metrics, key) = (metrics, organisation.key)
        return XeroClient(
            organisation: key, http: http, base: settings.connections.xero, tenant: organisation.tenant,
            tokens: tokens, budget: budget,
            onCall: { endpoint, status, duration in
                metrics.count(
                    "tillbridge_xero_calls_total",
                    ["organisation": key.text, "endpoint": endpoint, "status": String(status)])
                metrics.time("tillbridge_xero_call_seconds", ["endpoint": endpoint], took: duration)
            })
    }

    private func writer(
        of organisation: OrganisationSettings, _ ledger: XeroClient, _ suspicion: Suspicion
    ) async -> WriterService {
        let key = organisation.key
        // A batch for each loop, as much carried by each, and one that gathers.
        let prefetch = settings.writing.batch * (2 * settings.writing.batchesInFlight + 1)
        return WriterService(
            organisation: organisation, inbox: await broker.inbox(.write(key), prefetch: prefetch), outbox: broker,
            store: store, ledger: ledger, contactNames: contactNames(of: key), settings: settings.writing, clock: clock,
            metrics: metrics, logger: logger, suspicion: suspicion)
    }

    private static let drainWaitMax = Duration.seconds(1)

    private func contactNames(of organisation: OrganisationKey) -> [String: String] {
        var names: [String: String] = [:]
        for company in settings.companies where company.organisation == organisation {
            for venue in company.venues { names[venue.contactNumber] = venue.contactName }
        }
        return names
    }

    func deadLetterHandlers() async -> [any Service] {
        let path = configuration?.path
        let books = DeskBooks(settings.books)
        let watch = DeskBooksWatch(
            books,
            load: { [store] in
                try await LiveMapping.effective(path: path, for: .deadLetterHandler, store).settings.books
            },
            look: { [store] in try await LiveMapping.look(path: path, store) }, clock: clock, logger: logger)
        var services: [any Service] = [watch]
        for queue in [QueueName.dead, .unreadable] {
            services.append(
                DeadLetterService(
                    inbox: await broker.inbox(queue, prefetch: DeadLetterService.prefetch), store: store,
                    books: books, clock: clock, metrics: metrics, logger: logger))
        }
        services.append(
            DeskKeeper(
                organisations: settings.organisations.map(\.key), prefix: settings.connections.queuePrefix,
                store: store, outbox: broker, settings: settings.desk, clock: clock, metrics: metrics, logger: logger))
        services.append(alerts(isSpare: false))
        return services
    }
}

/// Wakes this writer's waiters when another gives a permit back. Ends with the drain: then they look for themselves.
private struct PermitNews: Service {
    let budget: PostgresBudget

    func run() async throws { await cancelWhenGracefulShutdown { await budget.watchOthers() } }
}

extension BreakerState {
    /// As the metric has it.
    fileprivate var level: Int64 {
        switch self {
        case .closed: 0
        case .halfOpen: 1
        case .open: 2
        }
    }
}
