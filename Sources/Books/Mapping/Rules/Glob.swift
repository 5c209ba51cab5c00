/// A pattern of letters, `?` for any one and `*` for any number of them. At most ``starsMax`` stars, so that matching
/// takes at most the product of the two lengths.
package struct Glob: Sendable, Hashable {
    package static let starsMax = 4
    package static let lengthMax = 200

    private let pattern: FoldedText

    /// Nil for a pattern that is too long or has too many stars.
    package init?(_ text: String) {
        guard text.count <= Self.lengthMax, text.count(where: { $0 == "*" }) <= Self.starsMax else { return nil }
        pattern = FoldedText(text)
    }

    package func matches(_ text: String) -> Bool {
        pattern.compare(
            text, { Self.matches($0, $1, any: UInt8(ascii: "*"), one: UInt8(ascii: "?")) },
            { Self.matches($0, $1, any: "*", one: "?") })
    }

    /// The longest run of letters between signs: what matches holds it. In small letters, as bytes.
    var longestLiteral: [UInt8] {
        let runs = pattern.bytes.split { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") }
        return runs.max { $0.count < $1.count }.map(Array.init) ?? []
    }

    /// Goes back to the last star only: what an earlier star would take, the last one can take as well.
    private static func matches<Text: RandomAccessCollection>(
        _ pattern: [Text.Element], _ text: Text, any: Text.Element, one: Text.Element
    ) -> Bool where Text.Element: Equatable, Text.Index == Int {
        var (at, position) = (0, text.startIndex)
        var retry: (at: Int, position: Int)?
        while position < text.endIndex {
            if at < pattern.count, pattern[at] == any {
                retry = (at + 1, position)
                at += 1
            } else if at < pattern.count, pattern[at] == one || pattern[at] == text[position] {
                at += 1
                position += 1
            } else if let last = retry {
                retry = (last.at, last.position + 1)
                (at, position) = (last.at, last.position + 1)
            } else {
                return false
            }
        }
        return pattern[at...].allSatisfy { $0 == any }
    }
}
