import AMQP
import JSON

/// Headers as a JSON object, for the desk to show and to send again.
enum HeaderText {
    static func json(_ headers: [String: AMQPField]) -> [UInt8] {
        var writer = JSONWriter()
        write(headers, to: &writer)
        return writer.bytes
    }

    /// The headers again. What JSON cannot tell apart comes back as the plainer kind: a moment as a number, bytes and
    /// other foreign kinds as the text they print as.
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
        case .int(let value), .timestamp(let value): writer.number(value)
        case .bool(let value): writer.bool(value)
        case .table(let table): write(table, to: &writer)
        case .array(let fields): writer.array { writer in for field in fields { write(field, to: &writer) } }
        case .null: writer.null()
        // Foreign types only; shown as they print.
        case .bytes, .decimal, .double: writer.string("\(field)")
        }
    }

    private static func field(_ json: JSON) -> AMQPField {
        switch json.kind {
        case .null: .null
        case .bool: .bool(json.bool ?? false)
        case .number: json.integer.map { .int($0) } ?? .string(json.numberText ?? "")
        case .string: .string(json.string ?? "")
        case .array: .array(json.elements.map { field($0) })
        case .object: .table(json.members.reduce(into: [:]) { $0[$1.key] = field($1.value) })
        }
    }
}
