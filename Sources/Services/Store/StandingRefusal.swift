package import Domain
import Postgres

/// What the ledger refused of a document that nobody works on any more, as it was stored with the refusal. A writer
/// that was killed between storing it and sending its letter leaves a message behind; the next one makes the letter of
/// this.
package struct StandingRefusal: Sendable {
    package let cause: String
    package let company: CompanyKey
    package let venue: String
    package let sourceID: String

    static let sql = """
        SELECT d.id, d.state, d.closed_at IS NOT NULL AS settled, d.company, d.venue, d.source_id,
               nullif(concat_ws(' ', d.cause,
                   (SELECT string_agg(p.cause, ' ' ORDER BY p.ordinal) FROM payment AS p
                     WHERE p.document_id = d.id AND p.state = 'refused' AND p.cause IS DISTINCT FROM d.cause)),
                   '') AS refusal
          FROM document AS d WHERE d.id = ANY($1::bigint[])
        """

    /// Nil where nothing was refused.
    init?(_ row: PostgresRow) throws {
        guard let cause = try row.textOrNil("refusal") else { return nil }
        self.cause = cause
        company = CompanyKey(try row.text("company"))
        venue = try row.text("venue")
        sourceID = try row.text("source_id")
    }
}
