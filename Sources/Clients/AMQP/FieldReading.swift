import CRabbitMQ

/// Strings that come again and again (exchanges, routing keys, header names), so that one comparison replaces an
/// allocation per delivery. A fixed number of places; a newcomer takes the place of whoever had it.
struct FamiliarStrings {
    private var places = [String](repeating: "", count: 64)

    mutating func string(_ bytes: amqp_bytes_t) -> String {
        let view = UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len)
        guard let first = view.first, let last = view.last, view.count <= 128 else {
            return String(decoding: view, as: UTF8.self)
        }
        let place = (Int(first) &* 31 &+ Int(last) &* 7 &+ view.count) & 63
        let known = places[place].utf8
        if known.count == view.count, known.elementsEqual(view) { return places[place] }
        let fresh = String(decoding: view, as: UTF8.self)
        places[place] = fresh
        return fresh
    }
}

/// Copies what librabbitmq decoded into values of our own. The C memory belongs to the channel's pool and is gone after
/// the next release of buffers.
struct FieldReading {
    var familiar = FamiliarStrings()

    /// Tables inside tables deeper than this are dropped: a hostile publisher shall not exhaust the stack.
    private static let depthMax = 16

    mutating func table(_ table: amqp_table_t, depth: Int = 0) -> [String: AMQPField] {
        guard table.num_entries > 0, let entries = table.entries else { return [:] }
        var result = [String: AMQPField](minimumCapacity: Int(table.num_entries))
        for entry in UnsafeBufferPointer(start: entries, count: Int(table.num_entries)) {
            if let value = field(entry.value, depth: depth) { result[familiar.string(entry.key)] = value }
        }
        return result
    }

    /// nil for a kind that is not known, or one nested too deep.
    private mutating func field(_ field: amqp_field_value_t, depth: Int) -> AMQPField? {
        let value = field.value
        switch field.kind {
        case UInt8(ascii: "S"): return text(value.bytes)
        case UInt8(ascii: "x"): return .bytes(Self.array(value.bytes))
        case UInt8(ascii: "t"): return .bool(value.boolean != 0)
        case UInt8(ascii: "b"): return .int(Int64(value.i8))
        case UInt8(ascii: "B"): return .int(Int64(value.u8))
        case UInt8(ascii: "s"): return .int(Int64(value.i16))
        case UInt8(ascii: "u"): return .int(Int64(value.u16))
        case UInt8(ascii: "I"): return .int(Int64(value.i32))
        case UInt8(ascii: "i"): return .int(Int64(value.u32))
        case UInt8(ascii: "l"): return .int(value.i64)
        case UInt8(ascii: "L"): return Int64(exactly: value.u64).map { .int($0) } ?? .string(String(value.u64))
        case UInt8(ascii: "T"): return .timestamp(Int64(bitPattern: value.u64))
        case UInt8(ascii: "f"): return .double(Double(value.f32))
        case UInt8(ascii: "d"): return .double(value.f64)
        case UInt8(ascii: "D"): return .decimal(places: value.decimal.decimals, digits: value.decimal.value)
        case UInt8(ascii: "V"): return .null
        case UInt8(ascii: "F") where depth < Self.depthMax: return .table(table(value.table, depth: depth + 1))
        case UInt8(ascii: "A") where depth < Self.depthMax:
            guard let entries = value.array.entries else { return .array([]) }
            var elements: [AMQPField] = []
            for element in UnsafeBufferPointer(start: entries, count: Int(value.array.num_entries)) {
                if let element = self.field(element, depth: depth + 1) { elements.append(element) }
            }
            return .array(elements)
        default: return nil
        }
    }

    private func text(_ bytes: amqp_bytes_t) -> AMQPField {
        let view = UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len)
        if let text = String(validating: view, as: UTF8.self) { return .string(text) }
        return .bytes(Array(view))
    }

    static func array(_ bytes: amqp_bytes_t) -> [UInt8] {
        Array(UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len))
    }

    static func string(_ bytes: amqp_bytes_t) -> String {
        String(decoding: UnsafeRawBufferPointer(start: bytes.bytes, count: bytes.len), as: UTF8.self)
    }
}
