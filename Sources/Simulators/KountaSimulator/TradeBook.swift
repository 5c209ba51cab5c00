/// All orders that can be seen, on shelves sorted by time, so that a page costs a binary search and not a scan.
struct TradeBook: Sendable {
    /// One list of orders: of a company, a venue or a till; with one status or with any.
    struct Shelf: Hashable {
        enum Scope: Hashable { case company, site(Int64), register(Int64) }
        enum Content: Hashable { case all, status(String), deleted, accounts }
        let company: Int64
        let scope: Scope
        let content: Content
    }

    struct Entry: Comparable, Sendable {
        let createdAt: Int64
        let id: Int64

        static func < (one: Entry, other: Entry) -> Bool {
            (one.createdAt, one.id) < (other.createdAt, other.id)
        }
    }

    struct Sums: Sendable {
        var orders = 0
        var total: Int64 = 0
        var tips: Int64 = 0
        var due: Int64 = 0
        var paid: Int64 = 0
    }

    /// A venue's day, by Sydney's calendar.
    struct TradingDay: Hashable, Comparable {
        let day: Int64
        let site: Int64
        static func < (one: TradingDay, other: TradingDay) -> Bool { (one.day, one.site) < (other.day, other.site) }
    }

    struct Takings: Sendable {
        var byMethod: [Int64: Int64] = [:]
        var total: Int64 = 0
        var tax: Int64 = 0
        /// Counted less recorded, by method.
        var differences: [Int64: Int64] = [:]
        /// Somebody said what was counted.
        var isCounted = false
    }

    private(set) var orders: [Int64: BookedOrder] = [:]
    private var shelves: [Shelf: [Entry]] = [:]
    private(set) var sums: [Int64: Sums] = [:]
    private(set) var takings: [TradingDay: Takings] = [:]
    /// Complete orders whose record cannot be believed.
    private(set) var unbelievable: Set<Int64> = []

    /// Adds an order or replaces the one with its id.
    mutating func put(_ order: BookedOrder) {
        if let old = orders.updateValue(order, forKey: order.id) {
            let entry = Entry(createdAt: old.createdAt, id: old.id)
            for shelf in Self.shelves(of: old) { remove(entry, from: shelf) }
            count(old, times: -1)
        }
        let entry = Entry(createdAt: order.createdAt, id: order.id)
        for shelf in Self.shelves(of: order) { insert(entry, into: shelf) }
        count(order, times: 1)
    }

    private static func shelves(of order: BookedOrder) -> [Shelf] {
        var contents: [Shelf.Content] = [.all]
        if order.isDeleted {
            contents.append(.deleted)
        } else {
            contents.append(.status(order.status == "COMPLETED" ? "COMPLETE" : order.status))
            if order.isOnAccount { contents.append(.accounts) }
        }
        let scopes: [Shelf.Scope] = [.company, .site(order.site), .register(order.register)]
        return contents.flatMap { content in
            scopes.map { Shelf(company: order.company, scope: $0, content: content) }
        }
    }

    private mutating func insert(_ entry: Entry, into shelf: Shelf) {
        // In place: a copy of the shelf for each order would make booking quadratic.
        Self.insert(entry, into: &shelves[shelf, default: []])
    }

    private static func insert(_ entry: Entry, into entries: inout [Entry]) {
        if let last = entries.last, entry < last {
            entries.insert(entry, at: position(of: entry, in: entries))
        } else {
            entries.append(entry)
        }
    }

    private mutating func remove(_ entry: Entry, from shelf: Shelf) {
        guard let entries = shelves[shelf] else { return }
        let position = Self.position(of: entry, in: entries)
        guard position < entries.count, entries[position] == entry else { return }
        shelves[shelf]?.remove(at: position)
    }

    /// Where the entry stands or would stand: the number of entries before it.
    private static func position(of entry: Entry, in entries: [Entry]) -> Int {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle] < entry { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private mutating func count(_ order: BookedOrder, times sign: Int64) {
        guard order.isComplete else { return }
        guard let figures = order.figures else {
            if sign > 0 { unbelievable.insert(order.id) } else { unbelievable.remove(order.id) }
            return
        }
        sums[order.site, default: Sums()].add(figures, times: sign)
        let local = order.createdAt + SydneyClock.offset(at: order.createdAt)
        let day = TradingDay(day: CivilTime(secondsSinceEpoch: local).days, site: order.site)
        for (method, cents) in figures.takings {
            takings[day, default: Takings()].byMethod[method, default: 0] += sign * cents
        }
        takings[day, default: Takings()].total += sign * figures.total
        takings[day, default: Takings()].tax += sign * figures.tax
    }

    mutating func miscount(_ day: TradingDay, method: Int64, by cents: Int64) {
        takings[day, default: Takings()].differences[method] = cents
        takings[day, default: Takings()].isCounted = true
    }

    /// One page, newest first, of the orders created in `from..<until` (Unix seconds).
    /// - Parameter page: counted from 1.
    /// - Returns: the page, and whether another follows.
    func page(
        _ page: Int, of shelf: Shelf, from: Int64, until: Int64, size: Int, where admits: ((BookedOrder) -> Bool)?
    ) -> (orders: [BookedOrder], hasMore: Bool) {
        guard let entries = shelves[shelf] else { return ([], false) }
        let low = Self.position(of: Entry(createdAt: from, id: .min), in: entries)
        let high = Self.position(of: Entry(createdAt: until, id: .min), in: entries)
        guard low < high else { return ([], false) }
        if let admits {
            // A filter by value has no index: the window is read through.
            let found = entries[low..<high].reversed().compactMap { orders[$0.id] }.filter(admits)
            let rest = found.dropFirst((page - 1) * size)
            return (Array(rest.prefix(size)), rest.count > size)
        }
        let (skipped, overflow) = (page - 1).multipliedReportingOverflow(by: size)
        guard !overflow, skipped < high - low else { return ([], false) }
        let last = high - skipped
        let first = max(low, last - size)
        return (entries[first..<last].reversed().compactMap { orders[$0.id] }, first > low)
    }
}

extension TradeBook.Sums {
    mutating func add(_ figures: OrderFigures, times sign: Int64) {
        orders += Int(sign)
        total += sign * figures.total
        tips += sign * figures.tips
        due += sign * figures.due
        paid += sign * figures.paid
    }
}
