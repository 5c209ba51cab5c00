package import Domain
import Postgres

/// Which contact of the ledger's a contact number stands for.
package protocol ContactStore: Sendable {
    func contactID(_ number: String, in organisation: OrganisationKey) async throws -> String?
    func link(_ number: String, to id: String, in organisation: OrganisationKey) async throws
}

extension PostgresStore: ContactStore {
    package func contactID(_ number: String, in organisation: OrganisationKey) async throws -> String? {
        try await pool.withSession { session in
            try session.query(
                "SELECT xero_id FROM contact_link WHERE organisation = $1 AND contact_number = $2",
                [.text(organisation.text), .text(number)]
            ).first.map { try $0.text("xero_id") }
        }
    }

    package func link(_ number: String, to id: String, in organisation: OrganisationKey) async throws {
        let parameters: [PostgresValue] = [.text(organisation.text), .text(number), .text(id)]
        try await pool.transaction { session in
            // Another contact than before: what the till was told of it is told anew.
            _ = try session.execute(
                """
                UPDATE till_write SET due_at = now(), revision = revision + 1, attempts = 0
                 WHERE kind = 'customer' AND organisation = $1 AND contact_number = $2 AND EXISTS (
                    SELECT FROM contact_link WHERE organisation = $1 AND contact_number = $2 AND xero_id <> $3)
                """, parameters)
            _ = try session.execute(
                """
                INSERT INTO contact_link (organisation, contact_number, xero_id) VALUES ($1, $2, $3)
                ON CONFLICT (organisation, contact_number) DO UPDATE SET xero_id = excluded.xero_id, linked_at = now()
                """, parameters)
        }
    }
}
