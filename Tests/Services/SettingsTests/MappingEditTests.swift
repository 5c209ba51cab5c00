import Domain
import Mapping
import Money
import Settings
import Testing

/// Values of the mapping that people set over the file: what they are called, and what becomes of the configuration.
@Suite("Edits of the mapping") struct MappingEditTests {
    private static let harbour = MappingScope.organisation(OrganisationKey("harbour"))
    private static let bistroKey = VenueKey(company: CompanyKey("harbour"), site: SiteID("923"))
    private static let bistro = MappingScope.venue(bistroKey, of: OrganisationKey("harbour"))

    private static func edit(_ what: String, _ value: String, _ scope: MappingScope = harbour) throws -> MappingEdit {
        MappingEdit(scope: scope, target: try #require(MappingTarget(what), "\(what)"), value: value)
    }

    /// The example with a second venue, which has values of its own, and with rules and a table.
    private static let yaml =
        SettingsExample.yaml.replacing("    limits:", with: """
                levies: {"0.02": "230"}
                other_taxes: {OUTPUT2: 0.15}
                tables: {by_category: {Coffee: "230", Wine: "232"}, codes: {Coffee: "230"}}
                rules:
                  - {name: wine, when: {product: Wine}, set: {account: "230"}}
                  - {when: {product: Tea}, set: {account: "{category | lookup by_category | else '230'}"}}
                  - {name: beer, when: {product: Beer}, set: {account: "240", item_code: "{category | lookup codes}"}}
                  - {name: tokens, for: payment, when: {payment_method: Token}, skip: no money}
                limits:
            """) + """

              - &pier
                site: "985"
                name: Pier Cafe
                prefix: PIER
                accounts: {sales: "230", tips: "826"}
                payment_methods: {Cash: "230"}

        """

    private static func load(_ edits: [MappingEdit], _ yaml: String = yaml) throws -> Settings {
        try SettingsExample.load(yaml, edits: edits)
    }

    private static func books(_ edits: [MappingEdit], site: String = "923") throws -> VenueBooks {
        try #require(try load(edits).books[VenueKey(company: CompanyKey("harbour"), site: SiteID(site))])
    }

    @Test("what can be set has one name, however it is written", arguments: [
        ("accounts.sales", "accounts.sales"), ("payment_methods.Gift Card", "payment_methods.gift card"),
        ("taxes.0.10", "taxes.0.1"), ("taxes.0", "taxes.0"), ("combined_taxes.0.10+0.05", "combined_taxes.0.05+0.1"),
        ("levies.0.020", "levies.0.02"), ("account.4010", "account.4010"), ("rules.sales. at noon.tax_type",
        "rules.sales. at noon.tax_type"), ("tables.by_category.Flat White", "tables.by_category.flat white"),
        ("fallback_clearing_account", "fallback_clearing_account"), ("tracking", "tracking"),
        ("payment_methods.visa.debit", "payment_methods.visa.debit"),
    ] as [(String, String)])
    func names(_ text: String, _ name: String) throws {
        let target = try #require(MappingTarget(text))
        #expect(target.text == name)
        #expect(MappingTarget(name) == target)
    }

    @Test("what cannot be set has none", arguments: [
        "", "accounts", "accounts.", "accounts.sale", "taxes.ten", "taxes.0.1+0.2", "rules.wine", "rules..account",
        "rules.wine.description", "tables.by_category", "limits.calls_per_minute", "currency", "account.", "prefix",
    ])
    func nameless(_ text: String) { #expect(MappingTarget(text) == nil) }

    @Test("a venue has no rules, tables and levies of its own, and an organisation no option of a venue's")
    func scopes() throws {
        for (what, organisation, venue) in [
            ("accounts.sales", true, true), ("payment_methods.Cash", true, true), ("taxes.0.1", true, true),
            ("fallback_clearing_account", true, true), ("tracking", false, true), ("account.230", true, false),
            ("rules.wine.account", true, false), ("tables.a.b", true, false), ("levies.0.1", true, false),
            ("combined_taxes.0.1+0.2", true, false), ("unmapped_products", true, false),
        ] {
            let target = try #require(MappingTarget(what))
            #expect(target.fits(Self.harbour) == organisation, "\(what)")
            #expect(target.fits(Self.bistro) == venue, "\(what)")
        }
    }

    @Test("an organisation's value is for its venues that have none of their own; a venue's is for it alone")
    func values() throws {
        let edits = [
            try Self.edit("accounts.tips", "240"), try Self.edit("payment_methods.EFTPOS", "251", Self.bistro),
            try Self.edit("taxes.0.150", "OUTPUT2"), try Self.edit("fallback_clearing_account", "252"),
        ]
        let bistro = try Self.books(edits)
        #expect(bistro.accounts.tips == "240")
        #expect(bistro.clearingAccounts == ["cash": "231", "eftpos": "251"])
        #expect(bistro.taxTypes[try #require(ExactDecimal("0.15"))] == "OUTPUT2")
        #expect(bistro.fallbackClearingAccount == "252")
        let pier = try Self.books(edits, site: "985")
        #expect(pier.accounts.tips == "826" && pier.clearingAccounts == ["cash": "230"])
        #expect(pier.fallbackClearingAccount == "252")
        // A value that the file has is replaced, however it is written there.
        let cash = try Self.books([try Self.edit("payment_methods.CASH", "253")])
        #expect(cash.clearingAccounts == ["cash": "253"])
        let rate = try Self.books([try Self.edit("taxes.0.1", "OUTPUT9")])
        #expect(rate.taxTypes.count == 1 && rate.taxTypes.values.first == "OUTPUT9")
    }

    @Test("rules and tables are set by their names, one without a name by its number")
    func rules() throws {
        let books = try Self.books([
            try Self.edit("rules.wine.account", "241"), try Self.edit("rules.rule 2.tax_type", "OUTPUT2"),
            try Self.edit("tables.by_category.WINE", "242"), try Self.edit("tables.by_category.Tea", "243"),
        ])
        let rules = books.rules.rules
        #expect(rules[0].outcome.account?.possibleValues == ["241"])
        #expect(rules[1].outcome.taxType?.possibleValues == ["OUTPUT2"])
        #expect(Set(rules[1].outcome.account?.possibleValues ?? []) == ["230", "242", "243"])
    }

    @Test("an account is replaced wherever something is booked to it, at the venues too, and nowhere else")
    func account() throws {
        let edits = [try Self.edit("account.230", "4010")]
        let (bistro, pier) = (try Self.books(edits), try Self.books(edits, site: "985"))
        #expect(bistro.accounts.sales == "4010" && bistro.accounts.tips == "825")
        #expect(pier.accounts.sales == "4010" && pier.clearingAccounts == ["cash": "4010"])
        #expect(bistro.sales.levyAccounts.values.map(\.self) == ["4010"])
        #expect(bistro.rules.rules[0].outcome.account?.possibleValues == ["4010"])
        #expect(Set(bistro.rules.rules[1].outcome.account?.possibleValues ?? []) == ["4010", "232"])
        // A table that no account is looked up in, and what only looks like the code.
        #expect(bistro.rules.rules[2].outcome.itemCode?.possibleValues == ["230"])
        #expect(bistro.whatGoes(to: "230").isEmpty && pier.whatGoes(to: "230").isEmpty)
        // Of two edits that meet, the later one counts.
        let back = try Self.books(edits + [try Self.edit("accounts.sales", "230")])
        #expect(back.accounts.sales == "230" && back.rules.rules[0].outcome.account?.possibleValues == ["4010"])
    }

    @Test("an edit is validated like the file, and names its place", arguments: [
        ("accounts.sales", "12345678901", "no account code"), ("payment_methods.Cash", "2 31", "no account code"),
        ("accounts.sales", "", "1 to 200 letters"), ("taxes.1.5", "OUTPUT", "is not a rate"),
        ("rules.beet.account", "241", "there is no rule `beet`"), ("rules.tokens.account", "241", "skips or parks"),
        ("rules.wine.account", "{product}", "must be one value"), ("tables.menu.Wine", "1", "there is no table `menu`"),
        ("rules.wine.account", "12345678901", "has not 1 to 10 letters"), ("accounts.tips", "a\nb", "on one line"),
    ] as [(String, String, String)])
    func problems(_ what: String, _ value: String, _ words: String) throws {
        do {
            _ = try Self.load([try Self.edit(what, value)])
            Issue.record("\(what) = \(value) is taken")
        } catch let error as SettingsError {
            #expect(error.description.contains(words), "\(error)")
        }
    }

    @Test("an edit whose venue or organisation is gone is a problem, not a mapping without it")
    func gone() throws {
        let target = try #require(MappingTarget("accounts.sales"))
        let scopes: [MappingScope] = [
            .organisation(OrganisationKey("gone")),
            .venue(VenueKey(company: CompanyKey("harbour"), site: SiteID("7")), of: OrganisationKey("harbour")),
        ]
        for scope in scopes {
            #expect(throws: SettingsError.self) {
                try Self.load([MappingEdit(scope: scope, target: target, value: "231")])
            }
        }
    }

    @Test("the configuration with its edits is YAML that gives the same settings; without any there is none")
    func text() throws {
        #expect(try Self.load([]).editedText == nil)
        let edits = [
            try Self.edit("account.230", "4010"), try Self.edit("accounts.variance", "870", Self.bistro),
            try Self.edit("payment_methods.it's: \"odd\" #", "251"), try Self.edit("taxes.0", "NULL"),
        ]
        let edited = try Self.load(edits)
        let text = try #require(edited.editedText)
        let again = try Self.load([], text)
        // The same letters: dictionaries are in no order.
        let isSame = "\(again.books)".sorted() == "\(edited.books)".sorted()
        #expect(isSame)
        #expect(again.organisations[0].ruleText == edited.organisations[0].ruleText)
        #expect(again.books[Self.bistroKey]?.clearingAccounts["it's: \"odd\" #"] == "251")
        #expect(Settings.rewritten(text) == text)
        // What the file has keeps its line, what was set has none.
        let lines = edited.organisations[0].references
        #expect(lines.contains { $0.target == .account("825", .outside) && $0.line == 8 })
    }

    @Test("a file with problems keeps them, each on its line, whatever is set over it")
    func badFile() throws {
        let bad = Self.yaml.replacing("rounding: \"860\"", with: "rounding: \"860\"\n      roundin: \"861\"")
        do {
            _ = try Self.load([try Self.edit("accounts.sales", "240")], bad)
            Issue.record("it is taken")
        } catch let error as SettingsError {
            #expect(error.description.contains("fleet.yaml:10: organisations[0].accounts.roundin"), "\(error)")
        }
    }
}
