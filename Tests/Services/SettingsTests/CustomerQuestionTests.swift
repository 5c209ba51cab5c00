import Domain
import Mapping
import Settings
import Testing

@Suite("What rules ask of customers") struct CustomerQuestionTests {
    private static let asking = [
        "when: {customer_tag: Staff}, set: {account: \"240\"}", "for: order, when: {customer_tag: Staff}, park: x",
        "for: payment, when: {customer_tag: {set: true}}, set: {account: \"240\"}",
        "when: {not: {any: [{weekday: weekend}, {all: [{customer_tag: Staff}]}]}}, set: {account: \"240\"}",
        "when: {customer_tag: Staff, venue: Harbour Bistro}, set: {account: \"240\"}",
        "when: {any: [{not: {venue: Harbour Bistro}}, {customer_tag: Staff}]}, set: {account: \"240\"}",
        "for: order, set: {reference: \"{customer_tag | first 9}\"}",
    ]
    private static let silent = [
        "when: {tag: Staff}, set: {account: \"240\"}", "when: {customer: Ana}, set: {account: \"240\"}",
        "when: {customer_tag: Staff, not: {venue: Harbour Bistro}}, set: {account: \"240\"}",
        "when: {customer_tag: Staff, not: {site: \"923\"}}, set: {account: \"240\"}",
        "when: {any: [{venue: Harbour Bistro}, {customer_tag: Staff}]}, set: {account: \"240\"}",
    ]

    private func question(_ rule: String) throws -> CustomerQuestion {
        try RulesExample.book("rules: [{\(rule)}]").question(at: "Harbour Bistro", SiteID("923"))
    }

    @Test("a rule asks for tags where its condition or what it sets looks at them, whatever it is for",
        arguments: asking)
    func asked(_ rule: String) throws {
        #expect(try question(rule) == CustomerQuestion(tags: true))
    }

    @Test("no rule, one that looks at something else, or one of another venue asks for nothing", arguments: silent)
    func notAsked(_ rule: String) throws {
        #expect(try !question(rule).isAsked)
        #expect(!RuleBook.empty.question(at: "Harbour Bistro", SiteID("923")).isAsked)
    }

    @Test("an e-mail address is asked for as well, and only of a customer whose order has none")
    func email() throws {
        let question = try question("when: {customer_email: {ends: .org}}, set: {account: \"240\"}")
        #expect(question == CustomerQuestion(email: true))
        var customer = Customer(id: "7", email: "a@b.org")
        #expect(!question.isOpen(for: customer))
        #expect(CustomerQuestion(tags: true).isOpen(for: customer))
        customer.email = nil
        #expect(question.isOpen(for: customer))
        customer.tags = ["Staff"]
        #expect(!CustomerQuestion(tags: true).isOpen(for: customer))
    }

    @Test("how long customers are believed and waited for has defaults and a bound")
    func settings() throws {
        let polling = try SettingsExample.load(SettingsExample.yaml).polling
        #expect(polling.customersMaxAge == .seconds(3600) && polling.customersWaitMax == .seconds(3600))
        let keys = "\npolling:\n  customers_max_age: 8d\n  customers_wait_max: 169h"
        let found = SettingsExample.problems(SettingsExample.yaml + keys)
        #expect(found.map(\.path) == ["polling.customers_max_age", "polling.customers_wait_max"])
        #expect(found.allSatisfy { $0.message == "must be at most 7d" })
        let good = keys.replacing("8d", with: "7d").replacing("169", with: "0")
        #expect(SettingsExample.problems(SettingsExample.yaml + good).isEmpty)
    }
}
