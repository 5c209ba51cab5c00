/// The process's environment as the settings see it: names with the fleet's prefix, and for each `NAME` also
/// `NAME_FILE`, a file whose content is the value (how Docker and Kubernetes hand over secrets).
package struct Environment {
    private let values: [String: String]
    private let readFile: (String) -> String?
    private let reader: SettingsReader

    static let prefix = "TILLBRIDGE_"

    init(values: [String: String], readFile: @escaping (String) -> String?, reader: SettingsReader) {
        self.values = values
        self.readFile = readFile
        self.reader = reader
    }

    /// `name` without the prefix. The variable wins over the file of the same name.
    func value(_ name: String) -> String? {
        let full = Self.prefix + name
        if let value = values[full], !value.isEmpty { return value }
        guard let path = values[full + "_FILE"], !path.isEmpty else { return nil }
        guard let content = readFile(path) else {
            reader.report("the file \(path) cannot be read", at: full + "_FILE", line: nil)
            return nil
        }
        var text = content[...]
        while let last = text.last, last.isNewline { text.removeLast() }
        guard !text.isEmpty else {
            reader.report("the file \(path) is empty", at: full + "_FILE", line: nil)
            return nil
        }
        return String(text)
    }

    func required(_ name: String, _ meaning: String) -> String {
        if let value = value(name) { return value }
        reader.report("is not set: \(meaning)", at: Self.prefix + name, line: nil)
        return ""
    }

    /// A name that goes into identifiers of the broker and the database: letters, digits, `_` and `-`.
    func plainName(_ name: String, default fallback: String) -> String {
        guard let text = value(name) else { return fallback }
        let isPlain = text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == "-") }
        if isPlain && text.count <= 60 { return text }
        reader.report(
            "`\(text)` may hold only letters, digits, _ and -, at most 60 of them", at: Self.prefix + name, line: nil)
        return fallback
    }

    func duration(_ name: String, default fallback: Duration) -> Duration {
        guard let text = value(name) else { return fallback }
        if let duration = DurationText.parse(text) { return duration }
        reader.report("`\(text)` is not a duration such as 30s", at: Self.prefix + name, line: nil)
        return fallback
    }

    func credential(_ name: String) -> ClientCredential? {
        switch (value(name + "_CLIENT_ID"), value(name + "_CLIENT_SECRET")) {
        case (let id?, let secret?): return ClientCredential(id: id, secret: Secret(secret))
        case (nil, nil): return nil
        case (nil, _): reader.report("is not set, but its secret is", at: Self.prefix + name + "_CLIENT_ID", line: nil)
        case (_, nil): reader.report("is not set, but its id is", at: Self.prefix + name + "_CLIENT_SECRET", line: nil)
        }
        return nil
    }

    /// `harbour-group` → `HARBOUR_GROUP`.
    static func name(of key: String) -> String {
        String(key.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }
}
