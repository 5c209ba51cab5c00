import Bootstrap
import Foundation
import Settings
import Testing

@Suite("The effective configuration, printed", .timeLimit(.minutes(1))) struct RenderingTests {
    /// Where in the file something stands is not what is in effect.
    private static func parts(_ settings: Settings) -> [String] {
        Canonical.lines(settings, besides: ["references", "ruleText", "writeBackText"])
    }

    private static func expectSame(_ yaml: String?, _ environment: [String: String]) throws {
        let settings = try ExampleFleet.settings(yaml, environment: environment)
        let shown = settings.rendered()
        let again = try ExampleFleet.settings(shown, environment: environment)
        let (first, second) = (parts(settings), parts(again))
        #expect(first.count > 200, "taken apart into too little to compare")
        for line in first where !second.contains(line) { Issue.record("lost: \(line)") }
        for line in second where !first.contains(line) { Issue.record("made up: \(line)") }
        #expect(again.rendered() == shown)
        #expect(!shown.contains("hush"), "a secret is shown")
    }

    @Test("read again, the example's is the same configuration")
    func example() throws { try Self.expectSame(nil, [:]) }

    @Test("read again, one with every key there is is the same configuration")
    func full() throws { try Self.expectSame(FullConfiguration.yaml, FullConfiguration.environment) }

    @Test("limits that simulators lift are shown as they are stated", arguments: [0, 7])
    func multiples(multiple: Int) throws {
        let yaml = FullConfiguration.yaml.replacing("limits_multiple: 25", with: "limits_multiple: \(multiple)")
        try Self.expectSame(yaml, FullConfiguration.environment)
        let shown = try ExampleFleet.settings(yaml, environment: FullConfiguration.environment).rendered()
        #expect(shown.contains("calls_per_minute: 33  # \(33 * multiple) in effect"))
        #expect(shown.contains("limits_multiple: \(multiple)"))
    }

    @Test("a setting of the environment wins, and is what is shown")
    func environment() throws {
        let shown = try ExampleFleet.settings(environment: ["TILLBRIDGE_POLLING_INTERVAL": "17s"]).rendered()
        #expect(shown.contains("\n  interval: 17s\n"))
    }

    @Test("a worker asked to check its configuration prints it, masks what is secret, and ends")
    func worker() async throws {
        let environment = FullConfiguration.environment.merging([
            "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@127.0.0.1:1/",
            "TILLBRIDGE_DATABASE_URL": "postgresql://fleet:hush@127.0.0.1:1/books",
        ]) { $1 }
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("tb-\(UUID().uuidString).yaml")
        try FullConfiguration.yaml.write(to: file, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(at: file) }
        for name in ["poller", "mapper", "writer", "dead-letter-handler"] {
            let ended = try await Program.run(
                name, ["--check-config", "--config", file.path], environment: environment)
            #expect(ended.status == 0, "\(name): \(ended.errors)")
            let expected = try ExampleFleet.settings(FullConfiguration.yaml, environment: environment).rendered()
            #expect(ended.output == expected + "\n")
            #expect(!(ended.output + ended.errors).contains("hush"))
        }
        let broken = try await Program.run(
            "mapper", ["--check-config", "--config", ExampleFleet.root.appendingPathComponent("README.md").path],
            environment: environment)
        #expect(broken.status != 0 && broken.output.isEmpty)
    }
}
