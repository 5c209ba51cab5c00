import Mapping
import Yams

/// Reads what a rule says: `set`, `skip` or `park`.
extension RuleReader {
    /// What can be set by which rules.
    private static let settable: [Rule.Subject: [String]] = [
        .line: ["account", "tax_type", "item_code", "tracking", "description"],
        .payment: ["account", "reference"],
        .order: ["contact", "contact_name", "reference", "due_days", "branding_theme", "url", "tracking"],
    ]

    func outcome(
        _ section: SettingsSection, _ subject: Rule.Subject, _ place: Place
    ) -> (Rule.Outcome, [String: Place]) {
        var outcome = Rule.Outcome()
        var places: [String: Place] = [:]
        var count = 0
        if let node = section.value("set") {
            count += 1
            set(node, Place(section.path(of: "set"), node), subject, &outcome, &places)
        }
        if let reason = template(section, "skip", subject) {
            count += 1
            outcome.action = .skip(reason)
        }
        if let reason = template(section, "park", subject) {
            count += 1
            outcome.action = .park(reason)
        }
        if count != 1 { report("say one of `set`, `skip` and `park`, the last two with their reason", place) }
        return (outcome, places)
    }

    private func template(_ section: SettingsSection, _ key: String, _ subject: Rule.Subject) -> TextTemplate? {
        guard let node = section.value(key) else { return nil }
        let place = Place(section.path(of: key), node)
        guard let text = node.scalar?.string else {
            report("must be a reason, as a text", place)
            return nil
        }
        return TemplateReading(rules: self, subject: subject, place: place).template(text)
    }

    private func set(
        _ node: Node, _ place: Place, _ subject: Rule.Subject, _ outcome: inout Rule.Outcome,
        _ places: inout [String: Place]
    ) {
        guard let mapping = node.mapping, !mapping.isEmpty else {
            return report("must hold what to set: \(settable(subject))", place)
        }
        for (keyNode, value) in mapping {
            let key = keyNode.scalar?.string ?? "?"
            let place = place.below(key, keyNode)
            guard spend(place) else { return }
            let keys = Self.settable[subject] ?? []
            guard keys.contains(key) else {
                report(
                    "a rule for \(subject.rawValue)s sets no `\(key)`, only \(settable(subject))"
                        + Nearness.hint(for: key, in: keys), place)
                continue
            }
            places[key] = place
            if key == "tracking" {
                outcome.tracking = tracking(value, subject, place, &places)
                continue
            }
            guard let text = value.scalar?.string, !text.isEmpty else {
                report("must be a single value", place)
                continue
            }
            let template = TemplateReading(rules: self, subject: subject, place: place).template(text)
            requireKnown(template, key, place)
            assign(template, key, &outcome)
        }
    }

    private func settable(_ subject: Rule.Subject) -> String {
        (Self.settable[subject] ?? []).joined(separator: ", ")
    }

    private func assign(_ template: TextTemplate, _ key: String, _ outcome: inout Rule.Outcome) {
        switch key {
        case "account": outcome.account = template
        case "tax_type": outcome.taxType = template
        case "item_code": outcome.itemCode = template
        case "description": outcome.description = template
        case "contact": outcome.contact = template
        case "contact_name": outcome.contactName = template
        case "due_days": outcome.dueDays = template
        case "branding_theme": outcome.brandingTheme = template
        case "url": outcome.url = template
        default: outcome.reference = template
        }
    }

    /// What is compared with the chart, or reckoned with, must be known before any order comes.
    private func requireKnown(_ template: TextTemplate, _ key: String, _ place: Place) {
        let limits = ["account": 10, "tax_type": 50, "item_code": 30, "contact": 50, "contact_name": 255]
        let values = template.possibleValues
        if values == nil, ["account", "tax_type", "due_days", "branding_theme"].contains(key) {
            report("must be one value, or a field that goes through a table: `{category | lookup TABLE}`", place)
        }
        if key == "due_days", let wrong = values?.first(where: { !(0...365).contains(Int($0) ?? -1) }) {
            report("`\(wrong.prefix(60))` is not a number of days from 0 to 365", place)
        }
        if key == "branding_theme", let wrong = values?.first(where: { !SettingsSection.isIdentifier($0) }) {
            report("`\(wrong.prefix(60))` is no id of Xero's", place)
        }
        if key == "url", let text = template.literalBeginning, !text.hasPrefix("https://"), !text.hasPrefix("http://") {
            report("an address begins with https://", place)
        }
        guard let limit = limits[key] else { return }
        for value in values ?? [] where value.isEmpty || value.count > limit {
            report("`\(value.prefix(60))` has not 1 to \(limit) letters", place)
        }
        if key == "contact_name", values?.contains(where: { $0.contains { "<>".contains($0) } }) == true {
            report("a contact's name has no < or >", place)
        }
    }

    private func tracking(
        _ node: Node, _ subject: Rule.Subject, _ place: Place, _ places: inout [String: Place]
    ) -> [Rule.Outcome.TrackingChoice] {
        guard let mapping = node.mapping, (1...2).contains(mapping.count) else {
            report("must hold one or two tracking categories, each with its option", place)
            return []
        }
        return mapping.compactMap { keyNode, value in
            let category = keyNode.scalar?.string ?? ""
            let place = place.below(category, keyNode)
            guard let text = value.scalar?.string, !category.isEmpty, !text.isEmpty else {
                report("must be an option's name", place)
                return nil
            }
            places["tracking.\(category)"] = place
            let option = TemplateReading(rules: self, subject: subject, place: place).template(text)
            for value in option.possibleValues ?? [] where value.isEmpty || value.count > 100 {
                report("`\(value.prefix(60))` has not 1 to 100 letters", place)
            }
            return Rule.Outcome.TrackingChoice(category: category, option: option)
        }
    }
}
