import Domain
import Mapping
import Money
import Postgres

extension PostgresStore {
    /// Refund orders that give back more than is left of their sale, wherever the sale is: in a summary, in the batch
    /// at hand, or in a document of its own. What nobody knows the sale of is not judged.
    static func beyondTheirSales(
        _ orders: [DayOrder], _ session: PostgresSession
    ) throws -> [SourceKey: DayOrder.Outcome] {
        let refunds = orders.filter { $0.givesBack != nil && $0.givenBack > .zero }
        if refunds.isEmpty { return [:] }
        var sums = try sums(of: refunds, replacing: orders, session)
        for order in orders { sums[order.source]?.add(order.entries) }
        var beyond: [SourceKey: DayOrder.Outcome] = [:]
        for refund in refunds {
            guard let sale = refund.givesBack else { continue }
            let key = SourceKey(company: refund.source.company, kind: .order, id: sale.id.text)
            var sum = sums[key] ?? SaleSum()
            if sum.sold == nil {
                try sum.addDocuments(of: sale, refund, session)
            } else {
                sum.givenBack += try givenBack(of: [sale.number] + sale.otherNumbers, refund.organisation, session)
            }
            if let sold = sum.sold {
                let left = sold - sum.givenBack
                if refund.givenBack > left { beyond[refund.source] = .beyondSale(sold: sold, left: left) }
            }
            if beyond[refund.source] == nil { sum.givenBack += refund.givenBack }
            sums[key] = sum
        }
        return beyond
    }

    /// What of the refunds' sales is in summaries, and what other refunds in summaries gave back of them. The orders at
    /// hand are left out: what they come to now is added by the caller.
    private static func sums(
        of refunds: [DayOrder], replacing orders: [DayOrder], _ session: PostgresSession
    ) throws -> [SourceKey: SaleSum] {
        let keys = refunds.compactMap { refund in
            refund.givesBack.map { SourceKey(company: refund.source.company, kind: .order, id: $0.id.text) }
        }
        return try sums(of: Set(keys), without: Set(orders.map(\.source)), session)
    }

    /// What of sales is in summaries, and what refunds in summaries gave back of them.
    static func sums(
        of keys: Set<SourceKey>, without left: Set<SourceKey>, _ session: PostgresSession
    ) throws -> [SourceKey: SaleSum] {
        let sorted = keys.sorted { ($0.company.text, $0.id) < ($1.company.text, $1.id) }
        let places: [PostgresValue] = [.texts(sorted.map(\.company.text)), .texts(sorted.map(\.id))]
        // One refund of a sale after the other, whichever mappers they are with.
        _ = try session.query(
            """
            SELECT c.source_id FROM posting_claim AS c
              JOIN unnest($1::text[], $2::text[]) AS u (company, source_id) USING (company, source_id)
             ORDER BY c.company, c.source_id FOR UPDATE OF c
            """, places)
        // By day_entry_of_source and day_entry_giving_back.
        let rows = try session.query(
            """
            SELECT e.company, u.source_id, e.source_id AS own, e.now FROM day_entry AS e
              JOIN unnest($1::text[], $2::text[]) AS u (company, source_id) USING (company, source_id)
             WHERE e.now IS NOT NULL
            UNION ALL
            SELECT e.company, u.source_id, e.source_id, e.now FROM day_entry AS e
              JOIN unnest($1::text[], $2::text[]) AS u (company, source_id)
                ON e.company = u.company AND e.gives_back = u.source_id
             WHERE e.now IS NOT NULL
            """, places)
        var sums = Dictionary(uniqueKeysWithValues: sorted.map { ($0, SaleSum()) })
        for row in rows {
            let company = CompanyKey(try row.text("company"))
            let own = SourceKey(company: company, kind: .order, id: try row.text("own"))
            if left.contains(own) { continue }
            let sale = SourceKey(company: company, kind: .order, id: try row.text("source_id"))
            sums[sale]?.add([try DayEntry(stored: row.bytes("now"))])
        }
        return sums
    }
}

/// What was sold by an order and given back of it.
struct SaleSum {
    /// Nil: it is in no summary.
    var sold: Money?
    var givenBack = Money.zero

    mutating func add(_ entries: [DayEntry]) {
        for entry in entries {
            if entry.isRefund {
                givenBack += entry.total
            } else {
                sold = (sold ?? .zero) + entry.total
            }
        }
    }

    /// A sale that has a document of its own, with what credit notes gave back of it.
    mutating func addDocuments(
        of sale: DayOrder.Sale, _ refund: DayOrder, _ session: PostgresSession
    ) throws {
        let request = PostingRequest(
            source: refund.source, hash: refund.hash, body: [], firstSeen: nil, organisation: refund.organisation,
            number: refund.number, original: sale.number)
        guard let (_, standing) = try PostgresStore.original(sale.number, sale.otherNumbers, request, session),
            standing.standing != .gone
        else { return }
        sold = standing.document.total
        givenBack += standing.givenBack
    }
}

extension DayOrder {
    /// What a refund order gives back in all.
    fileprivate var givenBack: Money { entries.lazy.filter(\.isRefund).map(\.total).sum() }
}
