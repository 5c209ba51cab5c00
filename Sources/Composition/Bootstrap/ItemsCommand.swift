import ArgumentParser
import Domain
import Kounta
import Mapping
import Settings
import Store
import Xero

/// `tillbridge items`: Kounta's products as items in Xero.
struct ItemsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "items",
        abstract: "Reads Kounta's products and keeps them as items in Xero, where `items.sync` is on.",
        discussion: """
            Only what is not in Xero as it should be is sent, at most 500 items a call. Doing it again changes \
            nothing, and an item that somebody edited there becomes what the till says again. Also where it is off \
            the catalogue is stored, for rules about categories and tags. Ends with 0, 1 where a product could not \
            become an item, 2 where Kounta or Xero could not be asked.
            """)

    @OptionGroup var options: WorkerOptions
    @Flag(name: .long, help: "Say what would be sent; store and send nothing.")
    var dryRun = false

    func run() async throws {
        let (file, bytes) = try LiveSettings.loadWithFile(path: options.config, for: nil)
        let (dryRun, path) = (dryRun, options.config)
        let outcome = try await OperatorDatabase.with(file) { store in
            let settings = try await LiveMapping.effective(file, file: bytes, path: path, for: nil, store).settings
            let till = try OperatorTill(settings, store: store)
            let ledgers = try OperatorLedgers(settings, store: store)
            var sync = ItemSync(settings, store: store, till: till, ledgers: ledgers, isDry: dryRun)
            try await sync.run()
            await ledgers.close()
            await till.close()
            return sync
        }
        outcome.lines.forEach { print($0) }
        if outcome.exitCode != 0 { throw ExitCode(outcome.exitCode) }
    }
}

/// One pass over all companies and organisations.
struct ItemSync: Sendable {
    private let settings: Settings
    private let store: PostgresStore
    private let till: OperatorTill
    private let ledgers: OperatorLedgers
    private let isDry: Bool
    private(set) var lines: [String] = []
    private(set) var exitCode: Int32 = 0

    init(_ settings: Settings, store: PostgresStore, till: OperatorTill, ledgers: OperatorLedgers, isDry: Bool) {
        self.settings = settings
        self.store = store
        self.till = till
        self.ledgers = ledgers
        self.isDry = isDry
    }

    mutating func run() async throws {
        var products: [OrganisationKey: [Product]] = [:]
        for company in settings.companies {
            do {
                guard let client = try await till.client(of: company) else {
                    fail("company \(company.key) has neither a credential nor a connection", 2)
                    continue
                }
                let catalogue = try await client.products()
                if !isDry { try await store.keepProducts(catalogue, of: company.key) }
                products[company.organisation, default: []] += catalogue
                lines.append("company \(company.key): \(catalogue.count) products")
            } catch let error as KountaError { fail("company \(company.key): \(error)", 2) }
        }
        for organisation in settings.organisations where organisation.items.isOn {
            try await sync(organisation, products[organisation.key] ?? [])
        }
    }

    private mutating func sync(_ organisation: OrganisationSettings, _ products: [Product]) async throws {
        guard let client = try await ledgers.client(of: organisation) else {
            return fail("organisation \(organisation.key) has neither a credential nor a connection", 2)
        }
        var upsert = ItemUpsert(organisation, client: client, store: store, isDry: isDry)
        let failure = try await upsert.run(products)
        lines += upsert.lines
        for problem in upsert.problems { fail("organisation \(organisation.key): \(problem)", 1) }
        if let failure { fail("organisation \(organisation.key): \(failure.sentence)", 2) }
    }

    private mutating func fail(_ line: String, _ code: Int32) {
        lines.append(line)
        if exitCode != 1 { exitCode = code }
    }
}
