/// A Swift source taken apart: code with strings and comments blanked out, the literals, the lines with comments.
///
/// Only so much of the language as the rules need: comments may nest, strings may be raw, span lines and hold
/// interpolations. Regex literals are taken for code.
struct SwiftText {
    struct Literal: Sendable, Hashable {
        let line: Int
        let text: String
    }

    private let bytes: [UInt8]
    /// As long as the source, so that lines and columns are the same.
    private(set) var code: [UInt8]
    private(set) var literals: [Literal] = []
    private(set) var commentLines: Set<Int> = []
    private var cursor = 0
    private var line = 1

    init(_ text: String) {
        bytes = Array(text.utf8)
        code = bytes
        scanCode(isInterpolation: false)
    }

    private mutating func scanCode(isInterpolation: Bool) {
        var depth = 0
        while cursor < bytes.count {
            if starts("//") {
                scanLineComment()
            } else if starts("/*") {
                scanBlockComment()
            } else if let hashes = hashesBeforeQuote() {
                scanString(hashes: hashes)
            } else {
                let byte = bytes[cursor]
                take(1, isBlanked: isInterpolation)
                guard isInterpolation else { continue }
                if byte == UInt8(ascii: "(") { depth += 1 }
                if byte == UInt8(ascii: ")") { depth -= 1 }
                if depth < 0 { return }
            }
        }
    }

    private mutating func scanLineComment() {
        commentLines.insert(line)
        while cursor < bytes.count, bytes[cursor] != UInt8(ascii: "\n") { take(1, isBlanked: true) }
    }

    private mutating func scanBlockComment() {
        var depth = 0
        repeat {
            commentLines.insert(line)
            if starts("/*") {
                depth += 1
                take(2, isBlanked: true)
            } else if starts("*/") {
                depth -= 1
                take(2, isBlanked: true)
            } else {
                take(1, isBlanked: true)
            }
        } while depth > 0 && cursor < bytes.count
    }

    /// How many `#` stand before a quote that begins here; nil where none does.
    private func hashesBeforeQuote() -> Int? {
        var end = cursor
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - cursor : nil
    }

    private mutating func scanString(hashes: Int) {
        let start = line
        take(hashes, isBlanked: true)
        let quotes = starts("\"\"\"") ? 3 : 1
        take(quotes, isBlanked: true)
        let end = String(repeating: "\"", count: quotes) + String(repeating: "#", count: hashes)
        let escape = "\\" + String(repeating: "#", count: hashes)
        var text: [UInt8] = []
        while cursor < bytes.count, !starts(end) {
            if starts(escape + "(") {
                text += Array("\\(".utf8)
                take(escape.utf8.count + 1, isBlanked: true)
                scanCode(isInterpolation: true)
            } else {
                let count = starts(escape) ? escape.utf8.count + 1 : 1
                text += bytes[cursor..<min(cursor + count, bytes.count)]
                take(count, isBlanked: true)
            }
        }
        take(end.utf8.count, isBlanked: true)
        literals.append(Literal(line: start, text: String(decoding: text, as: UTF8.self)))
    }

    private func starts(_ text: String) -> Bool {
        var position = cursor
        for byte in text.utf8 {
            guard position < bytes.count, bytes[position] == byte else { return false }
            position += 1
        }
        return true
    }

    private mutating func take(_ count: Int, isBlanked: Bool) {
        for _ in 0..<count where cursor < bytes.count {
            if bytes[cursor] == UInt8(ascii: "\n") {
                line += 1
            } else if isBlanked {
                code[cursor] = UInt8(ascii: " ")
            }
            cursor += 1
        }
    }
}
