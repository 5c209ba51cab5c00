import CRabbitMQ

/// Memory for what librabbitmq reads while it encodes one message or one call: copies of strings, header tables.
///
/// Nothing is freed one by one; `reset()` starts over with the same memory, so a message costs no allocation. Pointers
/// stay valid until `reset()`. Thread: the connection's.
struct EncodingArena: ~Copyable {
    private var chunks: [UnsafeMutableRawPointer] = []
    private var used = 0
    private var capacity = 0
    /// About how many bytes the strings and values take on the wire since `reset()`.
    private(set) var encodedBytes = 0

    private static let chunkBytes = 16_384

    deinit { for chunk in chunks { chunk.deallocate() } }

    mutating func reset() {
        if chunks.count > 1 {
            for chunk in chunks.dropLast() { chunk.deallocate() }
            chunks.removeFirst(chunks.count - 1)
        }
        used = 0
        encodedBytes = 0
    }

    mutating func bytes(of text: String) -> amqp_bytes_t {
        let view = text.utf8
        if let copied = view.withContiguousStorageIfAvailable({ copy(UnsafeRawBufferPointer($0)) }) { return copied }
        // Strings bridged from elsewhere: not on Linux, but cheap to be right about.
        return Array(view).withUnsafeBytes { copy($0) }
    }

    /// A string AMQP stores with one byte of length. librabbitmq would cut the length off without a word.
    mutating func shortBytes(of text: String, _ what: String) throws(AMQPError) -> amqp_bytes_t {
        guard text.utf8.count <= 255 else {
            throw AMQPError(.invalidMessage, operation: "encode", detail: "\(what) is longer than 255 bytes")
        }
        return bytes(of: text)
    }

    mutating func table(_ fields: [String: AMQPField]) throws(AMQPError) -> amqp_table_t {
        guard !fields.isEmpty else { return amqp_empty_table }
        let entries = allocate(amqp_table_entry_t.self, count: fields.count)
        var index = 0
        for (key, value) in fields {
            let entry = try amqp_table_entry_t(key: shortBytes(of: key, "a header's name"), value: field(value))
            (entries + index).initialize(to: entry)
            index += 1
        }
        return amqp_table_t(num_entries: Int32(index), entries: entries)
    }

    private mutating func field(_ field: AMQPField) throws(AMQPError) -> amqp_field_value_t {
        var result = amqp_field_value_t()
        encodedBytes += 9
        switch field {
        case .string(let text):
            result.kind = UInt8(ascii: "S")
            result.value.bytes = bytes(of: text)
        case .bytes(let content):
            result.kind = UInt8(ascii: "x")
            result.value.bytes = content.withUnsafeBytes { copy($0) }
        case .int(let number):
            result.kind = UInt8(ascii: "l")
            result.value.i64 = number
        case .bool(let flag):
            result.kind = UInt8(ascii: "t")
            result.value.boolean = flag ? 1 : 0
        case .timestamp(let seconds):
            result.kind = UInt8(ascii: "T")
            result.value.u64 = UInt64(bitPattern: seconds)
        case .decimal(let places, let digits):
            result.kind = UInt8(ascii: "D")
            result.value.decimal = amqp_decimal_t(decimals: places, value: digits)
        case .double(let number):
            result.kind = UInt8(ascii: "d")
            result.value.f64 = number
        case .table(let fields):
            result.kind = UInt8(ascii: "F")
            result.value.table = try table(fields)
        case .array(let elements):
            result.kind = UInt8(ascii: "A")
            let values = allocate(amqp_field_value_t.self, count: max(elements.count, 1))
            for (index, element) in elements.enumerated() {
                try (values + index).initialize(to: self.field(element))
            }
            result.value.array = amqp_array_t(num_entries: Int32(elements.count), entries: values)
        case .null:
            result.kind = UInt8(ascii: "V")
        }
        return result
    }

    private mutating func copy(_ source: UnsafeRawBufferPointer) -> amqp_bytes_t {
        encodedBytes += source.count
        guard let base = source.baseAddress, !source.isEmpty else { return amqp_bytes_t(len: 0, bytes: nil) }
        let target = reserve(source.count)
        target.copyMemory(from: base, byteCount: source.count)
        return amqp_bytes_t(len: source.count, bytes: target)
    }

    private mutating func allocate<Item>(_: Item.Type, count: Int) -> UnsafeMutablePointer<Item> {
        encodedBytes += count
        return reserve(count * MemoryLayout<Item>.stride).bindMemory(to: Item.self, capacity: count)
    }

    /// Aligned to 16 bytes: fits every C type used here.
    private mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer {
        let start = (used + 15) & ~15
        if let last = chunks.last, start + count <= capacity {
            used = start + count
            return last + start
        }
        let size = max(count, Self.chunkBytes)
        let chunk = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        chunks.append(chunk)
        capacity = size
        used = count
        return chunk
    }
}
