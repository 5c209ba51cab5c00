/// The `where` parameter, as far as the vendor recommends it: comparisons joined by AND. Anything else is refused
/// rather than ignored, so that a program under test cannot believe it filtered.
struct Filter: Sendable {
    enum Operator: Sendable { case equal, unequal, atLeast, atMost, more, less }

    enum Value: Equatable, Sendable {
        case text(String), id(XeroID), day(Day), number(Fixed), flag(Bool)
    }

    struct Condition: Sendable {
        let field: String
        let comparison: Operator
        let value: Value
    }

    let conditions: [Condition]

    init(_ text: String) throws(Refusal) {
        var scanner = FilterScanner(text)
        var conditions: [Condition] = []
        repeat { conditions.append(try scanner.condition()) } while try scanner.takesAnd()
        self.conditions = conditions
    }

    /// The value that `field` must equal, where the filter says so: lets a list use an index.
    func required(_ field: String) -> Value? {
        conditions.first { $0.field == field && $0.comparison == .equal }?.value
    }

    /// `value` gives a record's field; nil for a field that cannot be filtered by.
    func matches(_ value: (String) -> Value?) throws(Refusal) -> Bool {
        for condition in conditions {
            guard let found = value(condition.field) else {
                throw Refusal("No property or field '\(condition.field)' exists to filter by")
            }
            guard try holds(found, condition) else { return false }
        }
        return true
    }

    private func holds(_ found: Value, _ condition: Condition) throws(Refusal) -> Bool {
        let order: Int
        switch (found, condition.value) {
        case (.text(let left), .text(let right)):
            // Names and e-mail addresses ignore case; so do the vendor's other texts.
            let (left, right) = (left.lowercased(), right.lowercased())
            order = left == right ? 0 : left < right ? -1 : 1
        case (.id(let left), .id(let right)): order = left == right ? 0 : 1
        case (.id(let left), .text(let right)): order = left.text == right.lowercased() ? 0 : 1
        case (.day(let left), .day(let right)): order = left == right ? 0 : left < right ? -1 : 1
        case (.number(let left), .number(let right)): order = left == right ? 0 : left < right ? -1 : 1
        case (.flag(let left), .flag(let right)): order = left == right ? 0 : 1
        default: throw Refusal("'\(condition.field)' cannot be compared with that value")
        }
        return switch condition.comparison {
        case .equal: order == 0
        case .unequal: order != 0
        case .atLeast: order >= 0
        case .atMost: order <= 0
        case .more: order > 0
        case .less: order < 0
        }
    }
}

private struct FilterScanner {
    private var rest: Substring

    init(_ text: String) { rest = Substring(text) }

    private mutating func skipSpace() { rest = rest.drop { $0 == " " } }

    private mutating func take(_ token: String) -> Bool {
        skipSpace()
        guard rest.lowercased().hasPrefix(token.lowercased()) else { return false }
        rest = rest.dropFirst(token.count)
        return true
    }

    mutating func takesAnd() throws(Refusal) -> Bool {
        if take("AND") || take("&&") { return true }
        skipSpace()
        guard rest.isEmpty else { throw Refusal("The where clause cannot be read near '\(rest)'") }
        return false
    }

    mutating func condition() throws(Refusal) -> Filter.Condition {
        skipSpace()
        let field = rest.prefix { $0.isLetter || $0.isNumber || $0 == "." }
        rest = rest.dropFirst(field.count)
        guard !field.isEmpty else { throw Refusal("A field is missing in the where clause near '\(rest)'") }
        for (token, comparison) in [
            ("==", Filter.Operator.equal), ("!=", .unequal), ("<>", .unequal), (">=", .atLeast), ("<=", .atMost),
            (">", .more), ("<", .less), ("=", .equal),
        ] where take(token) {
            return Filter.Condition(field: String(field), comparison: comparison, value: try value())
        }
        throw Refusal("An operator is missing in the where clause near '\(rest)'")
    }

    private mutating func value() throws(Refusal) -> Filter.Value {
        if take("guid") {
            guard take("("), let text = quoted(), take(")"), let id = XeroID(text) else {
                throw Refusal("A Guid(\"...\") in the where clause cannot be read")
            }
            return .id(id)
        }
        if take("datetime") {
            guard take("("), let end = rest.firstIndex(of: ")") else {
                throw Refusal("A DateTime(...) in the where clause cannot be read")
            }
            let parts = rest[..<end].split(separator: ",").compactMap { Int($0.drop { $0 == " " }) }
            rest = rest[rest.index(after: end)...]
            guard parts.count >= 3, let day = Day(year: parts[0], month: parts[1], day: parts[2]) else {
                throw Refusal("A DateTime(...) in the where clause cannot be read")
            }
            return .day(day)
        }
        if take("true") { return .flag(true) }
        if take("false") { return .flag(false) }
        if let text = quoted() { return .text(text) }
        skipSpace()
        let digits = rest.prefix { $0.isNumber || $0 == "." || $0 == "-" }
        guard let number = Fixed(digits: digits.utf8) else {
            throw Refusal("A value is missing in the where clause near '\(rest)'")
        }
        rest = rest.dropFirst(digits.count)
        return .number(number)
    }

    private mutating func quoted() -> String? {
        guard take("\""), let end = rest.firstIndex(of: "\"") else { return nil }
        defer { rest = rest[rest.index(after: end)...] }
        return String(rest[..<end])
    }
}
