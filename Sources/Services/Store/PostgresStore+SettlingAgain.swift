import Domain
import Postgres

extension PostgresStore {
    /// A sale that is posted again is settled again by the refunds that had settled what stood before.
    static func settleAgain(
        by document: NewDocument, of request: PostingRequest, _ session: PostgresSession
    ) throws -> [DocumentID] {
        guard document.kind == .invoice, document.slot == .sale, document.revision > 0 else { return [] }
        return try session.query(
            """
            WITH freed AS (
                UPDATE payment AS p SET allocates = $1, state = 'ready', cause = NULL FROM document AS d
                 WHERE d.original = $2 AND d.organisation = $3 AND d.state = 'written' AND p.document_id = d.id
                   AND p.state = 'removed' AND p.allocates IS NOT NULL
                RETURNING p.document_id
            )
            UPDATE document AS d SET closed_at = NULL, published_at = now(), fencing = fencing + 1, reason = $4
              FROM (SELECT DISTINCT document_id FROM freed) AS f WHERE d.id = f.document_id RETURNING d.id
            """,
            [
                .text(document.number.text), .text(request.number.text), .text(request.organisation.text),
                .text("The sale it settles stands as \(document.number) now: set against it again."),
            ]
        ).map { DocumentID(try $0.int("id")) }
    }
}
