/// A cause without what differs from letter to letter, so that ten thousand letters of one cause are one group.
///
/// Numbers become `#`, except those that name the cause itself: what stands in quotes (`account '230'`, the field
/// `total`), and what follows a word such as *account*, *site* or *rate of*. What is in brackets after a line's number
/// is a product's name and goes too.
package enum CauseFingerprint {
    /// At most so many characters: a group's key is an index's key.
    package static let lengthMax = 300

    private static let ownLengthMin = 6

    /// The number after one of these is the cause, not the letter.
    private static let namingWords: Set<String> = [
        "account", "accounts", "code", "site", "rate", "status", "company", "tb-version", "rest", "tax",
    ]
    private static let quotes: [Character: Character] = ["'": "'", "\"": "\"", "`": "`", "“": "”", "‘": "’"]

    /// - Parameter own: texts that name this letter (its order's id, its document's number); they go wherever they
    ///   stand, inside quotes too. Short ones are left: an order 230 must not hide the account 230.
    package static func of(_ cause: String, own: [String] = []) -> String {
        var text = cause
        for name in own.sorted(by: { $0.count > $1.count }) where name.count >= ownLengthMin {
            text = text.replacing(name, with: "#")
        }
        var words: [String] = []
        var quote: Character?
        var brackets = 0
        for word in text.split(whereSeparator: \.isWhitespace) {
            let isAfterLine = words.last == "#" && words.dropLast().last == "line"
            if brackets > 0 || (isAfterLine && word.hasPrefix("(")) {
                for character in word {
                    if character == "(" { brackets += 1 } else if character == ")" { brackets = max(0, brackets - 1) }
                }
                // A name that was cut has no closing bracket; a sentence's end ends it.
                if word.hasSuffix(".") && brackets > 0 { brackets = 0 }
                if brackets == 0, let last = word.last, last != ")" { words[words.count - 1].append(last) }
                continue
            }
            words.append(part(word, after: words, inside: &quote))
        }
        return String(words.joined(separator: " ").prefix(lengthMax))
    }

    private static func part(_ word: Substring, after words: [String], inside quote: inout Character?) -> String {
        let wasQuoted = quote != nil
        follow(word, &quote)
        let isQuoted = wasQuoted || word.first.map { quotes[$0] != nil } == true
        guard !isQuoted, word.contains(where: \.isNumber), !isNamed(after: words) else { return String(word) }
        // The number with its signs, separators and letters; the sentence's punctuation stays.
        let core = word.drop { !$0.isNumber && !$0.isLetter && !"+-$#".contains($0) }
        let end = core.lastIndex { $0.isNumber || $0.isLetter || $0 == "%" || $0 == "#" } ?? core.startIndex
        return String(word[..<core.startIndex]) + "#" + String(word[core.index(after: end)...])
    }

    private static func isNamed(after words: [String]) -> Bool {
        let before = words.suffix(2).map { $0.lowercased().trimmingPunctuation }
        guard let last = before.last else { return false }
        if last == "is" || last == "of", before.count == 2 { return namingWords.contains(before[0]) }
        return namingWords.contains(last)
    }

    /// Notes whether a quotation is open after this word. An apostrophe inside a word (`Xero's`) is none.
    private static func follow(_ word: Substring, _ quote: inout Character?) {
        var previous: Character?
        for character in word {
            if let open = quote {
                if character == open { quote = nil }
            } else if let closing = quotes[character], !(previous?.isLetter == true) {
                quote = closing
            }
            previous = character
        }
    }
}

extension String {
    fileprivate var trimmingPunctuation: String {
        var text = self[...]
        while let first = text.first, first.isPunctuation { text.removeFirst() }
        while let last = text.last, last.isPunctuation { text.removeLast() }
        return String(text)
    }
}
