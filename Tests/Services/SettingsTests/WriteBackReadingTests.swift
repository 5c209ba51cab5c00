import Domain
import Foundation
import Mapping
import Settings
import Testing

@Suite("Reading rules that write back") struct WriteBackReadingTests {
    private let contact = ContactFacts(id: "5d4c", number: "162003")

    private func rules(_ yaml: String) throws -> WriteBackRules {
        try SettingsExample.load(RulesExample.yaml(yaml)).organisations[0].writeBack
    }

    /// The example under the README's heading, as an operator would copy it.
    private static func readmeExample() throws -> String {
        var root = URL(filePath: #filePath)
        for _ in 0..<4 { root.deleteLastPathComponent() }
        let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
        let section = try #require(readme.components(separatedBy: "### Back into the till").last)
        let blocks = section.components(separatedBy: "```yaml\n")
        return try #require(blocks.dropFirst().first?.components(separatedBy: "\n```").first)
    }

    @Test("nothing is written where nobody says so")
    func off() throws {
        #expect(try SettingsExample.load().organisations[0].writeBack.isEmpty)
        #expect(try SettingsExample.load().organisations[0].writeBackText.isEmpty)
    }

    @Test("the README's example is in order, and says what it seems to say")
    func readme() throws {
        let rules = try rules(try Self.readmeExample())
        let customer = TillCustomer(id: "162003", firstName: "Ana")
        #expect(rules.decision(for: customer, contact: contact, ours: []) == .write("5d4c"))
        let staff = TillCustomer(id: "162003", firstName: "Ana", tags: ["staff"])
        #expect(rules.decision(for: staff, contact: contact, ours: []) == .unruled)
        let day = CalendarDate(year: 2026, month: 11, day: 20)
        #expect(rules.marksTakings(of: "Harbour Bistro", site: SiteID("923"), on: day))
        #expect(!rules.marksTakings(of: "Another", site: SiteID("1"), on: day))
        #expect(rules.customers.map(\.overwrites) == [false])
    }

    @Test("templates, transforms, tables and overwrite are read")
    func whole() throws {
        let rules = try rules(
            """
            tables:
              codes: {Gold: "1"}
            write_back:
              - when: {customer_tag: Gold, customer_email: {ends: .com}}
                set: {reference_id: "{customer_tag | lookup codes}/{contact_number}"}
                overwrite: true
              - for: takings
                when: {weekday: [mon, weekend], site: "923"}
                set: {processed: true}
            """)
        let gold = TillCustomer(id: "1", email: "a@b.com", tags: ["Gold"], reference: "other")
        #expect(rules.decision(for: gold, contact: contact, ours: []) == .write("1/162003"))
        #expect(rules.marksTakings(of: "x", site: SiteID("923"), on: CalendarDate(year: 2026, month: 11, day: 22)))
        #expect(!rules.marksTakings(of: "x", site: SiteID("923"), on: CalendarDate(year: 2026, month: 11, day: 20)))
    }

    @Test("each mistake is named, with the nearest word where there is one", arguments: [
        ("write_back: yes", "must be a list"),
        ("write_bak: []", "did you mean `write_back`?"),
        ("write_back: [{for: custmer, set: {reference_id: a}}]", "did you mean `customer`?"),
        ("write_back: [{for: order, set: {reference_id: a}}]", "none of customer, takings"),
        ("write_back: [{set: {referenceid: a}}]", "did you mean `reference_id`?"),
        ("write_back: [{set: {reference_id: a}, overwrit: true}]", "did you mean `overwrite`?"),
        ("write_back: [{set: {reference_id: a}, overwrite: perhaps}]", "not true or false"),
        ("write_back: [{set: {reference_id: \"{contactid}\"}}]", "did you mean `contact_id`?"),
        ("write_back: [{set: {reference_id: \"{register}\"}}]", "is no field to show here"),
        ("write_back: [{set: {reference_id: \"{contact_id | uper}\"}}]", "did you mean `upper`?"),
        ("write_back: [{set: {reference_id: \"{customer_tag | lookup x}\"}}]", "there is no table `x`"),
        ("write_back: [{when: {customer_tg: a}, set: {reference_id: a}}]", "did you mean `customer_tag`?"),
        ("write_back: [{when: {amount: 3}, set: {reference_id: a}}]", "is no field to ask for here"),
        ("write_back: [{when: {venue: Harbour Bistro}, set: {reference_id: a}}]", "is no field to ask for here"),
        ("write_back: [{set: {}}]", "is missing"),
        ("write_back: [{name: x}]", "is missing"),
        ("write_back: [{for: takings}]", "is missing"),
        ("write_back: [{for: takings, set: {processed: false}}]", "the only thing"),
        ("write_back: [{for: takings, set: {procesed: true}}]", "did you mean `processed`?"),
        ("write_back: [{for: takings, set: {processed: true}, overwrite: true}]", "this key is not known"),
        ("write_back: [{for: takings, when: {venue: Harbor}, set: {processed: true}}]", "has no venue `Harbor`"),
        ("write_back: [{for: takings, when: {customer_tag: a}, set: {processed: true}}]", "is no field to ask for"),
        ("write_back: [{set: {reference_id: a}}, {set: {reference_id: b}}]", "is never reached"),
        ("write_back: [{set: {reference_id: \(String(repeating: "x", count: 101))}}]", "longer than 100"),
        ("write_back: [{set: {reference_id: \(String(repeating: "x", count: 201))}}]", "longer than 200"),
    ])
    func mistakes(yaml: String, message: String) {
        let problems = RulesExample.problems(yaml)
        #expect(problems.contains { $0.message.contains(message) }, "\(problems)")
        #expect(problems.allSatisfy { $0.line != nil && $0.path.hasPrefix("organisations[0]") })
    }

    @Test("more rules than anybody writes by hand are refused")
    func bound() {
        let lines = (0..<101).map { "  - {when: {customer: \"c\($0)\"}, set: {reference_id: a}}" }
        let problems = RulesExample.problems("write_back:\n" + lines.joined(separator: "\n"))
        #expect(problems.map(\.message) == ["holds 101 rules, more than 100"])
    }

    @Test("an ordinary rule knows neither the contact's id nor fewer fields than before")
    func others() {
        let rule = "rules: [{for: order, set: {reference: \"{contact_id}\"}}]"
        #expect(RulesExample.problems(rule).contains { $0.message.contains("`{contact_id}` is no field") })
        #expect(RulesExample.problems("rules: [{when: {register: Bar}, set: {account: \"230\"}}]").isEmpty)
    }

    @Test("what was read can be written and read again, and other rules have another text")
    func text() throws {
        let yaml = "write_back: [{name: a, set: {reference_id: \"{contact_id}\"}}]"
        let first = try SettingsExample.load(RulesExample.yaml(yaml)).organisations[0]
        let second = try SettingsExample.load(
            RulesExample.yaml("rules: [{set: {account: \"230\"}}]\n" + yaml)).organisations[0]
        #expect(first.writeBackText == second.writeBackText && !first.writeBackText.isEmpty)
        let third = try SettingsExample.load(RulesExample.yaml(yaml.replacing("_id}", with: "_number}")))
        #expect(third.organisations[0].writeBackText != first.writeBackText)
        #expect(first.ruleText.contains("write_back"))
    }
}
