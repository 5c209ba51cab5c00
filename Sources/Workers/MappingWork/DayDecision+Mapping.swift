import Domain
import Kounta
import Mapping
import Money
import Store

extension DayDecision {
    /// What becomes of a day that ends, or of a closed one that changed. Pure.
    init(of contents: DayContents, _ mapping: SummaryMapping) {
        let day = contents.key.day
        var documents: [LedgerDocument] = []
        if contents.turn == 0 {
            if case .documents(let made) = mapping.close(day, contents.now, locks: contents.locks) { documents = made }
        } else {
            documents = mapping.adjustment(
                of: day, from: contents.booked, to: contents.now, turn: contents.turn, locks: contents.locks)
        }
        let sales = contents.now.filter { if case .order = $0.source { true } else { false } }
        let books = mapping.orders.books
        self.init(
            documents: documents.map { document in
                var made = NewDocument(document, of: books)
                made.reason = document.reasons.joined(separator: " ")
                return made
            },
            listing: documents.first.flatMap { document in
                books.posting.attachesOrders && !contents.orders.isEmpty
                    ? Self.listing(contents, mapping, document.number) : nil
            },
            orders: sales.count, total: contents.now.reduce(into: .zero) { $0 += $1.signedTotal })
        // Where each sale is its own invoice, its payments are not the day's to compare.
        if books.posting.mode(on: day) == .dailySummary { warnings = Self.disagreements(contents, mapping) }
    }

    /// Takings that cannot be read were laid on the desk.
    private static func disagreements(_ contents: DayContents, _ mapping: SummaryMapping) -> [String] {
        let takings = contents.takings.flatMap { (try? TakingsRecord(from: $0).takings) ?? [] }
        return mapping.disagreements(of: Takings.sums(of: takings), with: contents.now)
    }

    /// The orders that the documents are about: all of the day's, or those that an adjustment brings.
    private static func listing(
        _ contents: DayContents, _ mapping: SummaryMapping, _ number: DocumentNumber
    ) -> NewAttachment? {
        var listing = OrderListing(zone: mapping.orders.books.timeZone)
        for body in contents.orders {
            // What cannot be read was not booked either: it lies on the desk.
            guard let order = try? OrderRecord.order(from: body), !order.isDeleted,
                case .documents(let documents) = try? mapping.orders.outcome(for: order)
            else { continue }
            listing.add(order, documents.filter { $0.day == contents.key.day })
        }
        return NewAttachment(name: "\(number)-orders.csv", mediaType: "text/csv", body: listing.bytes)
    }
}
