import Domain
import Foundation
import Settings
import Testing

/// The example configuration with what these tests say of the environment.
enum ExampleFleet {
    static let databaseURL = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    static let absence: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set: no PostgreSQL to test against"

    /// The top of the checkout.
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static let file = root.appendingPathComponent("config/example.yaml").path

    /// - Parameter environment: variables with their prefix, in place of those that every worker needs.
    static func settings(
        _ yaml: String? = nil, environment: [String: String] = [:]
    ) throws -> Settings {
        let needed = [
            "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
            "TILLBRIDGE_DATABASE_URL": "postgresql://fleet:hush@db/books",
        ]
        return try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: try yaml ?? String(contentsOfFile: file, encoding: .utf8),
                environment: needed.merging(environment) { $1 },
                readFile: { try? String(contentsOfFile: $0, encoding: .utf8) },
                readTimeZone: { name in
                    FileManager.default.contents(atPath: "/usr/share/zoneinfo/\(name)")
                        .flatMap { TimeZoneRules(zoneinfo: [UInt8]($0)) }
                }))
    }
}
