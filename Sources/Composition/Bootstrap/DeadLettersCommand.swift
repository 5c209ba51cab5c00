import Alerting
import ArgumentParser
import Domain
import FoundationEssentials
import Money
import Postgres
import Settings
import Store

/// `tillbridge dead-letters`: the desk, as the person on duty uses it.
struct DeadLettersCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead-letters",
        abstract: "The desk: what could not be booked, why, and how it is put right.",
        discussion: """
            Exit status: 0 done; 1 it could not be done (the reason is printed); 3 no letter matches; 4 some letters \
            were passed over, or came back; 64 the command was written wrong.
            """,
        subcommands: [
            GroupsCommand.self, ListCommand.self, ShowCommand.self, ReplayCommand.self, EditCommand.self,
            DiscardCommand.self, AssignCommand.self, ExportCommand.self,
        ], defaultSubcommand: GroupsCommand.self)
}

/// The exit statuses of the desk's commands; README lists them.
enum DeskExit {
    static let nothingMatches = ExitCode(3)
    static let notAll = ExitCode(4)
}

/// Which letters a command means.
struct LetterSelection: ParsableArguments {
    @Argument(help: "Numbers of letters.")
    var ids: [Int64] = []
    @Option(help: "All letters of this group.")
    var group: Int64?
    @Option(name: .customLong("class"), help: "value, mapping, duplicate, locked_period, archived, …")
    var deadLetterClass: DeadLetterClass?
    @Option(help: "The organisation's key.")
    var organisation: String?
    @Option(help: "The venue's name.")
    var venue: String?
    @Option(help: "The document's number in Xero, such as HBR-7000016118.")
    var number: String?
    @Option(help: "Kounta's id of the order.")
    var order: String?
    @Option(help: "First trading day, such as 2026-11-20.")
    var from: CalendarDate?
    @Option(help: "Last trading day.")
    var to: CalendarDate?
    @Option(help: "The amount, such as 12.30.")
    var amount: ExactDecimal?
    @Option(help: "The smallest amount.")
    var amountMin: ExactDecimal?
    @Option(help: "The largest amount.")
    var amountMax: ExactDecimal?
    @Option(help: "A part of the cause.")
    var cause: String?
    @Option(help: "Assigned to this person.")
    var assignee: String?
    @Option(help: "open, queued, replaying, resolved or discarded; may be repeated. Else what is not closed.")
    var state: [LetterState] = []

    var filter: LetterFilter {
        var filter = LetterFilter()
        filter.ids = ids
        filter.group = group
        filter.deadLetterClass = deadLetterClass
        filter.organisation = organisation
        filter.venue = venue
        filter.number = number
        filter.order = order
        filter.from = from
        filter.to = to
        filter.amountMin = (amount ?? amountMin)?.description
        filter.amountMax = (amount ?? amountMax)?.description
        filter.text = cause
        filter.assignee = assignee
        if !state.isEmpty { filter.states = state }
        return filter
    }
}

/// What the commands that change something have in common.
struct ActingOptions: ParsableArguments {
    @Flag(help: "Say what would be done, and do nothing.")
    var dryRun = false
    @Flag(help: "Mean every letter, where nothing says which.")
    var all = false
    @Option(help: "Who does it, for the record. Else the user's name of this session.")
    var by: String?
    @Flag(help: "For machines: one JSON object.")
    var json = false

    func author() throws -> String {
        let environment = ProcessInfo.processInfo.environment
        guard let name = by ?? environment["USER"] ?? environment["LOGNAME"], !name.isEmpty else {
            throw ValidationError("say who does this, by --by NAME: it is kept with what is done")
        }
        return name
    }

    func filter(_ selection: LetterSelection) throws -> LetterFilter {
        let filter = selection.filter
        guard !filter.isEverything || all else {
            throw ValidationError("say which letters: their numbers, --group, another filter, or --all")
        }
        return filter
    }
}

/// The desk's store, and what its letters are shown by, for the time of one command.
enum DeskSession {
    static func with(
        _ config: String?, _ work: (PostgresStore, DeskPlaces) async throws -> Void
    ) async throws {
        let settings = try LiveSettings.load(path: config, for: nil)
        let pool = try LiveDatabase.pool(
            settings, name: "tillbridge-desk", size: 1, logger: LiveLog.logger("tillbridge"), health: nil)
        let pending = try await Migrator(pool: pool, schema: settings.connections.schema).status()
            .filter { !$0.isApplied }.map(\.version)
        guard pending.isEmpty else { throw StartError("\(MigrationError.pending(pending))") }
        let result: Result<Void, any Error>
        do {
            result = .success(try await work(PostgresStore(pool: pool, holder: "desk"), DeskPlaces(settings)))
        } catch { result = .failure(error) }
        await pool.close()
        do { try result.get() } catch let refusal as DeskRefusal { throw StartError(refusal.description) }
    }
}

/// The clock and the currency of each organisation: a person on duty reads neither UTC nor bare numbers.
struct DeskPlaces: Sendable {
    private let clock: PlaceClock
    private let currencies: [String: String]
    private let probeInterval: Duration
    let mapping: MappingPlaces

    init(_ settings: Settings) {
        mapping = MappingPlaces(settings)
        clock = settings.alerts.policy.clock
        currencies = Dictionary(settings.organisations.map { ($0.key.text, $0.currency) }) { first, _ in first }
        probeInterval = settings.desk.probeInterval
    }

    /// When a letter of the group is sent ahead at the earliest.
    func probe(_ group: LetterGroup) -> Instant? {
        group.nextProbe.map { max($0, group.openedAt.adding(probeInterval)) }
    }

    func time(_ instant: Instant, _ organisation: String?) -> String {
        clock.text(instant, of: organisation.map { OrganisationKey($0) })
    }

    func money(_ amount: String, _ organisation: String?) -> String {
        organisation.flatMap { currencies[$0] }.map { "\(amount) \($0)" } ?? amount
    }
}

extension DeadLetterClass: ExpressibleByArgument {}
extension LetterState: ExpressibleByArgument {}

extension CalendarDate: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}

extension ExactDecimal: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }
}
