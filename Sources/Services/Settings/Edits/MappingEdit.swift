package import Domain

/// One value of the mapping that a person set over the file, until it is unset.
package struct MappingEdit: Sendable, Hashable {
    package let scope: MappingScope
    package let target: MappingTarget
    /// A code, a tax type, or a look-up, as it would stand in the file.
    package let value: String

    package init(scope: MappingScope, target: MappingTarget, value: String) {
        self.scope = scope
        self.target = target
        self.value = value
    }

    private static let valueMax = 200

    /// What is wrong with the value before anything is compared with it: nil where nothing is.
    package var problem: String? {
        if value.isEmpty || value.count > Self.valueMax || value.unicodeScalars.contains(where: { $0.value < 0x20 }) {
            return "a value has 1 to \(Self.valueMax) letters on one line"
        }
        if target.isCode, value.count > 10 || value.contains(where: \.isWhitespace) {
            return "`\(value)` is no account code: at most 10 characters, and no blank"
        }
        return nil
    }
}

/// Whose mapping a value belongs to.
package enum MappingScope: Sendable, Hashable {
    /// For all its venues that have no value of their own.
    case organisation(OrganisationKey)
    /// For this venue alone.
    case venue(VenueKey, of: OrganisationKey)

    package var organisation: OrganisationKey {
        switch self {
        case .organisation(let key), .venue(_, of: let key): key
        }
    }
}

/// What of the mapping a person may set without the file, by the words that the file has for it.
package enum MappingTarget: Sendable, Hashable {
    /// A key of an organisation or venue: `fallback_clearing_account`.
    case key(String)
    /// An entry of one of their sections: `accounts.sales`, `taxes.0.1`, `payment_methods.gift card`.
    case entry(String, String)
    /// `tables.sales_by_category.Coffee`
    case tableEntry(String, String)
    /// `rules.sales by category.account`
    case rule(String, String)
    /// `account.4010`: whatever the organisation's mapping books to this account.
    case account(String)

    private static let accounts = [
        "sales", "tips", "rounding", "outside_tax_type", "discounts", "surcharges", "gift_card_liability", "deposits",
        "variance",
    ]
    private static let ruleKeys = ["account", "tax_type"]
    private static let textMax = 200

    /// For the help, and for whoever wrote another.
    package static let forms = """
        accounts.sales (or \(accounts.dropFirst().joined(separator: ", "))), taxes.RATE, payment_methods.METHOD, \
        fallback_clearing_account, tracking (of a venue); of an organisation also account.CODE (whatever goes to that \
        account), rules.NAME.account, rules.NAME.tax_type, tables.TABLE.ENTRY, unmapped_products, levies.RATE, \
        combined_taxes.RATES
        """

    /// Nil for what cannot be set this way. Capital and small letters of payment methods and table entries are the
    /// same, and so are `0.1` and `0.10`: a value has one name.
    package init?(_ text: String) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard text.count <= Self.textMax, let first = parts.first, !first.isEmpty else { return nil }
        guard parts.count == 2 else {
            guard ["fallback_clearing_account", "tracking", "unmapped_products"].contains(first) else { return nil }
            self = .key(first)
            return
        }
        let rest = parts[1]
        guard !rest.isEmpty else { return nil }
        switch first {
        case "accounts":
            guard Self.accounts.contains(rest) else { return nil }
            self = .entry(first, rest)
        case "payment_methods": self = .entry(first, rest.lowercased())
        case "taxes", "levies", "combined_taxes":
            let rates = RateText.plain(rest)
            guard let rates, first == "combined_taxes" || !rates.contains("+") else { return nil }
            self = .entry(first, rates)
        case "account": self = .account(rest)
        case "rules":
            guard let dot = rest.lastIndex(of: "."), dot != rest.startIndex else { return nil }
            let key = String(rest[rest.index(after: dot)...])
            guard Self.ruleKeys.contains(key) else { return nil }
            self = .rule(String(rest[..<dot]), key)
        case "tables":
            let names = rest.split(separator: ".", maxSplits: 1).map(String.init)
            guard names.count == 2 else { return nil }
            self = .tableEntry(names[0], names[1].lowercased())
        default: return nil
        }
    }

    /// As it is written, kept and named again.
    package var text: String {
        switch self {
        case .key(let key): key
        case .entry(let section, let key): "\(section).\(key)"
        case .tableEntry(let table, let key): "tables.\(table).\(key)"
        case .rule(let name, let key): "rules.\(name).\(key)"
        case .account(let code): "account.\(code)"
        }
    }

    /// Whether a venue can have its own, besides its organisation's.
    package func fits(_ scope: MappingScope) -> Bool {
        switch (self, scope) {
        case (.key("tracking"), let scope):
            if case .venue = scope { true } else { false }
        case (.key("unmapped_products"), .venue), (.rule, .venue), (.tableEntry, .venue), (.account, .venue): false
        case (.entry(let section, _), .venue): !["levies", "combined_taxes"].contains(section)
        default: true
        }
    }

    /// Whether its value is an account's code and nothing else.
    fileprivate var isCode: Bool {
        switch self {
        case .key(let key): key == "fallback_clearing_account"
        case .entry("accounts", let key): key != "outside_tax_type"
        case .entry(let section, _): ["payment_methods", "levies"].contains(section)
        case .account: true
        case .tableEntry, .rule: false
        }
    }
}
