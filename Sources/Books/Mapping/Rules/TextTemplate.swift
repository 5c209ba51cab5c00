package import Domain
import Money

/// A text with places that show a field of the order: `{product | trim | upper}`.
package struct TextTemplate: Sendable {
    package enum Part: Sendable {
        case literal(String)
        case field(Field, [Transform])
    }

    package enum Field: Sendable, Hashable {
        case text(Rule.TextField)
        case number(Rule.NumberField)
        case date
        case contact(ContactField)
    }

    /// Of the ledger's contact: for rules that write back into the till.
    package enum ContactField: String, Sendable, CaseIterable {
        case id = "contact_id"
        case number = "contact_number"
    }

    package enum Transform: Sendable {
        case trim, lower, upper, title
        case replace(String, with: String)
        /// The field's value is looked up; of several values the first that the table has.
        case lookup(TextTable)
        case first(Int)
        /// What stands here when there is no value.
        case otherwise(String)
        case date(DateFormat)
    }

    package let parts: [Part]

    package init(parts: [Part]) { self.parts = parts }
    package init(_ constant: String) { parts = [.literal(constant)] }

    /// The text itself where it shows no field.
    package var constant: String? {
        if parts.isEmpty { return "" }
        guard parts.count == 1, case .literal(let text) = parts[0] else { return nil }
        return text
    }

    /// What it begins with, whatever the order; nil where a field comes first.
    package var literalBeginning: String? {
        guard case .literal(let text) = parts.first else { return nil }
        return text
    }

    /// Everything this can give, where that is known: a constant, or a field that goes through a table and, where the
    /// table has nothing, through `else`. Nil where it shows whatever the till holds.
    package var possibleValues: [String]? {
        if let constant { return [constant] }
        guard parts.count == 1, case .field(_, let transforms) = parts[0] else { return nil }
        var values: [String]?
        for transform in transforms {
            switch transform {
            case .lookup(let table): values = table.values
            case .otherwise(let text) where values != nil: values?.append(text)
            default: values = nil
            }
        }
        return values
    }

    func shows(_ field: Rule.TextField) -> Bool {
        parts.contains { part in
            if case .field(let shown, _) = part { shown == .text(field) } else { false }
        }
    }

    /// It shows no field but the product's.
    var looksAtProductAlone: Bool {
        parts.allSatisfy { part in
            guard case .field(let field, _) = part else { return true }
            guard case .text(let text) = field else { return false }
            return Rule.fieldsOfProducts.contains(text)
        }
    }

    /// Nothing in it is looked up without an `else`.
    package var alwaysGives: Bool {
        parts.allSatisfy { part in
            guard case .field(_, let transforms) = part else { return true }
            return transforms.reduce(true) { gives, transform in
                switch transform {
                case .lookup: false
                case .otherwise: true
                default: gives
                }
            }
        }
    }

    /// Nil where a look-up finds nothing and no `else` stands in: the rule then does not apply.
    package func text(for facts: RuleFacts) -> String? {
        if let constant { return constant }
        var text = ""
        for part in parts {
            switch part {
            case .literal(let literal): text += literal
            case .field(let field, let transforms):
                guard let value = Self.value(of: field, transforms, for: facts) else { return nil }
                text += value
            }
            // Long enough for every field of the ledger's, and a bound for what replacing can make.
            if text.utf8.count > Self.bytesMax { text = String(text.prefix(Self.bytesMax / 4)) }
        }
        return text
    }

    package static let bytesMax = 16_000

    private static func value(of field: Field, _ transforms: [Transform], for facts: RuleFacts) -> String? {
        var values: [String]
        switch field {
        case .text(let text): values = text.values(in: facts)
        case .number(let number): values = number.value(in: facts).map { ["\($0.trimmed)"] } ?? []
        case .date: values = ["\(facts.order.date)"]
        case .contact(.id): values = facts.contact.map { [$0.id] } ?? []
        case .contact(.number): values = facts.contact.map { [$0.number] } ?? []
        }
        if case .number(let number) = field, number != .quantity {
            values = number.value(in: facts).map { ["\($0)"] } ?? []
        }
        var isLookup = false
        for transform in transforms {
            if case .lookup = transform { isLookup = true }
            values = transform.applied(to: values, facts.order.date)
        }
        // A field that an order lacks shows as nothing; a look-up without a result is no result.
        return values.first ?? (isLookup ? nil : "")
    }
}

extension TextTemplate.Transform {
    fileprivate func applied(to values: [String], _ date: CalendarDate) -> [String] {
        switch self {
        case .trim: values.map(Self.trimmed)
        case .lower: values.map { $0.lowercased() }
        case .upper: values.map { $0.uppercased() }
        case .title: values.map(Self.titled)
        case .replace(let old, let new): values.map { $0.prefix(4000).replacing(old, with: new) }.map { String($0) }
        case .lookup(let table): values.lazy.compactMap { table[$0] }.prefix(1).map { $0 }
        case .first(let count): values.map { String($0.prefix(count)) }
        case .otherwise(let text): values.first.map { $0.isEmpty } ?? true ? [text] : values
        case .date(let format): [format.text(of: date)]
        }
    }

    private static func trimmed(_ text: String) -> String {
        let start = text.drop { $0.isWhitespace }
        return String(start.reversed().drop { $0.isWhitespace }.reversed())
    }

    /// Every word begins with a capital.
    private static func titled(_ text: String) -> String {
        var isStart = true
        return text.reduce(into: "") { result, letter in
            result += isStart ? letter.uppercased() : letter.lowercased()
            isStart = letter.isWhitespace
        }
    }
}

/// A day as text: `dd/MM/yyyy`, `d MMM yyyy`, `EEE d MMM`.
package struct DateFormat: Sendable, Hashable {
    private enum Piece: Sendable, Hashable {
        case literal(Character)
        case day(Int), month(Int), year(Int), weekday
    }

    private let pieces: [Piece]
    private static let months = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(separator: " ")
    private static let weekdays = "Mon Tue Wed Thu Fri Sat Sun".split(separator: " ")

    /// Nil for letters that stand for nothing here.
    package init?(_ text: String) {
        guard !text.isEmpty, text.count <= 40 else { return nil }
        var pieces: [Piece] = []
        var rest = text[...]
        while let letter = rest.first {
            let run = rest.prefix { $0 == letter }
            rest = rest.dropFirst(letter.isLetter ? run.count : 1)
            switch (letter, run.count) {
            case ("d", 1...2): pieces.append(.day(run.count))
            case ("M", 1...3): pieces.append(.month(run.count))
            case ("y", 2), ("y", 4): pieces.append(.year(run.count))
            case ("E", 3): pieces.append(.weekday)
            default:
                guard !letter.isLetter else { return nil }
                pieces.append(.literal(letter))
            }
        }
        self.pieces = pieces
    }

    package func text(of date: CalendarDate) -> String {
        func padded(_ value: Int, _ width: Int) -> String { value < 10 && width > 1 ? "0\(value)" : "\(value)" }
        return pieces.reduce(into: "") { text, piece in
            switch piece {
            case .literal(let letter): text.append(letter)
            case .day(let width): text += padded(date.day, width)
            case .month(3): text += Self.months[(date.month - 1) % 12]
            case .month(let width): text += padded(date.month, width)
            case .year(2): text += padded(date.year % 100, 2)
            case .year: text += "\(date)".prefix(4)
            case .weekday: text += Self.weekdays[date.weekday - 1]
            }
        }
    }
}
