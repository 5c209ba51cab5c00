/// A parsed text: its bytes and one node a value, in the text's order. An object's members are pairs of nodes
/// (key, value). Immutable, so it may be shared by tasks.
final class JSONDocument: Sendable {
    struct Node: Sendable {
        var kind: JSON.Kind
        /// Strings only: holds backslashes, so reading it means undoing escapes.
        var isEscaped = false
        /// The value's bytes, quotes and brackets included.
        var start: Int
        var end: Int
        /// The node after this value and everything inside it.
        var next: Int
    }

    let bytes: [UInt8]
    let nodes: [Node]

    init(parsing bytes: [UInt8], limits: JSONLimits) throws(JSONError) {
        guard bytes.count <= limits.maxBytes else {
            throw JSONError(reason: "the text has \(bytes.count) bytes, more than \(limits.maxBytes)", offset: 0)
        }
        do { _ = try UTF8Span(validating: bytes.span) } catch {
            throw JSONError(reason: "not UTF-8", offset: error.byteOffsets.lowerBound)
        }
        let outcome: Result<[Node], JSONError> = bytes.withUnsafeBufferPointer { buffer in
            var scanner = JSONScanner(bytes: buffer, maxDepth: limits.maxDepth)
            return Result { () throws(JSONError) in try scanner.scan() }
        }
        nodes = try outcome.get()
        self.bytes = bytes
    }

    /// Compares a string node with a key, without building a `String` in the usual case of no escapes.
    func isText(at index: Int, equalTo key: UnsafeBufferPointer<UInt8>) -> Bool {
        let node = nodes[index]
        if node.isEscaped { return text(at: index).utf8.elementsEqual(key) }
        guard node.end - node.start - 2 == key.count else { return false }
        var cursor = node.start + 1
        for byte in key {
            if bytes[cursor] != byte { return false }
            cursor += 1
        }
        return true
    }

    func text(at index: Int) -> String {
        let node = nodes[index]
        let inner = bytes[(node.start + 1)..<(node.end - 1)]
        guard node.isEscaped else { return String(decoding: inner, as: UTF8.self) }
        return Self.unescaped(inner)
    }

    /// Undoes escapes of a string the scanner has accepted. A lone surrogate, which JSON allows and Unicode does
    /// not, becomes the replacement character.
    private static func unescaped(_ bytes: ArraySlice<UInt8>) -> String {
        var output: [UInt8] = []
        output.reserveCapacity(bytes.count)
        var cursor = bytes.startIndex
        while cursor < bytes.endIndex {
            let byte = bytes[cursor]
            guard byte == UInt8(ascii: "\\") else {
                output.append(byte)
                cursor += 1
                continue
            }
            let escape = bytes[cursor + 1]
            cursor += 2
            switch escape {
            case UInt8(ascii: "n"): output.append(0x0A)
            case UInt8(ascii: "t"): output.append(0x09)
            case UInt8(ascii: "r"): output.append(0x0D)
            case UInt8(ascii: "b"): output.append(0x08)
            case UInt8(ascii: "f"): output.append(0x0C)
            case UInt8(ascii: "u"):
                let scalar = unicode(bytes, &cursor)
                output.append(contentsOf: String(Character(scalar)).utf8)
            default: output.append(escape)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func unicode(_ bytes: ArraySlice<UInt8>, _ cursor: inout Int) -> Unicode.Scalar {
        let replacement: Unicode.Scalar = "\u{FFFD}"
        let high = hexadecimal(bytes, cursor)
        cursor += 4
        guard (0xD800...0xDBFF).contains(high) else { return Unicode.Scalar(high) ?? replacement }
        guard cursor + 6 <= bytes.endIndex, bytes[cursor] == UInt8(ascii: "\\"), bytes[cursor + 1] == UInt8(ascii: "u")
        else { return replacement }
        let low = hexadecimal(bytes, cursor + 2)
        guard (0xDC00...0xDFFF).contains(low) else { return replacement }
        cursor += 6
        return Unicode.Scalar(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)) ?? replacement
    }

    private static func hexadecimal(_ bytes: ArraySlice<UInt8>, _ start: Int) -> UInt32 {
        bytes[start..<(start + 4)].reduce(0) { $0 << 4 | UInt32(JSONScanner.hexDigit($1) ?? 0) }
    }
}
