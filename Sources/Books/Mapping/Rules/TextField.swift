import Domain

extension Rule {
    /// The fields with text that a condition may test and a template may show.
    package enum TextField: String, Sendable, CaseIterable {
        case product, sku, category, tag, part, modifier, register, staff, customer, venue, site, order, notes
        case lineNotes = "line_notes"
        case customerEmail = "customer_email"
        case orderType = "order_type"
        case customerTag = "customer_tag"
        case paymentMethod = "payment_method"
        case saleNumber = "sale_number"

        /// Whether one of the field's values satisfies `test`. A thing with id and name has both as values.
        func hasValue(in facts: RuleFacts, _ test: (String) -> Bool) -> Bool {
            switch self {
            case .product: Self.has(facts.line?.product, test)
            case .sku: Self.has(facts.line?.sku, test)
            case .category: facts.line?.categories.contains(where: test) ?? false
            case .tag: facts.line?.tags.contains(where: test) ?? false
            case .part: Self.has(facts.line?.part.rawValue, test)
            case .modifier: facts.line?.modifiers.contains(where: test) ?? false
            case .lineNotes: Self.has(facts.line?.notes, test)
            case .register: Self.has(facts.order.register, test)
            case .staff: Self.has(facts.order.staff, test)
            case .customer: Self.has(facts.order.customer, test)
            case .customerEmail: Self.has(facts.order.customerEmail, test)
            case .notes: Self.has(facts.order.notes, test)
            case .venue: test(facts.order.venue)
            case .site: test(facts.order.site.text)
            case .order: test(facts.order.order.text)
            case .orderType: Self.has(facts.order.orderType, test)
            case .customerTag: facts.order.customerTags.contains(where: test)
            case .paymentMethod:
                if let tender = facts.tender { test(tender.method) } else {
                    facts.order.paymentMethods.contains(where: test)
                }
            case .saleNumber: Self.has(facts.order.saleNumber, test)
            }
        }

        private static func has(_ value: String?, _ test: (String) -> Bool) -> Bool { value.map(test) ?? false }

        private static func has(_ named: Named?, _ test: (String) -> Bool) -> Bool {
            guard let named else { return false }
            return named.name.map(test) ?? false || test(named.id)
        }

        /// Each value, names before ids.
        func values(in facts: RuleFacts) -> [String] {
            var values: [String] = []
            _ = hasValue(in: facts) { value in
                values.append(value)
                return false
            }
            return values
        }

        /// Only order and payment rules know no line, only payment rules know a tender.
        package var isOfLine: Bool {
            switch self {
            case .product, .sku, .category, .tag, .part, .modifier, .lineNotes: true
            default: false
            }
        }
    }
}
