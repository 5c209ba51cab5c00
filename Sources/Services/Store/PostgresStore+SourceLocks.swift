package import Domain
import Postgres

extension PostgresStore {
    /// Whoever decides about these records waits for whoever decides about one of them now; until the transaction ends.
    ///
    /// A query that waits for a row sees that row as it became, but everything else as it was when the query began: of
    /// two mappers with two versions of one order, the one that waited would not see that the other's is the newer, nor
    /// the documents it made. So they wait here, before they look. Always in the same order, never in a ring.
    static func lock(_ sources: [SourceKey], _ session: PostgresSession) throws {
        if sources.isEmpty { return }
        _ = try session.query(
            """
            SELECT pg_advisory_xact_lock(key) FROM (
                SELECT DISTINCT hashtextextended(concat_ws('/', 'record', company, kind, id), 0) AS key
                  FROM unnest($1::text[], $2::text[], $3::text[]) AS u (company, kind, id) ORDER BY key) AS keys
            """,
            [
                .texts(sources.map(\.company.text)), .texts(sources.map(\.kind.rawValue)), .texts(sources.map(\.id)),
            ])
    }

    /// Ends an INSERT into `source_record`: a version that the till shows once more, at a later look, is what it says
    /// now, whatever was read in between. A message that comes a second time carries the time it had, and changes
    /// nothing.
    ///
    /// - Parameter given: the time or times that the caller gave; one that was made up here is no look at the till.
    static func readAgain(at given: String) -> String {
        """
        ON CONFLICT (company, kind, id, hash) DO UPDATE SET first_seen = excluded.first_seen
         WHERE excluded.first_seen > source_record.first_seen AND excluded.first_seen = \(given)
        """
    }

    /// So often it is decided anew where somebody else made a document of the same number meanwhile.
    private static let decisionsMax = 3

    package func post<Ending: Sendable>(
        _ request: PostingRequest, _ decide: @Sendable (StandingOrder) -> (moves: [PostingMove], ending: Ending)
    ) async throws -> (announced: [DocumentID], ending: Ending)? {
        var decisions = 1
        while true {
            do { return try await postOnce(request, decide) } catch let error as PostgresError {
                // The order's first document, made by a mapper that had nothing to wait for: the next look sees it.
                guard error.code == .uniqueViolation, decisions < Self.decisionsMax else { throw error }
                decisions += 1
            }
        }
    }
}
