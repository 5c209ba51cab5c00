import Glibc

/// The parameters of one statement in PostgreSQL's binary format, all in one block of memory.
///
/// Everything is checked here, before a byte is sent: so a refused value leaves the transaction unharmed.
struct ParameterBuffer {
    /// Where a parameter lies in `bytes`; nil is NULL.
    private(set) var ranges: [Range<Int>?] = []
    private(set) var types: [UInt32] = []
    private(set) var bytes: [UInt8] = []

    /// The protocol counts parameters in 16 bits.
    static let countMax = 65_535
    /// The server refuses a field of 1 GB; libpq measures in `int`.
    static let bytesMax = 1 << 30

    init(_ values: [PostgresValue], operation: @autoclosure () -> String) throws(PostgresError) {
        guard values.count <= Self.countMax else {
            throw PostgresError(
                .invalidText, operation: operation(),
                detail: "\(values.count) parameters, more than the protocol's \(Self.countMax): use unnest")
        }
        ranges.reserveCapacity(values.count)
        types.reserveCapacity(values.count)
        for (index, value) in values.enumerated() {
            types.append(value.typeNumber)
            if case .null = value {
                ranges.append(nil)
                continue
            }
            let start = bytes.count
            if let problem = append(value) {
                throw PostgresError(
                    .invalidText, operation: operation(), detail: "parameter $\(index + 1) \(problem.rawValue)")
            }
            ranges.append(start..<bytes.count)
        }
    }

    private enum Problem: String {
        case nul = "contains a NUL byte, which PostgreSQL's text cannot hold"
        case numeric = "is not an exact decimal number"
        case date = "is not a date of the form YYYY-MM-DD"
        case uuid = "is not a UUID"
        case timestamp = "is an instant beyond what PostgreSQL's timestamptz can hold"
        case size = "makes the statement larger than 1 GB"
    }

    private mutating func append(_ value: PostgresValue) -> Problem? {
        switch value {
        case .null: nil
        case .bool(let value): append(value)
        case .int(let value): append(value)
        case .text(let value): append(text: value)
        case .bytes(let value): append(raw: value)
        case .numeric(let value): append(numeric: value)
        case .timestamp(let value): append(timestamp: value)
        case .date(let value): append(date: value)
        case .uuid(let value): append(uuid: value)
        case .json(let value): append(json: value)
        case .jsonBytes(let value): append(json: value)
        case .bools(let values): append(values, TypeNumber.bool) { $0.append($1) }
        case .ints(let values): append(values, TypeNumber.int8) { $0.append($1) }
        case .texts(let values): append(values, TypeNumber.text) { $0.append(text: $1) }
        case .bytesArray(let values): append(values, TypeNumber.bytea) { $0.append(raw: $1) }
        case .numerics(let values): append(values, TypeNumber.numeric) { $0.append(numeric: $1) }
        case .timestamps(let values): append(values, TypeNumber.timestamptz) { $0.append(timestamp: $1) }
        case .dates(let values): append(values, TypeNumber.date) { $0.append(date: $1) }
        case .uuids(let values): append(values, TypeNumber.uuid) { $0.append(uuid: $1) }
        case .jsons(let values): append(values, TypeNumber.jsonb) { $0.append(json: $1) }
        }
    }

    /// One dimension: its count, has-null flag, element type, length, lower bound 1; then each element with its size.
    private mutating func append<Element>(
        _ elements: [Element?], _ type: UInt32, _ one: (inout ParameterBuffer, Element) -> Problem?
    ) -> Problem? {
        bytes.append(bigEndian: Int32(elements.isEmpty ? 0 : 1))
        bytes.append(bigEndian: Int32(elements.contains { $0 == nil } ? 1 : 0))
        bytes.append(bigEndian: type)
        if elements.isEmpty { return nil }
        bytes.append(bigEndian: Int32(elements.count))
        bytes.append(bigEndian: Int32(1))
        for element in elements {
            guard let element else {
                bytes.append(bigEndian: Int32(-1))
                continue
            }
            let place = bytes.count
            bytes.append(bigEndian: Int32(0))
            if let problem = one(&self, element) { return problem }
            let size = UInt32(bytes.count - place - 4)
            for (offset, shift) in [24, 16, 8, 0].enumerated() {
                bytes[place + offset] = UInt8(truncatingIfNeeded: size >> UInt32(shift))
            }
        }
        return nil
    }

    private mutating func append(_ value: Bool) -> Problem? {
        bytes.append(value ? 1 : 0)
        return nil
    }

    private mutating func append(_ value: Int64) -> Problem? {
        bytes.append(bigEndian: value)
        return nil
    }

    private mutating func append(raw value: [UInt8]) -> Problem? {
        guard bytes.count + value.count < Self.bytesMax else { return .size }
        bytes.append(contentsOf: value)
        return nil
    }

    private mutating func append(text value: String) -> Problem? {
        var value = value
        guard bytes.count + value.utf8.count < Self.bytesMax else { return .size }
        if value.containsNUL { return .nul }
        value.withUTF8 { bytes.append(contentsOf: $0) }
        return nil
    }

    private mutating func append(numeric value: String) -> Problem? {
        NumericText.encode(value, into: &bytes) ? nil : .numeric
    }

    private mutating func append(timestamp value: Int64) -> Problem? {
        let (shifted, overflow) = value.subtractingReportingOverflow(CalendarDate.microsecondsFrom1970To2000)
        // The two ends of Int64 mean -infinity and infinity there.
        guard !overflow, shifted != .max, shifted != .min else { return .timestamp }
        bytes.append(bigEndian: shifted)
        return nil
    }

    private mutating func append(date value: String) -> Problem? {
        guard let days = CalendarDate.daysSince2000(value) else { return .date }
        bytes.append(bigEndian: days)
        return nil
    }

    private mutating func append(uuid value: String) -> Problem? {
        UUIDText.encode(value, into: &bytes) ? nil : .uuid
    }

    /// jsonb's binary form is its version, 1, and the text.
    private mutating func append(json value: String) -> Problem? {
        bytes.append(1)
        return append(text: value)
    }

    private mutating func append(json value: [UInt8]) -> Problem? {
        bytes.append(1)
        if value.contains(0) { return .nul }
        return append(raw: value)
    }
}

extension String {
    /// By memchr: statements and bodies are long, and this is asked of each.
    var containsNUL: Bool {
        var text = self
        return text.withUTF8 { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        }
    }
}

extension [UInt8] {
    mutating func append(bigEndian value: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: value.bigEndian) { append(contentsOf: $0) }
    }
}
