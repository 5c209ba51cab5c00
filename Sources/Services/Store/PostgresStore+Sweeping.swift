package import Domain
import Postgres

/// What the sweeper needs: the documents whose message may have been lost.
package protocol SweepingStore: LeaseStore {
    /// Documents nobody holds that wait since before `age`, oldest first, at most `limit`. They count as published now.
    func takeForgotten(
        of organisation: OrganisationKey, olderThan age: Duration, limit: Int
    ) async throws -> [ForgottenDocument]
    /// Documents nobody holds that were overtaken: what was published later by more than `margin` has left the queue
    /// already. Oldest first, at most `limit`; they count as published now. None where nothing has left the queue for
    /// an hour: then nothing is known.
    func takeOvertaken(
        of organisation: OrganisationKey, by margin: Duration, limit: Int
    ) async throws -> [ForgottenDocument]
    /// How many documents of each organisation are not finished, by where each document's message should be.
    ///
    /// - Parameter age: since when a document is ``OpenDocuments/due``.
    func openDocuments(dueAfter age: Duration) async throws -> [OrganisationKey: OpenDocuments]
}

/// The unfinished documents of an organisation. What is in none of the parts below is held by a writer.
package struct OpenDocuments: Sendable, Hashable {
    package var all = 0
    /// Held by nobody, and their message should be in the queue or in a writer's hand.
    package var waiting = 0
    /// Of those that wait, the ones published so long ago that the message must have come to the broker.
    package var due = 0
    /// Put off: their message is in a delay queue.
    package var delayed = 0

    package init() {}
}

/// A document whose message is to be published again.
package struct ForgottenDocument: Sendable, Hashable {
    package let id: DocumentID
    /// When the till's record that it was made of was first seen; where there is none, when the document was made.
    package let firstSeen: Instant
}

extension ForgottenDocument {
    fileprivate init(_ row: PostgresRow) throws {
        id = DocumentID(try row.int("id"))
        firstSeen = Instant(microseconds: try row.timestamp("first_seen"))
    }
}

extension PostgresStore: SweepingStore {
    /// SQL for a row `d` of the documents.
    private static let firstSeen = """
        coalesce((SELECT s.first_seen FROM source_record AS s
                   WHERE s.company = d.company AND s.kind = d.source_kind AND s.id = d.source_id
                     AND s.hash = d.source_hash), d.created_at) AS first_seen
        """

    package func takeForgotten(
        of organisation: OrganisationKey, olderThan age: Duration, limit: Int
    ) async throws -> [ForgottenDocument] {
        try await pool.transaction { session in
            try session.query(
                """
                WITH forgotten AS (
                    SELECT id FROM document
                     WHERE organisation = $1 AND closed_at IS NULL
                       AND published_at < now() - $2 * interval '1 millisecond'
                       AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY published_at LIMIT $3 FOR UPDATE SKIP LOCKED
                )
                UPDATE document AS d SET published_at = now() FROM forgotten WHERE d.id = forgotten.id
                RETURNING d.id, \(Self.firstSeen)
                """, [.text(organisation.text), .int(age.milliseconds), .int(Int64(limit))]
            ).map { try ForgottenDocument($0) }
        }
    }

    /// The queue hands out in order, so the documents that were taken up last tell how far it has come. The median of
    /// some hundred of them, because a few are not where their time of publishing says: one whose second message was
    /// ahead of its first, one that a writer handed back.
    package func takeOvertaken(
        of organisation: OrganisationKey, by margin: Duration, limit: Int
    ) async throws -> [ForgottenDocument] {
        try await pool.transaction { session in
            try session.query(
                """
                WITH moves AS (
                    SELECT documents FROM audit
                     WHERE organisation = $1 AND before = 'ready' AND after IN ('claimed', 'sent')
                       AND at > now() - interval '1 hour'
                     ORDER BY at DESC LIMIT 20
                ), mark AS (
                    SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY d.published_at) AS at
                      FROM moves CROSS JOIN unnest(moves.documents) AS taken (id) JOIN document AS d USING (id)
                ), overtaken AS (
                    SELECT id FROM document
                     WHERE organisation = $1 AND closed_at IS NULL
                       AND published_at < (SELECT at FROM mark) - $2 * interval '1 millisecond'
                       AND (lease_until IS NULL OR lease_until < now())
                     ORDER BY published_at LIMIT $3 FOR UPDATE SKIP LOCKED
                )
                UPDATE document AS d SET published_at = now() FROM overtaken WHERE d.id = overtaken.id
                RETURNING d.id, \(Self.firstSeen)
                """, [.text(organisation.text), .int(margin.milliseconds), .int(Int64(limit))]
            ).map { try ForgottenDocument($0) }
        }
    }

    package func openDocuments(dueAfter age: Duration) async throws -> [OrganisationKey: OpenDocuments] {
        try await pool.withSession { session in
            // By document_open, which holds only what is not finished.
            let rows = try session.query(
                """
                SELECT organisation, count(*) AS open,
                       count(*) FILTER (WHERE is_free AND published_at <= now()) AS waiting,
                       count(*) FILTER (WHERE is_free AND published_at < now() - $1 * interval '1 millisecond') AS due,
                       count(*) FILTER (WHERE is_free AND published_at > now()) AS delayed
                  FROM document CROSS JOIN LATERAL (SELECT lease_until IS NULL OR lease_until < now()) AS l (is_free)
                 WHERE closed_at IS NULL GROUP BY organisation
                """, [.int(age.milliseconds)])
            return try rows.reduce(into: [:]) { counts, row in
                var open = OpenDocuments()
                open.all = Int(try row.int("open"))
                open.waiting = Int(try row.int("waiting"))
                open.due = Int(try row.int("due"))
                open.delayed = Int(try row.int("delayed"))
                counts[OrganisationKey(try row.text("organisation"))] = open
            }
        }
    }
}
