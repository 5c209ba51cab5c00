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
