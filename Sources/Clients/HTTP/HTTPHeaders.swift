/// The headers of an answer, in the order they came. Names are compared without regard to ASCII case.
///
/// Values are what the peer sent: `Content-Encoding` and `Content-Length` tell of the body as it travelled, which
/// libcurl may have decompressed since.
package struct HTTPHeaders: Sendable, Equatable {
    package struct Entry: Sendable, Equatable {
        package let name: String
        package let value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    package private(set) var entries: [Entry]

    package init(_ entries: [Entry] = []) { self.entries = entries }

    /// The first value under this name.
    package subscript(name: String) -> String? {
        entries.first { matches($0.name, name) }?.value
    }

    /// Every value under this name, in the order they came; not split at commas.
    package func values(_ name: String) -> [String] {
        entries.filter { matches($0.name, name) }.map(\.value)
    }

    mutating func append(_ entry: Entry) { entries.append(entry) }

    /// A line that starts with a blank continues the header before it (RFC 9112, 5.2).
    mutating func continueLast(with more: String) {
        guard let last = entries.popLast() else { return }
        entries.append(Entry(name: last.name, value: last.value.isEmpty ? more : last.value + " " + more))
    }
}

/// Equality of header names: ASCII letters only, no locale.
func matches(_ one: String, _ other: String) -> Bool {
    let (one, other) = (one.utf8, other.utf8)
    return one.count == other.count && zip(one, other).allSatisfy { asciiLower($0) == asciiLower($1) }
}

private func asciiLower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte | 0x20 : byte }
