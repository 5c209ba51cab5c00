import JSON

extension KountaModel {
    static let pageSize = 25

    /// The resources under `/v1`.
    func route(_ visit: Visit) -> Answer {
        var parts = visit.parts
        if parts.first == "webhooks" {
            return webhooks(visit, visit.caller.company ?? settings.companies[0].id, parts.dropFirst())
        }
        guard parts.popFirst() == "companies", let name = parts.popFirst() else { return .notFound }
        let id = name == "me" ? visit.caller.company ?? settings.companies[0].id : Int64(name)
        guard let company = settings.companies.first(where: { $0.id == id }) else { return .notFound }
        guard let first = parts.first else { return Answer(200, body: KountaRecords.company(company)) }
        switch first {
        case "customers": return customers(visit, company.id, parts.dropFirst())
        case "webhooks": return webhooks(visit, company.id, parts.dropFirst())
        default: break
        }
        if visit.call.method == "PUT", let answer = write(visit, company, Array(parts)) { return answer }
        guard visit.call.method == "GET" else { return .error(405, "method_not_allowed", "Use GET") }
        return read(visit, company, parts)
    }

    /// Nil for what can only be read.
    private func write(_ visit: Visit, _ company: SimulatedCompany, _ parts: [String]) -> Answer? {
        if parts.first == "reconciliations" { return markProcessed(visit, company.sites, Array(parts.dropFirst())) }
        guard parts.count > 2, parts[0] == "sites", parts[2] == "reconciliations" else { return nil }
        return markProcessed(visit, company.sites.filter { String($0.id) == parts[1] }, Array(parts.dropFirst(3)))
    }

    /// What can only be read: `[/sites/{s}][/registers/{r}]` and what lies under them.
    private func read(_ visit: Visit, _ company: SimulatedCompany, _ parts: ArraySlice<String>) -> Answer {
        var parts = parts
        var scope = TradeBook.Shelf.Scope.company
        var site: SimulatedSite?
        if parts.first == "sites" {
            parts.removeFirst()
            guard let id = parts.popFirst() else {
                return list(visit, company.sites.map { KountaRecords.siteRow($0, of: company) })
            }
            site = company.sites.first { String($0.id) == id }
            guard let site else { return .notFound }
            scope = .site(site.id)
            if parts.isEmpty { return Answer(200, body: KountaRecords.site(site)) }
        }
        let sites = site.map { [$0] } ?? company.sites
        if parts.first == "registers" {
            parts.removeFirst()
            let tills = sites.flatMap { site in site.registers.map { (site, $0) } }
            guard let id = parts.popFirst() else {
                return list(visit, tills.map { KountaRecords.register($0.1, at: $0.0) })
            }
            guard let till = tills.first(where: { String($0.1.id) == id }) else { return .notFound }
            scope = .register(till.1.id)
            if parts.isEmpty { return Answer(200, body: KountaRecords.register(till.1, at: till.0)) }
        }
        let rest = Array(parts.dropFirst())
        switch parts.first {
        case "orders": return orders(visit, company.id, scope, rest)
        case "reconciliations": return reconciliations(visit, sites, rest)
        case "staff": return named(visit, KountaRecords.staff(), rest)
        case "taxes": return named(visit, KountaRecords.taxes(of: company), rest)
        case "payment_methods": return named(visit, KountaRecords.paymentMethods(), rest)
        case "products": return named(visit, products.map { ($0.id, KountaRecords.product($0, of: company)) }, rest)
        case "categories": return named(visit, KountaRecords.categories(products), rest)
        default: return .notFound
        }
    }

    /// A list, or the one record the path names.
    private func named(_ visit: Visit, _ records: [(id: Int64, body: [UInt8])], _ rest: [String]) -> Answer {
        guard let id = rest.first else { return list(visit, records.map(\.body)) }
        guard rest.count == 1, let record = records.first(where: { String($0.id) == id }) else { return .notFound }
        return Answer(200, body: record.body)
    }

    // MARK: orders

    private func orders(
        _ visit: Visit, _ company: Int64, _ scope: TradeBook.Shelf.Scope, _ rest: [String]
    ) -> Answer {
        if rest.count == 1, let id = Int64(rest[0]) {
            guard let order = book.orders[id], order.company == company else { return .notFound }
            return Answer(200, body: order.detail)
        }
        let content: TradeBook.Shelf.Content
        switch rest {
        case []: content = .all
        case ["deleted"]: content = .deleted
        case ["pending", "accounts"]: content = .accounts
        case ["completed"]: content = .status("COMPLETE")
        default:
            let known = ["submitted", "on_hold", "pending", "accepted", "rejected", "complete"]
            guard rest.count == 1, known.contains(rest[0]) else { return .notFound }
            content = .status(rest[0].uppercased())
        }
        return orders(visit, TradeBook.Shelf(company: company, scope: scope, content: content))
    }

    private func orders(_ visit: Visit, _ shelf: TradeBook.Shelf) -> Answer {
        var (from, until) = (Int64.min, Int64.max)
        var (least, most) = (Int64.min, Int64.max)
        for (name, value) in visit.call.query where name.hasPrefix("created_") || name.hasPrefix("value_") {
            let isTime = name.hasPrefix("created_")
            guard let bound = isTime ? SydneyClock.parse(value) : Amounts.cents(value.utf8) else {
                return .error(400, "invalid_request", "\(name) cannot be read: \(value)")
            }
            switch name {
            case "created_gte": from = max(from, bound)
            case "created_gt": from = max(from, bound + 1)
            case "created_lt": until = min(until, bound)
            case "created_lte": until = min(until, bound + 1)
            case "value_gte": least = max(least, bound)
            case "value_gt": least = max(least, bound + 1)
            case "value_lt": most = min(most, bound - 1)
            case "value_lte": most = min(most, bound)
            default: break
            }
        }
        guard let number = Self.page(visit) else { return .error(400, "invalid_request", "page is a number from 1") }
        var admits: ((BookedOrder) -> Bool)?
        if least != .min || most != .max {
            admits = { order in
                guard least <= most, let total = order.figures?.total else { return false }
                return (least...most).contains(total)
            }
        }
        let page = book.page(number, of: shelf, from: from, until: until, size: Self.pageSize, where: admits)
        return rows(visit, page.orders.map(\.row), page: number, hasMore: page.hasMore)
    }

    // MARK: lists

    /// Counted from 1; nil where the query names no page there can be.
    private static func page(_ visit: Visit) -> Int? {
        guard let text = visit.call.parameter("page") else { return 1 }
        guard let page = Int(text), page >= 1 else { return nil }
        return page
    }

    func list(_ visit: Visit, _ records: [[UInt8]]) -> Answer {
        guard let page = Self.page(visit), page <= records.count / Self.pageSize + 1 else {
            return rows(visit, [], page: 1, hasMore: false)
        }
        let rest = records.dropFirst((page - 1) * Self.pageSize)
        return rows(visit, rest.prefix(Self.pageSize), page: page, hasMore: rest.count > Self.pageSize)
    }

    private func rows(_ visit: Visit, _ records: some Sequence<[UInt8]>, page: Int, hasMore: Bool) -> Answer {
        var body: [UInt8] = [UInt8(ascii: "[")]
        for record in records {
            if body.count > 1 { body.append(UInt8(ascii: ",")) }
            body.append(contentsOf: record)
        }
        body.append(UInt8(ascii: "]"))
        var answer = Answer(200, body: body)
        if hasMore {
            var query = visit.call.query.filter { $0.name != "page" }
            query.append(("page", String(page + 1)))
            let text = query.map { FormText.escaped($0.name) + "=" + FormText.escaped($0.value) }.joined(separator: "&")
            answer.headers.append(("X-Next-Page", visit.call.origin + visit.call.path + "?" + text))
        }
        return answer
    }
}
