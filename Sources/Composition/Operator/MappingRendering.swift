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
        if let brandingTheme { lines.append("branding_theme: \(brandingTheme.quotedYAML)") }
        if !trackingSources.isEmpty {
            lines.append("tracking_from:")
            lines += trackingSources.sorted { $0.key.rawValue < $1.key.rawValue }
                .map { "  \($0.key.rawValue): \($0.value.quotedYAML)" }
        }
        lines += posting.rendered()
        lines += sales.rendered()
        lines += [
            "items:", "  sync: \(items.isOn)", "  code: \(items.code.rawValue)", "  on_lines: \(items.onLines)",
        ]
        switch rules.unmapped {
        case .asDefault: lines.append("unmapped_products: default")
        case .park: lines.append("unmapped_products: park")
        case .account(let account): lines.append("unmapped_products: \(account.quotedYAML)")
        }
        lines += ruleText.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines.map { $0.isEmpty ? "" : indent + $0 }
    }
}

extension String {
    /// As a value or a key of YAML. Quoted always: a name may look like a number, hold a colon or end a line.
    package var quotedYAML: String {
        var result = "\""
        for scalar in unicodeScalars {
            switch scalar {
            case "\\", "\"": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case _ where scalar.properties.generalCategory == .control || [0x2028, 0x2029].contains(scalar.value):
                let digits = String(scalar.value, radix: 16)
                result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}

extension VenueBooks.Accounts {
    /// Those that are set, one a line.
    ///
    /// - Parameters:
    ///   - indent: what each line begins with.
    ///   - others: what is the same there is left out.
    package func rendered(indent: String, besides others: VenueBooks.Accounts? = nil) -> [String] {
        let all = [
            ("sales", sales, others?.sales), ("tips", tips, others?.tips), ("rounding", rounding, others?.rounding),
            ("outside_tax_type", outsideTaxType, others?.outsideTaxType), ("discounts", discounts, others?.discounts),
            ("surcharges", surcharges, others?.surcharges),
            ("gift_card_liability", giftCardLiability, others?.giftCardLiability),
            ("deposits", deposits, others?.deposits), ("variance", variance, others?.variance),
        ]
        return all.compactMap { (key: String, code: String?, other: String?) in
            guard let code, code != other else { return nil }
            return "\(indent)\(key): \(code.quotedYAML)"
        }
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
        let usual = PostingPlan()
        if closing == .takings || takingsWithin != usual.takingsWithin {
            lines.append("  takings_within: \(takingsWithin.components.seconds)s")
        }
        if closing == .takings || takingsQuiet != usual.takingsQuiet {
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
                return "  \"\(key)\": \(type.quotedYAML)"
            }.sorted()
        }
        if !ruleTaxRates.isEmpty {
            lines.append("other_taxes:")
            lines += ruleTaxRates.map { "  \($0.key.quotedYAML): \($0.value.trimmed)" }.sorted()
        }
        if !levyAccounts.isEmpty {
            lines.append("levies:")
            lines += levyAccounts.map { "  \"\($0.key.trimmed)\": \($0.value.quotedYAML)" }.sorted()
        }
        let methods = accountMethods.sorted().map(\.quotedYAML).joined(separator: ", ")
        lines.append("account_methods: [\(methods)]")
        lines.append("leave_customers_unpaid: \(leavesCustomersUnpaid)")
        if !otherCurrencies.isEmpty {
            lines.append("other_currencies: [\(otherCurrencies.sorted().joined(separator: ", "))]")
        }
        return lines
    }
}
