import Domain
import Operator
import Settings
import Testing
import Xero

@Suite("Checking the mapping against the chart") struct ChartCheckTests {
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
              gift_card_liability: "875"
            taxes:
              "0.1": OUTPUT
              "0": EXEMPTOUTPUT
            payment_methods:
              Cash: "231"
              Card: "232"
            tracking_category: Venue
            tables:
              by_category: {Coffee: "200", Wine: "205"}
            rules:
              - name: by category
                set:
                  account: "{category | lookup by_category}"
                  tracking: {Venue: Pier}
        companies:
          - key: harbour
            kounta_company: "162"
            organisation: harbour
            start_from: 2026-07-01
            staff: {"17": Kim}
            venues:
              - site: "923"
                name: Harbour Bistro
                prefix: HBR
                tracking: Harbour Bistro
        """

    static func settings(_ yaml: String = yaml) throws -> Settings {
        try Settings(
            loading: Settings.Sources(
                file: "fleet.yaml", yaml: yaml,
                environment: [
                    "TILLBRIDGE_RABBITMQ_URL": "amqp://fleet:hush@broker/",
                    "TILLBRIDGE_DATABASE_URL": "postgresql://fleet@db/books",
                ], readFile: { _ in nil }, readTimeZone: { _ in .utc }))
    }

    private func problems(_ yaml: String, _ client: XeroClient) async throws -> [String] {
        let settings = try Self.settings(yaml)
        let chart = try await client.chart(withCurrencies: true).value()
        return ChartCheck(settings.organisations[0], chart: chart, file: "fleet.yaml").problems().map(\.description)
    }

    @Test("a configuration that fits the chart has no problem")
    func allIsWell() async throws {
        try await SimulatedLedger.with { client, _, _ in
            let found = try await problems(Self.yaml, client)
            #expect(found == [])
        }
    }

    @Test(
        "each kind of mistake is told with its line and the nearest valid value",
        arguments: [
            ("sales: \"230\"", "sales: \"237\"", "fleet.yaml:7: organisations[0].accounts.sales: "
                + "Xero has no account 237, did you mean `230` (Point of Sale Takings)?"),
            ("sales: \"230\"", "sales: \"404\"", "fleet.yaml:7: organisations[0].accounts.sales: "
                + "the tax type OUTPUT cannot be used with account 404 (Bank Fees, class EXPENSE): it has INPUT"),
            ("sales: \"230\"", "sales: \"090\"", "fleet.yaml:7: organisations[0].accounts.sales: "
                + "account 090 (Business Bank Account) is a bank account: no line can carry it"),
            ("tips: \"825\"", "tips: \"610\"", "fleet.yaml:8: organisations[0].accounts.tips: "
                + "account 610 (Accounts Receivable) is Xero's own DEBTORS account: no line can carry it"),
            ("\"0.1\": OUTPUT", "\"0.1\": OUTPT", "fleet.yaml:12: organisations[0].taxes.0.1: "
                + "Xero has no tax type OUTPT, did you mean `OUTPUT`?"),
            ("\"0.1\": OUTPUT", "\"0.15\": OUTPUT", "fleet.yaml:12: organisations[0].taxes.0.15: "
                + "Xero's OUTPUT (GST on Income) is a rate of 0.1, not 0.15"),
            ("Cash: \"231\"", "Cash: \"200\"", "fleet.yaml:15: organisations[0].payment_methods.Cash: account 200 "
                + "(Sales) does not allow payments: switch on \"enable payments to this account\" "
                + "or name another"),
            ("currency: AUD", "currency: AUD\n    other_currencies: [NZD]", "fleet.yaml:5: "
                + "organisations[0].other_currencies: Harbour Hospitality has not switched NZD on: "
                + "add the currency in Xero: it has AUD"),
            ("organisation: harbour\n", "organisation: harbour\n    currency: NZD\n", "fleet.yaml:29: "
                + "companies[0].currency: Harbour Hospitality has not switched NZD on"),
            ("tracking_category: Venue", "tracking_from: {staff: Venue}", "fleet.yaml:30: companies[0].staff.17: "
                + "the tracking category Venue has no option Kim"),
            ("tracking_category: Venue", "tracking_category: Venues",
                "fleet.yaml:17: organisations[0].tracking_category: "
                + "Xero has no tracking category Venues, did you mean `Venue`?"),
            ("Wine: \"205\"", "Wine: \"206\"", "fleet.yaml:23: organisations[0].rules[0].set.account: "
                + "Xero has no account 206, did you mean `200` (Sales)?"),
            ("{Venue: Pier}", "{Venue: Peir}", "fleet.yaml:24: organisations[0].rules[0].set.tracking.Venue: "
                + "the tracking category Venue has no option Peir, did you mean `Pier`?"),
            ("tracking: Harbour Bistro", "tracking: Harbor Bistro", "fleet.yaml:35: companies[0].venues[0].tracking: "
                + "the tracking category Venue has no option Harbor Bistro, did you mean `Harbour Bistro`?"),
            ("currency: AUD", "currency: NZD", "fleet.yaml:4: organisations[0].currency: "
                + "Harbour Hospitality keeps its books in AUD, not NZD"),
            ("tracking_category: Venue", "branding_theme: 8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01",
                "fleet.yaml:17: organisations[0].branding_theme: "
                + "Xero has no branding theme 8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01"),
        ])
    func mistakes(old: String, new: String, expected: String) async throws {
        try await SimulatedLedger.with { client, _, _ in
            let found = try await problems(Self.yaml.replacing(old, with: new), client)
            #expect(found.contains { $0.hasPrefix(expected) }, "\(found)")
        }
    }

    @Test("every mistake is told at once, in the file's order")
    func allAtOnce() async throws {
        let yaml = Self.yaml.replacing("\"230\"", with: "\"1\"").replacing("OUTPUT", with: "OTHER")
            .replacing("\"232\"", with: "\"200\"").replacing("{Venue: Pier}", with: "{Venue: Moon}")
        try await SimulatedLedger.with { client, _, _ in
            let found = try await problems(yaml, client)
            let lines = found.compactMap { $0.split(separator: ":").dropFirst().first.flatMap { Int($0) } }
            #expect(Set(lines).isSuperset(of: [7, 12, 16, 24]), "\(found)")
            #expect(lines == lines.sorted())
        }
    }

    @Test("what is archived in Xero is told")
    func archived() async throws {
        try await SimulatedLedger.with { client, http, port in
            try await SimulatedLedger.change(
                http, port, #""archiveAccounts":["230","231"],"archiveVenues":["Harbour Bistro"]"#)
            let found = try await problems(Self.yaml, client)
            #expect(found.count == 3, "\(found)")
            #expect(found.filter { $0.contains("is archived") }.count == 3)
            #expect(found.contains { $0.contains("account 230 (") && $0.contains(", such as `2") }, "\(found)")
            let option = found.first { $0.contains("option Harbour Bistro") }
            #expect(option?.hasSuffix("is archived in Xero: it has Pier") == true, "\(found)")
        }
    }

    @Test("the report ends with 0, 1 or 2, and says as JSON what it says in words")
    func report() {
        let problem = SettingsProblem(file: "fleet.yaml", line: 7, path: "a.b", message: "is \"wrong\"")
        let good = CheckReport.Organisation(key: .init("harbour"))
        let bad = CheckReport.Organisation(key: .init("lakeside"), problems: [problem])
        let silent = CheckReport.Organisation(key: .init("hills"), failure: "it is offline")
        #expect(CheckReport(organisations: [good]).exitCode == 0)
        #expect(CheckReport(organisations: [good, silent]).exitCode == 2)
        #expect(CheckReport(organisations: [silent, bad]).exitCode == 1)
        #expect(
            CheckReport(organisations: [good, bad, silent]).lines() == [
                "organisation harbour: everything it names is in the chart", "fleet.yaml:7: a.b: is \"wrong\"",
                "organisation lakeside: 1 problem", "organisation hills: not checked: it is offline",
            ])
        #expect(
            String(decoding: CheckReport(organisations: [bad]).json(), as: UTF8.self)
                == #"{"organisations":[{"organisation":"lakeside","problems":[{"file":"fleet.yaml","line":7,"#
                + #""path":"a.b","message":"is \"wrong\""}]}]}"#)
    }
}
