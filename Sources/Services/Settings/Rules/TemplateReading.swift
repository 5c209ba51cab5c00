import Mapping

/// Reads a text with places in braces: `{product | trim | upper}`. `{{` and `}}` stand for the braces themselves.
struct TemplateReading {
    let rules: RuleReader
    let subject: Rule.Subject
    let place: Place
    /// The fields that may be shown where not all of them may.
    var only: [String]?
    var lengthMax = 4000

    private static let partsMax = 40
    private static let transformsMax = 10
    private static let transforms = ["trim", "lower", "upper", "title", "replace", "date", "lookup", "first", "else"]
    private static let fields =
        Rule.TextField.allCases.map(\.rawValue) + Rule.NumberField.allCases.map(\.rawValue) + ["date"]

    func template(_ text: String) -> TextTemplate {
        guard text.count <= lengthMax else {
            rules.report("is longer than \(lengthMax) letters", place)
            return TextTemplate("")
        }
        var parts: [TextTemplate.Part] = []
        var literal = ""
        var rest = text[...]
        while let letter = rest.popFirst() {
            if (letter == "{" || letter == "}") && rest.first == letter {
                literal.append(letter)
                rest.removeFirst()
            } else if letter == "{" {
                guard let end = rest.firstIndex(of: "}") else {
                    rules.report("a brace is opened and not closed; `{{` stands for a brace itself", place)
                    break
                }
                if !literal.isEmpty { parts.append(.literal(literal)) }
                literal = ""
                if let part = part(String(rest[..<end])) { parts.append(part) }
                rest = rest[rest.index(after: end)...]
            } else if letter == "}" {
                rules.report("a brace is closed that was not opened; `}}` stands for a brace itself", place)
            } else {
                literal.append(letter)
            }
        }
        if !literal.isEmpty { parts.append(.literal(literal)) }
        if parts.count > Self.partsMax { rules.report("has more than \(Self.partsMax) parts", place) }
        return TextTemplate(parts: parts)
    }

    private func part(_ text: String) -> TextTemplate.Part? {
        guard rules.spend(place), let steps = steps(text), let field = steps.first else { return nil }
        guard field.count == 1, let found = self.field(field[0]) else {
            let name = field.joined(separator: " ")
            let known = only.map { " to show here, only \($0.joined(separator: ", "))" } ?? ""
            rules.report("`{\(name)}` is no field\(known)\(Nearness.hint(for: name, in: only ?? Self.fields))", place)
            return nil
        }
        if steps.count - 1 > Self.transformsMax {
            rules.report("has more than \(Self.transformsMax) transforms in a row", place)
            return nil
        }
        return .field(found, steps.dropFirst().compactMap { transform($0, of: found) })
    }

    private func field(_ name: String) -> TextTemplate.Field? {
        let field: TextTemplate.Field
        var isOfLine = false
        if let only, !only.contains(name) { return nil }
        if only != nil, let contact = TextTemplate.ContactField(rawValue: name) {
            field = .contact(contact)
        } else if name == "date" {
            field = .date
        } else if let text = Rule.TextField(rawValue: name) {
            field = .text(text)
            isOfLine = text.isOfLine
        } else if let number = Rule.NumberField(rawValue: name) {
            field = .number(number)
            isOfLine = number == .quantity
        } else {
            return nil
        }
        if isOfLine, subject != .line {
            rules.report("`\(name)` is of a line, and this rule is for \(subject.rawValue)s", place)
        }
        return field
    }

    private func transform(_ words: [String], of field: TextTemplate.Field) -> TextTemplate.Transform? {
        let arguments = Array(words.dropFirst())
        func wrong(_ message: String) -> TextTemplate.Transform? {
            rules.report(message, place)
            return nil
        }
        switch (words.first ?? "", arguments.count) {
        case ("trim", 0): return .trim
        case ("lower", 0): return .lower
        case ("upper", 0): return .upper
        case ("title", 0): return .title
        case ("replace", 2):
            if arguments[0].isEmpty { return wrong("`replace` needs a text to look for") }
            return .replace(arguments[0], with: arguments[1])
        case ("first", 1):
            guard let count = Int(arguments[0]), (1...1000).contains(count) else {
                return wrong("`first \(arguments[0])`: a number from 1 to 1000 is expected")
            }
            return .first(count)
        case ("else", 1): return .otherwise(arguments[0])
        case ("date", 1):
            guard field == .date else { return wrong("`date` shows a day, so it follows `{date`") }
            guard let format = DateFormat(arguments[0]) else {
                return wrong("`\(arguments[0])` is no date format: d dd M MM MMM yy yyyy EEE and signs between them")
            }
            return .date(format)
        case ("lookup", 1):
            guard let table = rules.tables[arguments[0]] else {
                let hint = Nearness.hint(for: arguments[0], in: rules.tables.keys)
                return wrong("there is no table `\(arguments[0])`\(hint)")
            }
            return .lookup(table)
        case (let name, let count):
            if Self.transforms.contains(name) { return wrong("`\(name)` does not take \(count) values") }
            return wrong("`\(name)` is no transform\(Nearness.hint(for: name, in: Self.transforms))")
        }
    }

    /// Splits at `|` and then at blanks, except between quotation marks.
    private func steps(_ text: String) -> [[String]]? {
        var steps: [[String]] = [[]]
        var word: String?
        var quote: Character?
        for letter in text {
            if let open = quote {
                if letter == open { quote = nil } else { word?.append(letter) }
            } else if letter == "\"" || letter == "'" {
                quote = letter
                word = word ?? ""
            } else if letter == "|" || letter.isWhitespace {
                if let done = word { steps[steps.count - 1].append(done) }
                word = nil
                if letter == "|" { steps.append([]) }
            } else {
                word = (word ?? "") + String(letter)
            }
        }
        if let done = word { steps[steps.count - 1].append(done) }
        guard quote == nil, !steps.contains([]) else {
            rules.report("`{\(text.prefix(60))}` cannot be read: a field, then transforms, each after a |", place)
            return nil
        }
        return steps
    }
}
