import Domain

extension Rule {
    /// What a rule says where its condition holds.
    package struct Outcome: Sendable {
        package enum Action: Sendable {
            case book
            case skip(TextTemplate)
            case park(TextTemplate)
        }

        package struct TrackingChoice: Sendable {
            package let category: String
            package let option: TextTemplate

            package init(category: String, option: TextTemplate) {
                self.category = category
                self.option = option
            }
        }

        package var action: Action = .book
        package var account: TextTemplate?
        package var taxType: TextTemplate?
        package var itemCode: TextTemplate?
        package var tracking: [TrackingChoice] = []
        package var contact: TextTemplate?
        package var contactName: TextTemplate?
        package var description: TextTemplate?
        package var reference: TextTemplate?
        package var dueDays: TextTemplate?
        package var brandingTheme: TextTemplate?
        package var url: TextTemplate?
        /// Where nothing here depends on the order: the treatment itself, made once.
        private var constant: Treatment?

        package init() {}

        /// Nil where a look-up finds nothing: the rule then does not apply.
        func treatment(of facts: RuleFacts, rule: String) -> Treatment? {
            if let constant { return constant }
            var treatment = Treatment()
            treatment.rule = rule
            switch action {
            case .book: break
            case .skip(let reason): treatment.action = .skip(reason: reason.text(for: facts) ?? "")
            case .park(let reason): treatment.action = .park(reason: reason.text(for: facts) ?? "")
            }
            let fields: [(TextTemplate?, Int, WritableKeyPath<Treatment, String?>)] = [
                (account, 10, \.account), (taxType, 50, \.taxType), (itemCode, 30, \.itemCode),
                (contact, 50, \.contact), (contactName, 255, \.contactName), (description, 4000, \.description),
                (reference, 255, \.reference), (brandingTheme, 36, \.brandingTheme), (url, 2000, \.url),
            ]
            for case (let template?, let limit, let field) in fields {
                guard let text = template.text(for: facts) else { return nil }
                // An empty value says nothing; a long one is cut where the ledger would refuse it.
                treatment[keyPath: field] = text.isEmpty ? nil : String(text.prefix(limit))
            }
            if let dueDays {
                guard let text = dueDays.text(for: facts) else { return nil }
                treatment.dueDays = Int(text)
            }
            for choice in tracking {
                guard let option = choice.option.text(for: facts) else { return nil }
                if option.isEmpty { continue }
                treatment.tracking.append(Tracking(category: choice.category, option: String(option.prefix(100))))
            }
            return treatment
        }

        /// No look-up stands between the condition and the treatment.
        package var alwaysGives: Bool { templates.allSatisfy { $0.alwaysGives } }

        func shows(_ field: TextField) -> Bool { templates.contains { $0.shows(field) } }

        /// Makes the treatment beforehand where that is possible.
        func prepared(rule: String) -> Outcome {
            guard templates.allSatisfy({ $0.constant != nil }) else { return self }
            var outcome = self
            outcome.constant = treatment(of: .none, rule: rule)
            return outcome
        }

        private var templates: [TextTemplate] {
            let reasons: [TextTemplate] =
                switch action {
                case .book: []
                case .skip(let reason), .park(let reason): [reason]
                }
            let single = [
                account, taxType, itemCode, contact, contactName, description, reference, dueDays, brandingTheme, url,
            ]
            return reasons + single.compactMap(\.self) + tracking.map(\.option)
        }
    }
}
