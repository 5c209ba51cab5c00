package import Domain
import Postgres

/// A document of an order as the fleet keeps it, for a person who asks what was done and why.
package struct BookedRow: Sendable {
    package let number: String
    package let kind: LedgerDocument.Kind
    package let state: DocumentState
    package let task: DocumentTask?
    package let isClosed: Bool
    package let isReconciled: Bool
    package let total: String
    package let date: String
    /// Why it was made, changed or taken away; nil for a sale that was complete.
    package let reason: String?
    /// What the ledger refused, of it or of its payments, or would not do with it.
    package let refusal: String?
    package let payments: [Payment]

    package struct Payment: Sendable {
        package let account: String
        package let amount: String
        package let date: String
        package let state: String
        /// The invoice that this part of a credit note settles.
        package let allocates: String?
    }
}

extension PostgresStore {
    /// - Parameter number: of the order's first document.
    /// - Returns: all documents of the order, gone ones too, in the order they were made.
    package func booked(
        order: String, of company: CompanyKey, number: DocumentNumber, in organisation: OrganisationKey
    ) async throws -> [BookedRow] {
        try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT id, number, kind, state, task, closed_at IS NOT NULL AS is_closed, is_reconciled, total,
                       trading_date, reason, coalesce(obstacle, cause) AS refusal
                  FROM document
                 WHERE id IN (
                    SELECT id FROM document WHERE number = $1 AND organisation = $2
                     UNION ALL
                    SELECT id FROM document WHERE company = $3 AND source_id = $4 AND (slot <> 'sale' OR revision > 0))
                 ORDER BY id
                """, [.text(number.text), .text(organisation.text), .text(company.text), .text(order)])
            let payments = try session.query(
                """
                SELECT document_id, account, amount, paid_on, state, allocates FROM payment
                 WHERE document_id = ANY($1) ORDER BY document_id, ordinal
                """, [.ints(try rows.map { try $0.int("id") })])
            return try rows.map { row in
                let id = try row.int("id")
                return try BookedRow(row, payments: payments.filter { try $0.int("document_id") == id })
            }
        }
    }
}

extension BookedRow {
    fileprivate init(_ row: PostgresRow, payments: [PostgresRow]) throws {
        number = try row.text("number")
        kind = LedgerDocument.Kind(rawValue: try row.text("kind")) ?? .invoice
        state = DocumentState(rawValue: try row.text("state")) ?? .uncertain
        task = try row.textOrNil("task").flatMap(DocumentTask.init(rawValue:))
        isClosed = try row.bool("is_closed")
        isReconciled = try row.bool("is_reconciled")
        total = try row.numeric("total")
        date = try row.date("trading_date")
        reason = try row.textOrNil("reason")
        refusal = try row.textOrNil("refusal")
        self.payments = try payments.map { row in
            Payment(
                account: try row.text("account"), amount: try row.numeric("amount"), date: try row.date("paid_on"),
                state: try row.text("state"), allocates: try row.textOrNil("allocates"))
        }
    }
}
