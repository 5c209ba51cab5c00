import Yams

/// Books to another account whatever is booked to one: in an organisation's section, or in a venue's. Tables count as
/// far as a rule looks its account up in them.
struct AccountReplacement {
    let from: String
    let to: String

    init(from: String, to: String) {
        self.from = from
        self.to = to
    }

    func replace(in section: inout Node.Mapping) {
        let tables = Self.tablesOfAccounts(section)
        for index in section.indices {
            let (key, value) = section[index]
            switch key.scalar?.string {
            case "accounts"?: section[index] = (key, entries(value) { $0 != "outside_tax_type" })
            case "payment_methods"?, "levies"?: section[index] = (key, entries(value) { _ in true })
            case "fallback_clearing_account"?, "unmapped_products"?: section[index] = (key, replaced(value))
            case "rules"?: section[index] = (key, rules(value))
            case "tables"?: section[index] = (key, self.tables(value, tables))
            default: break
            }
        }
    }

    private func replaced(_ node: Node) -> Node { node.scalar?.string == from ? .text(to) : node }

    private func entries(_ node: Node, _ counts: (String) -> Bool) -> Node {
        guard var mapping = node.mapping else { return node }
        for index in mapping.indices where counts(mapping[index].key.scalar?.string ?? "") {
            mapping[index] = (mapping[index].key, replaced(mapping[index].value))
        }
        return .mapping(mapping)
    }

    private func tables(_ node: Node, _ names: Set<String>) -> Node {
        guard var mapping = node.mapping else { return node }
        for index in mapping.indices where names.contains(mapping[index].key.scalar?.string ?? "") {
            mapping[index] = (mapping[index].key, entries(mapping[index].value) { _ in true })
        }
        return .mapping(mapping)
    }

    private func rules(_ node: Node) -> Node {
        guard var rules = node.sequence else { return node }
        for index in rules.indices {
            guard var rule = rules[index].mapping,
                let place = rule.firstIndex(where: { $0.key.scalar?.string == "set" }),
                var set = rule[place].value.mapping,
                let account = set.firstIndex(where: { $0.key.scalar?.string == "account" }),
                let text = set[account].value.scalar?.string
            else { continue }
            let new = self.account(text)
            guard new != text else { continue }
            set[account] = (set[account].key, .text(new))
            rule[place] = (rule[place].key, .mapping(set))
            rules[index] = .mapping(rule)
        }
        return .sequence(rules)
    }

    /// A code alone, or what a look-up ends with where nothing is found.
    private func account(_ text: String) -> String {
        if text == from { return to }
        return text.replacing(/else\s+(?:'([^']*)'|"([^"]*)"|([^\s|}'"]+))/) { match in
            let code = match.output.1 ?? match.output.2 ?? match.output.3
            return code.map(String.init) == from ? "else '\(to)'" : String(match.output.0)
        }
    }

    /// The names behind `lookup` in what rules set as an account.
    private static func tablesOfAccounts(_ section: Node.Mapping) -> Set<String> {
        var names: Set<String> = []
        for rule in section.elements("rules") {
            let set = rule.first { $0.key.scalar?.string == "set" }?.value.mapping
            for match in (set?["account"] ?? "").matches(of: /lookup\s+(?:'([^']*)'|"([^"]*)"|([^\s|}'"]+))/) {
                names.insert(String(match.output.1 ?? match.output.2 ?? match.output.3 ?? ""))
            }
        }
        return names
    }
}
