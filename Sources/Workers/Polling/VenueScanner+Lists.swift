import Domain
import Kounta
import Messaging
import Settings
import Store
import Telemetry

/// Lists of orders, read to their end.
extension VenueScanner {
    /// A list longer than this is cut short by an error: a page that leads to itself would never end.
    private static let pagesMax = 200_000
    /// So often a list is read again that loses orders while it is read, before it is begun anew.
    private static let rereadingsMax = 5

    struct ListReading: Sendable {
        var ids: Set<OrderID> = []
        var pages = 0
        /// Why orders of it must wait: all others are published.
        var late: (any Error)?
        /// Where it goes on; nil at its end.
        var next: String?
        /// Of the page before: what Kounta showed, now or once.
        var witnesses: [OrderID] = []
    }

    /// - Parameter stopsAtKnown: after a page on which nothing is unseen the rest is left.
    func read(
        _ list: KountaClient.OrderList, _ venue: VenueSettings, of company: CompanySettings, path: String,
        priority: KountaBudget.Priority, stopsAtKnown: Bool = false, _ lease: Lease
    ) async throws -> ListReading {
        var reading = ListReading(next: path)
        while let current = reading.next {
            try Task.checkCancellation()
            let page = try await client.page(current, priority: priority)
            reading.pages += 1
            guard reading.pages <= Self.pagesMax else {
                throw KountaError.unexpectedShape(path: current, "the list has more than \(Self.pagesMax) pages")
            }
            metrics.count("tillbridge_poll_rows_total", ["company": company.key.text], by: page.rows.count)
            let taken = try await take(page.rows, of: list, after: reading.witnesses, venue, company, priority, lease)
            reading.late = taken.late ?? reading.late
            if !taken.witnesses.isEmpty { reading.witnesses = taken.witnesses }
            reading.ids.formUnion(page.rows.map(\.id))
            reading.next = page.next
            if stopsAtKnown, taken.isKnown { break }
        }
        return reading
    }

    /// Reads a span until it is certain that no order fell between two pages.
    ///
    /// Pages are counted from the newest order: where one of those already read is deleted, the rest moves up, and the
    /// first of the next page is now the last of the page before. Such a list lacks in the next reading what it had in
    /// this one. So a reading whose every order is in the next one was whole. What was published is not asked for
    /// again: another reading costs a call for each 25 orders.
    ///
    /// - Throws: ``UnsteadyList`` after so many readings: the cursor stays, and the next look begins anew.
    func readWhole(
        _ venue: VenueSettings, of company: CompanySettings, from: Instant, until: Instant, _ lease: Lease
    ) async throws {
        let path = client.firstPagePath(.complete, site: venue.site, from: from, until: until)
        var last: ListReading?
        for _ in 0...Self.rereadingsMax {
            let reading = try await read(.complete, venue, of: company, path: path, priority: .rescan, lease)
            if let late = reading.late { throw late }
            if reading.pages == 1 || last?.ids.isSubset(of: reading.ids) == true { return }
            last = reading
        }
        throw UnsteadyList(readings: Self.rereadingsMax + 1)
    }

    /// A list that Kounta does not have stops no venue: sales go on.
    ///
    /// - Returns: nil where it does not have it.
    func readIfThere(
        _ list: KountaClient.OrderList, _ venue: VenueSettings, of company: CompanySettings, from: Instant,
        until: Instant, _ lease: Lease
    ) async throws -> Set<OrderID>? {
        do {
            let path = client.firstPagePath(list, site: venue.site, from: from, until: until)
            let reading = try await read(list, venue, of: company, path: path, priority: .rescan, lease)
            if let late = reading.late { throw late }
            return reading.ids
        } catch KountaError.notFound {
            metrics.count(
                "tillbridge_poll_lists_missing_total", ["company": company.key.text, "list": list.rawValue])
            return nil
        }
    }

    /// What no longer stands among the open accounts was paid meanwhile; it may be weeks old, and keeps the time of its
    /// creation, so that no poll for new orders would see it.
    func followAccounts(
        _ venue: VenueSettings, of company: CompanySettings, until: Instant, _ lease: Lease
    ) async throws {
        guard let open = try await readIfThere(
            .openAccounts, venue, of: company, from: company.startFrom, until: until, lease)
        else { return }
        let known = try await store.openAccounts(company: company.key, site: venue.site)
        let asked = known.subtracting(open).sorted().map { AskedOrder(leftTheList: $0) }
        let left = try await publish(asked, of: .openAccounts, witnesses: open.sorted(), venue, company, .rescan, lease)
        try await store.setOpenAccounts(
            open.union(left.unread), company: company.key, site: venue.site, lease: lease)
        if let late = left.late { throw late }
    }

    /// - Parameter before: witnesses of the page before.
    /// - Returns: why some of the rows must wait; they count as unseen. And whether none was unseen.
    private func take(
        _ rows: [KountaClient.Row], of list: KountaClient.OrderList, after before: [OrderID], _ venue: VenueSettings,
        _ company: CompanySettings, _ priority: KountaBudget.Priority, _ lease: Lease
    ) async throws -> (late: (any Error)?, isKnown: Bool, witnesses: [OrderID]) {
        let orders = rows.map { AskedOrder($0) }
        let unseen = try await store.unseen(
            company: company.key, rows: orders.map { ($0.id, $0.hash) }, at: clock.now())
        guard !unseen.isEmpty else { return (nil, true, rows.map(\.id)) }
        let left = try await publish(
            orders.filter { unseen.contains($0.id) }, of: list,
            witnesses: rows.map(\.id).filter { !unseen.contains($0) } + before, venue, company, priority, lease)
        return (left.late, false, rows.map(\.id).filter { !left.unread.contains($0) })
    }
}

/// Whenever it was read, a list had lost some of its orders since.
struct UnsteadyList: Error, CustomStringConvertible {
    let readings: Int
    var description: String {
        "orders were deleted from the list during each of \(readings) readings, so that some may not have been seen"
    }
}
