import Crypto
package import Domain
package import Mapping
import Money
package import Settings
package import Xero

/// Which of an organisation's products become which items. Pure: the same catalogue gives the same items.
package struct ItemPlan {
    package struct Entry: Sendable {
        package let product: String
        package let item: LedgerItem
        /// Over all that Xero is sent of it.
        package let hash: ContentHash
    }

    package private(set) var entries: [Entry] = []
    /// Products that become no item, or not the expected one: what, and why.
    package private(set) var problems: [String] = []
    private var codes: [String: String] = [:]

    package init(_ organisation: OrganisationSettings, products: [Product]) {
        for product in products.sorted(by: { $0.id < $1.id }) { add(product, organisation) }
    }

    private mutating func add(_ product: Product, _ organisation: OrganisationSettings) {
        let treatment = Self.treatment(of: product, organisation.rules)
        guard case .book = treatment.action else { return }
        guard product.taxRates.count <= 1,
            let taxType = treatment.taxType ?? organisation.taxTypes[product.taxRates.first ?? .zero]
        else {
            let rates = product.taxRates.map { "\($0)" }.joined(separator: " + ")
            problems.append("\(product.name) (\(product.id)) has no item: no tax type is set for its rate of \(rates)")
            return
        }
        let code = code(of: product, organisation.items.code)
        guard let item = LedgerItem(
            code: code, name: product.name, price: product.price,
            account: treatment.account ?? organisation.accounts.sales, taxType: taxType)
        else {
            problems.append(
                "\(product.name) (\(product.id)) has no item: its code `\(code)` has not 1 to "
                    + "\(LedgerItem.codeMax) letters")
            return
        }
        guard let hash = ContentHash(bytes: Array(SHA256.hash(data: item.element))) else {
            preconditionFailure("SHA-256 has 32 bytes")
        }
        codes[item.code] = product.id
        entries.append(Entry(product: product.id, item: item, hash: hash))
    }

    /// Two products with one SKU are two items: the second goes by its id.
    private mutating func code(of product: Product, _ choice: ItemSettings.Code) -> String {
        guard choice == .sku, let sku = product.sku, !sku.isEmpty else { return product.id }
        guard let other = codes[sku] else { return sku }
        problems.append(
            "\(product.name) (\(product.id)) goes by its id: product \(other) has the code `\(sku)` already")
        return product.id
    }

    /// By the rules that look at the product alone: there is no order here.
    private static func treatment(of product: Product, _ rules: RuleBook) -> Treatment {
        if rules.isEmpty { return .standard }
        let price = product.price.flatMap { Money(rounding: $0) } ?? .zero
        var line = LineFacts(product: Named(id: product.id, name: product.name), amount: price)
        line.sku = product.sku
        line.categories = product.categories
        line.tags = product.tags
        let order = OrderFacts(
            order: OrderID(""), site: SiteID(""), venue: "", date: CalendarDate(daysSince1970: 0), total: .zero)
        return rules.treatment(of: line, in: order)
    }

    /// Which items are to be sent, and which stand in Xero as they should though the fleet did not know it.
    ///
    /// - Parameter known: code → the hash the item was last linked over.
    package func changes(
        over standing: [StandingItem], known: [String: ContentHash]
    ) -> (changed: [Entry], settled: [(entry: Entry, id: String)]) {
        let byCode = Dictionary(standing.map { ($0.code, $0) }) { first, _ in first }
        var changed: [Entry] = []
        var settled: [(entry: Entry, id: String)] = []
        for entry in entries {
            guard let item = byCode[entry.item.code], item.isAlready(entry.item) else {
                changed.append(entry)
                continue
            }
            if known[entry.item.code] == entry.hash { continue }
            settled.append((entry, item.id))
        }
        return (changed, settled)
    }
}
