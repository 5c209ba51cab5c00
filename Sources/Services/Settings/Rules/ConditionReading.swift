import Mapping
import Money
import Yams

/// Reads a rule's `when`: fields with what they are compared with, combined by `all`, `any` and `not`. The keys of one
/// mapping must all hold.
struct ConditionReading {
    let rules: RuleReader
    let subject: Rule.Subject
    /// The fields that may be asked for where not all of them may.
    var only: [String]?

    private static let combinations = ["all", "any", "not"]
    private static let textForms = ["equals", "one_of", "begins", "ends", "contains", "glob", "set", "not"]
    private static let numberForms = ["equals", "over", "at_least", "under", "at_most"]
    static let fields =
        Rule.TextField.allCases.map(\.rawValue) + Rule.NumberField.allCases.map(\.rawValue) + ["weekday", "date"]

    func condition(_ node: Node, _ place: Place, depth: Int) -> Rule.Condition {
        guard rules.spend(place) else { return .always }
        guard depth <= RuleReader.Limits.depth else {
            rules.report("conditions are nested more than \(RuleReader.Limits.depth) deep", place)
            return .always
        }
        guard let mapping = node.mapping else {
            rules.report("must hold fields and what they are compared with, such as `product: Flat white`", place)
            return .always
        }
        let parts = mapping.compactMap { keyNode, value -> Rule.Condition? in
            guard let key = keyNode.scalar?.string else {
                rules.report("a field's name is expected here", place)
                return nil
            }
            return part(key, value, place.below(key, keyNode), depth)
        }
        if parts.isEmpty, mapping.isEmpty { rules.report("is empty: leave `when` out for always", place) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private func part(_ key: String, _ value: Node, _ place: Place, _ depth: Int) -> Rule.Condition? {
        switch key {
        case "all": return list(value, place, depth).map { .all($0) }
        case "any": return list(value, place, depth).map { .any($0) }
        case "not": return .not(condition(value, place, depth: depth + 1))
        default: break
        }
        if let only, !only.contains(key) {
            let hint = Nearness.hint(for: key, in: only + Self.combinations)
            rules.report("is no field to ask for here, only \(only.joined(separator: ", "))\(hint)", place)
            return nil
        }
        if key == "weekday" { return weekdays(value, place).map { .weekday($0) } }
        if key == "date" { return dates(value, place).map { .date($0) } }
        if let field = Rule.TextField(rawValue: key) {
            guard allows(field.isOfLine, key, place) else { return nil }
            return text(field, value, place, depth)
        }
        if let field = Rule.NumberField(rawValue: key) {
            guard allows(field == .quantity, key, place) else { return nil }
            return number(field, value, place)
        }
        rules.report("this field is not known\(Nearness.hint(for: key, in: Self.fields + Self.combinations))", place)
        return nil
    }

    private func allows(_ isOfLine: Bool, _ key: String, _ place: Place) -> Bool {
        guard isOfLine, subject != .line else { return true }
        rules.report("`\(key)` is of a line, and this rule is for \(subject == .order ? "orders" : "payments")", place)
        return false
    }

    private func list(_ node: Node, _ place: Place, _ depth: Int) -> [Rule.Condition]? {
        guard let sequence = node.sequence, !sequence.isEmpty else {
            rules.report("must be a list of conditions", place)
            return nil
        }
        return sequence.enumerated().map { index, element in
            condition(element, Place("\(place.path)[\(index)]", element), depth: depth + 1)
        }
    }

    // MARK: texts

    private func text(_ field: Rule.TextField, _ value: Node, _ place: Place, _ depth: Int) -> Rule.Condition? {
        guard rules.spend(place), depth <= RuleReader.Limits.depth else { return nil }
        guard let forms = value.mapping else {
            return texts(value, place).map { equal(field, $0, place) }
        }
        let parts = forms.compactMap { keyNode, value -> Rule.Condition? in
            let form = keyNode.scalar?.string ?? "?"
            return self.form(form, field, value, place.below(form, keyNode), depth)
        }
        if forms.isEmpty { rules.report("is empty: \(Self.textForms.joined(separator: ", "))", place) }
        return parts.count == 1 ? parts[0] : .all(parts)
    }

    private func form(
        _ form: String, _ field: Rule.TextField, _ value: Node, _ place: Place, _ depth: Int
    ) -> Rule.Condition? {
        switch form {
        case "set":
            guard let isSet = ["true": true, "false": false][value.scalar?.string ?? ""] else {
                rules.report("is true or false", place)
                return nil
            }
            return isSet ? .isSet(field) : .not(.isSet(field))
        case "not": return text(field, value, place, depth + 1).map { .not($0) }
        case "equals", "one_of": return texts(value, place).map { equal(field, $0, place) }
        case "begins": return anyOf(field, texts(value, place)) { .begins(FoldedText($0)) }
        case "ends": return anyOf(field, texts(value, place)) { .ends(FoldedText($0)) }
        case "contains": return anyOf(field, texts(value, place)) { .contains(FoldedText($0)) }
        case "glob":
            return anyOf(field, texts(value, place)) { text in
                if let glob = Glob(text) { return .glob(glob) }
                rules.report(
                    "`\(text.prefix(60))` has more than \(Glob.starsMax) stars or \(Glob.lengthMax) letters", place)
                return nil
            }
        default:
            let isNumberForm = Self.numberForms.contains(form)
            let why = isNumberForm ? "compares amounts, and `\(field.rawValue)` is a text" : "is no comparison"
            rules.report("`\(form)` \(why)\(Nearness.hint(for: form, in: Self.textForms))", place)
            return nil
        }
    }

    private func equal(_ field: Rule.TextField, _ texts: [String], _ place: Place) -> Rule.Condition {
        for text in texts {
            if [.venue, .site].contains(field) { rules.mention(field, text, place) }
            if field == .part, LineFacts.Part(rawValue: text.lowercased()) == nil {
                let parts = LineFacts.Part.allCases.map(\.rawValue)
                rules.report(
                    "`\(text)` is none of \(parts.joined(separator: ", "))\(Nearness.hint(for: text, in: parts))",
                    place)
            }
        }
        return .text(field, texts.count == 1 ? .equals(FoldedText(texts[0])) : .oneOf(TextSet(texts)))
    }

    private func anyOf(
        _ field: Rule.TextField, _ texts: [String]?, _ pattern: (String) -> TextPattern?
    ) -> Rule.Condition? {
        guard let texts else { return nil }
        let patterns = texts.compactMap(pattern)
        guard patterns.count == texts.count else { return nil }
        let conditions = patterns.map { Rule.Condition.text(field, $0) }
        return conditions.count == 1 ? conditions[0] : .any(conditions)
    }

    /// One text or a list of them.
    func texts(_ node: Node, _ place: Place) -> [String]? {
        let nodes = node.sequence.map(Array.init) ?? [node]
        if nodes.count > RuleReader.Limits.listEntries {
            rules.report("lists more than \(RuleReader.Limits.listEntries) values", place)
            return nil
        }
        let texts = nodes.compactMap(\.scalar?.string)
        guard texts.count == nodes.count, !texts.isEmpty, !texts.contains("") else {
            rules.report("must be a text or a list of texts", place)
            return nil
        }
        if let long = texts.first(where: { $0.count > TextPattern.lengthMax }) {
            rules.report("`\(long.prefix(40))…` is longer than \(TextPattern.lengthMax) letters", place)
            return nil
        }
        return texts
    }

    // MARK: numbers and days

    private func number(_ field: Rule.NumberField, _ value: Node, _ place: Place) -> Rule.Condition? {
        guard rules.spend(place) else { return nil }
        guard let forms = value.mapping else {
            return amount(value, field, place).map { .number(field, .equals($0)) }
        }
        if forms.isEmpty { rules.report("is empty: \(Self.numberForms.joined(separator: ", "))", place) }
        let tests = forms.compactMap { keyNode, value -> Rule.Condition? in
            let form = keyNode.scalar?.string ?? "?"
            let place = place.below(form, keyNode)
            guard Self.numberForms.contains(form) else {
                let isTextForm = Self.textForms.contains(form)
                let why = isTextForm ? "compares texts, and `\(field.rawValue)` is an amount" : "is no comparison"
                rules.report("`\(form)` \(why)\(Nearness.hint(for: form, in: Self.numberForms))", place)
                return nil
            }
            guard let bound = amount(value, field, place) else { return nil }
            switch form {
            case "equals": return .number(field, .equals(bound))
            case "over": return .number(field, .over(bound))
            case "at_least": return .number(field, .atLeast(bound))
            case "under": return .number(field, .under(bound))
            default: return .number(field, .atMost(bound))
            }
        }
        return tests.count == 1 ? tests[0] : .all(tests)
    }

    private func amount(_ node: Node, _ field: Rule.NumberField, _ place: Place) -> ExactDecimal? {
        let text = node.scalar?.string ?? ""
        guard let value = ExactDecimal(text), field == .quantity || Money(exactly: value) != nil else {
            let wanted = field == .quantity ? "a quantity such as 1.5" : "an amount such as 12.50"
            rules.report(node.scalar == nil ? "must be \(wanted)" : "`\(text.prefix(40))` is not \(wanted)", place)
            return nil
        }
        return value
    }

    private static let dayNames = [
        "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday",
    ]

    private func weekdays(_ node: Node, _ place: Place) -> Rule.Weekdays? {
        guard rules.spend(place), let names = texts(node, place) else { return nil }
        var days: [Int] = []
        for name in names {
            let small = name.lowercased()
            if let day = Self.dayNames.firstIndex(where: { $0 == small || (small.count == 3 && $0.hasPrefix(small)) }) {
                days.append(day + 1)
            } else if small == "weekend" {
                days += [6, 7]
            } else {
                rules.report("`\(name)` is no day\(Nearness.hint(for: name, in: Self.dayNames + ["weekend"]))", place)
            }
        }
        return Rule.Weekdays(days)
    }
}
