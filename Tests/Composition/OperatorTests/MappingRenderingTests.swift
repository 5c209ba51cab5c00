import Mapping
import Operator
import Settings
import Testing

@Suite("Showing the mapping in effect") struct MappingRenderingTests {
    private static let rich = ChartCheckTests.yaml
        .replacing(
            "    rules:\n",
            with: """
                    branding_theme: dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01
                    tracking_from: {register: Till}
                    combined_taxes: {"0.1+0.05": OUTPUTBOTH}
                    other_taxes: {OUTPUT2: 0.15}
                    levies: {"0.29": "826"}
                    account_methods: ["House \\"account\\"", Later]
                    leave_customers_unpaid: false
                    other_currencies: [NZD]
                    items: {sync: true, code: id, on_lines: true}
                    unmapped_products: "299"
                    posting:
                      mode: daily_summary
                      changes: [{from: 2026-12-01, mode: per_order}]
                      cut_off: "05:30"
                      close_on: takings
                      takings_within: 36h
                      group_by: [category, register]
                      attach_orders: true
                    rules:
                      - name: "odd: names # and {braces}"
                        for: order
                        when: {all: [{notes: {begins: "PO "}}, {not: {weekday: weekend}}]}
                        set: {reference: "{notes | first 20}", due_days: 30}

                """)

    /// Everything of `settings` that is shown of its mapping, read again.
    private func again(_ settings: Settings) throws -> Settings {
        let own = settings.organisations[0].renderedMapping(indent: "    ").joined(separator: "\n")
        let lines = Self.rich.split(separator: "\n", omittingEmptySubsequences: false)
        let start = try #require(lines.firstIndex { $0.hasPrefix("    tracking_category:") })
        let end = try #require(lines.firstIndex(of: "companies:"))
        let yaml = lines[...start].joined(separator: "\n") + "\n" + own + "\n" + lines[end...].joined(separator: "\n")
        return try ChartCheckTests.settings(yaml)
    }

    @Test("what is shown is YAML that is read as the same mapping: posting, rules, tables and all the rest")
    func roundTrip() throws {
        let settings = try ChartCheckTests.settings(Self.rich)
        let read = try again(settings)
        let (first, second) = (settings.organisations[0], read.organisations[0])
        #expect(first.renderedMapping(indent: "") == second.renderedMapping(indent: ""))
        #expect(first.posting == second.posting && first.posting.cutOffMinutes == 330 && first.posting.attachesOrders)
        #expect(first.rules.rules.map(\.name) == second.rules.rules.map(\.name) && second.rules.rules.count == 2)
        #expect(second.rules.unmapped == .account("299") && second.items == first.items)
        #expect(second.sales.combinedTaxTypes == first.sales.combinedTaxTypes)
        #expect(second.sales.levyAccounts == first.sales.levyAccounts && second.sales.otherCurrencies == ["NZD"])
        #expect(second.sales.accountMethods == ["house \"account\"", "later"])
        #expect(!second.sales.leavesCustomersUnpaid && second.trackingSources == [.register: "Till"])
        #expect(second.brandingTheme == first.brandingTheme)
        #expect(try again(read).organisations[0].ruleText == second.ruleText)
    }

    @Test("where nothing is set the defaults are shown")
    func defaults() throws {
        let lines = try ChartCheckTests.settings().organisations[0].renderedMapping(indent: "  ")
        for line in ["  posting:", "    mode: per_order", "    cut_off: \"04:00\"", "  unmapped_products: default"] {
            #expect(lines.contains(line), "\(lines)")
        }
        #expect(lines.contains { $0.contains("by_category") && $0.contains("lookup") })
    }
}
