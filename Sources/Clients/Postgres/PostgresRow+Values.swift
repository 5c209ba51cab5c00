/// The accessors: each type twice, for columns that must have a value and for those that may be NULL.
/// The plural forms read arrays of one dimension, whose elements may be NULL.
extension PostgresRow {
    /// `int2`, `int4`, `int8` or `oid`.
    package func int(_ column: PostgresColumn) throws(PostgresError) -> Int64 {
        try demand(column, "int", Decode.int)
    }

    package func intOrNil(_ column: PostgresColumn) throws(PostgresError) -> Int64? {
        try read(column, "int", Decode.int)
    }

    package func bool(_ column: PostgresColumn) throws(PostgresError) -> Bool {
        try demand(column, "bool", Decode.bool)
    }

    package func boolOrNil(_ column: PostgresColumn) throws(PostgresError) -> Bool? {
        try read(column, "bool", Decode.bool)
    }

    /// Text types, enums, `json`, `jsonb`; must be valid UTF-8.
    package func text(_ column: PostgresColumn) throws(PostgresError) -> String {
        try demand(column, "text", Decode.text)
    }

    package func textOrNil(_ column: PostgresColumn) throws(PostgresError) -> String? {
        try read(column, "text", Decode.text)
    }

    /// `bytea`, or the UTF-8 of a text or JSON value, unchecked.
    package func bytes(_ column: PostgresColumn) throws(PostgresError) -> [UInt8] {
        try demand(column, "bytes", Decode.bytes)
    }

    package func bytesOrNil(_ column: PostgresColumn) throws(PostgresError) -> [UInt8]? {
        try read(column, "bytes", Decode.bytes)
    }

    /// Exact decimal text with the scale it was stored with; integers too. NaN is refused.
    package func numeric(_ column: PostgresColumn) throws(PostgresError) -> String {
        try demand(column, "numeric", Decode.numeric)
    }

    package func numericOrNil(_ column: PostgresColumn) throws(PostgresError) -> String? {
        try read(column, "numeric", Decode.numeric)
    }

    /// `timestamptz`, in microseconds since 1970; its infinities are refused.
    package func timestamp(_ column: PostgresColumn) throws(PostgresError) -> Int64 {
        try demand(column, "timestamp", Decode.timestamp)
    }

    package func timestampOrNil(_ column: PostgresColumn) throws(PostgresError) -> Int64? {
        try read(column, "timestamp", Decode.timestamp)
    }

    /// `date` as `YYYY-MM-DD`.
    package func date(_ column: PostgresColumn) throws(PostgresError) -> String {
        try demand(column, "date", Decode.date)
    }

    package func dateOrNil(_ column: PostgresColumn) throws(PostgresError) -> String? {
        try read(column, "date", Decode.date)
    }

    /// Lower case.
    package func uuid(_ column: PostgresColumn) throws(PostgresError) -> String {
        try demand(column, "uuid", Decode.uuid)
    }

    package func uuidOrNil(_ column: PostgresColumn) throws(PostgresError) -> String? {
        try read(column, "uuid", Decode.uuid)
    }

    package func ints(_ column: PostgresColumn) throws(PostgresError) -> [Int64?] {
        try demand(column, "ints") { Decode.array($0, $1, Decode.int) }
    }

    package func intsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [Int64?]? {
        try read(column, "ints") { Decode.array($0, $1, Decode.int) }
    }

    package func bools(_ column: PostgresColumn) throws(PostgresError) -> [Bool?] {
        try demand(column, "bools") { Decode.array($0, $1, Decode.bool) }
    }

    package func boolsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [Bool?]? {
        try read(column, "bools") { Decode.array($0, $1, Decode.bool) }
    }

    package func texts(_ column: PostgresColumn) throws(PostgresError) -> [String?] {
        try demand(column, "texts") { Decode.array($0, $1, Decode.text) }
    }

    package func textsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [String?]? {
        try read(column, "texts") { Decode.array($0, $1, Decode.text) }
    }

    package func bytesArray(_ column: PostgresColumn) throws(PostgresError) -> [[UInt8]?] {
        try demand(column, "bytesArray") { Decode.array($0, $1, Decode.bytes) }
    }

    package func bytesArrayOrNil(_ column: PostgresColumn) throws(PostgresError) -> [[UInt8]?]? {
        try read(column, "bytesArray") { Decode.array($0, $1, Decode.bytes) }
    }

    package func numerics(_ column: PostgresColumn) throws(PostgresError) -> [String?] {
        try demand(column, "numerics") { Decode.array($0, $1, Decode.numeric) }
    }

    package func numericsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [String?]? {
        try read(column, "numerics") { Decode.array($0, $1, Decode.numeric) }
    }

    /// Microseconds since 1970.
    package func timestamps(_ column: PostgresColumn) throws(PostgresError) -> [Int64?] {
        try demand(column, "timestamps") { Decode.array($0, $1, Decode.timestamp) }
    }

    package func timestampsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [Int64?]? {
        try read(column, "timestamps") { Decode.array($0, $1, Decode.timestamp) }
    }

    package func dates(_ column: PostgresColumn) throws(PostgresError) -> [String?] {
        try demand(column, "dates") { Decode.array($0, $1, Decode.date) }
    }

    package func datesOrNil(_ column: PostgresColumn) throws(PostgresError) -> [String?]? {
        try read(column, "dates") { Decode.array($0, $1, Decode.date) }
    }

    package func uuids(_ column: PostgresColumn) throws(PostgresError) -> [String?] {
        try demand(column, "uuids") { Decode.array($0, $1, Decode.uuid) }
    }

    package func uuidsOrNil(_ column: PostgresColumn) throws(PostgresError) -> [String?]? {
        try read(column, "uuids") { Decode.array($0, $1, Decode.uuid) }
    }
}

/// PostgreSQL's binary forms to Swift values; nil when the type or the bytes do not fit.
private enum Decode {
    static func int(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> Int64? {
        var reader = ByteReader(bytes)
        switch (type, bytes.count) {
        case (TypeNumber.int8, 8): return reader.next(Int64.self)
        case (TypeNumber.int4, 4): return reader.next(Int32.self).map(Int64.init)
        case (TypeNumber.int2, 2): return reader.next(Int16.self).map(Int64.init)
        case (TypeNumber.oid, 4): return reader.next(UInt32.self).map(Int64.init)
        default: return nil
        }
    }

    static func bool(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> Bool? {
        guard type == TypeNumber.bool, bytes.count == 1 else { return nil }
        return bytes.first == 1
    }

    static func text(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> String? {
        textBytes(type, bytes).flatMap { String(validating: $0, as: UTF8.self) }
    }

    static func bytes(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> [UInt8]? {
        type == TypeNumber.bytea ? Array(bytes) : textBytes(type, bytes).map { Array($0) }
    }

    static func numeric(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> String? {
        type == TypeNumber.numeric ? NumericText.decode(bytes) : int(type, bytes).map { String($0) }
    }

    static func timestamp(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> Int64? {
        var reader = ByteReader(bytes)
        guard type == TypeNumber.timestamptz, let value = reader.next(Int64.self), value != .max, value != .min
        else { return nil }
        let (shifted, overflow) = value.addingReportingOverflow(CalendarDate.microsecondsFrom1970To2000)
        return overflow ? nil : shifted
    }

    static func date(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> String? {
        var reader = ByteReader(bytes)
        guard type == TypeNumber.date else { return nil }
        return reader.next(Int32.self).flatMap { CalendarDate.text(daysSince2000: $0) }
    }

    static func uuid(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> String? {
        type == TypeNumber.uuid ? UUIDText.decode(bytes) : nil
    }

    /// The element's type stands in the array itself.
    static func array<Element>(
        _ type: UInt32, _ bytes: ArraySlice<UInt8>, _ one: (UInt32, ArraySlice<UInt8>) -> Element?
    ) -> [Element?]? {
        var reader = ByteReader(bytes)
        guard let dimensions = reader.next(Int32.self), reader.next(Int32.self) != nil,
            let elementType = reader.next(UInt32.self)
        else { return nil }
        if dimensions == 0 { return [] }
        guard dimensions == 1, let count = reader.next(Int32.self), reader.next(Int32.self) != nil, count >= 0
        else { return nil }
        var elements: [Element?] = []
        for _ in 0..<count {
            guard let size = reader.next(Int32.self) else { return nil }
            if size < 0 {
                elements.append(nil)
                continue
            }
            guard let part = reader.take(Int(size)), let element = one(elementType, part) else { return nil }
            elements.append(element)
        }
        return elements
    }

    private static func textBytes(_ type: UInt32, _ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        switch type {
        case TypeNumber.text, TypeNumber.varchar, TypeNumber.bpchar, TypeNumber.name, TypeNumber.char,
            TypeNumber.json, TypeNumber.xml, TypeNumber.unknown:
            return bytes
        case TypeNumber.jsonb:
            // Its version, 1, stands before the text.
            return bytes.first == 1 ? bytes.dropFirst() : nil
        default:
            return type >= TypeNumber.firstOwn ? bytes : nil
        }
    }
}
