/// Reads a JSON text (RFC 8259) into nodes. Without recursion, so that a deep text cannot overflow the stack.
/// Lives only inside the closure that lends it the bytes.
struct JSONScanner {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let maxDepth: Int
    private var cursor = 0
    private var nodes: [JSONDocument.Node] = []
    /// Indices of the arrays and objects that are still open.
    private var open: [Int] = []

    init(bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int) {
        self.bytes = bytes
        self.maxDepth = maxDepth
        nodes.reserveCapacity(bytes.count / 12 + 4)
    }

    mutating func scan() throws(JSONError) -> [JSONDocument.Node] {
        skipSpace()
        try scanValue()
        while let container = open.last { try scanNext(in: container) }
        skipSpace()
        guard cursor == bytes.count else { throw failure("something stands after the value") }
        return nodes
    }

    /// The next element or member of the innermost open container, or its end.
    private mutating func scanNext(in container: Int) throws(JSONError) {
        let isObject = nodes[container].kind == .object
        let close = isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")
        let isFirst = nodes.count == container + 1
        skipSpace()
        guard let byte = peek else { throw failure("the text ends inside \(isObject ? "an object" : "an array")") }
        if byte == close {
            cursor += 1
            nodes[container].end = UInt32(cursor)
            nodes[container].next = UInt32(nodes.count)
            open.removeLast()
            return
        }
        if !isFirst {
            guard byte == UInt8(ascii: ",") else { throw failure("a comma is missing") }
            cursor += 1
            skipSpace()
        }
        if isObject {
            guard peek == UInt8(ascii: "\"") else { throw failure("a member's name is missing") }
            try scanString()
            skipSpace()
            guard peek == UInt8(ascii: ":") else { throw failure("a colon is missing") }
            cursor += 1
            skipSpace()
        }
        try scanValue()
    }

    private mutating func scanValue() throws(JSONError) {
        guard let byte = peek else { throw failure("a value is missing") }
        switch byte {
        case UInt8(ascii: "{"): try openContainer(.object)
        case UInt8(ascii: "["): try openContainer(.array)
        case UInt8(ascii: "\""): try scanString()
        case UInt8(ascii: "t"): try scanWord("true", .bool)
        case UInt8(ascii: "f"): try scanWord("false", .bool)
        case UInt8(ascii: "n"): try scanWord("null", .null)
        default: try scanNumber()
        }
    }

    private mutating func openContainer(_ kind: JSON.Kind) throws(JSONError) {
        guard open.count < maxDepth else { throw failure("nested deeper than \(maxDepth)") }
        open.append(nodes.count)
        nodes.append(.init(start: UInt32(cursor), end: UInt32(cursor), next: 0, kind: kind))
        cursor += 1
    }

    private mutating func scanWord(_ word: StaticString, _ kind: JSON.Kind) throws(JSONError) {
        let start = cursor
        let matches = word.withUTF8Buffer { word in
            guard bytes.count - start >= word.count else { return false }
            return word.indices.allSatisfy { bytes[start + $0] == word[$0] }
        }
        guard matches else { throw failure("an unknown word") }
        cursor += word.utf8CodeUnitCount
        append(kind, from: start)
    }

    private mutating func scanString() throws(JSONError) {
        let start = cursor
        var isEscaped = false
        cursor += 1
        while true {
            skipPlain()
            guard let byte = peek else { throw failure("a string does not end") }
            cursor += 1
            if byte == UInt8(ascii: "\"") { break }
            if byte < 0x20 { throw failure("a control character inside a string") }
            isEscaped = true
            try scanEscape()
        }
        append(.string, from: start, isEscaped: isEscaped)
    }

    /// On to the next byte that means something inside a string: a quote, a backslash, a control character. Eight at a
    /// time, since most of a text is the inside of its strings.
    @inline(__always) private mutating func skipPlain() {
        while cursor + 8 <= bytes.count {
            let word = UInt64(
                littleEndian: UnsafeRawBufferPointer(bytes).loadUnaligned(fromByteOffset: cursor, as: UInt64.self))
            let found = Self.zeros(in: word ^ Self.each(UInt8(ascii: "\""))) | Self.below(0x20, in: word)
                | Self.zeros(in: word ^ Self.each(UInt8(ascii: "\\")))
            // The first byte lies lowest; what is found above it may be the borrow of one below, which comes first.
            if found != 0 {
                cursor += found.trailingZeroBitCount / 8
                return
            }
            cursor += 8
        }
        while let byte = peek, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { cursor += 1 }
    }

    private static func each(_ byte: UInt8) -> UInt64 { UInt64(byte) &* 0x0101_0101_0101_0101 }
    /// The high bit of each byte that is zero.
    private static func zeros(in word: UInt64) -> UInt64 { (word &- each(1)) & ~word & each(0x80) }
    private static func below(_ bound: UInt8, in word: UInt64) -> UInt64 { (word &- each(bound)) & ~word & each(0x80) }

    private mutating func scanEscape() throws(JSONError) {
        guard let escape = peek else { throw failure("a string does not end") }
        cursor += 1
        switch escape {
        case UInt8(ascii: "u"):
            for _ in 0..<4 {
                guard let byte = peek, Self.hexDigit(byte) != nil else { throw failure("a broken \\u escape") }
                cursor += 1
            }
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            break
        default: throw failure("an unknown escape")
        }
    }

    private mutating func scanNumber() throws(JSONError) {
        let start = cursor
        if peek == UInt8(ascii: "-") { cursor += 1 }
        if peek == UInt8(ascii: "0") { cursor += 1 } else { try scanDigits() }
        if peek == UInt8(ascii: ".") {
            cursor += 1
            try scanDigits()
        }
        if peek == UInt8(ascii: "e") || peek == UInt8(ascii: "E") {
            cursor += 1
            if peek == UInt8(ascii: "+") || peek == UInt8(ascii: "-") { cursor += 1 }
            try scanDigits()
        }
        append(.number, from: start)
    }

    private mutating func scanDigits() throws(JSONError) {
        let start = cursor
        while let byte = peek, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { cursor += 1 }
        guard cursor > start else { throw failure("a value is missing or is no JSON value") }
    }

    @inline(__always) private mutating func append(_ kind: JSON.Kind, from start: Int, isEscaped: Bool = false) {
        nodes.append(
            .init(
                start: UInt32(start), end: UInt32(cursor), next: UInt32(nodes.count + 1), kind: kind,
                isEscaped: isEscaped))
    }

    @inline(__always) private var peek: UInt8? { cursor < bytes.count ? bytes[cursor] : nil }

    @inline(__always) private mutating func skipSpace() {
        while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { cursor += 1 }
    }

    private func failure(_ reason: String) -> JSONError { JSONError(reason: reason, offset: cursor) }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
