import ArgumentParser
import Domain
import Store

struct ShowCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "One letter with everything that is known of it.")

    @OptionGroup var options: WorkerOptions
    @Argument(help: "The letter's number.")
    var id: Int64
    @Flag(help: "For machines: one JSON object, with all of it.")
    var json = false
    @Flag(help: "All that arrived, was done and was called, however much it is; else the latest of each.")
    var all = false
    @Flag(help: "Only the record that a replay would send, to be corrected and given to `edit --file`.")
    var payload = false

    func run() async throws {
        try await DeskSession.with(options.config) { store, places in
            if payload {
                guard let found = try await store.payload(of: id) else { throw missing }
                printBytes(found.body + [0x0A])
                return
            }
            guard let file = try await store.letter(id) else { throw missing }
            let letter = file.letter
            let edits = try await store.mappingEdits().standing.filter {
                places.mapping.concerns(
                    $0.scope, organisation: letter.organisation, company: letter.company, venue: letter.venue)
            }
            let showing = LetterShowing(file: file, edits: edits, store: store, places: places)
            if json { try await showing.json() } else { try await showing.lines(all: all) }
        }
    }

    private var missing: any Error {
        printLines(["there is no letter \(id)"])
        return DeskExit.nothingMatches
    }
}

/// Prints a letter's file. Its lists have no bound, so they are read and printed page by page.
struct LetterShowing {
    let file: LetterFile
    /// Of the mapping, as far as they may have to do with the letter.
    let edits: [KeptMappingEdit]
    let store: PostgresStore
    let places: DeskPlaces

    /// Rows read at a time: an arrival has all its headers.
    private static let page = 200
    /// What is shown of a list where a person does not ask for all of it.
    private static let shownEvents = 50
    private static let shownArrivals = 50
    private static let shownCalls = 20

    func lines(all: Bool) async throws {
        let organisation = file.letter.organisation
        func time(_ instant: Instant) -> String { places.time(instant, organisation) }
        printLines(LetterLines.head(file, places))
        try await list("What was done", file.events, all ? nil : Self.shownEvents, events) {
            LetterLines.event($0, time)
        }
        let set = LetterLines.section("Set in the mapping", edits.map { MappingEditLines.line($0, places.mapping) })
        if !set.isEmpty { printLines(set) }
        try await list("How it arrived", file.arrivals, all ? nil : Self.shownArrivals, arrivals) {
            LetterLines.arrival($0, time)
        }
        try await list("Calls to Xero", file.calls, all ? nil : Self.shownCalls, calls) { LetterLines.call($0, time) }
        printLines(LetterLines.bodies(file))
    }

    func json() async throws {
        printBytes(Array("{\(LetterJSON.members(file))".utf8))
        try await array("events", events, LetterJSON.event)
        let kept = edits.map { MappingEditLines.json($0, places.mapping) }.joined(separator: ",")
        printBytes(Array(",\"mapping_edits\":[\(kept)]".utf8))
        try await array("arrivals", arrivals, LetterJSON.arrival)
        try await array("calls", calls, LetterJSON.call)
        printLines(["}"])
    }

    /// - Parameters:
    ///   - count: how many there are.
    ///   - limit: how many are shown; nil: all.
    private func list<Element>(
        _ title: String, _ count: Int, _ limit: Int?, _ read: (Element?, Int) async throws -> [Element],
        _ show: (Element) -> [String]
    ) async throws {
        guard count > 0 else { return }
        printLines(["", title + ":"])
        let shown = try await pages(limit, read) { page, _ in
            printLines(page.flatMap { show($0) }.map { "  " + $0 })
        }
        let more = limit == nil ? [] : LetterLines.more(count - shown)
        if !more.isEmpty { printLines(more) }
    }

    private func array<Element>(
        _ name: String, _ read: (Element?, Int) async throws -> [Element], _ show: (Element) -> String
    ) async throws {
        printBytes(Array(",\"\(name)\":[".utf8))
        _ = try await pages(nil, read) { page, isFirst in
            printBytes(Array(((isFirst ? "" : ",") + page.map { show($0) }.joined(separator: ",")).utf8))
        }
        printBytes(Array("]".utf8))
    }

    /// - Returns: how many there were, up to the limit.
    private func pages<Element>(
        _ limit: Int?, _ read: (Element?, Int) async throws -> [Element], _ take: ([Element], Bool) -> Void
    ) async throws -> Int {
        var last: Element?
        var count = 0
        while true {
            let wanted = min(Self.page, limit.map { $0 - count } ?? Self.page)
            guard wanted > 0 else { return count }
            let page = try await read(last, wanted)
            if !page.isEmpty { take(page, count == 0) }
            count += page.count
            guard page.count == wanted else { return count }
            last = page.last
        }
    }

    private func events(_ after: LetterFile.Event?, _ limit: Int) async throws -> [LetterFile.Event] {
        try await store.events(of: file.letter.id, after: after, limit: limit)
    }

    private func arrivals(_ after: LetterFile.Arrival?, _ limit: Int) async throws -> [LetterFile.Arrival] {
        try await store.arrivals(of: file.letter.id, after: after, limit: limit)
    }

    private func calls(_ after: LetterFile.Call?, _ limit: Int) async throws -> [LetterFile.Call] {
        guard let document = file.letter.document else { return [] }
        return try await store.calls(about: document, after: after, limit: limit)
    }
}
