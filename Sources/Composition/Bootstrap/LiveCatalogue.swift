import Domain
import Mapping
import Settings
import Store

/// What the mapping knows of products besides the configuration: read from the fleet's tables.
enum LiveCatalogue {
    /// The books with their companies' products and, where lines are to carry them, the codes of items.
    static func completed(
        _ books: [VenueKey: VenueBooks], by settings: Settings, from store: PostgresStore
    ) async throws -> [VenueKey: VenueBooks] {
        var books = books
        for company in settings.companies {
            let products = try await store.products(of: company.key)
            let byID = Dictionary(products.map { ($0.id, $0) }) { first, _ in first }
            let isOnLines = settings.organisation(company.organisation)?.items.onLines ?? false
            let codes = isOnLines ? try await store.itemCodes(in: company.organisation) : [:]
            for key in books.keys where key.company == company.key {
                books[key]?.products = byID
                books[key]?.itemCodes = codes
            }
        }
        return books
    }
}
