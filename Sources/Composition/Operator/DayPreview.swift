package import Domain
import JSON
package import Mapping
import Money

/// What would be posted for one venue and trading day, and what would be laid on the desk. Nothing is posted.
package struct DayPreview {
    private let books: VenueBooks
    private let day: CalendarDate
    private let contactName: String
    /// Documents that are posted as they are, in either mode.
    private var single: [LedgerDocument] = []
    /// What goes into the day's summary.
    private var entries: [DayEntry] = []
    /// What was counted in the day's tills; nil: nobody has.
    private var takings: [Takings]?
    private var skipped: [(order: OrderID, rule: String, reason: String)] = []
    private var parked: [(order: OrderID?, park: Park)] = []

    package init(of day: CalendarDate, at books: VenueBooks, contactName: String) {
        self.day = day
        self.books = books
        self.contactName = contactName
    }

    package mutating func add(_ order: Order) {
        do {
            let mapping = OrderMapping(books: books)
            switch try mapping.outcome(for: order) {
            case .documents(let made):
                let isSummary = books.posting.mode(on: day) == .dailySummary
                single += made.filter { $0.day == day && (!isSummary || mapping.standsAlone($0)) }
                if isSummary { entries += mapping.entries(of: made, for: order).filter { $0.day == day } }
            case .skipped(let rule, let reason): skipped.append((order.id, rule, reason))
            }
        } catch { parked.append((order.id, error)) }
    }

    /// What was counted in the day's tills, one entry a till and payment method. A variance is part of a summary; where
    /// each sale is an invoice of its own, it has a document to itself.
    package mutating func add(_ counted: [Takings]) {
        guard books.booksTakings(of: day) else { return }
        let sums = Takings.sums(of: counted)
        takings = sums
        do { entries += try SummaryMapping(books: books).entries(of: sums, on: day) } catch {
            parked.append((nil, error))
        }
    }

    /// A record that could not be read at all.
    package mutating func add(unreadable park: Park) { parked.append((nil, park)) }

    private var documents: [LedgerDocument] {
        switch SummaryMapping(books: books).close(day, entries) {
        case .noSales: return single
        case .documents(let summaries): return summaries + single
        }
    }

    /// 0: all would be booked, or is left out by a rule. 3: something would be laid on the desk.
    package var exitCode: Int32 { parked.isEmpty ? 0 : 3 }

    package func lines() -> [String] {
        let documents = documents
        var lines = ["\(books.name), trading day \(day), \(books.posting.mode(on: day).rawValue)"]
        if documents.isEmpty && parked.isEmpty && skipped.isEmpty { return lines + ["no sales"] }
        for document in documents { lines += [""] + DocumentView(document, contactName: contactName).lines() }
        lines += ["", "by account and tax type:"] + Self.sums(of: documents).lines()
        lines += varianceLines
        lines.append(
            "\(documents.count) document\(documents.count == 1 ? "" : "s"), "
                + "\(documents.lazy.map(\.signedTotal).sum()) in all")
        for (order, rule, reason) in skipped { lines.append("order \(order) is left out by \"\(rule)\": \(reason)") }
        for (order, park) in parked {
            lines.append("order \(order?.text ?? "?") is laid on the desk (\(park.deadLetterClass.rawValue)): \(park)")
        }
        return lines
    }

    private var varianceLines: [String] {
        guard books.booksTakings(of: day) else { return [] }
        guard let takings else { return ["the till was not counted: no variance so far"] }
        return takings.map { taking in
            "till variance by \(taking.method): counted \(taking.counted), recorded \(taking.recorded), difference "
                + "\(taking.variance)"
        }
    }

    private func writeVariance(to writer: inout JSONWriter) {
        guard let takings else { return writer.null() }
        writer.array { writer in
            for taking in takings {
                writer.object { writer in
                    writer.field("method", taking.method)
                    writer.field("counted", number: "\(taking.counted)")
                    writer.field("recorded", number: "\(taking.recorded)")
                    writer.field("variance", number: "\(taking.variance)")
                }
            }
        }
    }

    private struct SumKey: Hashable {
        let account: String
        let taxType: String
        let tracking: String
    }

    /// What a day comes to, whichever way it is posted.
    private static func sums(of documents: [LedgerDocument]) -> Columns {
        var sums: [SumKey: (amount: Money, tax: Money)] = [:]
        for document in documents {
            for line in document.lines {
                let key = SumKey(
                    account: line.account, taxType: line.taxType,
                    tracking: line.tracking.map { "\($0.category)=\($0.option)" }.sorted().joined(separator: " "))
                let known = sums[key] ?? (.zero, .zero)
                let isBack = document.kind == .creditNote
                sums[key] = (
                    known.amount + (isBack ? -line.amount : line.amount), known.tax + (isBack ? -line.tax : line.tax)
                )
            }
        }
        var columns = Columns(["account", "tax type", "tracking", "amount", "tax"], rightAligned: [3, 4])
        let sorted = sums.sorted {
            ($0.key.account, $0.key.taxType, $0.key.tracking) < ($1.key.account, $1.key.taxType, $1.key.tracking)
        }
        for (key, sum) in sorted {
            columns.add([key.account, key.taxType, key.tracking, "\(sum.amount)", "\(sum.tax)"])
        }
        return columns
    }

    package func json() -> [UInt8] {
        let documents = documents
        var writer = JSONWriter()
        writer.object { writer in
            writer.field("venue", books.name)
            writer.field("day", "\(day)")
            writer.field("mode", books.posting.mode(on: day).rawValue)
            writer.field("total", number: "\(documents.lazy.map(\.signedTotal).sum())")
            writer.key("variance")
            writeVariance(to: &writer)
            writer.key("documents")
            writer.array { writer in
                for document in documents { DocumentView(document, contactName: contactName).write(to: &writer) }
            }
            writer.key("skipped")
            writer.array { writer in
                for (order, rule, reason) in skipped {
                    writer.object { writer in
                        writer.field("order", order.text)
                        writer.field("rule", rule)
                        writer.field("reason", reason)
                    }
                }
            }
            writer.key("parked")
            writer.array { writer in
                for (order, park) in parked {
                    writer.object { writer in
                        if let order { writer.field("order", order.text) }
                        writer.field("class", park.deadLetterClass.rawValue)
                        writer.field("cause", park.cause)
                        writer.field("remedy", park.remedy)
                    }
                }
            }
        }
        return writer.bytes
    }
}
