import Mapping
import Yams

/// Reads an organisation's `write_back`: rules that write a field of the ledger's side into the till.
extension RuleReader {
    /// What a rule that writes back is about.
    private enum TillSubject: String, CaseIterable {
        case customer, takings

        /// What its `when` may ask for.
        var fields: [String] {
            switch self {
            case .customer: ["customer", "customer_tag", "customer_email"]
            case .takings: ["venue", "site", "weekday"]
            }
        }
    }

    private static let writeBackRulesMax = 100
    /// What a `reference_id` may show.
    private static let shown = TextTemplate.ContactField.allCases.map(\.rawValue) + [
        "customer", "customer_tag", "customer_email",
    ]

    func writeBack(_ section: SettingsSection) -> WriteBackRules {
        var rules = WriteBackRules.none
        let sections = section.sections("write_back")
        if sections.count > Self.writeBackRulesMax {
            section.report("holds \(sections.count) rules, more than \(Self.writeBackRulesMax)", at: "write_back")
            return rules
        }
        // Once one always applies, no later one of its kind is ever asked.
        var complete: [TillSubject: String] = [:]
        for (index, rule) in sections.enumerated() {
            guard spend(Place(rule.path, line: rule.line)) else { return rules }
            let name = rule.text("name") ?? "rule \(index + 1)"
            if name.isEmpty || name.count > 80 { rule.report("a rule's name has 1 to 80 letters", at: "name") }
            let subject = rule.choice("for", default: TillSubject.customer)
            if let before = complete[subject] {
                report(
                    "is never reached: the rule `\(before)` before it always applies",
                    Place(rule.path, line: rule.line))
            }
            let condition = condition(of: rule, subject)
            switch subject {
            case .customer:
                let reference = reference(of: rule)
                if case .always = condition, reference.alwaysGives { complete[subject] = name }
                rules.customers.append(
                    .init(
                        name: name, condition: condition, reference: reference,
                        overwrites: rule.flag("overwrite", default: false)))
            case .takings:
                if case .always = condition { complete[subject] = name }
                requireProcessed(of: rule)
                rules.takings.append(.init(name: name, condition: condition))
            }
            rule.finish()
        }
        return rules
    }

    private func condition(of rule: SettingsSection, _ subject: TillSubject) -> Rule.Condition {
        guard let node = rule.value("when") else { return .always }
        return ConditionReading(rules: self, subject: .order, only: subject.fields)
            .condition(node, Place(rule.path(of: "when"), node), depth: 1)
    }

    private func reference(of rule: SettingsSection) -> TextTemplate {
        guard let set = rule.section("set") else {
            rule.report("is missing: `set: {reference_id: \"{contact_id}\"}`", at: "set")
            return TextTemplate("")
        }
        let text = set.required("reference_id")
        let place = Place(set.path(of: "reference_id"), line: set.line(of: "reference_id"))
        set.finish()
        let template = TemplateReading(
            rules: self, subject: .order, place: place, only: Self.shown, lengthMax: 2 * WriteBackRules.referenceMax
        ).template(text)
        for value in template.possibleValues ?? [] where value.count > WriteBackRules.referenceMax {
            report("`\(value.prefix(60))…` is longer than \(WriteBackRules.referenceMax) letters", place)
        }
        return template
    }

    /// Nothing else can be said of takings: Kounta documents no way back.
    private func requireProcessed(of rule: SettingsSection) {
        guard let set = rule.section("set") else {
            return rule.report("is missing: `set: {processed: true}`", at: "set")
        }
        if !set.flag("processed", default: false) {
            set.report("is `true`, the only thing that can be said of takings", at: "processed")
        }
        set.finish()
    }
}
