import Settings
import Testing

@Suite("What is wrong with the settings") struct ProblemTests {
    /// The problems at one path of a bent example.
    private func problems(_ old: String, _ new: String, at path: String) -> [SettingsProblem] {
        SettingsExample.problems(SettingsExample.yaml.replacing(old, with: new)).filter { $0.path == path }
    }

    @Test("every problem is told at once, each with its line")
    func allAtOnce() {
        let yaml = SettingsExample.yaml
            .replacing("key: harbour\n    name", with: "key: Harbour Group\n    name")
            .replacing("AUD", with: "DKK").replacing("Australia/Sydney", with: "Mars/Olympus")
            .replacing("\"860\"", with: "\"12345678901\"").replacing("2026-07-01", with: "2026-02-30")
            .replacing("prefix: HBR", with: "prefix: H-1")
        let found = SettingsExample.problems(yaml, environment: ["TILLBRIDGE_RABBITMQ_URL": ""])
        let lines = Dictionary(found.map { ($0.path, $0.line) }) { first, _ in first }
        #expect(lines["organisations[0].key"] == 2)
        #expect(lines["organisations[0].currency"] == 4)
        #expect(lines["organisations[0].timezone"] == 5)
        #expect(lines["organisations[0].accounts.rounding"] == 9)
        #expect(lines["companies[0].organisation"] == 21)
        #expect(lines["companies[0].start_from"] == 22)
        #expect(lines["companies[0].venues[0].prefix"] == 27)
        #expect(lines.keys.contains("TILLBRIDGE_RABBITMQ_URL"))
        let text = SettingsError(problems: found).description
        #expect(text.contains("fleet.yaml:4: organisations[0].currency: `DKK` is not"))
        #expect(text.contains("TILLBRIDGE_RABBITMQ_URL: is not set: the broker's address"))
    }

    @Test("an unknown key is an error and hints at the nearest known one")
    func unknownKeys() throws {
        let typo = try #require(problems("accounts:", "acounts:", at: "organisations[0].acounts").first)
        #expect(typo.message == "this key is not known, did you mean `accounts`?")
        #expect(typo.line == 6)
        let yaml = SettingsExample.yaml + "\nzzzzzzzzzz: 1\ncompanis: 2"
        let found = SettingsExample.problems(yaml)
        #expect(found.map(\.path) == ["zzzzzzzzzz", "companis"])
        #expect(found.first?.message == "this key is not known")
        #expect(found.last?.message.contains("did you mean `companies`?") == true)
    }

    @Test("messages may not be in a writer's hand for so long that the broker would take them back")
    func handMax() {
        let found = SettingsExample.problems(SettingsExample.yaml + "\nwriting:\n  hand_max: 20m")
        #expect(found.map(\.path) == ["writing.hand_max"])
        #expect(found.first?.message.hasPrefix("must be at most 10m") == true)
        #expect(SettingsExample.problems(SettingsExample.yaml + "\nwriting:\n  hand_max: 10m").isEmpty)
    }

    @Test("a reference to no organisation hints at the nearest one")
    func unknownOrganisation() throws {
        let problem = try #require(
            problems("organisation: harbour", "organisation: harbor", at: "companies[0].organisation").first)
        #expect(problem.message == "no organisation has the key `harbor`, did you mean `harbour`?")
    }

    @Test("two venues of one organisation may not begin their numbers alike, whatever the case")
    func duplicatePrefixes() {
        let venue = "\n      - site: \"985\"\n        name: Pier\n        prefix: hbr"
        let found = SettingsExample.problems(SettingsExample.yaml + venue)
        #expect(found.map(\.message) == ["two venues of organisation `harbour` share the number prefix HBR"])
    }

    @Test("keys and sites may not be there twice")
    func duplicateKeys() {
        let again = """

              - site: "923"
                name: The same
                prefix: SAME
          - key: harbour
            kounta_company: "163"
            organisation: harbour
            start_from: 2026-07-01
            venues:
              - site: "1"
                name: Another
                prefix: OTHER
        """
        let found = SettingsExample.problems(SettingsExample.yaml + again)
        #expect(Set(found.map(\.message)) == ["`harbour` is there twice", "`harbour` lists site 923 twice"])
    }

    @Test("one rate written in two ways is one rate, and may not have two tax types")
    func duplicateRates() throws {
        let found = problems("\"0.1\": OUTPUT", "\"0.1\": OUTPUT\n      \"0.10\": OTHER", at: "organisations[0].taxes")
        #expect(found.map(\.message) == ["the rate 0.10 is there twice"])
    }

    @Test(
        "a value out of its bounds is told, not bent",
        arguments: [
            ("calls_in_flight: 5", "calls_in_flight: -1", "organisations[0].limits.calls_in_flight"),
            ("calls_per_minute: 30", "calls_per_minute: many", "companies[0].calls_per_minute"),
            ("\"0.1\": OUTPUT", "\"10\": OUTPUT", "organisations[0].taxes"),
            ("prefix: HBR", "prefix: HBR\n        contact_name: <b>", "companies[0].venues[0].contact_name"),
            ("currency: AUD", "currency: AUD\n    rounding_max: \"1.01\"", "organisations[0].rounding_max"),
        ])
    func bounds(old: String, new: String, path: String) {
        #expect(!problems(old, new, at: path).isEmpty)
    }

    @Test("a single value where a section belongs, and the other way round, are told")
    func wrongShapes() {
        #expect(
            SettingsExample.problems(SettingsExample.yaml + "\npolling: fast").map(\.message)
                == ["must hold keys and values"])
        #expect(problems("name: Harbour Bistro", "name: [a, b]", at: "companies[0].venues[0].name").count == 2)
        let found = SettingsExample.problems("organisations: none\ncompanies: []")
        #expect(found.contains { $0.path == "organisations" && $0.message == "must be a list" })
    }

    @Test(
        "a variable that makes no sense is told by its name, not passed over",
        arguments: [
            ("TILLBRIDGE_GRACE_PERIOD", "soon"), ("TILLBRIDGE_DATABASE_SCHEMA", "a;b"),
            ("TILLBRIDGE_QUEUE_PREFIX", "a.b"),
        ])
    func badVariables(name: String, value: String) {
        #expect(SettingsExample.problems(environment: [name: value]).map(\.path) == [name])
    }

    @Test("broken YAML is told with its line")
    func brokenYAML() throws {
        let found = SettingsExample.problems("organisations:\n  - key: [harbour\n    name: x\n")
        try #require(found.count == 1)
        #expect(found[0].message.hasPrefix("is not valid YAML"))
        #expect(found[0].message.contains("3"))
    }

    @Test(
        "a file that holds nothing is told",
        arguments: ["", "\n\n", "# only a comment\n", "just words", "- a\n- b\n"])
    func emptyFile(yaml: String) {
        #expect(SettingsExample.problems(yaml).map(\.description) == ["fleet.yaml: is empty or holds no keys"])
    }
}
