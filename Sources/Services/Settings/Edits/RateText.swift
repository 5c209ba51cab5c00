import Money

/// Tax rates as texts: `0.10` and `.1` are one, and so are `0.1+0.05` and `0.05+0.1`.
enum RateText {
    /// Nil where it is none.
    static func plain(_ text: String) -> String? {
        let parts = text.split(separator: "+", omittingEmptySubsequences: false).map { ExactDecimal(String($0)) }
        let rates = parts.compactMap(\.self)
        guard rates.count == parts.count else { return nil }
        return rates.sorted().map { plain($0) }.joined(separator: "+")
    }

    private static func plain(_ rate: ExactDecimal) -> String {
        var text = rate.description
        guard text.contains(".") else { return text }
        while text.hasSuffix("0") { text.removeLast() }
        return text.hasSuffix(".") ? String(text.dropLast()) : text
    }
}
