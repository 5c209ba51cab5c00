import Domain
import Mapping
import Money
import Testing

/// The sum of summaries is the sum of what the orders would have been one by one.
@Suite struct SummaryPropertyTests {
    private let books: VenueBooks
    private let summaries: SummaryMapping
    private var mapping: OrderMapping { summaries.orders }

    init() {
        var books = VenueBooks.complete
        books.posting = PostingPlan(initial: .dailySummary, grouping: [.category])
        self.books = books
        summaries = SummaryMapping(books: books)
    }

    /// What documents come to: by account and tax type, by clearing account, and in all.
    private struct Sums: Equatable {
        var groups: [String: Int64] = [:]
        var tenders: [String: Int64] = [:]
        var total: Int64 = 0
        var tax: [String: Int64] = [:]
        var lineCount = 0

        mutating func add(_ document: LedgerDocument) {
            let sign: Int64 = document.kind == .invoice ? 1 : -1
            for line in document.lines {
                groups["\(line.account) \(line.taxType)", default: 0] += sign * line.amount.cents
                tax[line.taxType, default: 0] += sign * line.tax.cents
            }
            for payment in document.payments { tenders[payment.account, default: 0] += sign * payment.amount.cents }
            total += sign * document.total.cents
            lineCount += document.lines.count
        }

        func differs(from other: Sums) -> String? {
            if total != other.total { return "total \(total), one by one \(other.total)" }
            if groups.filter({ $0.value != 0 }) != other.groups.filter({ $0.value != 0 }) {
                return "\(groups), one by one \(other.groups)"
            }
            if tenders.filter({ $0.value != 0 }) != other.tenders.filter({ $0.value != 0 }) {
                return "\(tenders), one by one \(other.tenders)"
            }
            // Xero rounds the tax of each line: a summary's lines are fewer, so it may be off by half a cent a line.
            for (type, cents) in tax {
                let single = other.tax[type, default: 0]
                if abs(cents - single) > Int64(lineCount + other.lineCount) / 2 + 1 {
                    return "tax of \(type) \(cents), one by one \(single)"
                }
            }
            return nil
        }
    }

    private struct Version {
        var recipe: Recipe
        var id: Int
        var documents: [LedgerDocument] = []
        var entries: [DayEntry] = []
    }

    private func version(_ recipe: Recipe, _ id: Int) -> Version {
        var version = Version(recipe: recipe, id: id)
        let order = recipe.order(id: id)
        guard case .documents(let documents) = mapping.version(of: order) else { return version }
        version.documents = documents
        version.entries = mapping.entries(of: documents, for: order)
        return version
    }

    @Test("days, closed and then adjusted for late, edited and deleted orders, come to what their orders do: property")
    func property() {
        var generator = Seeded(seed: PropertyRun.seed)
        let size = 20
        for round in 0..<max(1, PropertyRun.cases(100_000) / size) {
            var versions = (0..<size).map { version(.random(&generator), 5_000_000_000 + $0) }
            var booked: [DayEntry] = []
            var documents: [LedgerDocument] = []
            func note() -> String { "round \(round); again: TILLBRIDGE_PROPERTY_SEED=\(PropertyRun.seed)" }
            for turn in 0..<3 {
                let now = versions.flatMap(\.entries)
                documents += posted(now, booked, turn)
                booked = now
                if let wrong = mismatch(documents, versions) {
                    Issue.record("turn \(turn): \(wrong), \(note())")
                    return
                }
                change(&versions, &generator)
            }
        }
    }

    /// The documents that bring the ledger from what is booked to what there is now, over all days.
    private func posted(_ now: [DayEntry], _ booked: [DayEntry], _ turn: Int) -> [LedgerDocument] {
        let days = Set(now.map(\.day)).union(booked.map(\.day)).sorted()
        return days.flatMap { day -> [LedgerDocument] in
            let entries = now.filter { $0.day == day }
            guard turn == 0 else {
                return summaries.adjustment(of: day, from: booked.filter { $0.day == day }, to: entries, turn: turn)
            }
            guard case .documents(let documents) = summaries.close(day, entries) else { return [] }
            return documents
        }
    }

    private func mismatch(_ documents: [LedgerDocument], _ versions: [Version]) -> String? {
        var summed = Sums()
        for document in documents {
            guard document.due == .zero else { return "\(document.number) leaves \(document.due) open" }
            guard document.payments.allSatisfy({ $0.amount > .zero }) else {
                return "\(document.number) has payments \(document.payments.map(\.amount))"
            }
            guard !document.total.isNegative else { return "\(document.number) comes to \(document.total)" }
            summed.add(document)
        }
        guard Set(documents.map(\.number)).count == documents.count else { return "a number is used twice" }
        var single = Sums()
        for document in versions.flatMap(\.documents) where !document.isOnAccount { single.add(document) }
        return summed.differs(from: single)
    }

    /// Some orders are edited, some deleted, some come late.
    private func change(_ versions: inout [Version], _ generator: inout Seeded) {
        for index in versions.indices {
            switch Int.random(in: 0..<8, using: &generator) {
            case 0: versions[index] = version(.random(&generator), versions[index].id)
            case 1: (versions[index].documents, versions[index].entries) = ([], [])
            case 2: versions.append(version(.random(&generator), 5_000_000_000 + versions.count))
            default: break
            }
        }
    }
}
