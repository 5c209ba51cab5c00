/// Which statements a connection has prepared, by their SQL. Pure bookkeeping: the session sends what it says.
///
/// Bounded: the least recently used one is given up, to be deallocated on the server.
struct StatementCache {
    struct Entry {
        let name: String
        /// The parameter types it was prepared with; 0 where only NULL was known.
        let types: [UInt32]
        fileprivate var lastUse: UInt64
        var columns: PostgresColumns?
    }

    enum Plan {
        case use(String)
        /// Prepare under this name and these types, after deallocating the old names.
        case prepare(String, types: [UInt32], forget: [String])
    }

    let capacity: Int
    private var entries: [String: Entry] = [:]
    private var clock: UInt64 = 0
    private var names: UInt64 = 0
    /// Names the server may still know although no entry does.
    private var orphans: [String] = []

    init(capacity: Int) {
        precondition(capacity > 0, "a statement cache needs room for one statement")
        self.capacity = capacity
    }

    var count: Int { entries.count }

    /// How to run `sql` with parameters of these types. A NULL (type 0) goes with any type.
    mutating func plan(_ sql: String, types: [UInt32]) -> Plan {
        clock += 1
        var types = types
        if let entry = entries[sql], entry.types.count == types.count {
            if zip(entry.types, types).allSatisfy({ $0 == $1 || $1 == 0 }) {
                entries[sql]?.lastUse = clock
                return .use(entry.name)
            }
            types = zip(entry.types, types).map { $1 == 0 ? $0 : $1 }
        }
        if let old = entries.removeValue(forKey: sql) { orphans.append(old.name) }
        if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            orphans.append(oldest.value.name)
        }
        names += 1
        let name = "tb\(names)"
        entries[sql] = Entry(name: name, types: types, lastUse: clock, columns: nil)
        defer { orphans = [] }
        return .prepare(name, types: types, forget: orphans)
    }

    /// The server did not prepare `name`, or no longer accepts it.
    mutating func drop(_ sql: String, name: String, isOnServer: Bool) {
        if entries[sql]?.name == name { entries[sql] = nil }
        if isOnServer { orphans.append(name) }
    }

    /// The server did not get to deallocate `name`; tried again with the next preparation.
    mutating func keepOrphan(_ name: String) { orphans.append(name) }

    func columns(_ sql: String, name: String) -> PostgresColumns? {
        guard let entry = entries[sql], entry.name == name else { return nil }
        return entry.columns
    }

    mutating func store(_ columns: PostgresColumns, _ sql: String, name: String) {
        if entries[sql]?.name == name { entries[sql]?.columns = columns }
    }
}
