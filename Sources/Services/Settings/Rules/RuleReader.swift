import Mapping
import Money
import Yams

/// Reads an organisation's `tables` and `rules` out of its section, and gathers every problem with its line.
final class RuleReader {
    /// Bounds, so that a file made by a mistake (or with an alias of an alias of an alias) ends with a sentence.
    enum Limits {
        static let rules = 500
        static let nodes = 50_000
        static let depth = 8
        static let tables = 100
        static let tableEntries = 20_000
        static let listEntries = 10_000
    }

    let reader: SettingsReader
    let chart = ChartNotes()
    private(set) var tables: [String: TextTable] = [:]
    /// The keys of each table, as the file has them.
    private(set) var tableKeys: [String: [String]] = [:]
    /// Venues and sites that rules name: compared with those that exist once all are read.
    private(set) var mentions: [Mention] = []
    private var nodesLeft = Limits.nodes

    struct Mention {
        let field: Rule.TextField
        let value: String
        let path: String
        let line: Int?
    }

    init(reader: SettingsReader) { self.reader = reader }

    func report(_ message: String, _ place: Place) { reader.report(message, at: place.path, line: place.line) }

    /// False once the file has had its share: said once.
    func spend(_ place: Place) -> Bool {
        nodesLeft -= 1
        if nodesLeft == -1 { report("the rules hold more than \(Limits.nodes) values", place) }
        return nodesLeft >= 0
    }

    func mention(_ field: Rule.TextField, _ value: String, _ place: Place) {
        mentions.append(Mention(field: field, value: value, path: place.path, line: place.line))
    }

    // MARK: tables

    func readTables(_ section: SettingsSection) {
        guard let node = section.value("tables") else { return }
        let place = Place(section.path(of: "tables"), node)
        guard let mapping = node.mapping else { return report("must hold keys and values", place) }
        if mapping.count > Limits.tables { return report("holds more than \(Limits.tables) tables", place) }
        for (keyNode, value) in mapping {
            let name = keyNode.string ?? ""
            let place = place.below(name, keyNode)
            guard let entries = value.mapping else {
                report("must hold keys and values", place)
                continue
            }
            if entries.count > Limits.tableEntries {
                report("holds more than \(Limits.tableEntries) entries", place)
                continue
            }
            tables[name] = table(entries, place)
            tableKeys[name] = entries.compactMap { $0.key.scalar?.string }
        }
    }

    private func table(_ entries: Node.Mapping, _ place: Place) -> TextTable {
        var pairs: [(String, String)] = []
        var seen: Set<String> = []
        for (keyNode, valueNode) in entries {
            guard let key = keyNode.scalar?.string, let value = valueNode.scalar?.string else {
                report("must be a single value", place.below(keyNode.scalar?.string ?? "?", keyNode))
                continue
            }
            if !seen.insert(key.lowercased()).inserted {
                report("is there twice (capital and small letters are the same here)", place.below(key, keyNode))
            }
            pairs.append((key, value))
        }
        return TextTable(pairs)
    }

    // MARK: rules

    func rules(_ section: SettingsSection) -> [PlacedRule] {
        guard let node = section.value("rules") else { return [] }
        let place = Place(section.path(of: "rules"), node)
        guard let sequence = node.sequence else {
            report("must be a list", place)
            return []
        }
        if sequence.count > Limits.rules {
            report("holds \(sequence.count) rules, more than \(Limits.rules); a table holds more", place)
            return []
        }
        let rules = sequence.enumerated().compactMap { index, element in
            rule(element, number: index + 1, Place("\(place.path)[\(index)]", element))
        }
        reportNames(rules)
        reportUnreachable(rules)
        return rules
    }

    private func rule(_ node: Node, number: Int, _ place: Place) -> PlacedRule? {
        guard spend(place) else { return nil }
        guard let mapping = node.mapping else {
            report("must hold keys and values", place)
            return nil
        }
        let section = SettingsSection(reader: reader, node: mapping, path: place.path)
        let name = section.text("name") ?? "rule \(number)"
        let subject = section.choice("for", default: Rule.Subject.line)
        let condition = self.condition(section, subject)
        let (outcome, places) = outcome(section, subject, place)
        section.finish()
        return PlacedRule(
            rule: Rule(name: name, subject: subject, condition: condition, outcome: outcome), place: place,
            places: places)
    }

    private func condition(_ section: SettingsSection, _ subject: Rule.Subject) -> Rule.Condition {
        guard let node = section.value("when") else { return .always }
        return ConditionReading(rules: self, subject: subject)
            .condition(node, Place(section.path(of: "when"), node), depth: 1)
    }

    private func reportNames(_ rules: [PlacedRule]) {
        var seen: Set<String> = []
        for placed in rules {
            let name = placed.rule.name
            if !seen.insert(name).inserted { report("the name `\(name)` is there twice", placed.place) }
            if name.isEmpty || name.count > 80 { report("a rule's name has 1 to 80 letters", placed.place) }
            if [Treatment.byDefault, Treatment.fallback].contains(name) {
                report("the name `\(name)` stands for no rule: choose another", placed.place)
            }
        }
    }

    private func reportUnreachable(_ rules: [PlacedRule]) {
        for subject in Rule.Subject.allCases {
            let rules = rules.filter { $0.rule.subject == subject }
            guard let last = rules.firstIndex(where: \.alwaysApplies), last + 1 < rules.count else { continue }
            report(
                "is never reached: the rule `\(rules[last].rule.name)` before it always applies", rules[last + 1].place)
        }
    }
}

/// Where something stands in the file.
struct Place {
    let path: String
    let line: Int?

    init(_ path: String, line: Int?) {
        self.path = path
        self.line = line
    }

    init(_ path: String, _ node: Node) { self.init(path, line: node.mark?.line) }

    func below(_ key: String, _ node: Node) -> Place { Place("\(path).\(key)", line: node.mark?.line ?? line) }
}

/// A rule with its places in the file.
struct PlacedRule {
    let rule: Rule
    let place: Place
    /// Of the values under `set`, by key.
    let places: [String: Place]

    var alwaysApplies: Bool {
        guard case .always = rule.condition else { return false }
        return rule.outcome.alwaysGives
    }
}
