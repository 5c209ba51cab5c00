import Domain

/// The rules of one subject, in the operator's order, compiled so that deciding costs little more with hundreds of them
/// than with a few.
///
/// From each condition follows, where it tests texts at all, what some field must hold: one of these words, or a word
/// with one of these literals in it. A look at the fields then names the few rules that can hold; those are tried in
/// their order, each with its whole condition. What must stay true: the index only leaves out rules that do not hold.
struct RuleIndex: Sendable {
    private let groups: [Group]

    init(_ rules: [Rule]) {
        groups = stride(from: 0, to: rules.count, by: RuleSet.capacity).map { start in
            Group(Array(rules[start..<min(start + RuleSet.capacity, rules.count)]))
        }
    }

    var isEmpty: Bool { groups.isEmpty }

    /// What the first rule that applies says; nil where none does.
    func treatment(of facts: borrowing RuleFacts) -> Treatment? {
        for group in groups {
            if let treatment = group.treatment(of: facts) { return treatment }
        }
        return nil
    }

    /// At most ``RuleSet/capacity`` rules.
    private struct Group: Sendable {
        let rules: [Rule]
        /// Rules that can hold whatever the texts are.
        let unbound: RuleSet
        let fields: [FieldIndex]

        init(_ rules: [Rule]) {
            var unbound = RuleSet()
            var needs: [Rule.TextField: [(need: Need.Text, rule: Int)]] = [:]
            for (place, rule) in rules.enumerated() {
                guard let need = Need(of: rule.condition) else {
                    unbound.insert(place)
                    continue
                }
                for text in need.texts { needs[text.field, default: []].append((text, place)) }
            }
            self.rules = rules
            self.unbound = unbound
            fields = Rule.TextField.allCases.compactMap { field in needs[field].map { FieldIndex(field, $0) } }
        }

        func treatment(of facts: borrowing RuleFacts) -> Treatment? {
            var candidates = unbound
            for field in fields { field.add(to: &candidates, facts) }
            while let place = candidates.popFirst() {
                if let treatment = rules[place].treatment(of: facts) { return treatment }
            }
            return nil
        }
    }
}

/// What one field's value says about which rules can hold.
private struct FieldIndex: Sendable {
    let field: Rule.TextField
    let words: BytesTable<RuleSet>?
    let literals: LiteralSearch?
    /// All rules that need something of this field: the candidates where a value is not plain ASCII.
    let all: RuleSet

    init(_ field: Rule.TextField, _ needs: [(need: Need.Text, rule: Int)]) {
        self.field = field
        all = needs.reduce(into: RuleSet()) { $0.insert($1.rule) }
        let words = needs.filter(\.need.isWhole).map { (key: $0.need.bytes, value: RuleSet($0.rule)) }
        self.words = words.isEmpty ? nil : BytesTable(words) { $0.formUnion($1) }
        let literals = needs.filter { !$0.need.isWhole }.map { (bytes: $0.need.bytes, rules: RuleSet($0.rule)) }
        self.literals = literals.isEmpty ? nil : LiteralSearch(literals)
    }

    func add(to candidates: inout RuleSet, _ facts: borrowing RuleFacts) {
        _ = field.hasValue(in: facts) { value in
            let isPlain: Void? = SmallBytes.lend(value) { bytes in
                if let set = words?[bytes] { candidates.formUnion(set) }
                if let literals { candidates.formUnion(literals.rules(in: bytes)) }
            }
            if isPlain == nil { candidates.formUnion(all) }
            return false
        }
    }
}

/// What must be so for a condition to hold: at least one of these texts.
private struct Need {
    struct Text {
        let field: Rule.TextField
        let bytes: [UInt8]
        /// The whole value; else a part of it.
        let isWhole: Bool
    }

    var texts: [Text]

    /// Nil where the condition can hold whatever the texts are.
    init?(of condition: Rule.Condition) {
        switch condition {
        case .always, .not, .isSet, .number, .weekday, .date: return nil
        case .text(let field, let pattern):
            guard let texts = Need.texts(field, pattern) else { return nil }
            self.texts = texts
        case .any(let conditions):
            texts = []
            for condition in conditions {
                guard let need = Need(of: condition) else { return nil }
                texts += need.texts
            }
        case .all(let conditions):
            // Any one of them will do: the one that leaves out most.
            let best = conditions.compactMap { Need(of: $0) }.min { $0.breadth < $1.breadth }
            guard let best else { return nil }
            self = best
        }
    }

    /// Whole words leave out more than literals, and few of them more than many.
    private var breadth: Int { texts.reduce(0) { $0 + ($1.isWhole ? 1 : 1000) } }

    private static func texts(_ field: Rule.TextField, _ pattern: TextPattern) -> [Text]? {
        switch pattern {
        case .equals(let text): return [Text(field: field, bytes: text.bytes, isWhole: true)]
        case .oneOf(let set): return set.keys.map { Text(field: field, bytes: $0, isWhole: true) }
        case .begins(let text), .ends(let text), .contains(let text): return literal(field, text.bytes)
        case .glob(let glob): return literal(field, glob.longestLiteral)
        }
    }

    /// Nil for no letters at all: every value holds those.
    private static func literal(_ field: Rule.TextField, _ bytes: [UInt8]) -> [Text]? {
        bytes.isEmpty ? nil : [Text(field: field, bytes: bytes, isWhole: false)]
    }
}
