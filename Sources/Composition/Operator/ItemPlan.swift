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

    /// - Parameter products: in any order; the same products give the same codes.
    package init(_ organisation: OrganisationSettings, products: [Product]) {
        let rules = organisation.rules.ofProducts
        let products = products.sorted { $0.id < $1.id }
        var drafts: [Draft] = []
        var problems: [(place: Int, text: String)] = []
        for (place, product) in products.enumerated() {
            let treatment = Self.treatment(of: product, rules)
            guard case .book = treatment.action else { continue }
            if product.taxRates.count <= 1,
                let taxType = treatment.taxType ?? organisation.taxTypes[product.taxRates.first ?? .zero]
            {
                drafts.append(
                    Draft(
                        place: place, product: product, account: treatment.account ?? organisation.accounts.sales,
                        taxType: taxType, sku: organisation.items.code == .sku ? product.sku ?? "" : ""))
            } else {
                let rates = product.taxRates.map { "\($0)" }.joined(separator: " + ")
                let why = "no tax type is set for its rate of \(rates)"
                problems.append((place, "\(Self.shown(product)) has no item: \(why)"))
            }
        }
        let codes = Self.codes(of: drafts, &problems)
        for draft in drafts {
            guard let code = codes[draft.place] else { continue }
            guard let item = draft.item(code: code),
                let hash = ContentHash(bytes: Array(SHA256.hash(data: item.element)))
            else { preconditionFailure("a code is only given that makes an item, and SHA-256 has 32 bytes") }
            entries.append(Entry(product: draft.product.id, item: item, hash: hash))
        }
        self.problems = problems.sorted { $0.place < $1.place }.map(\.text)
    }

    /// What becomes an item once it has a code.
    private struct Draft {
        let place: Int
        let product: Product
        let account: String
        let taxType: String
        /// Empty where it goes by its id.
        let sku: String

        /// Nil where the code is none.
        func item(code: String) -> LedgerItem? {
            LedgerItem(code: code, name: product.name, price: product.price, account: account, taxType: taxType)
        }
    }

    private static func shown(_ product: Product) -> String { "\(product.name) (\(product.id))" }

    /// Each code once. A SKU belongs to the first product that has it, before any id; a product without one, or whose
    /// SKU another has, goes by its id, and where that is another's SKU by `K-` and its id.
    private static func codes(of drafts: [Draft], _ problems: inout [(place: Int, text: String)]) -> [Int: String] {
        var owners: [String: Product] = [:]
        var codes: [Int: String] = [:]
        for draft in drafts where !draft.sku.isEmpty {
            guard let code = draft.item(code: draft.sku)?.code, owners[code] == nil else { continue }
            owners[code] = draft.product
            codes[draft.place] = code
        }
        for draft in drafts where codes[draft.place] == nil {
            let (id, wanted) = (draft.product.id, draft.sku.isEmpty ? draft.product.id : draft.sku)
            guard let code = draft.item(code: wanted)?.code else {
                let why = "its code `\(wanted)` has not 1 to \(LedgerItem.codeMax) letters"
                problems.append((draft.place, "\(shown(draft.product)) has no item: \(why)"))
                continue
            }
            let free = [code, id, "K-" + id].lazy.compactMap { draft.item(code: $0)?.code }.first { owners[$0] == nil }
            let other = owners[code]?.id ?? ""
            if let free {
                owners[free] = draft.product
                codes[draft.place] = free
            }
            if free == code { continue }
            let how = free.map { $0 == id ? "goes by its id" : "goes by `\($0)`" } ?? "has no item"
            problems.append(
                (draft.place, "\(shown(draft.product)) \(how): product \(other) has the code `\(code)` already"))
        }
        return codes
    }

    /// By the rules that look at the product alone: there is no order here.
    private static func treatment(of product: Product, _ rules: RuleBook) -> Treatment {
        if rules.isEmpty { return .standard }
        let price = product.price.flatMap { Money(rounding: $0) } ?? .zero
        var line = LineFacts(product: Named(id: product.id, name: product.name), amount: price)
        line.sku = product.sku
        line.categories = product.categories
        line.tags = product.tags
        // No such rule looks at any of this.
        let order = OrderFacts(
            order: OrderID(""), site: SiteID(""), venue: "", date: CalendarDate(daysSince1970: 0), total: .zero)
        return rules.treatment(of: line, in: order)
    }

    /// As many entries as one call takes, in their order.
    package static func batches(of entries: [Entry]) -> [[Entry]] {
        stride(from: 0, to: entries.count, by: LedgerItem.batchMax).map { start in
            Array(entries[start..<min(start + LedgerItem.batchMax, entries.count)])
        }
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
