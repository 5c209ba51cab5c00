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
        return String(text)
    }

    func required(_ name: String, _ meaning: String) -> String {
        if let value = value(name) { return value }
        reader.report("is not set: \(meaning)", at: Self.prefix + name, line: nil)
        return ""
    }

    func credential(_ name: String) -> ClientCredential? {
        guard let id = value(name + "_CLIENT_ID"), let secret = value(name + "_CLIENT_SECRET") else { return nil }
        return ClientCredential(id: id, secret: Secret(secret))
    }

    /// `harbour-group` → `HARBOUR_GROUP`.
    static func name(of key: String) -> String {
        String(key.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
    }
}
