import Domain
import Settings

/// A small configuration that is in order, to be bent by the tests.
enum SettingsExample {
    static let yaml = """
        organisations:
          - key: harbour
            name: Harbour Hospitality
            currency: AUD
            timezone: Australia/Sydney
            accounts:
              sales: "230"
              tips: "825"
              rounding: "860"
            taxes:
              "0.1": OUTPUT
            payment_methods:
              Cash: "231"
            limits:
              calls_per_minute: 60
              calls_in_flight: 5
              calls_per_day: 5000
        companies:
          - key: harbour
            kounta_company: "162"
            organisation: harbour
            start_from: 2026-07-01
            calls_per_minute: 30
            venues:
              - site: "923"
                name: Harbour Bistro
                prefix: HBR
        """

    static let environment = [
        "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
        "TILLBRIDGE_DATABASE_URL": "postgresql://fleet@db/books",
    ]

    /// - Parameters:
    ///   - extra: variables besides the two addresses, which they may replace; an empty one counts as not set.
    ///   - files: what the readable files hold.
    ///   - zones: the time zones this machine knows.
    static func load(
        _ yaml: String = yaml, environment extra: [String: String] = [:], files: [String: String] = [:],
        zones: Set<String> = ["Australia/Sydney"], edits: [MappingEdit] = []
    ) throws(SettingsError) -> Settings {
        try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: yaml, environment: environment.merging(extra) { $1 },
                readFile: { files[$0] }, readTimeZone: { zones.contains($0) ? .utc : nil }, edits: edits))
    }

    /// What is wrong with a configuration; empty where nothing is.
    static func problems(
        _ yaml: String = yaml, environment extra: [String: String] = [:], files: [String: String] = [:]
    ) -> [SettingsProblem] {
        do throws(SettingsError) {
            _ = try load(yaml, environment: extra, files: files)
            return []
        } catch {
            return error.problems
        }
    }
}
