import Domain
import Mapping
import Money
import Settings
import Testing

@Suite("Defaults of organisations and venues") struct DefaultsTests {
    private let organisation = """
            posting: {mode: per_order, cut_off: "03:30", group_by: [register, category], attach_orders: true}
            branding_theme: 8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01
            tracking_from: {register: Till}
            fallback_clearing_account: "239"
        """

    private func yaml(_ organisation: String, venue: String = "") -> String {
        SettingsExample.yaml.replacing("    limits:", with: organisation + "\n    limits:")
            .replacing("    venues:", with: "    registers: {\"409\": Bar}\n    staff: {\"17\": Kim}\n    venues:")
            + "\n" + venue
    }

    private func books(_ organisation: String, venue: String = "") throws -> VenueBooks {
        let settings = try SettingsExample.load(yaml(organisation, venue: venue))
        return try #require(settings.books[VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))])
    }

    @Test("a venue has its organisation's defaults")
    func inherited() throws {
        let books = try books(organisation)
        #expect(books.accounts.sales == "230")
        #expect(books.accounts.giftCardLiability == nil)
        #expect(books.posting.initial == .perOrder)
        #expect(books.posting.cutOffMinutes == 210)
        #expect(books.posting.grouping == [.register, .category])
        #expect(books.posting.attachesOrders)
        #expect(books.brandingTheme == "8be9f0a2-5c1d-4f0e-9a53-0f6b7d3c1a01")
        #expect(books.trackingSources == [.register: "Till"])
        #expect(books.registers == ["409": "Bar"])
        #expect(books.staff == ["17": "Kim"])
        #expect(books.fallbackClearingAccount == "239")
    }

    @Test("what a venue says itself comes before its organisation's defaults, key by key")
    func overridden() throws {
        let books = try books(
            organisation,
            venue: """
                        accounts:
                          sales: "240"
                          gift_card_liability: "875"
                          discounts: "241"
                          surcharges: "242"
                          rounding: "861"
                          variance: "870"
                          deposits: "876"
                          outside_tax_type: NONE
                        taxes: {"0.15": OUTPUT2}
                        tracking_from: {register: Counter, order_type: Kind}
                        branding_theme: dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01
                        payment_methods: {Cash: "251", Voucher: "252"}
                        fallback_clearing_account: "259"
                        payment_term_days: 14
                        posting:
                          changes:
                            - {from: 2026-12-01, mode: daily_summary}
                            - {from: 2026-11-01, mode: per_order}
                          close_on: takings
                          takings_within: 36h
                          takings_quiet: 90m
                """)
        #expect(books.accounts.sales == "240")
        #expect(books.accounts.tips == "825")
        #expect(books.accounts.giftCardLiability == "875")
        let accounts = books.accounts
        #expect([accounts.discounts, accounts.surcharges, accounts.variance, accounts.deposits]
            == ["241", "242", "870", "876"])
        #expect(accounts.rounding == "861" && accounts.outsideTaxType == "NONE")
        #expect(books.taxTypes == [ExactDecimal("0.1")!: "OUTPUT", ExactDecimal("0.15")!: "OUTPUT2"])
        #expect(books.trackingSources == [.register: "Counter", .orderType: "Kind"])
        #expect(books.brandingTheme == "dd8bf9e4-41f6-4b5c-8a2b-0f6b7d3c1a01")
        #expect(books.clearingAccounts == ["cash": "251", "voucher": "252"])
        #expect(books.fallbackClearingAccount == "259")
        #expect(books.paymentTermDays == 14)
        #expect(books.posting.cutOffMinutes == 210)
        #expect(books.posting.closing == .takings && books.posting.takingsWithin == .seconds(36 * 3600))
        #expect(books.posting.takingsQuiet == .seconds(90 * 60))
        #expect(books.posting.periods.map(\.from.month) == [11, 12])
        #expect(books.posting.mode(on: CalendarDate(year: 2026, month: 12, day: 1)) == .dailySummary)
    }

    @Test("where nothing is said a trading day ends at 04:00 and each order is an invoice")
    func nothingSaid() throws {
        let books = try books("")
        #expect(books.posting == PostingPlan())
        #expect(books.posting.cutOffMinutes == 240 && books.posting.takingsQuiet == .seconds(3 * 3600))
        #expect(books.rules.isEmpty)
    }

    @Test(
        "a default that makes no sense is told",
        arguments: [
            ("    posting: {mode: per_ordr}", "did you mean `per_order`?"),
            ("    posting: {cut_off: \"13:00\"}", "is not a time such as 04:00"),
            ("    posting: {cut_off: \"4\"}", "is not a time such as 04:00"),
            ("    posting: {takings_within: 59m}", "is not a duration from 1h to 30d"),
            ("    posting: {takings_within: 31d}", "is not a duration from 1h to 30d"),
            ("    posting: {takings_quiet: 13h}", "is not a duration up to 12h"),
            ("    posting: {changes: [{mode: per_order}]}", "the first day of the mode"),
            ("    posting: {changes: [{from: 2026-12-01}]}", "per_order or daily_summary"),
            (
                "    posting: {changes: [{from: 2026-12-01, mode: per_order}, "
                    + "{from: 2026-12-01, mode: daily_summary}]}", "is there twice"
            ),
            ("    posting: {group_by: [categry]}", "did you mean `category`?"),
            ("    posting: {attach_orders: yes please}", "is not true or false"),
            ("    tracking_from: {regster: Till}", "did you mean `register`?"),
            ("    tracking_from: {register: A, staff: B, order_type: C}", "at most 2 categories"),
            ("    tracking_from: {register: A, staff: A}", "one thing only"),
            ("    branding_theme: nice", "is not an id of Xero's"),
            ("    items: {sync: true, code: skus}", "did you mean `sku`?"),
            ("    fallback_clearing_account: \"12345678901\"", "longer than the 10 characters"),
        ])
    func nonsense(organisation: String, message: String) {
        let found = SettingsExample.problems(yaml(organisation))
        #expect(found.contains { $0.message.contains(message) }, "\(found)")
    }

    @Test("everything that the chart must have is noted with its place")
    func references() throws {
        let rules = """
                rules:
                  - name: wine
                    when: {product: Wine}
                    set: {account: "231", tracking: {Till: Bar}}
                  - name: cash
                    for: payment
                    set: {account: "251"}
            """
        let named = organisation + "\n    tracking_category: Venue\n" + rules
        let settings = try SettingsExample.load(yaml(named, venue: "        tracking: Bistro"))
        let references = settings.organisations[0].references
        func line(_ target: ChartReference.Target) -> Int? { references.first { $0.target == target }?.line }
        #expect(line(.account("230", .ofGoods)) == 7)
        #expect(line(.account("825", .outside)) == 8)
        #expect(line(.goodsTax(rate: ExactDecimal("0.1")!, type: "OUTPUT")) == 11)
        #expect(line(.clearingAccount("231")) == 13)
        #expect(line(.clearingAccount("251")) == 25)
        #expect(line(.account("231", .ofGoods)) == 22)
        #expect(line(.trackingOption(category: "Till", option: "Bar")) == 22)
        #expect(references.contains { $0.target == .trackingOption(category: "Venue", option: "Bistro") })
        #expect(references.contains { $0.target == .trackingCategory("Till") })
        // Registers are options of `tracking_from`'s category, staff are not.
        #expect(references.contains { $0.target == .trackingOption(category: "Till", option: "Bar") && $0.line != 22 })
        #expect(!references.contains { if case .trackingOption(_, "Kim") = $0.target { true } else { false } })
    }
}
