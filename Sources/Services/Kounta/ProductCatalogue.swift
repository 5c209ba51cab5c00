package import JSON
package import Mapping
import Money

/// Kounta's products, read as far as rules and items need them.
package enum ProductRecord {
    /// Nil for a record without an id or a name: nothing can be sold by it. A price that is no amount counts as none:
    /// an item without a price is better than no item.
    package static func product(_ json: JSON) -> Product? {
        guard let id = json["id_str"]?.text ?? json["id"]?.text, !id.isEmpty, id.utf8.count <= 40,
            let name = json["name"]?.string, !name.isEmpty
        else { return nil }
        let rates = (json["taxes"]?.elements ?? []).compactMap { tax in
            tax["rate"]?.text.flatMap { ExactDecimal($0) }
        }.filter { !$0.isZero }
        return Product(
            id: id, name: name, sku: json["code"]?.text.flatMap { $0.isEmpty ? nil : $0 },
            categories: names(json["categories"]), tags: names(json["tags"]),
            price: json["unit_price"]?.text.flatMap { ExactDecimal($0) }, taxRates: rates)
    }

    /// A list of texts, or of objects with a name; at most 50 are looked at.
    private static func names(_ json: JSON?) -> [String] {
        (json?.elements ?? []).prefix(50).compactMap { $0.string ?? $0["name"]?.string }
    }
}
