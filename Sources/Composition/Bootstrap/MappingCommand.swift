import ArgumentParser
import Domain
import HTTP
import Mapping
import Operator
import Postgres
import Settings
import Store
import Xero

/// `tillbridge mapping`: is the configuration right, and what does it do?
struct MappingCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mapping",
        abstract: "Checks the mapping against Xero, explains what it does to an order, and sets values of it.",
        subcommands: [
            MappingCheckCommand.self, MappingExplainCommand.self, MappingSetCommand.self, MappingUnsetCommand.self,
            MappingListCommand.self, MappingMeasureCommand.self,
        ])
}

struct MappingCheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Compares every account, tax type and tracking option that is named with Xero's.",
        discussion: """
            Prints every problem with file, line and the nearest valid value. Nothing is changed. Ends with 0 when all \
            is well, 1 when something must be mended, 2 when a ledger could not be asked.
            """)

    @OptionGroup var options: WorkerOptions
    @Option(name: .long, help: "Only the organisation with this key; may be repeated.")
    var organisation: [String] = []
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() async throws {
        let settings = try await OperatorDatabase.configuration(options.config).settings
        let chosen = try OperatorChoice.organisations(organisation, of: settings)
        let file = LiveSettings.path(options.config) ?? ""
        let report = try await OperatorDatabase.with(settings) { store in
            let ledgers = try OperatorLedgers(settings, store: store)
            var results: [CheckReport.Organisation] = []
            for organisation in chosen { results.append(try await check(organisation, ledgers, file)) }
            await ledgers.close()
            return CheckReport(organisations: results)
        }
        if json {
            print(String(decoding: report.json(), as: UTF8.self))
        } else {
            report.lines().forEach { print($0) }
        }
        if report.exitCode != 0 { throw ExitCode(report.exitCode) }
    }

    private func check(
        _ organisation: OrganisationSettings, _ ledgers: OperatorLedgers, _ file: String
    ) async throws -> CheckReport.Organisation {
        guard let client = try await ledgers.client(of: organisation) else {
            return .init(key: organisation.key, failure: "it has neither a credential nor a connection")
        }
        switch try await client.chart(withCurrencies: organisation.booksOtherCurrencies) {
        case .found(let chart):
            return .init(
                key: organisation.key, problems: ChartCheck(organisation, chart: chart, file: file).problems())
        case .failed(let outcome): return .init(key: organisation.key, failure: outcome.sentence)
        }
    }
}

/// What the options of several commands choose.
enum OperatorChoice {
    static func organisations(_ keys: [String], of settings: Settings) throws -> [OrganisationSettings] {
        if keys.isEmpty { return settings.organisations }
        return try keys.map { key in
            guard let organisation = settings.organisation(OrganisationKey(key)) else {
                throw ValidationError(
                    "no organisation has the key `\(key)`"
                        + Nearness.hint(for: key, in: settings.organisations.map(\.key.text)))
            }
            return organisation
        }
    }
}

extension OperatorChoice {
    static func companies(_ key: String?, of settings: Settings) throws -> [CompanySettings] {
        guard let key else { return settings.companies }
        guard let company = settings.companies.first(where: { $0.key.text == key }) else {
            throw ValidationError(
                "no company has the key `\(key)`" + Nearness.hint(for: key, in: settings.companies.map(\.key.text)))
        }
        return [company]
    }

    /// By name or prefix, whatever the case, or by site.
    static func venue(_ text: String, of settings: Settings) throws -> (CompanySettings, VenueSettings) {
        let all = settings.companies.flatMap { company in company.venues.map { (company, $0) } }
        let word = text.lowercased()
        let found = all.filter {
            $0.1.name.lowercased() == word || $0.1.prefix.lowercased() == word || $0.1.site.text == text
        }
        switch found.count {
        case 1: return found[0]
        case 0:
            throw ValidationError("there is no venue `\(text)`" + Nearness.hint(for: text, in: all.map(\.1.name)))
        default: throw ValidationError("\(found.count) venues are called `\(text)`: give the site's id")
        }
    }

    static func contactName(of site: SiteID, in company: CompanyKey, _ settings: Settings) -> String {
        settings.companies.first { $0.key == company }?.venues.first { $0.site == site }?.contactName ?? "?"
    }
}

/// A database for the length of one command.
enum OperatorDatabase {
    /// The file with what people set of the mapping over it.
    static func configuration(_ path: String?) async throws -> EffectiveConfiguration {
        let (settings, file) = try LiveSettings.loadWithFile(path: path, for: nil)
        return try await with(settings) { store in
            try await LiveMapping.effective(settings, file: file, path: path, for: nil, store)
        }
    }

    /// The books with what the fleet knows of products, as the mapper has them.
    static func books(_ settings: Settings) async throws -> [VenueKey: VenueBooks] {
        try await with(settings) { store in
            try await LiveCatalogue.completed(settings.books, by: settings, from: store)
        }
    }

    static func with<Result: Sendable>(
        _ settings: Settings, _ work: (PostgresStore) async throws -> Result
    ) async throws -> Result {
        let pool = try LiveDatabase.pool(
            settings, name: "tillbridge", size: 3, logger: LiveLog.logger("tillbridge"), health: nil)
        do {
            try await pool.waitUntilReady(within: .seconds(15))
            let result = try await work(PostgresStore(pool: pool, holder: "operator"))
            await pool.close()
            return result
        } catch {
            await pool.close()
            throw error
        }
    }
}

extension XeroOutcome {
    /// How a call failed, for a person.
    var sentence: String {
        switch self {
        case .answered(let response): "Xero answered with status \(response.status)"
        case .limited(let after, let problem): "Xero's limit (\(problem)) is used up for \(after)"
        case .neverSent(let why): "Xero was not reached: \(why)"
        case .unknown(let why): "no usable answer: \(why)"
        case .offline(let why): "the organisation is offline: \(why)"
        case .disconnected(let why): "access is refused, connect it again: \(why)"
        case .refused(let status, let why): "Xero refused the request (\(status)): \(why)"
        }
    }
}
