/// Finds the word somebody most likely meant.
package enum Nearness {
    /// The candidate with the fewest edits to `word`, if they are few enough for the hint to help.
    package static func nearest(to word: String, in candidates: some Sequence<String>) -> String? {
        let best = candidates.map { (distance(word.lowercased(), $0.lowercased()), $0) }.min { $0 < $1 }
        guard let (distance, candidate) = best, distance <= max(2, word.count / 3) else { return nil }
        return candidate
    }

    /// `, did you mean …?`, or nothing.
    package static func hint(for word: String, in candidates: some Sequence<String>) -> String {
        nearest(to: word, in: candidates).map { ", did you mean `\($0)`?" } ?? ""
    }

    /// Levenshtein's distance: insertions, deletions and replacements.
    static func distance(_ a: String, _ b: String) -> Int {
        // Long words are no typing mistakes of short ones, and the work grows with the product.
        let (a, b) = (Array(a.prefix(60)), Array(b.prefix(60)))
        var previous = Array(0...b.count)
        for (row, left) in a.enumerated() {
            var current = [row + 1]
            for (column, right) in b.enumerated() {
                current.append(
                    min(previous[column + 1] + 1, current[column] + 1, previous[column] + (left == right ? 0 : 1)))
            }
            previous = current
        }
        return previous[b.count]
    }
}
