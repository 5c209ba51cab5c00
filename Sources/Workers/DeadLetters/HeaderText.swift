import AMQP
import FoundationEssentials
import JSON

/// Headers as a JSON object, for the desk to show and to send again.
enum HeaderText {
    static func json(_ headers: [String: AMQPField]) -> [UInt8] {
        var writer = JSONWriter()
        write(headers, to: &writer)
        return writer.bytes
    }

    /// The headers again, each of the kind it was.
    static func headers(_ json: [UInt8]) -> [String: AMQPField] {
        guard let json = try? JSON(parsing: json), case .table(let fields) = field(json) else { return [:] }
        return fields
    }

    private static func write(_ table: [String: AMQPField], to writer: inout JSONWriter) {
        writer.object { writer in
            for (name, field) in table.sorted(by: { $0.key < $1.key }) {
                writer.key(dynamic: name)
                write(field, to: &writer)
            }
        }
    }

    private static func write(_ field: AMQPField, to writer: inout JSONWriter) {
        switch field {
        case .string(let text): writer.string(text)
        case .int(let value): writer.number(value)
        case .bool(let value): writer.bool(value)
        case .table(let table): write(table, to: &writer)
        case .array(let fields): writer.array { writer in for field in fields { write(field, to: &writer) } }
        case .null: writer.null()
        // Of foreign messages only: what JSON has no kind for is an object that says which it is.
        case .bytes(let bytes): tagged(.bytes, Data(bytes).base64EncodedString(), to: &writer)
        case .timestamp(let seconds): tagged(.timestamp, "\(seconds)", to: &writer)
        case .decimal(let places, let digits): tagged(.decimal, "\(digits)e-\(places)", to: &writer)
        case .double(let value): tagged(.double, "\(value)", to: &writer)
        }
    }

    private enum Tag: String, CaseIterable {
        case bytes = "$bytes"
        case timestamp = "$timestamp"
        case decimal = "$decimal"
        case double = "$double"

        /// Nil where the text was not written by ``HeaderText/json(_:)``.
        func field(_ text: String) -> AMQPField? {
            switch self {
            case .bytes: return Data(base64Encoded: text).map { .bytes(Array($0)) }
            case .timestamp: return Int64(text).map { .timestamp($0) }
            case .double: return .double(.init(text) ?? .nan)
            case .decimal:
                let parts = text.split(separator: "-")
                guard parts.count == 2, parts[0].hasSuffix("e"), let digits = UInt32(parts[0].dropLast()),
                    let places = UInt8(parts[1])
                else { return nil }
                return .decimal(places: places, digits: digits)
            }
        }
    }

    private static func tagged(_ tag: Tag, _ text: String, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key(dynamic: tag.rawValue)
            writer.string(text)
        }
    }

    private static func tagged(_ json: JSON) -> AMQPField? {
        guard json.members.count == 1, let member = json.members.first, let text = member.value.string else {
            return nil
        }
        return Tag(rawValue: member.key)?.field(text)
    }

    private static func field(_ json: JSON) -> AMQPField {
        switch json.kind {
        case .null: .null
        case .bool: .bool(json.bool ?? false)
        case .number: json.integer.map { .int($0) } ?? .string(json.numberText ?? "")
        case .string: .string(json.string ?? "")
        case .array: .array(json.elements.map { field($0) })
        case .object: tagged(json) ?? .table(json.members.reduce(into: [:]) { $0[$1.key] = field($1.value) })
        }
    }
}
