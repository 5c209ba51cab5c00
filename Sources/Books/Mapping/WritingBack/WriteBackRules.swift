package import Domain
import Money

/// The operator's rules that write a field of the ledger's side into the till: of each kind the first whose condition
/// holds decides. Without a rule nothing is written.
package struct WriteBackRules: Sendable {
    package struct CustomerRule: Sendable {
        package let name: String
        package let condition: Rule.Condition
        /// What the customer's `reference_id` is to be.
        package let reference: TextTemplate
        /// Also where somebody else's value stands.
        package let overwrites: Bool

        package init(name: String, condition: Rule.Condition, reference: TextTemplate, overwrites: Bool) {
            self.name = name
            self.condition = condition
            self.reference = reference
            self.overwrites = overwrites
        }
    }

    /// Marks a day's takings as processed.
    package struct TakingsRule: Sendable {
        package let name: String
        package let condition: Rule.Condition

        package init(name: String, condition: Rule.Condition) {
            self.name = name
            self.condition = condition
        }
    }

    package var customers: [CustomerRule]
    package var takings: [TakingsRule]

    package static let none = WriteBackRules(customers: [], takings: [])
    /// What Kounta takes as a `reference_id` is not documented; an id of Xero's has 36 letters.
    package static let referenceMax = 100

    package init(customers: [CustomerRule], takings: [TakingsRule]) {
        self.customers = customers
        self.takings = takings
    }

    package var isEmpty: Bool { customers.isEmpty && takings.isEmpty }
}

/// What is to become of a customer's `reference_id`.
package enum ReferenceDecision: Sendable, Hashable {
    case write(String)
    /// It says what it should already.
    case stands(String)
    /// No rule is about this customer.
    case unruled
    /// Somebody else's value, which the rule does not overwrite.
    case foreign(String)
    /// The rule's text is no value of the field.
    case unusable(String)
}

extension WriteBackRules {
    /// - Parameter ours: what we wrote, or may have written, before: it is not somebody else's.
    package func decision(
        for customer: TillCustomer, contact: ContactFacts, ours: Set<String>
    ) -> ReferenceDecision {
        let facts = Self.facts(customer, contact)
        for rule in customers where rule.condition.holds(for: facts) {
            // A look-up without a result, or a field that is empty: the rule does not apply.
            guard let text = rule.reference.text(for: facts), !text.isEmpty else { continue }
            if text.count > Self.referenceMax {
                return .unusable(
                    "the rule \"\(rule.name)\" gives \(text.count) letters; a reference_id has at most "
                        + "\(Self.referenceMax)")
            }
            guard let current = customer.reference, !current.isEmpty else { return .write(text) }
            if current == text { return .stands(text) }
            return ours.contains(current) || rule.overwrites ? .write(text) : .foreign(current)
        }
        return .unruled
    }

    /// Whether takings of this trading day are to be marked, once the day's summary stands in the ledger.
    package func marksTakings(of venue: String, site: SiteID, on day: CalendarDate) -> Bool {
        let order = OrderFacts(order: OrderID(""), site: site, venue: venue, date: day, total: .zero)
        return takings.contains { $0.condition.holds(for: RuleFacts(order: order)) }
    }

    private static func facts(_ customer: TillCustomer, _ contact: ContactFacts) -> RuleFacts {
        var order = OrderFacts(
            order: OrderID(""), site: SiteID(""), venue: "", date: CalendarDate(daysSince1970: 0), total: .zero)
        order.customer = Named(id: customer.id, name: customer.name.isEmpty ? nil : customer.name)
        order.customerEmail = customer.email
        order.customerTags = customer.tags
        return RuleFacts(order: order, contact: contact)
    }
}
