package import Domain

/// What rules ask of an order's customer that an order's record does not say: it stands in the customer's own record in
/// Kounta, which costs a call to read.
package struct CustomerQuestion: Sendable, Hashable {
    /// An order names its customer without tags.
    package var tags = false
    /// Some orders name theirs without an e-mail address.
    package var email = false

    package init(tags: Bool = false, email: Bool = false) {
        self.tags = tags
        self.email = email
    }

    static let fields: [Rule.TextField] = [.customerTag, .customerEmail]

    package var isAsked: Bool { tags || email }

    /// Whether the order leaves unanswered what is asked of its customer.
    package func isOpen(for customer: Customer) -> Bool {
        tags && customer.tags.isEmpty || email && customer.email == nil
    }

    mutating func formUnion(_ other: CustomerQuestion) {
        tags = tags || other.tags
        email = email || other.email
    }
}

extension Rule {
    /// Nothing of a rule that cannot hold at the venue, whatever is sold to whom.
    func question(at venue: String, _ site: SiteID) -> CustomerQuestion {
        guard condition.verdict(at: venue, site) != false else { return CustomerQuestion() }
        func asks(_ field: TextField) -> Bool { condition.asks(field, at: venue, site) || outcome.shows(field) }
        return CustomerQuestion(tags: asks(.customerTag), email: asks(.customerEmail))
    }
}

extension Rule.Condition {
    /// Whether any part of it tests the field.
    func tests(_ field: Rule.TextField) -> Bool {
        switch self {
        case .all(let conditions), .any(let conditions): conditions.contains { $0.tests(field) }
        case .not(let condition): condition.tests(field)
        case .text(let tested, _), .isSet(let tested): tested == field
        case .always, .number, .weekday, .date: false
        }
    }

    /// Whether it holds for every sale of a venue, or for none; nil where that depends on the sale.
    func verdict(at venue: String, _ site: SiteID) -> Bool? {
        switch self {
        case .always: return true
        case .all(let conditions):
            let verdicts = conditions.map { $0.verdict(at: venue, site) }
            return verdicts.contains(false) ? false : verdicts.contains(nil) ? nil : true
        case .any(let conditions):
            let verdicts = conditions.map { $0.verdict(at: venue, site) }
            return verdicts.contains(true) ? true : verdicts.contains(nil) ? nil : false
        case .not(let condition): return condition.verdict(at: venue, site).map { !$0 }
        case .text(.venue, let pattern): return pattern.matches(venue)
        case .text(.site, let pattern): return pattern.matches(site.text)
        case .isSet(.venue): return !venue.isEmpty
        case .isSet(.site): return !site.text.isEmpty
        case .text, .isSet, .number, .weekday, .date: return nil
        }
    }

    /// Whether what it says at the venue depends on the field.
    fileprivate func asks(_ field: Rule.TextField, at venue: String, _ site: SiteID) -> Bool {
        guard verdict(at: venue, site) == nil else { return false }
        return switch self {
        case .all(let conditions), .any(let conditions): conditions.contains { $0.asks(field, at: venue, site) }
        case .not(let condition): condition.asks(field, at: venue, site)
        case .text(let tested, _), .isSet(let tested): tested == field
        case .always, .number, .weekday, .date: false
        }
    }
}
