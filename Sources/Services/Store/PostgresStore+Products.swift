package import Domain
package import Mapping
import Money
import Postgres

/// Kounta's catalogue as the fleet last read it, and which of it stands in Xero.
package protocol ProductStore: Sendable {
    func keepProducts(_ products: [Product], of company: CompanyKey) async throws
    func products(of company: CompanyKey) async throws -> [Product]
    /// Item code → the hash it was last made over.
    func itemHashes(in organisation: OrganisationKey) async throws -> [String: ContentHash]
    func linkItems(_ links: [ItemLink], in organisation: OrganisationKey) async throws
    /// The catalogue was read: whoever keeps the items looks at them soon.
    func letItemsBeCompared(_ organisation: OrganisationKey) async throws
    /// Product → the code of its item.
    func itemCodes(in organisation: OrganisationKey) async throws -> [String: String]
}

package struct ItemLink: Sendable, Hashable {
    package let code: String
    package let product: String
    package let hash: ContentHash
    package let xeroID: String

    /// Whoever holds it has compared the organisation's items lately.
    package static func lease(_ organisation: OrganisationKey) -> String { "items/\(organisation)" }

    package init(code: String, product: String, hash: ContentHash, xeroID: String) {
        self.code = code
        self.product = product
        self.hash = hash
        self.xeroID = xeroID
    }
}

extension PostgresStore: ProductStore {
    package func keepProducts(_ products: [Product], of company: CompanyKey) async throws {
        var latest: [String: Product] = [:]
        for product in products { latest[product.id] = product }
        let sorted = latest.values.sorted { $0.id < $1.id }
        if sorted.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO product (company, id, name, sku, categories, tags, price, tax_rates)
                SELECT $1, id, name, sku, ARRAY(SELECT jsonb_array_elements_text(categories)),
                       ARRAY(SELECT jsonb_array_elements_text(tags)), price,
                       ARRAY(SELECT jsonb_array_elements_text(rates)::numeric)
                  FROM unnest($2::text[], $3::text[], $4::text[], $5::jsonb[], $6::jsonb[], $7::numeric[], $8::jsonb[])
                    AS p (id, name, sku, categories, tags, price, rates)
                ON CONFLICT (company, id) DO UPDATE
                   SET name = excluded.name, sku = excluded.sku, categories = excluded.categories,
                       tags = excluded.tags, price = excluded.price, tax_rates = excluded.tax_rates, read_at = now()
                """,
                [
                    .text(company.text), .texts(sorted.map(\.id)), .texts(sorted.map { Self.plain($0.name) }),
                    .texts(sorted.map { $0.sku.map(Self.plain) }), .jsons(sorted.map { Self.json($0.categories) }),
                    .jsons(sorted.map { Self.json($0.tags) }), .numerics(sorted.map { $0.price.map { "\($0)" } }),
                    .jsons(sorted.map { Self.json($0.taxRates.map { "\($0)" }) }),
                ])
        }
    }

    package func products(of company: CompanyKey) async throws -> [Product] {
        try await pool.withSession { session in
            try session.query(
                "SELECT id, name, sku, categories, tags, price, tax_rates FROM product WHERE company = $1 ORDER BY id",
                [.text(company.text)]
            ).map { row in
                Product(
                    id: try row.text("id"), name: try row.text("name"), sku: try row.textOrNil("sku"),
                    categories: try row.texts("categories").compactMap(\.self),
                    tags: try row.texts("tags").compactMap(\.self),
                    price: try row.numericOrNil("price").flatMap { ExactDecimal($0) },
                    taxRates: try row.numerics("tax_rates").compactMap { $0.flatMap { ExactDecimal($0) } })
            }
        }
    }

    package func itemHashes(in organisation: OrganisationKey) async throws -> [String: ContentHash] {
        try await pool.withSession { session in
            let rows = try session.query(
                "SELECT code, hash FROM item_link WHERE organisation = $1", [.text(organisation.text)])
            var hashes: [String: ContentHash] = [:]
            for row in rows { hashes[try row.text("code")] = ContentHash(bytes: try row.bytes("hash")) }
            return hashes
        }
    }

    package func letItemsBeCompared(_ organisation: OrganisationKey) async throws {
        _ = try await pool.withSession { session in
            try session.execute(
                "UPDATE lease SET until = now() - interval '1 second' WHERE name = $1",
                [.text(ItemLink.lease(organisation))])
        }
    }

    package func itemCodes(in organisation: OrganisationKey) async throws -> [String: String] {
        try await pool.withSession { session in
            let rows = try session.query(
                "SELECT product, code FROM item_link WHERE organisation = $1 ORDER BY linked_at",
                [.text(organisation.text)])
            var codes: [String: String] = [:]
            for row in rows { codes[try row.text("product")] = try row.text("code") }
            return codes
        }
    }

    package func linkItems(_ links: [ItemLink], in organisation: OrganisationKey) async throws {
        let sorted = links.sorted { $0.code < $1.code }
        if sorted.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO item_link (organisation, code, product, hash, xero_id)
                SELECT $1, * FROM unnest($2::text[], $3::text[], $4::bytea[], $5::text[])
                ON CONFLICT (organisation, code) DO UPDATE
                   SET product = excluded.product, hash = excluded.hash, xero_id = excluded.xero_id, linked_at = now()
                """,
                [
                    .text(organisation.text), .texts(sorted.map(\.code)), .texts(sorted.map(\.product)),
                    .bytesArray(sorted.map(\.hash.bytes)), .texts(sorted.map(\.xeroID)),
                ])
        }
    }

    /// A zero character is no text of PostgreSQL's.
    static func plain(_ text: String) -> String { text.replacing("\0", with: "") }
}
