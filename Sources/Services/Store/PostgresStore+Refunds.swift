import Domain
import Mapping
import Money
import Postgres

/// A sale that a refund gives back, and what refunds have given back and settled of it.
extension PostgresStore {
    /// What credit notes set against an invoice have settled of it.
    static func credited(
        _ number: DocumentNumber, _ request: PostingRequest, _ session: PostgresSession
    ) throws -> Money {
        let rows = try session.query(
            """
            SELECT coalesce(sum(p.amount), 0) AS credited FROM payment AS p JOIN document AS d ON d.id = p.document_id
             WHERE d.original = $1 AND d.organisation = $2 AND p.allocates = $3 AND p.state = 'written'
            """, [.text(request.number.text), .text(request.organisation.text), .text(number.text)])
        return try rows.first.map { try Money(stored: $0.numeric("credited")) } ?? .zero
    }

    /// The sale that a refund gives back, as it stands now, with what other refunds have given back of it.
    ///
    /// - Parameters:
    ///   - number: of the sale at the refund's own venue.
    ///   - others: at the company's other venues.
    /// - Returns: its number without any suffix, and what stands for it.
    static func original(
        _ number: DocumentNumber, _ others: [DocumentNumber], _ request: PostingRequest, _ session: PostgresSession
    ) throws -> (DocumentNumber, StandingDocument)? {
        let source = try session.query(
            """
            SELECT number, company, source_id FROM document WHERE number = ANY($1) AND organisation = $2
             ORDER BY number <> $3 LIMIT 1
            """,
            [.texts(([number] + others).map(\.text)), .text(request.organisation.text), .text(number.text)])
        guard let row = source.first else { return nil }
        let number = DocumentNumber(try row.text("number"))
        let found = try rows(
            session.query(
                rowsSQL,
                [
                    .text(number.text), .text(request.organisation.text), .text(try row.text("company")),
                    .text(try row.text("source_id")),
                ]), session)
        let documents = withReversals(found.map(\.standing))
        guard var original = documents.last(where: { $0.document.slot == .sale && $0.standing != .gone }) else {
            return documents.first.map { (number, $0) }
        }
        original.givenBack = try givenBack(of: [number], request.organisation, except: request.source.id, session)
        for document in documents where document.standing != .gone {
            if case .refund = document.document.slot { original.givenBack += document.document.total }
        }
        return (number, original)
    }

    /// What credit notes of their own have given back of a sale, whichever of its numbers they name. One that was taken
    /// back itself gives nothing back.
    static func givenBack(
        of numbers: [DocumentNumber], _ organisation: OrganisationKey, except id: String = "",
        _ session: PostgresSession
    ) throws -> Money {
        let rows = try session.query(
            """
            SELECT coalesce(sum(d.total), 0) AS given FROM document AS d
             WHERE d.original = ANY($1) AND d.organisation = $2 AND d.source_id <> $3 AND d.slot = 'sale'
               AND d.state NOT IN ('withdrawn', 'voided', 'refused')
               AND NOT EXISTS (SELECT FROM document AS r
                                WHERE r.organisation = d.organisation AND r.number = d.number || '-x'
                                  AND r.slot LIKE 'reversal %' AND r.state NOT IN ('withdrawn', 'voided', 'refused'))
            """, [.texts(numbers.map(\.text)), .text(organisation.text), .text(id)])
        return try rows.first.map { try Money(stored: $0.numeric("given")) } ?? .zero
    }

    /// The sale that a refund gives back, where it is inside of a summary; nil where it is in none.
    static func summarised(
        _ number: DocumentNumber, _ request: PostingRequest, _ session: PostgresSession
    ) throws -> SummarisedSale? {
        guard let sale = request.sale, let sum = try sums(of: [sale], without: [request.source], session)[sale],
            let sold = sum.sold
        else { return nil }
        let numbers = [number] + request.otherOriginals
        let byDocuments = try givenBack(of: numbers, request.organisation, except: request.source.id, session)
        return SummarisedSale(number: number, sold: sold, givenBack: sum.givenBack + byDocuments)
    }
}
