import ArgumentParser
import DeadLetters
import Domain
import FoundationEssentials
import Store

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Sends letters through the fleet again. What is on its way already is not sent twice.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @OptionGroup var acting: ActingOptions
    @Flag(help: "Also what is on its way, resolved or discarded: for messages that somebody removed by hand.")
    var again = false
    @Flag(help: "Wait until it is known what became of them.")
    var wait = false

    func run() async throws {
        let filter = try acting.filter(selection)
        let author = try acting.author()
        try await DeskSession.with(options.config) { store, _ in
            if acting.dryRun {
                let touched = try await store.preview(filter, forReplay: true)
                return try acting.report(touched, "would be sent again")
            }
            let touched = try await store.queueReplay(filter, by: author, again: again)
            guard wait, touched.count > 0 else {
                if try await !store.isSending() {
                    printError("no dead-letter-handler is at work: they are sent when one starts")
                }
                return try acting.report(touched, "will be sent again")
            }
            let resolved = try await waitForAll(touched.letters, store)
            let back = touched.count - resolved
            printLines(
                acting.json
                    ? [LetterJSON.outcome(touched, resolved: resolved)]
                    : ["\(resolved) \(resolved == 1 ? "letter" : "letters") put right, \(back) came back"])
            if back > 0 || touched.passedOver > 0 { throw DeskExit.notAll }
        }
    }

    /// These letters, whoever else sends others meanwhile.
    ///
    /// - Returns: how many of them are resolved.
    private func waitForAll(_ letters: [Int64], _ store: PostgresStore) async throws -> Int {
        var waiting = letters
        var all = 0
        while true {
            let (inFlight, resolved) = try await store.outcome(of: waiting)
            all += resolved
            if inFlight.isEmpty { return all }
            waiting = inFlight
            try await Task.sleep(for: .milliseconds(250))
        }
    }
}

struct EditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "edit",
        abstract: "Corrects a letter's record. The original, the correction and its author are kept.")

    @OptionGroup var options: WorkerOptions
    @Argument(help: "The letter's number.")
    var id: Int64
    @Option(help: "The corrected record. `show --payload` prints the one there is.")
    var file: String?
    @Option(name: .customLong("set"), help: "One value, such as total=12.30 or payments[0].amount=5. May be repeated.")
    var assignments: [String] = []
    @Option(help: "Why, for the record.")
    var reason: String?
    @Option(help: "Who does it, for the record. Else the user's name of this session.")
    var by: String?
    @Flag(help: "Send it again at once.")
    var replay = false
    @Flag(help: "For machines: one JSON object.")
    var json = false

    func validate() throws {
        guard (file != nil) != !assignments.isEmpty else {
            throw ValidationError("give either --file with the corrected record, or --set with single values")
        }
    }

    func run() async throws {
        var acting = ActingOptions()
        acting.by = by
        let author = try acting.author()
        try await DeskSession.with(options.config) { store, _ in
            guard let payload = try await store.payload(of: id), let letter = try await store.letter(id)?.letter else {
                printLines(["there is no letter \(id)"])
                throw DeskExit.nothingMatches
            }
            guard payload.isRecord else {
                throw StartError("letter \(id) holds no record of an order that could be corrected")
            }
            let corrected: [UInt8]
            do throws(RecordEdit.Problem) { corrected = try correct(payload, order: letter.sourceID) } catch {
                throw StartError("letter \(id) is left as it was: \(error)")
            }
            try await store.edit(payload, to: corrected, by: author, reason: reason)
            let touched = replay ? try await send(store, by: author) : nil
            printLines(
                json
                    ? [LetterJSON.corrected(id, payload.edits + 1, touched)]
                    : ["letter \(id): correction \(payload.edits + 1) is kept"]
                        + (touched.map { LetterLines.touched($0, "will be sent again") } ?? []))
            if let touched { try DeskExit.check(touched) }
        }
    }

    private func send(_ store: PostgresStore, by author: String) async throws -> Touched {
        var filter = LetterFilter()
        filter.ids = [id]
        return try await store.queueReplay(filter, by: author, again: false)
    }

    private func correct(_ payload: LetterPayload, order: String?) throws(RecordEdit.Problem) -> [UInt8] {
        var body = payload.body
        if let file {
            guard let text = FileManager.default.contents(atPath: file) else {
                throw RecordEdit.Problem("the file \(file) cannot be read")
            }
            body = Array(text)
        }
        for assignment in assignments { body = try RecordEdit.applying(assignment, to: body) }
        try RecordEdit.check(
            body, against: payload.body, order: order,
            booked: payload.isBooked ? payload.accepted ?? payload.body : nil)
        return body
    }
}

struct DiscardCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "discard", abstract: "Closes letters that are dealt with by hand. They are kept, not deleted.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @OptionGroup var acting: ActingOptions
    @Option(help: "Why, for the record.")
    var reason: String

    func validate() throws {
        guard !reason.allSatisfy(\.isWhitespace) else { throw ValidationError("--reason says nothing") }
    }

    func run() async throws {
        let filter = try acting.filter(selection)
        let author = try acting.author()
        try await DeskSession.with(options.config) { store, _ in
            if acting.dryRun {
                let touched = try await store.preview(filter, forReplay: false)
                return try acting.report(touched, "would be discarded")
            }
            try acting.report(try await store.discard(filter, by: author, reason: reason), "discarded")
        }
    }
}

struct AssignCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "assign", abstract: "Says who looks after letters, or after a group.")

    @OptionGroup var options: WorkerOptions
    @OptionGroup var selection: LetterSelection
    @OptionGroup var acting: ActingOptions
    @Option(name: .customLong("person"), help: "Their name; `nobody` takes the letters from everyone.")
    var person: String

    func run() async throws {
        let filter = try acting.filter(selection)
        let author = try acting.author()
        try await DeskSession.with(options.config) { store, _ in
            if acting.dryRun {
                let touched = try await store.preview(filter, forReplay: false)
                return try acting.report(touched, "would be assigned")
            }
            let touched = try await store.assign(filter, to: person == "nobody" ? nil : person, by: author)
            try acting.report(touched, "assigned to \(person)")
        }
    }
}

extension ActingOptions {
    fileprivate func report(_ touched: Touched, _ what: String) throws {
        printLines(json ? [LetterJSON.outcome(touched)] : LetterLines.touched(touched, what))
        try DeskExit.check(touched)
    }
}

extension DeskExit {
    static func check(_ touched: Touched) throws {
        if touched.count == 0 && touched.passedOver == 0 { throw nothingMatches }
        if touched.passedOver > 0 { throw notAll }
    }
}
