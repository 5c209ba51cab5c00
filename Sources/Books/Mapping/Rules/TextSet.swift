/// Many texts, one of which is wanted: found by hash, whatever their number. Capital and small letters are the same.
package struct TextSet: Sendable {
    private let table: TextTable

    package init(_ texts: some Sequence<String>) { table = TextTable(texts.map { ($0, "") }) }

    package func contains(_ text: String) -> Bool { table[text] != nil }
}

/// The operator's own table of text → text, looked up without making a copy of the text.
package struct TextTable: Sendable {
    /// Position in `entries` + 1; 0: free. Its size is a power of two and at least twice the entries.
    private var slots: [Int32]
    private var entries: [(bytes: [UInt8], value: String)] = []
    /// Keys with other letters than ASCII: Swift knows that é is é however it is written.
    private var others: [String: String] = [:]

    /// A key that is there twice keeps its first value.
    package init(_ pairs: some Sequence<(String, String)>) {
        var ascii: [(bytes: [UInt8], value: String)] = []
        for (key, value) in pairs {
            let small = key.lowercased()
            if small.utf8.allSatisfy({ $0 < 0x80 }) {
                ascii.append((Array(small.utf8.prefix(TextPattern.lengthMax)), value))
            } else if others[small] == nil {
                others[small] = value
            }
        }
        var size = 4
        while size < ascii.count * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        for entry in ascii {
            let slot = slot(of: entry.bytes)
            guard slots[slot] == 0 else { continue }
            entries.append(entry)
            slots[slot] = Int32(entries.count)
        }
    }

    package subscript(_ text: String) -> String? {
        let found = SmallBytes.lend(text) { bytes -> String? in
            let position = slots[slot(of: bytes)]
            return position == 0 ? nil : entries[Int(position) - 1].value
        }
        if let found { return found }
        return others.isEmpty ? nil : others[text.lowercased()]
    }

    package var values: [String] { entries.map(\.value) + others.values }
    package var count: Int { entries.count + others.count }

    /// Where `bytes` are, or the free slot where they would be.
    private func slot<Bytes: RandomAccessCollection<UInt8>>(of bytes: Bytes) -> Int {
        // FNV-1a; the keys are the operator's own, so nobody can choose them to collide.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & (slots.count - 1)
        while slots[slot] != 0, !Matching.isEqual(entries[Int(slots[slot]) - 1].bytes, bytes) {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }
}
