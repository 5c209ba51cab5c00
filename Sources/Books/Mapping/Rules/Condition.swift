package import Domain
package import Money

extension Rule {
    /// When a rule holds. A field that an order lacks satisfies no test, so `not` of a test on it holds.
    package indirect enum Condition: Sendable {
        case always
        case all([Condition])
        case any([Condition])
        case not(Condition)
        /// Of a field with several values (tags, categories) one is enough.
        case text(TextField, TextPattern)
        case isSet(TextField)
        case number(NumberField, NumberTest)
        case weekday(Weekdays)
        /// The trading day is one of these: public holidays, say.
        case date(Set<CalendarDate>)

        package func holds(for facts: RuleFacts) -> Bool {
            switch self {
            case .always: true
            case .all(let conditions): conditions.allSatisfy { $0.holds(for: facts) }
            case .any(let conditions): conditions.contains { $0.holds(for: facts) }
            case .not(let condition): !condition.holds(for: facts)
            case .text(let field, let pattern): field.hasValue(in: facts) { pattern.matches($0) }
            case .isSet(let field): field.hasValue(in: facts) { !$0.isEmpty }
            case .number(let field, let test): field.value(in: facts).map(test.holds) ?? false
            case .weekday(let days): days.contains(facts.order.date.weekday)
            case .date(let dates): dates.contains(facts.order.date)
            }
        }

        /// Whether it looks at nothing but the product: then it holds for each sale of it or for none.
        var looksAtProductAlone: Bool {
            switch self {
            case .always: true
            case .all(let conditions), .any(let conditions): conditions.allSatisfy(\.looksAtProductAlone)
            case .not(let condition): condition.looksAtProductAlone
            case .text(let field, _), .isSet(let field): Rule.fieldsOfProducts.contains(field)
            case .number, .weekday, .date: false
            }
        }
    }

    /// What every order and every line of a product has alike.
    package static let fieldsOfProducts: Set<TextField> = [.product, .category, .tag, .sku]

    package enum NumberField: String, Sendable, CaseIterable {
        /// The line's, or the tender's, or for rules about orders the order's total.
        case amount
        case total
        case quantity

        package func value(in facts: RuleFacts) -> ExactDecimal? {
            switch self {
            case .amount: (facts.line?.amount ?? facts.tender?.amount ?? facts.order.total).decimal
            case .total: facts.order.total.decimal
            case .quantity: facts.line?.quantity
            }
        }
    }

    /// Compared as exact decimals.
    package enum NumberTest: Sendable, Hashable {
        case equals(ExactDecimal)
        case over(ExactDecimal)
        case atLeast(ExactDecimal)
        case under(ExactDecimal)
        case atMost(ExactDecimal)

        package func holds(_ value: ExactDecimal) -> Bool {
            switch self {
            case .equals(let bound): value == bound
            case .over(let bound): value > bound
            case .atLeast(let bound): value >= bound
            case .under(let bound): value < bound
            case .atMost(let bound): value <= bound
            }
        }
    }

    /// Days of the week, 1 = Monday … 7 = Sunday.
    package struct Weekdays: Sendable, Hashable {
        private let bits: UInt8

        package init(_ days: some Sequence<Int>) {
            bits = days.reduce(0) { $0 | 1 << UInt8($1) }
        }

        package func contains(_ day: Int) -> Bool { bits & 1 << UInt8(day) != 0 }
    }
}
