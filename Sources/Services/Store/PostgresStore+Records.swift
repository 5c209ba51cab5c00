package import Domain
import Postgres

/// Kounta's records as they were stored, for whoever wants to see what the mapping makes of them.
package protocol RecordStore: Sendable {
    /// The newest version of an order, of whatever company has it; the newest of all companies' where several do.
    func latestRecord(order: String, companies: [CompanyKey]) async throws -> StoredRecord?
    /// The newest version of each order that is known.
    func latestRecords(orders: Set<OrderID>, of company: CompanyKey) async throws -> [OrderID: [UInt8]]
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

    package func latestRecords(orders: Set<OrderID>, of company: CompanyKey) async throws -> [OrderID: [UInt8]] {
        if orders.isEmpty { return [:] }
        return try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT DISTINCT ON (id) id, body FROM source_record
                 WHERE company = $1 AND kind = 'order' AND id = ANY ($2::text[]) ORDER BY id, first_seen DESC
                """, [.text(company.text), .texts(orders.map(\.text).sorted())])
            return Dictionary(try rows.map { (OrderID(try $0.text("id")), try $0.bytes("body")) }) { $1 }
        }
    }

    private static func record(_ row: PostgresRow) throws(PostgresError) -> StoredRecord {
        StoredRecord(
            company: CompanyKey(try row.text("company")), id: try row.text("id"), body: try row.bytes("body"))
    }
}
