package import Domain
import Money

/// The operator's rules of one organisation, compiled once: the first whose condition holds decides.
///
/// Deciding is pure and allocates nothing where no rule matches.
package struct RuleBook: Sendable {
    /// What becomes of a sale that no rule for lines decided.
    package enum Unmapped: Sendable, Hashable {
        /// The venue's defaults hold; the usual case where rules are exceptions.
        case asDefault
        /// To this account, with a warning.
        case account(String)
        case park
    }

    package let rules: [Rule]
    package let unmapped: Unmapped
    private let lineRules: RuleIndex
    private let tenderRules: RuleIndex
    private let orderRules: RuleIndex
    /// Those that ask for what only a customer's own record says: usually none.
    private let customerRules: [Rule]

    package static let empty = RuleBook(rules: [])

    package init(rules: [Rule], unmapped: Unmapped = .asDefault) {
        self.rules = rules
        self.unmapped = unmapped
        lineRules = RuleIndex(rules.filter { $0.subject == .line })
        tenderRules = RuleIndex(rules.filter { $0.subject == .payment })
        orderRules = RuleIndex(rules.filter { $0.subject == .order })
        customerRules = rules.filter { rule in
            CustomerQuestion.fields.contains { rule.condition.tests($0) || rule.outcome.shows($0) }
        }
    }

    package var isEmpty: Bool { rules.isEmpty && unmapped == .asDefault }

    /// The rules that decide about a product whoever buys it, when and where: for its item in the ledger. One that
    /// looks at more, in its condition or in what it then says, would give the item the account of one chance sale.
    package var ofProducts: RuleBook {
        let rules = rules.filter { rule in
            rule.subject == .line && rule.condition.looksAtProductAlone
                && [rule.outcome.account, rule.outcome.taxType].allSatisfy { $0?.looksAtProductAlone ?? true }
        }
        return RuleBook(rules: rules, unmapped: unmapped)
    }

    /// What the rules that can hold at a venue ask of its orders' customers.
    package func question(at venue: String, _ site: SiteID) -> CustomerQuestion {
        customerRules.reduce(into: CustomerQuestion()) { $0.formUnion($1.question(at: venue, site)) }
    }

    /// How a line of `order` is booked.
    package func treatment(of line: LineFacts, in order: OrderFacts) -> Treatment {
        if !lineRules.isEmpty, let treatment = lineRules.treatment(of: RuleFacts(order: order, line: line)) {
            return treatment
        }
        guard line.part == .sale else { return .standard }
        switch unmapped {
        case .asDefault: return .standard
        case .account(let account): return Self.fallback(line, account: account)
        case .park: return Self.parked(line)
        }
    }

    /// Into which clearing account a tender of `order` goes; ``Treatment/standard``: as `payment_methods` says.
    package func treatment(of tender: TenderFacts, in order: OrderFacts) -> Treatment {
        if tenderRules.isEmpty { return .standard }
        return tenderRules.treatment(of: RuleFacts(order: order, tender: tender)) ?? .standard
    }

    /// Contact, reference, or whether the order is booked at all.
    package func treatment(of order: OrderFacts) -> Treatment {
        if orderRules.isEmpty { return .standard }
        return orderRules.treatment(of: RuleFacts(order: order)) ?? .standard
    }

    private static func fallback(_ line: LineFacts, account: String) -> Treatment {
        var treatment = Treatment()
        treatment.account = account
        treatment.rule = Treatment.fallback
        treatment.warning =
            "No rule maps \(line.product?.shown ?? "a line without product"); it went to account \(account)."
        return treatment
    }

    private static func parked(_ line: LineFacts) -> Treatment {
        var treatment = Treatment()
        treatment.rule = Treatment.fallback
        treatment.action = .park(
            reason: "no rule maps \(line.product?.shown ?? "a line without product"), and unmapped products are parked")
        return treatment
    }
}

/// What one evaluation looks at.
package struct RuleFacts: Sendable {
    package let order: OrderFacts
    package var line: LineFacts?
    package var tender: TenderFacts?
    /// Only for rules that write back into the till.
    package var contact: ContactFacts?

    /// For templates that look at nothing.
    static let none = RuleFacts(
        order: OrderFacts(
            order: OrderID(""), site: SiteID(""), venue: "", date: CalendarDate(daysSince1970: 0), total: .zero))

    package init(
        order: OrderFacts, line: LineFacts? = nil, tender: TenderFacts? = nil, contact: ContactFacts? = nil
    ) {
        self.order = order
        self.line = line
        self.tender = tender
        self.contact = contact
    }
}

/// One rule: when it holds and what it then says.
package struct Rule: Sendable {
    /// What a rule decides about.
    package enum Subject: String, Sendable, CaseIterable {
        case line, payment, order
    }

    package let name: String
    package let subject: Subject
    package let condition: Condition
    package let outcome: Outcome

    package init(name: String, subject: Subject, condition: Condition, outcome: Outcome) {
        self.name = name
        self.subject = subject
        self.condition = condition
        self.outcome = outcome.prepared(rule: name)
    }

    /// Nil where the rule does not apply.
    package func treatment(of facts: RuleFacts) -> Treatment? {
        condition.holds(for: facts) ? outcome.treatment(of: facts, rule: name) : nil
    }
}
