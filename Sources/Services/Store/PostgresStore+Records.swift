package import Domain
import Postgres

/// Kounta's records as they were stored, for whoever wants to see what the mapping makes of them.
package protocol RecordStore: Sendable {
    /// The newest version of an order, of whatever company has it; the newest of all companies' where several do.
    func latestRecord(order: String, companies: [CompanyKey]) async throws -> StoredRecord?
}

package struct StoredRecord: Sendable {
    package let company: CompanyKey
    package let id: String
    package let body: [UInt8]
}

extension PostgresStore: RecordStore {
    package func latestRecord(order: String, companies: [CompanyKey]) async throws -> StoredRecord? {
        try await pool.withSession { session in
            try session.query(
                """
                SELECT company, id, body FROM source_record
                 WHERE company = ANY ($1::text[]) AND kind = 'order' AND id = $2 ORDER BY first_seen DESC LIMIT 1
                """, [.texts(companies.map(\.text)), .text(order)]
            ).first.map(Self.record)
        }
    }

    private static func record(_ row: PostgresRow) throws(PostgresError) -> StoredRecord {
        StoredRecord(
            company: CompanyKey(try row.text("company")), id: try row.text("id"), body: try row.bytes("body"))
    }
}
