/// A parsed text: its bytes and one node a value, in the text's order. An object's members are pairs of nodes
/// (key, value). Immutable, so it may be shared by tasks.
final class JSONDocument: Sendable {
    /// Sixteen bytes: a text has a node for every dozen of its bytes, and they are all its reading costs in memory.
    struct Node: Sendable {
        /// The value's bytes, quotes and brackets included.
        var start: UInt32
        var end: UInt32
        /// The node after this value and everything inside it.
        var next: UInt32
        var kind: JSON.Kind
        /// Strings only: holds backslashes, so reading it means undoing escapes.
        var isEscaped = false

        var range: Range<Int> { Int(start)..<Int(end) }
    }

    let bytes: [UInt8]
    let nodes: [Node]

    init(parsing bytes: [UInt8], limits: JSONLimits) throws(JSONError) {
        let most = min(limits.maxBytes, Int(UInt32.max))
        guard bytes.count <= most else {
            throw JSONError(reason: "the text has \(bytes.count) bytes, more than \(most)", offset: 0)
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

    /// The value of an object's first member of that name. No `String` is built for a name without escapes.
    func member(_ key: UnsafeBufferPointer<UInt8>, of object: Int) -> Int? {
        nodes.withUnsafeBufferPointer { nodes in
            bytes.withUnsafeBufferPointer { bytes in
                let end = Int(nodes[object].next)
                var name = object + 1
                while name < end {
                    if isName(nodes[name], key, name, bytes) { return name + 1 }
                    name = Int(nodes[name + 1].next)
                }
                return nil
            }
        }
    }

    private func isName(
        _ node: Node, _ key: UnsafeBufferPointer<UInt8>, _ index: Int, _ bytes: UnsafeBufferPointer<UInt8>
    ) -> Bool {
        if node.isEscaped { return text(at: index).utf8.elementsEqual(key) }
        let start = Int(node.start) + 1
        guard Int(node.end) - start - 1 == key.count else { return false }
        for offset in key.indices where bytes[start + offset] != key[offset] { return false }
        return true
    }

    func text(at index: Int) -> String {
        let node = nodes[index]
        let inner = bytes[(Int(node.start) + 1)..<(Int(node.end) - 1)]
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
