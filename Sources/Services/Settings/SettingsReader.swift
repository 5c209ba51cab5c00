import Yams

/// Reads a YAML document and gathers **every** problem instead of stopping at the first: an operator mends a file once.
final class SettingsReader {
    private(set) var problems: [SettingsProblem] = []
    let file: String
    /// Values of the environment that win over the file's, by path in upper case: `POLLING_INTERVAL`.
    private let override: (String) -> String?

    init(file: String, override: @escaping (String) -> String?) {
        self.file = file
        self.override = override
    }

    /// In the file's order, whatever the order of reading.
    var sortedProblems: [SettingsProblem] {
        problems.enumerated().sorted { a, b in
            let (left, right) = (a.element.line ?? .max, b.element.line ?? .max)
            return left != right ? left < right : a.offset < b.offset
        }.map(\.element)
    }

    /// Only single values outside of lists have a name that the environment can carry.
    func overriding(_ path: String) -> String? {
        guard path.contains("."), !path.contains("[") else { return nil }
        return override(path.uppercased().replacing(".", with: "_"))
    }

    func report(_ message: String, at path: String, line: Int?) {
        problems.append(SettingsProblem(file: file, line: line, path: path, message: message))
    }
}

/// One thing wrong with the configuration: where, what, and how to mend it.
package struct SettingsProblem: Sendable, Hashable, CustomStringConvertible {
    package let file: String
    package let line: Int?
    package let path: String
    package let message: String

    package init(file: String, line: Int?, path: String, message: String) {
        self.file = file
        self.line = line
        self.path = path
        self.message = message
    }

    package var description: String {
        let place = line.map { "\(file):\($0)" } ?? file
        return path.isEmpty ? "\(place): \(message)" : "\(place): \(path): \(message)"
    }
}

/// Everything that is wrong, in the file's order.
package struct SettingsError: Error, Sendable, CustomStringConvertible {
    package let problems: [SettingsProblem]
    package init(problems: [SettingsProblem]) { self.problems = problems }
    package var description: String { problems.map(\.description).joined(separator: "\n") }
}

/// One mapping of the document; knows which of its keys were asked for, so that the others are reported.
final class SettingsSection {
    let reader: SettingsReader
    private let node: Node.Mapping
    let path: String
    private var known: Set<String> = []

    init(reader: SettingsReader, node: Node.Mapping, path: String) {
        self.reader = reader
        self.node = node
        self.path = path
    }

    var line: Int? { node.mark?.line }
    func path(of key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    func line(of key: String) -> Int? { node[Node(key)]?.mark?.line ?? line }

    func value(_ key: String) -> Node? {
        known.insert(key)
        // Empty, `~` and `null` say that a key is left out.
        guard let value = node[Node(key)],
            !(value.scalar.map { ["", "~", "null"].contains($0.string) && $0.style == .plain } ?? false)
        else { return nil }
        return value
    }

    func report(_ message: String, at key: String) {
        reader.report(message, at: path(of: key), line: line(of: key))
    }

    /// Call when every key was asked for: what is left is a mistake.
    func finish() {
        for (keyNode, _) in node {
            let key = keyNode.string ?? "?"
            guard !known.contains(key) else { continue }
            let hint = Nearness.hint(for: key, in: known)
            reader.report("this key is not known\(hint)", at: path(of: key), line: keyNode.mark?.line)
        }
    }

    /// What stands under these keys, as YAML; empty where they are left out, and where the file has problems: an alias
    /// of an alias may stand for more than any machine can write, and that is one of them.
    func yaml(of keys: [String]) -> String {
        guard reader.problems.isEmpty else { return "" }
        let pairs = keys.compactMap { key in value(key).map { (Node(key), $0) } }
        if pairs.isEmpty { return "" }
        // What was read can be written: it holds nothing but texts, lists and keys.
        return (try? Yams.serialize(node: Node(pairs), width: -1, allowUnicode: true)) ?? ""
    }

    // MARK: values

    func text(_ key: String) -> String? {
        let value = value(key)
        if let override = reader.overriding(path(of: key)) { return override }
        guard let value else { return nil }
        guard let scalar = value.scalar else {
            report("must be a single value", at: key)
            return nil
        }
        return scalar.string
    }

    func required(_ key: String) -> String {
        if let text = text(key), !text.isEmpty { return text }
        report("is missing", at: key)
        return ""
    }

    /// Reads a value with `convert`; what it cannot convert is reported with `expected`.
    func value<Value>(_ key: String, _ expected: String, _ convert: (String) -> Value?) -> Value? {
        guard let text = text(key) else { return nil }
        if let value = convert(text) { return value }
        report("`\(text)` is not \(expected)", at: key)
        return nil
    }

    func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int) -> Int {
        value(key, "a whole number from \(range.lowerBound) to \(range.upperBound)") { text in
            Int(text).flatMap { range.contains($0) ? $0 : nil }
        } ?? fallback
    }

    func flag(_ key: String, default fallback: Bool) -> Bool {
        value(key, "true or false") { ["true": true, "false": false][$0] } ?? fallback
    }

    /// One of an enumeration's raw values; what is none of them is reported with the nearest.
    func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: String, default fallback: Choice) -> Choice {
        guard let text = text(key) else { return fallback }
        if let choice = Choice(rawValue: text) { return choice }
        let known = Choice.allCases.map(\.rawValue)
        report("`\(text)` is none of \(known.joined(separator: ", "))\(Nearness.hint(for: text, in: known))", at: key)
        return fallback
    }

    func duration(_ key: String, default fallback: Duration) -> Duration {
        value(key, "a duration such as 200ms, 5s, 10m, 6h or 3d", DurationText.parse) ?? fallback
    }

    func section(_ key: String) -> SettingsSection? {
        guard let value = value(key) else { return nil }
        guard let mapping = value.mapping else {
            report("must hold keys and values", at: key)
            return nil
        }
        return SettingsSection(reader: reader, node: mapping, path: path(of: key))
    }

    /// A section that may be left out: every key of it then has its default or comes from the environment.
    func optionalSection(_ key: String) -> SettingsSection {
        section(key) ?? SettingsSection(reader: reader, node: Node.Mapping([]), path: path(of: key))
    }

    func sections(_ key: String) -> [SettingsSection] {
        guard let value = value(key) else { return [] }
        guard let sequence = value.sequence else {
            report("must be a list", at: key)
            return []
        }
        return sequence.enumerated().compactMap { index, element in
            let place = "\(path(of: key))[\(index)]"
            guard let mapping = element.mapping else {
                reader.report("must hold keys and values", at: place, line: element.mark?.line)
                return nil
            }
            return SettingsSection(reader: reader, node: mapping, path: place)
        }
    }

    /// A list of single values, or one alone.
    func texts(_ key: String) -> [String] {
        guard let value = value(key) else { return [] }
        if let scalar = value.scalar { return [scalar.string] }
        let texts = value.sequence?.compactMap(\.scalar?.string) ?? []
        if texts.isEmpty || texts.count != value.sequence?.count { report("must be a list of single values", at: key) }
        return texts
    }

    /// A mapping whose keys are the operator's own words, each with its place.
    func placedTable(_ key: String) -> [(key: String, value: String, place: Place)] {
        guard let value = value(key) else { return [] }
        guard let mapping = value.mapping else {
            report("must hold keys and values", at: key)
            return []
        }
        return mapping.compactMap { keyNode, valueNode in
            guard let word = keyNode.scalar?.string, let value = valueNode.scalar?.string, !value.isEmpty else {
                reader.report("must be a single value", at: path(of: key), line: keyNode.mark?.line)
                return nil
            }
            return (word, value, Place(path(of: key) + "." + word, line: keyNode.mark?.line))
        }
    }
}
