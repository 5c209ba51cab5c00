package import Money

/// Something of Xero's chart that the configuration names, with its place in the file.
package struct ChartReference: Sendable, Hashable {
    package enum Target: Sendable, Hashable {
        /// An account that invoice lines are booked to.
        case account(String, LineTax)
        /// An account that payments are paid into.
        case clearingAccount(String)
        case taxType(String)
        /// The type of a rate of the till's: it must be that rate in Xero too.
        case goodsTax(rate: ExactDecimal, type: String)
        case trackingCategory(String)
        case trackingOption(category: String, option: String)
        case brandingTheme(String)
        case currency(String)
        /// One that sales are booked in besides the organisation's own.
        case bookedCurrency(String)
    }

    /// Which tax types come together with an account.
    package enum LineTax: Sendable, Hashable {
        /// Those of the organisation's `taxes`.
        case ofGoods
        /// The `outside_tax_type`.
        case outside
        case only([String])
    }

    package let target: Target
    package let path: String
    package let line: Int?

    package init(target: Target, path: String, line: Int?) {
        self.target = target
        self.path = path
        self.line = line
    }
}

/// Gathers the references while a section is read.
final class ChartNotes {
    private(set) var references: [ChartReference] = []

    func note(_ target: ChartReference.Target, _ section: SettingsSection, _ key: String) {
        note(target, Place(section.path(of: key), line: section.line(of: key)))
    }

    func note(_ target: ChartReference.Target, _ place: Place) {
        references.append(ChartReference(target: target, path: place.path, line: place.line))
    }
}
