import ArgumentParser
import Domain
import FoundationEssentials
import Mapping
import Messaging
import Settings
import Store

/// Whose mapping a command means, and who says so.
struct MappingEditOptions: ParsableArguments {
    @OptionGroup var options: WorkerOptions
    @Option(help: "The venue: its name, the prefix of its numbers, or Kounta's id of its site.")
    var venue: String?
    @Option(help: "The organisation's key: for all its venues that have no value of their own.")
    var organisation: String?
    @Option(help: "Why, for the record.")
    var reason: String
    @Option(help: "Who does it, for the record. Else the user's name of this session.")
    var by: String?
    @Flag(help: "Say whether the mapping would be in order, and change nothing.")
    var dryRun = false
    @Flag(help: "End at once, not when the mappers have taken it over.")
    var noWait = false
    @Flag(help: "For machines: one JSON object.")
    var json = false

    func validate() throws {
        guard (venue == nil) != (organisation == nil) else {
            throw ValidationError("say whose mapping: either --venue or --organisation")
        }
        guard !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("--reason says nothing") }
    }

    func author() throws -> String {
        var acting = ActingOptions()
        acting.by = by
        return try acting.author()
    }

    func scope(_ settings: Settings) throws -> MappingScope {
        if let organisation {
            return .organisation(try OperatorChoice.organisations([organisation], of: settings)[0].key)
        }
        let (company, venue) = try OperatorChoice.venue(self.venue ?? "", of: settings)
        return .venue(VenueKey(company: company.key, site: venue.site), of: company.organisation)
    }

    func target(_ what: String, _ scope: MappingScope) throws -> MappingTarget {
        guard let target = MappingTarget(what) else {
            throw ValidationError("`\(what)` is nothing that can be set: \(MappingTarget.forms)")
        }
        guard target.fits(scope) else {
            throw ValidationError(
                "`\(what)` is set for \(venue == nil ? "a venue: --venue" : "an organisation: --organisation")")
        }
        return target
    }
}

struct MappingSetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "set",
        abstract: "Sets a value of the mapping over the configuration's file; who and why are kept.",
        discussion: """
            WHAT is \(MappingTarget.forms). The mapping with it is validated as the file is; what is wrong changes \
            nothing. Mappers take it over within two seconds, and the command waits to see it. It stands, also over \
            later versions of the file, until `mapping unset`. Exit status: 0 kept; 1 not in order, or nothing would \
            change; 64 the command was written wrong.
            """)

    @OptionGroup var editing: MappingEditOptions
    @Argument(help: "What to set, such as accounts.sales or account.4010.")
    var what: String
    @Argument(help: "The account's code, or the tax type, that it becomes.")
    var value: String

    func run() async throws { try await MappingEditing(editing, what).run(value) }
}

struct MappingUnsetCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "unset", abstract: "Takes a value away that was set: what the file says counts again.",
        discussion: """
            Who and why are kept. Exit status: 0 done; 1 the mapping would not be in order; 3 nothing stands there; 64 \
            the command was written wrong.
            """)

    @OptionGroup var editing: MappingEditOptions
    @Argument(help: "What was set, as `mapping list` shows it.")
    var what: String

    func run() async throws { try await MappingEditing(editing, what).run(nil) }
}

/// One edit, from the command line to the mappers.
private struct MappingEditing {
    private let editing: MappingEditOptions
    private let what: String

    /// How long a mapper may take to say that it has the edit, and the others after the first.
    private static let takenWithin = Duration.seconds(10)
    private static let othersWithin = Duration.seconds(2)

    init(_ editing: MappingEditOptions, _ what: String) {
        self.editing = editing
        self.what = what
    }

    private struct DryRun: Error {}

    /// - Parameter value: nil takes away.
    func run(_ value: String?) async throws {
        let author = try editing.author()
        let path = editing.options.config
        let (settings, file) = try LiveSettings.loadWithFile(path: path, for: nil)
        let scope = try editing.scope(settings)
        let target = try editing.target(what, scope)
        let name = LiveSettings.path(path) ?? ""
        try await OperatorDesk.with(editing.options) { desk in
            let kept: (kept: KeptMappingEdit, before: String?)
            do {
                kept = try await desk.store.edit(
                    target, of: scope, to: value, by: author, because: editing.reason
                ) { before, after in
                    try Self.check(file, name, before, after, isSetting: value != nil)
                    if editing.dryRun { throw DryRun() }
                }
            } catch is DryRun {
                return printLines(["the mapping would be in order; nothing is changed"])
            } catch let refusal as MappingEditRefusal {
                guard refusal.isNothing else { throw StartError(refusal.description) }
                printLines([refusal.description])
                throw DeskExit.nothingMatches
            }
            try await tell(kept.kept, before: kept.before, MappingPlaces(settings), desk.store)
        }
    }

    private func tell(
        _ kept: KeptMappingEdit, before: String?, _ places: MappingPlaces, _ store: PostgresStore
    ) async throws {
        if !editing.json { printLines([MappingEditLines.kept(kept, before: before, places)]) }
        let version = editing.noWait ? nil : try await waitForMappers(store, since: kept.at)
        if editing.json { printLines([MappingEditLines.json(kept, places, version: version)]) }
        if let version {
            if !editing.json { printLines(["mapping \(version) is in effect"]) }
        } else if !editing.noWait {
            printError(
                "no mapper has taken it over yet: none is at work, or its configuration is another than this one")
        }
    }

    /// With the same reader as the file. What was in order before may not be out of it after; what was not may stay
    /// so, where a value is taken away: else of two that do not fit neither could be.
    private static func check(
        _ file: [UInt8], _ name: String, _ before: [MappingEdit], _ after: [MappingEdit], isSetting: Bool
    ) throws {
        let old = try? LiveSettings.load(file: file, named: name, edits: before)
        let new: Settings
        do { new = try LiveSettings.load(file: file, named: name, edits: after) } catch {
            if !isSetting, old == nil { return }
            throw StartError("the mapping stays as it was: \(error)")
        }
        guard isSetting, let old else { return }
        // An account that nothing is booked to, or a value that is there already.
        if new.editedText == old.editedText ?? Settings.rewritten(String(decoding: file, as: UTF8.self)) {
            throw StartError("the mapping stays as it was: it says so already, or has nothing of that name")
        }
    }

    /// - Returns: the number of the mapping with the edit; nil where no mapper has it in time.
    private func waitForMappers(_ store: PostgresStore, since moment: Instant) async throws -> Int64? {
        let path = editing.options.config
        let hash = try await LiveMapping.effective(path: path, for: nil, store).hash
        let end = LiveClock.clock.now().adding(Self.takenWithin)
        while LiveClock.clock.now() < end {
            if let version = try await store.mappingVersion(hash: hash, usedSince: moment) {
                try await LiveClock.clock.sleep(Self.othersWithin)
                return version
            }
            try await LiveClock.clock.sleep(.milliseconds(200))
        }
        return nil
    }
}

struct MappingListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Lists the values of the mapping that stand over the file, with who and why.",
        discussion: "Exit status: 0; 3 where none stands.")

    @OptionGroup var options: WorkerOptions
    @Flag(help: "Every edit there was, the latest first, those that were taken away included.")
    var history = false
    @Flag(help: "For machines: one JSON object a line.")
    var json = false

    /// Edits fetched at a time.
    private static let page = 200

    func run() async throws {
        try await OperatorDesk.with(options) { desk in
            let places = MappingPlaces(desk.settings)
            var isFirst = true
            func show(_ edits: [KeptMappingEdit]) {
                guard !edits.isEmpty else { return }
                printLines(
                    json
                        ? edits.map { MappingEditLines.json($0, places) }
                        : MappingEditLines.list(edits, places, isFirst: isFirst))
                isFirst = false
            }
            if history {
                var before: Int64?
                while true {
                    let edits = try await desk.store.mappingEditHistory(before: before, limit: Self.page)
                    show(edits)
                    guard edits.count == Self.page, let last = edits.last else { break }
                    before = last.id
                }
            } else {
                show(try await desk.store.mappingEdits().standing)
            }
            guard isFirst else { return }
            if !json { printLines(["no value of the mapping is set over the file"]) }
            throw DeskExit.nothingMatches
        }
    }
}
