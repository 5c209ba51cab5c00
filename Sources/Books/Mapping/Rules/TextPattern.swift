/// How a text is compared: never with a regular expression, always in time bounded by the two lengths. Capital and
/// small letters are the same, and so are the two ways in which Unicode writes an accented letter.
package enum TextPattern: Sendable {
    case equals(FoldedText)
    case oneOf(TextSet)
    case begins(FoldedText)
    case ends(FoldedText)
    case contains(FoldedText)
    case glob(Glob)

    /// Letters of a text that are looked at: more is no name of anything.
    package static let lengthMax = 1000

    package func matches(_ text: String) -> Bool {
        switch self {
        case .equals(let wanted): wanted.compare(text, Matching.isEqual, Matching.isEqual)
        case .oneOf(let set): set.contains(text)
        case .begins(let wanted): wanted.compare(text, Matching.begins, Matching.begins)
        case .ends(let wanted): wanted.compare(text, Matching.ends, Matching.ends)
        case .contains(let wanted): wanted.compare(text, Matching.contains, Matching.contains)
        case .glob(let glob): glob.matches(text)
        }
    }
}

/// A text in small letters, compared without making a copy of what it is compared with: the usual text is ASCII and its
/// bytes are looked at in place; other texts are made small first and compared letter by letter.
package struct FoldedText: Sendable, Hashable {
    let bytes: [UInt8]
    let letters: [Character]

    package init(_ text: String) {
        let small = text.lowercased()
        bytes = Array(small.utf8.prefix(TextPattern.lengthMax))
        letters = Array(small.prefix(TextPattern.lengthMax))
    }

    /// Calls one of the comparisons with this text first.
    func compare(
        _ text: String, _ ofBytes: ([UInt8], SmallBytes) -> Bool, _ ofLetters: ([Character], [Character]) -> Bool
    ) -> Bool {
        if let result = SmallBytes.lend(text, { ofBytes(bytes, $0) }) { return result }
        return ofLetters(letters, Array(text.lowercased().prefix(TextPattern.lengthMax)))
    }
}

/// The bytes of an ASCII text, each as a small letter.
struct SmallBytes: RandomAccessCollection {
    private let bytes: UnsafeBufferPointer<UInt8>

    var startIndex: Int { 0 }
    var endIndex: Int { bytes.count }
    subscript(index: Int) -> UInt8 { Self.small(bytes[index]) }

    /// Nil where the text is not ASCII alone.
    static func lend<Result>(_ text: String, _ body: (SmallBytes) -> Result) -> Result? {
        var text = text
        return text.withUTF8 { bytes in
            guard bytes.allSatisfy({ $0 < 0x80 }) else { return nil }
            return body(SmallBytes(bytes: .init(rebasing: bytes.prefix(TextPattern.lengthMax))))
        }
    }

    static func small(_ byte: UInt8) -> UInt8 { byte &- 0x41 < 26 ? byte | 0x20 : byte }
}

/// The comparisons themselves, for bytes and for letters.
enum Matching {
    static func isEqual<Wanted: RandomAccessCollection, Text: RandomAccessCollection>(
        _ wanted: Wanted, _ text: Text
    ) -> Bool where Wanted.Element: Equatable, Text.Element == Wanted.Element {
        wanted.count == text.count && wanted.elementsEqual(text)
    }

    static func begins<Wanted: RandomAccessCollection, Text: RandomAccessCollection>(
        _ wanted: Wanted, _ text: Text
    ) -> Bool where Wanted.Element: Equatable, Text.Element == Wanted.Element {
        text.count >= wanted.count && wanted.elementsEqual(text.prefix(wanted.count))
    }

    static func ends<Wanted: RandomAccessCollection, Text: RandomAccessCollection>(
        _ wanted: Wanted, _ text: Text
    ) -> Bool where Wanted.Element: Equatable, Text.Element == Wanted.Element {
        text.count >= wanted.count && wanted.elementsEqual(text.suffix(wanted.count))
    }

    static func contains<Wanted: RandomAccessCollection, Text: RandomAccessCollection>(
        _ wanted: Wanted, _ text: Text
    ) -> Bool where Wanted.Element: Equatable, Text.Element == Wanted.Element {
        guard text.count >= wanted.count else { return false }
        return (0...(text.count - wanted.count)).contains { begins(wanted, text.dropFirst($0)) }
    }
}
