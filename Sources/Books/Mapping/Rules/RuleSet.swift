/// Some of at most ``capacity`` rules, by their places: no allocation, and a union is one instruction or two.
struct RuleSet: Sendable, Hashable {
    static let capacity = 512

    private var words = SIMD8<UInt64>(repeating: 0)

    init() {}

    init(_ place: Int) { insert(place) }

    mutating func insert(_ place: Int) { words[place >> 6] |= 1 << UInt64(place & 63) }

    mutating func formUnion(_ other: RuleSet) { words |= other.words }

    /// Takes the lowest place out; nil once there is none.
    mutating func popFirst() -> Int? {
        for index in 0..<8 where words[index] != 0 {
            let place = words[index].trailingZeroBitCount
            words[index] &= words[index] - 1
            return index << 6 | place
        }
        return nil
    }
}
