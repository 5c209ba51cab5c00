import ArgumentParser
import Domain
import JSON
import Kounta
import Mapping
import Messaging
import Operator
import Settings
import Store

/// `tillbridge mapping explain ORDER`: what is booked for an order and why, and the document it would become now, with
/// the rule behind each line.
struct MappingExplainCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Prints what is booked for an order, why, and the document it becomes, with the rule of each line.",
        discussion: """
            The order is taken from the fleet's own records or, where it has none, from Kounta; the mapping is the one \
            in effect, and besides it the one that the order was booked by, where that is another. Nothing is \
            stored or posted. Ends with 0, or 3 where the order would be laid on the desk.
            """)

    @Argument(help: "Kounta's id of the order.")
    var order: String
    @OptionGroup var options: WorkerOptions
    @Option(name: .long, help: "The key of the company, where several could have the order.")
    var company: String?
    @Flag(name: .long, help: "Read the order from Kounta, not from the fleet's records.")
    var fresh = false
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() async throws {
        let effective = try await OperatorDatabase.configuration(options.config)
        let settings = effective.settings
        let companies = try OperatorChoice.companies(company, of: settings)
        guard let (key, body) = try await record(settings, companies) else {
            throw StartError("no order \(order) is known, neither to the fleet nor to Kounta")
        }
        let order = try OrderRecord.order(from: body)
        guard let books = try await OperatorDatabase.books(settings)[VenueKey(company: key, site: order.site)] else {
            throw StartError("order \(order.id) is of site \(order.site), which company \(key) does not list")
        }
        let number = DocumentNumber(prefix: books.numberPrefix, order: order.id)
        let booked = try await OperatorDatabase.with(settings) { store in
            try await store.booked(order: order.id.text, of: key, number: number, in: books.organisation)
        }
        let explanation = OrderExplanation(
            of: order, by: books, contactName: OperatorChoice.contactName(of: order.site, in: key, settings),
            booked: booked.map(BookedDocument.init),
            stored: try await storedMapping(of: order, books, settings, present: effective.hash))
        if json {
            var writer = JSONWriter()
            explanation.write(to: &writer)
            print(writer.text)
        } else {
            explanation.lines().forEach { print($0) }
        }
        if explanation.exitCode != 0 { throw ExitCode(explanation.exitCode) }
    }

    /// The mapping by which the order was booked, with its books where it is another than the present one.
    private func storedMapping(
        of order: Order, _ books: VenueBooks, _ settings: Settings, present: ContentHash
    ) async throws -> OrderExplanation.Stored? {
        try await OperatorDatabase.with(settings) { store in
            let number = DocumentNumber(prefix: books.numberPrefix, order: order.id)
            guard let mapping = try await store.mapping(
                ofOrder: order.id.text, books.company, number: number, in: books.organisation)
            else { return nil }
            var stored = OrderExplanation.Stored(version: mapping.version, isExact: mapping.isExact)
            if mapping.hash == present { return stored }
            do {
                let old = try LiveSettings.load(file: mapping.file, named: "mapping \(mapping.version)")
                let all = try await LiveCatalogue.completed(old.books, by: old, from: store)
                stored.books = all[VenueKey(company: books.company, site: order.site)]
                if stored.books == nil { stored.problem = "it has no site \(order.site)" }
            } catch let error as StartError { stored.problem = "\(error)" }
            return stored
        }
    }

    private func record(
        _ settings: Settings, _ companies: [CompanySettings]
    ) async throws -> (CompanyKey, [UInt8])? {
        try await OperatorDatabase.with(settings) { store in
            if !fresh, let stored = try await store.latestRecord(order: order, companies: companies.map(\.key)) {
                return (stored.company, stored.body)
            }
            let till = try OperatorTill(settings, store: store)
            var found: (CompanyKey, [UInt8])?
            for company in companies where found == nil {
                guard let client = try await till.client(of: company) else { continue }
                guard let body = try await client.order(OrderID(order), priority: .newOrders) else { continue }
                let site = (try? OrderRecord.order(from: body))?.site ?? SiteID("")
                let completed = try await till.completed([body], at: site, in: company, by: client)
                found = (company.key, completed.first ?? body)
            }
            await till.close()
            return found
        }
    }
}

/// `tillbridge preview`: what a venue's day would be in Xero.
struct PreviewCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preview", abstract: "Prints what would be posted for a venue and day, without posting.",
        discussion: """
            Reads the day's completed orders from Kounta, within its rate limit: a busy day takes some minutes. Ends \
            with 0, or 3 where an order would be laid on the desk.
            """)

    @OptionGroup var options: WorkerOptions
    @Option(name: .long, help: "The venue's name, or Kounta's id of its site.")
    var venue: String
    @Option(name: .long, help: "The trading day, such as 2026-07-01.")
    var day: String
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() async throws {
        guard let day = CalendarDate(day) else { throw ValidationError("`\(day)` is not a day such as 2026-07-01") }
        let settings = try await OperatorDatabase.configuration(options.config).settings
        let (company, venue) = try OperatorChoice.venue(self.venue, of: settings)
        let key = VenueKey(company: company.key, site: venue.site)
        guard var books = try await OperatorDatabase.books(settings)[key] else {
            throw StartError("venue \(venue.name) has no organisation")
        }
        let calendar = OrderMapping(books: books).calendar
        let (start, end) = (calendar.start(of: day), calendar.start(of: day.adding(days: 1)))
        let fileBooks = books
        let (plan, records, counts) = try await OperatorDatabase.with(settings) { store in
            // In the mode that the fleet has agreed on: another one in the file is for days to come.
            let plan = try await store.plan(
                fileBooks.posting, of: key, today: calendar.day(at: LiveClock.clock.now()))
            let known = try await store.orders(
                of: DayKey(company: key.company, site: key.site, day: day), at: fileBooks.name)
            let till = try OperatorTill(settings, store: store)
            let records = try await till.records(of: venue.site, in: company, from: start, until: end, besides: known)
            var agreed = fileBooks
            agreed.posting = plan
            let counts = agreed.booksTakings(of: day)
                ? try await till.takings(of: venue.site, in: company, from: start) : []
            await till.close()
            return (plan, records, counts)
        }
        books.posting = plan
        var preview = DayPreview(of: day, at: books, contactName: venue.contactName)
        for record in records {
            do throws(Park) {
                preview.add(try OrderRecord.order(from: record))
            } catch { preview.add(unreadable: error) }
        }
        var takings: [Takings] = []
        var isCounted = false
        for count in counts {
            do throws(Park) {
                let record = try TakingsRecord(from: count)
                guard record.createdAt >= start, record.createdAt < end else { continue }
                isCounted = true
                takings += record.takings
            } catch { preview.add(unreadable: error) }
        }
        if isCounted { preview.add(takings) }
        if json {
            print(String(decoding: preview.json(), as: UTF8.self))
        } else {
            preview.lines().forEach { print($0) }
        }
        if preview.exitCode != 0 { throw ExitCode(preview.exitCode) }
    }
}
