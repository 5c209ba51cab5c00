import Domain
package import Mapping
import Money
package import Settings

/// What is in effect of an organisation's mapping besides its accounts, taxes and payment methods, as YAML: read again,
/// it is the same mapping.
extension OrganisationSettings {
    /// - Parameter indent: what each line begins with.
    package func renderedMapping(indent: String) -> [String] {
        var lines: [String] = []
        if let brandingTheme { lines.append("branding_theme: \(brandingTheme)") }
        if !trackingSources.isEmpty {
            lines.append("tracking_from:")
            lines += trackingSources.sorted { $0.key.rawValue < $1.key.rawValue }
                .map { "  \($0.key.rawValue): \(Self.quoted($0.value))" }
        }
        lines += posting.rendered()
        lines += sales.rendered()
        lines += [
            "items:", "  sync: \(items.isOn)", "  code: \(items.code.rawValue)", "  on_lines: \(items.onLines)",
        ]
        switch rules.unmapped {
        case .asDefault: lines.append("unmapped_products: default")
        case .park: lines.append("unmapped_products: park")
        case .account(let account): lines.append("unmapped_products: \(Self.quoted(account))")
        }
        lines += ruleText.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines.map { $0.isEmpty ? "" : indent + $0 }
    }

    /// Quoted always: a name may look like a number or hold a colon.
    fileprivate static func quoted(_ text: String) -> String {
        "\"" + text.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"") + "\""
    }
}

extension VenueBooks.Accounts {
    /// Those that may be left out, as far as they are not.
    ///
    /// - Parameter indent: what each line begins with.
    package func renderedOptional(indent: String) -> [String] {
        let all = [
            ("discounts", discounts), ("surcharges", surcharges), ("gift_card_liability", giftCardLiability),
            ("deposits", deposits), ("variance", variance),
        ]
        return all.compactMap { key, code in code.map { "\(indent)\(key): \(OrganisationSettings.quoted($0))" } }
    }
}

extension PostingPlan {
    package func rendered() -> [String] {
        var lines = ["posting:", "  mode: \(initial.rawValue)"]
        if !periods.isEmpty {
            lines.append("  changes:")
            lines += periods.map { "    - {from: \($0.from), mode: \($0.mode.rawValue)}" }
        }
        func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        lines += [
            "  cut_off: \"\(padded(cutOffMinutes / 60)):\(padded(cutOffMinutes % 60))\"",
            "  close_on: \(closing.rawValue)",
        ]
        if closing == .takings {
            lines.append("  takings_within: \(takingsWithin.components.seconds)s")
            lines.append("  takings_quiet: \(takingsQuiet.components.seconds)s")
        }
        if !grouping.isEmpty { lines.append("  group_by: [\(grouping.map(\.rawValue).joined(separator: ", "))]") }
        lines.append("  attach_orders: \(attachesOrders)")
        return lines
    }
}

extension SalePolicy {
    fileprivate func rendered() -> [String] {
        var lines: [String] = []
        if !combinedTaxTypes.isEmpty {
            lines.append("combined_taxes:")
            lines += combinedTaxTypes.map { rates, type in
                let key = rates.map { "\($0.trimmed)" }.joined(separator: "+")
                return "  \"\(key)\": \(OrganisationSettings.quoted(type))"
            }.sorted()
        }
        if !levyAccounts.isEmpty {
            lines.append("levies:")
            lines += levyAccounts.map { "  \"\($0.key.trimmed)\": \(OrganisationSettings.quoted($0.value))" }.sorted()
        }
        let methods = accountMethods.sorted().map(OrganisationSettings.quoted).joined(separator: ", ")
        lines.append("account_methods: [\(methods)]")
        lines.append("leave_customers_unpaid: \(leavesCustomersUnpaid)")
        if !otherCurrencies.isEmpty {
            lines.append("other_currencies: [\(otherCurrencies.sorted().joined(separator: ", "))]")
        }
        return lines
    }
}
