import ArgumentParser
import Store

/// Letters fetched at a time.
private let page = 200

struct GroupsCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "groups", abstract: "Causes, the one with most money first: how many letters, and what to do.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @Flag(help: "For machines: one JSON array.")
    var json = false
    @Flag(help: "Closed groups too.")
    var closed = false

    func run() async throws {
        try await DeskSession.with(options.config) { store, places in
            let groups = try await store.groups(selection.filter, closedToo: closed)
            printLines(json ? [LetterJSON.groups(groups)] : LetterLines.groups(groups, places))
            if groups.isEmpty { throw DeskExit.nothingMatches }
        }
    }
}

struct ListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "Letters, one a line.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @Flag(help: "For machines: one JSON object a line.")
    var json = false
    @Option(help: "At most so many.")
    var limit = 100

    func validate() throws {
        guard limit > 0 else { throw ValidationError("--limit is a number from 1") }
    }

    func run() async throws {
        try await DeskSession.with(options.config) { store, _ in
            var after: Int64 = 0
            var shown = 0
            while shown < limit {
                let wanted = min(page, limit - shown)
                let letters = try await store.letters(
                    selection.filter, after: after, limit: wanted, withBodies: false)
                if json { printLines(letters.map { LetterJSON.letter($0) }) } else if !letters.isEmpty {
                    printLines(LetterLines.list(letters, isFirst: shown == 0))
                }
                shown += letters.count
                guard letters.count == wanted, let last = letters.last else { break }
                after = last.id
            }
            if shown == 0 {
                if !json { printLines(["no letter matches"]) }
                throw DeskExit.nothingMatches
            }
            if shown == limit, !json { printLines(["… at most \(limit) are shown; --limit shows more"]) }
        }
    }
}

struct ExportCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "export",
        abstract: "Letters with their bodies, as JSON lines or CSV, to standard output.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @Flag(help: "CSV without bodies, for a spreadsheet.")
    var csv = false

    func run() async throws {
        try await DeskSession.with(options.config) { store, _ in
            var after: Int64 = 0
            var count = 0
            if csv { printLines([LetterCSV.header]) }
            while true {
                // Few at a time: a body may have megabytes.
                let letters = try await store.letters(
                    selection.filter, after: after, limit: csv ? page : 20, withBodies: !csv)
                guard let last = letters.last else { break }
                printLines(letters.map { csv ? LetterCSV.row($0) : LetterJSON.letter($0, withBody: true) })
                after = last.id
                count += letters.count
            }
            if count == 0 { throw DeskExit.nothingMatches }
        }
    }
}
