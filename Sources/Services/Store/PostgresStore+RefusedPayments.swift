import Domain
import Money
import Postgres

/// Payments that were refused, of a document that an order's latest version is paid further by.
extension PostgresStore {
    /// Those of the same amounts are looked for in the ledger and then sent again, in place of new ones; refused ones
    /// that the order no longer has are given up.
    ///
    /// - Returns: the payments that were never tried.
    static func revive(
        _ payments: [LedgerPayment], of id: DocumentID, _ session: PostgresSession
    ) throws -> [LedgerPayment] {
        var refused = try session.query(
            """
            SELECT ordinal, amount FROM payment
             WHERE document_id = $1 AND state = 'refused' AND allocates IS NULL ORDER BY ordinal
            """, [.int(id.value)]
        ).map { (ordinal: try $0.int("ordinal"), amount: try $0.numeric("amount")) }
        if refused.isEmpty { return payments }
        var new: [LedgerPayment] = []
        for payment in payments {
            guard let index = refused.firstIndex(where: { $0.amount == payment.amount.description }) else {
                new.append(payment)
                continue
            }
            _ = try session.query(
                """
                UPDATE payment SET state = 'uncertain', cause = NULL, account = $3, paid_on = $4, reference = $5
                 WHERE document_id = $1 AND ordinal = $2::bigint
                """,
                [
                    .int(id.value), .int(refused.remove(at: index).ordinal), .text(payment.account),
                    .date(payment.date.description), .text(payment.reference),
                ])
        }
        _ = try session.query(
            "DELETE FROM payment WHERE document_id = $1 AND ordinal = ANY($2::bigint[])",
            [.int(id.value), .ints(refused.map { $0.ordinal })])
        return new
    }
}
