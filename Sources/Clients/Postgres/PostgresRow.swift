import CPostgreSQL

/// Names a column: by its name, or by its position from 0. A literal says either.
///
/// A type and not a protocol: a generic accessor is called through its witness table from other modules, which cost a
/// writer more than the reading itself.
package enum PostgresColumn: Sendable, ExpressibleByStringLiteral, ExpressibleByIntegerLiteral {
    case name(String)
    case position(Int)

    package init(stringLiteral name: String) { self = .name(name) }
    package init(integerLiteral position: Int) { self = .position(position) }

    func position(in columns: PostgresColumns) -> Int? {
        switch self {
        case .name(let name): columns.position(of: name)
        case .position(let position): columns.types.indices.contains(position) ? position : nil
        }
    }

    var label: String {
        switch self {
        case .name(let name): name
        case .position(let position): "#\(position)"
        }
    }
}

/// The columns of a result, kept with the prepared statement.
package final class PostgresColumns: Sendable {
    let names: [String]
    let types: [UInt32]

    init(_ result: borrowing ResultHandle) {
        let count = result.columnCount
        var names: [String] = []
        var types: [UInt32] = []
        for column in 0..<count {
            names.append(result.columnName(column))
            types.append(result.columnType(column))
        }
        self.names = names
        self.types = types
    }

    /// The first of equal names wins, as in libpq. Names are few and short: comparing them one after the other costs
    /// less than to hash the one that is asked for.
    func position(of name: String) -> Int? { names.firstIndex(of: name) }
}

/// The values of one result in Swift's memory; its rows share it.
final class ResultStorage: Sendable {
    let columns: PostgresColumns
    let bytes: [UInt8]
    /// Where each value begins in `bytes`, row by row, and its size; -1 is NULL.
    let cells: [(start: Int, size: Int)]

    init(_ result: borrowing ResultHandle, columns: PostgresColumns) {
        self.columns = columns
        let rows = result.rowCount
        let width = columns.types.count
        var cells: [(start: Int, size: Int)] = []
        cells.reserveCapacity(rows * width)
        var total = 0
        for row in 0..<rows {
            for column in 0..<width {
                let size = result.size(row: row, column: column)
                cells.append((total, size ?? -1))
                total += size ?? 0
            }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(total)
        for row in 0..<rows {
            for column in 0..<width {
                let size = cells[row * width + column].size
                if size > 0 { result.copy(row: row, column: column, size: size, into: &bytes) }
            }
        }
        self.cells = cells
        self.bytes = bytes
    }

    func rows(_ count: Int) -> [PostgresRow] { (0..<count).map { PostgresRow(storage: self, index: $0) } }
}

/// One row of a result. Each accessor names a column and the type expected of it, and throws `decoding`, naming the
/// column, when the column is missing, NULL, or of a type that cannot be read so.
package struct PostgresRow: Sendable {
    private let storage: ResultStorage
    private let index: Int

    init(storage: ResultStorage, index: Int) {
        self.storage = storage
        self.index = index
    }

    package var columnNames: [String] { storage.columns.names }

    /// Whether the value is NULL.
    package func isNull(_ column: PostgresColumn) throws(PostgresError) -> Bool {
        try value(column) == nil
    }

    /// The value's type and bytes; nil for NULL.
    func value(_ column: PostgresColumn) throws(PostgresError) -> (type: UInt32, bytes: ArraySlice<UInt8>)? {
        guard let position = column.position(in: storage.columns) else {
            throw Self.failure(column, "is not in the result (\(storage.columns.names.joined(separator: ", ")))")
        }
        let cell = storage.cells[index * storage.columns.types.count + position]
        guard cell.size >= 0 else { return nil }
        return (storage.columns.types[position], storage.bytes[cell.start..<cell.start + cell.size])
    }

    /// Reads with `decode`, which answers nil when type or bytes do not fit.
    @inline(__always) func read<Value>(
        _ column: PostgresColumn, _ kind: String, _ decode: (UInt32, ArraySlice<UInt8>) -> Value?
    ) throws(PostgresError) -> Value? {
        guard let (type, bytes) = try value(column) else { return nil }
        guard let value = decode(type, bytes) else {
            throw Self.failure(column, "cannot be read as \(kind) (type number \(type), \(bytes.count) bytes)")
        }
        return value
    }

    @inline(__always) func demand<Value>(
        _ column: PostgresColumn, _ kind: String, _ decode: (UInt32, ArraySlice<UInt8>) -> Value?
    ) throws(PostgresError) -> Value {
        guard let value = try read(column, kind, decode) else { throw Self.failure(column, "is NULL") }
        return value
    }

    private static func failure(_ column: PostgresColumn, _ problem: String) -> PostgresError {
        PostgresError(.decoding, operation: "decode", detail: "column \(column.label) \(problem)")
    }
}
