/// Many texts, one of which is wanted: found by hash, whatever their number. Capital and small letters are the same.
package struct TextSet: Sendable {
    private let table: TextTable

    package init(_ texts: some Sequence<String>) { table = TextTable(texts.map { ($0, "") }) }

    package func contains(_ text: String) -> Bool { table[text] != nil }

    /// All of them as bytes, in small letters.
    var keys: [[UInt8]] { table.keys }
}

/// The operator's own table of text → text, looked up without making a copy of the text.
package struct TextTable: Sendable {
    private let plain: BytesTable<String>
    /// Keys with other letters than ASCII: Swift knows that é is é however it is written.
    private var others: [String: String] = [:]

    /// A key that is there twice keeps its first value.
    package init(_ pairs: some Sequence<(String, String)>) {
        var ascii: [(key: [UInt8], value: String)] = []
        for (key, value) in pairs {
            let small = key.lowercased()
            if small.utf8.allSatisfy({ $0 < 0x80 }) {
                ascii.append((Array(small.utf8.prefix(TextPattern.lengthMax)), value))
            } else if others[small] == nil {
                others[small] = value
            }
        }
        plain = BytesTable(ascii) { _, _ in }
    }

    package subscript(_ text: String) -> String? {
        if let found = SmallBytes.lend(text, { plain[$0] }) { return found }
        return others.isEmpty ? nil : others[text.lowercased()]
    }

    package var values: [String] { plain.entries.map(\.value) + others.values }
    package var count: Int { plain.entries.count + others.count }
    var keys: [[UInt8]] { plain.entries.map(\.key) + others.keys.map { Array($0.utf8) } }
}
