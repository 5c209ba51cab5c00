/// Values under keys of bytes, found by hash without making a copy of what is looked up.
struct BytesTable<Value> {
    /// Position in `entries` + 1; 0: free. Its size is a power of two and at least twice the entries.
    private var slots: [Int32]
    private(set) var entries: [(key: [UInt8], value: Value)] = []

    /// - Parameter merge: what becomes of a key that is there twice: the earlier value, then the later.
    init(_ pairs: [(key: [UInt8], value: Value)], merge: (inout Value, Value) -> Void) {
        var size = 4
        while size < pairs.count * 2 { size *= 2 }
        slots = Array(repeating: 0, count: size)
        for pair in pairs {
            let slot = slot(of: pair.key)
            if slots[slot] != 0 {
                merge(&entries[Int(slots[slot]) - 1].value, pair.value)
            } else {
                entries.append(pair)
                slots[slot] = Int32(entries.count)
            }
        }
    }

    subscript(_ bytes: some RandomAccessCollection<UInt8>) -> Value? {
        let position = slots[slot(of: bytes)]
        return position == 0 ? nil : entries[Int(position) - 1].value
    }

    /// Where `bytes` are, or the free slot where they would be.
    private func slot(of bytes: some RandomAccessCollection<UInt8>) -> Int {
        // FNV-1a; the keys are the operator's own, so nobody can choose them to collide.
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        var slot = Int(truncatingIfNeeded: hash ^ hash >> 32) & (slots.count - 1)
        while slots[slot] != 0, !Matching.isEqual(entries[Int(slots[slot]) - 1].key, bytes) {
            slot = (slot + 1) & (slots.count - 1)
        }
        return slot
    }
}

extension BytesTable: Sendable where Value: Sendable {}
