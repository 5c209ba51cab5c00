package import Domain
import JSON
import Postgres

/// Which mapping was in effect, and what it decided.
package protocol MappingVersionStore: Sendable {
    /// The number of this mapping; one that was in effect before keeps its number.
    func mappingVersion(hash: ContentHash, file: [UInt8]) async throws -> Int64
    /// Stores why documents' lines are what they are. Doing it again, or again with a newer mapping, keeps the last.
    func keepBases(_ bases: [DocumentBasis]) async throws
    /// Nil where nothing but defaults decided, or there is no such document.
    func basis(of document: DocumentID) async throws -> DocumentBasis?
}

/// A mapping that was in effect, with its configuration's bytes.
package struct StoredMapping: Sendable {
    package let version: Int64
    package let hash: ContentHash
    package let file: [UInt8]
    /// Whether the document names it.
    package let isExact: Bool
}

/// Why each line of a document is what it is.
package struct DocumentBasis: Sendable, Hashable {
    package let document: DocumentID
    package let mappingVersion: Int64
    /// The name of the rule that decided each line, in the lines' order; `default` where none did.
    package let rules: [String]
    /// What a person should know, such as a product that fell through to the fallback account.
    package let warnings: [String]

    package init(document: DocumentID, mappingVersion: Int64, rules: [String], warnings: [String] = []) {
        self.document = document
        self.mappingVersion = mappingVersion
        self.rules = rules
        self.warnings = warnings
    }
}

extension PostgresStore: MappingVersionStore {
    package func mappingVersion(hash: ContentHash, file: [UInt8]) async throws -> Int64 {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                INSERT INTO mapping_version (hash, file) VALUES ($1, $2)
                ON CONFLICT (hash) DO UPDATE SET last_used = now() RETURNING version
                """, [.bytes(hash.bytes), .bytes(file)])
            return try rows[0].int("version")
        }
    }

    package func keepBases(_ bases: [DocumentBasis]) async throws {
        // One row a document may be changed once in a statement; in the order of ids, as all who lock several do.
        var latest: [DocumentID: DocumentBasis] = [:]
        for basis in bases { latest[basis.document] = basis }
        let sorted = latest.values.sorted { $0.document < $1.document }
        if sorted.isEmpty { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                INSERT INTO document_line_basis (document_id, mapping_version, rules, warnings)
                SELECT id, version, ARRAY(SELECT jsonb_array_elements_text(rules)),
                       ARRAY(SELECT jsonb_array_elements_text(warnings))
                  FROM unnest($1::bigint[], $2::bigint[], $3::jsonb[], $4::jsonb[]) AS b (id, version, rules, warnings)
                ON CONFLICT (document_id) DO UPDATE
                   SET mapping_version = excluded.mapping_version, rules = excluded.rules, warnings = excluded.warnings
                """,
                [
                    .ints(sorted.map(\.document.value)), .ints(sorted.map(\.mappingVersion)),
                    .jsons(sorted.map { Self.json($0.rules) }), .jsons(sorted.map { Self.json($0.warnings) }),
                ])
        }
    }

    /// The mapping that an order's last document was made by: the one its basis names or, where nothing but defaults
    /// decided, the one that was taken into effect last before it was made. Nil where nothing is booked.
    ///
    /// - Parameter number: of the order's first document.
    package func mapping(
        ofOrder order: String, _ company: CompanyKey, number: DocumentNumber, in organisation: OrganisationKey
    ) async throws -> StoredMapping? {
        try await pool.withSession { session in
            // Two looks, each by its index: at the order's first document, and at those that came after it.
            let row = try session.query(
                """
                SELECT v.version, v.hash, v.file, b.mapping_version IS NOT NULL AS is_exact
                  FROM (SELECT id, created_at FROM document WHERE organisation = $1 AND number = $2
                         UNION ALL
                        SELECT id, created_at FROM document
                         WHERE company = $3 AND source_id = $4 AND (slot <> 'sale' OR revision > 0)
                         ORDER BY id DESC LIMIT 1) d
                  LEFT JOIN document_line_basis b ON b.document_id = d.id
                  JOIN LATERAL (
                       SELECT version, hash, file FROM mapping_version
                        WHERE CASE WHEN b.mapping_version IS NULL THEN first_used <= d.created_at
                                   ELSE version = b.mapping_version END
                        ORDER BY first_used DESC LIMIT 1) v ON true
                """, [.text(organisation.text), .text(number.text), .text(company.text), .text(order)]
            ).first
            return try row.map { row in
                guard let hash = ContentHash(bytes: try row.bytes("hash")) else {
                    preconditionFailure("the table has hashes of 32 bytes only")
                }
                return StoredMapping(
                    version: try row.int("version"), hash: hash, file: try row.bytes("file"),
                    isExact: try row.bool("is_exact"))
            }
        }
    }

    package func basis(of document: DocumentID) async throws -> DocumentBasis? {
        try await pool.withSession { session in
            try session.query(
                "SELECT mapping_version, rules, warnings FROM document_line_basis WHERE document_id = $1",
                [.int(document.value)]
            ).first.map { row in
                DocumentBasis(
                    document: document, mappingVersion: try row.int("mapping_version"),
                    rules: try row.texts("rules").map { $0 ?? "" },
                    warnings: try row.texts("warnings").map { $0 ?? "" })
            }
        }
    }

    /// An array has no arrays of different lengths: each list goes as one JSON value. A zero character is no text of
    /// PostgreSQL's.
    static func json(_ texts: [String]) -> String {
        var writer = JSONWriter()
        writer.array { writer in
            for text in texts { writer.string(text.replacing("\0", with: "")) }
        }
        return writer.text
    }
}
