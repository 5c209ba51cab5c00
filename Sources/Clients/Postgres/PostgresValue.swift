/// A parameter of a statement. It travels in binary beside the SQL, never inside it.
///
/// Each case has one PostgreSQL type, sent along with the statement, so `unnest($1)` or `$1 IS NULL` need no guess.
/// An `int` is an `int8`: PostgreSQL assigns it to smaller columns itself and compares it with them by index; a
/// function that takes `int4` needs `$1::int4`.
package enum PostgresValue: Sendable {
    /// NULL of whatever type the statement wants there.
    case null
    case bool(Bool)
    case int(Int64)
    /// `text`. A NUL byte is refused (`invalidText`): PostgreSQL has no such text.
    case text(String)
    case bytes([UInt8])
    /// Exact decimal text, e.g. `-0.005` or `1e-10`; NaN and infinities are refused.
    case numeric(String)
    /// `timestamptz`.
    case timestamp(microsecondsSince1970: Int64)
    /// `YYYY-MM-DD`, year 0001 to 9999.
    case date(String)
    case uuid(String)
    /// `jsonb`, as text. For exact text in a `json` column send `.text` and write `$1::json`.
    case json(String)
    /// `jsonb`, as UTF-8.
    case jsonBytes([UInt8])

    // One dimension each, for `unnest` and `= ANY`.
    case bools([Bool?])
    case ints([Int64?])
    case texts([String?])
    case bytesArray([[UInt8]?])
    case numerics([String?])
    case timestamps(microsecondsSince1970: [Int64?])
    case dates([String?])
    case uuids([String?])
    case jsons([String?])
}

/// Numbers of PostgreSQL's built-in types (`pg_type.oid`); they are fixed for ever.
enum TypeNumber {
    static let unspecified: UInt32 = 0, unknown: UInt32 = 705
    static let bool: UInt32 = 16, bytea: UInt32 = 17, char: UInt32 = 18, name: UInt32 = 19
    static let int8: UInt32 = 20, int2: UInt32 = 21, int4: UInt32 = 23, text: UInt32 = 25, oid: UInt32 = 26
    static let json: UInt32 = 114, xml: UInt32 = 142, bpchar: UInt32 = 1042, varchar: UInt32 = 1043
    static let date: UInt32 = 1082, timestamptz: UInt32 = 1184, numeric: UInt32 = 1700
    static let uuid: UInt32 = 2950, jsonb: UInt32 = 3802
    static let bools: UInt32 = 1000, byteas: UInt32 = 1001, int8s: UInt32 = 1016, texts: UInt32 = 1009
    static let numerics: UInt32 = 1231, timestamptzs: UInt32 = 1185, dates: UInt32 = 1182, uuids: UInt32 = 2951
    static let jsonbs: UInt32 = 3807
    /// Types made by `CREATE TYPE` (enums, citext) start here; their binary form is text as far as we use them.
    static let firstOwn: UInt32 = 16384
}

extension PostgresValue {
    var typeNumber: UInt32 {
        switch self {
        case .null: TypeNumber.unspecified
        case .bool: TypeNumber.bool
        case .int: TypeNumber.int8
        case .text: TypeNumber.text
        case .bytes: TypeNumber.bytea
        case .numeric: TypeNumber.numeric
        case .timestamp: TypeNumber.timestamptz
        case .date: TypeNumber.date
        case .uuid: TypeNumber.uuid
        case .json, .jsonBytes: TypeNumber.jsonb
        case .bools: TypeNumber.bools
        case .ints: TypeNumber.int8s
        case .texts: TypeNumber.texts
        case .bytesArray: TypeNumber.byteas
        case .numerics: TypeNumber.numerics
        case .timestamps: TypeNumber.timestamptzs
        case .dates: TypeNumber.dates
        case .uuids: TypeNumber.uuids
        case .jsons: TypeNumber.jsonbs
        }
    }
}
