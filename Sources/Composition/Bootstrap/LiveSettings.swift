import Credentials
import Domain
import FoundationEssentials
import Glibc
import Settings

/// Loads the settings from the file system and the environment: the only place where either is read.
enum LiveSettings {
    static func load(path: String?, for worker: Worker?) throws -> Settings {
        try loadWithFile(path: path, for: worker).settings
    }

    /// The settings with the bytes they were read from.
    static func loadWithFile(path: String?, for worker: Worker?) throws -> (settings: Settings, file: [UInt8]) {
        guard let path = self.path(path) else {
            throw StartError("no configuration file is named: pass --config FILE or set TILLBRIDGE_CONFIG")
        }
        guard let yaml = read(path) else { throw StartError("the configuration file \(path) cannot be read") }
        return (try load(file: yaml, named: path, for: worker), yaml)
    }

    /// A configuration whose bytes are at hand, with today's environment.
    ///
    /// - Parameter edits: what people set of the mapping over it.
    static func load(
        file yaml: [UInt8], named name: String, for worker: Worker? = nil, edits: [MappingEdit] = []
    ) throws -> Settings {
        let sources = Settings.Sources(
            file: name, yaml: String(decoding: yaml, as: UTF8.self),
            environment: ProcessInfo.processInfo.environment,
            readFile: { read($0).map { String(decoding: $0, as: UTF8.self) } }, readTimeZone: timeZone, edits: edits)
        do throws(SettingsError) {
            let settings = try Settings(loading: sources)
            try requireCredentials(settings, worker)
            return settings
        } catch {
            let count = error.problems.count
            throw StartError("the configuration has \(count) problem\(count == 1 ? "" : "s"):\n\(error)")
        }
    }

    /// The file that is meant: the option's, else the environment's.
    static func path(_ option: String?) -> String? {
        option ?? ProcessInfo.processInfo.environment["TILLBRIDGE_CONFIG"]
    }

    /// What a worker needs to be let in at all. Whether somebody has connected it is not asked here: it may wait.
    private static func requireCredentials(_ settings: Settings, _ worker: Worker?) throws(SettingsError) {
        var problems: [SettingsProblem] = []
        func missing(_ service: String, _ key: String, hasApp: Bool) {
            if hasApp, settings.apps.keys != nil { return }
            let name = "TILLBRIDGE_\(service)_" + String(key.uppercased().map { $0.isLetter || $0.isNumber ? $0 : "_" })
            let other = "TILLBRIDGE_\(service)_CLIENT_ID and TILLBRIDGE_KEY, with `tillbridge connect "
                + "\(service.lowercased())`"
            problems.append(
                SettingsProblem(
                    file: "environment", line: nil, path: "\(name)_CLIENT_ID and \(name)_CLIENT_SECRET",
                    message: "are not set (each may also be a file, named by …_FILE); or set \(other)"))
        }
        if worker?.speaksKounta == true {
            for company in settings.companies where company.credential == nil {
                missing("KOUNTA", company.key.text, hasApp: settings.apps.kounta != nil)
            }
        }
        if worker?.speaksXero == true {
            for organisation in settings.organisations where organisation.credential == nil {
                missing("XERO", organisation.key.text, hasApp: settings.apps.xero != nil)
                guard settings.apps.xero != nil, organisation.tenant == nil else { continue }
                problems.append(
                    SettingsProblem(
                        file: "configuration", line: nil, path: "organisations (\(organisation.key)): tenant",
                        message: "is missing: without a custom connection of its own, the tenant says which it is"))
            }
        }
        if let keys = settings.apps.keys {
            do { _ = try keyRing(keys) } catch {
                problems.append(
                    SettingsProblem(file: "environment", line: nil, path: "TILLBRIDGE_KEY", message: "\(error)"))
            }
        }
        if !problems.isEmpty { throw SettingsError(problems: problems) }
    }

    static func keyRing(_ text: Secret) throws(KeyRingError) -> KeyRing { try KeyRing(parsing: text) }

    private static func timeZone(_ name: String) -> TimeZoneRules? {
        // A name is a path below zoneinfo: nothing of it may lead elsewhere.
        guard !name.isEmpty, !name.hasPrefix("/"), !name.contains("..") else { return nil }
        return read("/usr/share/zoneinfo/\(name)").flatMap { TimeZoneRules(zoneinfo: $0) }
    }

    static func read(_ path: String) -> [UInt8]? {
        guard let file = fopen(path, "rb") else { return nil }
        defer { fclose(file) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            let count = fread(&chunk, 1, chunk.count, file)
            guard count > 0 else { return ferror(file) == 0 ? bytes : nil }
            bytes += chunk[..<count]
            // A configuration or a secret; not a disk image.
            guard bytes.count <= 16 << 20 else { return nil }
        }
    }
}

/// Why a process cannot start, in words for the person who starts it.
package struct StartError: Error, Sendable, CustomStringConvertible {
    package let description: String
    package init(_ description: String) { self.description = description }
}
