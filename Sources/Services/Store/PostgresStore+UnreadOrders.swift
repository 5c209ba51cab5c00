package import Domain
import Postgres

/// Orders that Kounta lists and does not show.
package protocol UnreadOrderStore: Sendable {
    /// What is known of these orders: most are not there.
    func unreadOrders(_ ids: [OrderID], of company: CompanyKey) async throws -> [OrderID: UnreadOrder]
    /// How many orders of the company lie on the desk for it.
    func unreadOrdersTold(of company: CompanyKey) async throws -> Int
    /// Keeps what was found of some, and forgets those that were read.
    ///
    /// - Throws: ``LeaseLost``.
    func keepUnread(
        _ orders: [UnreadOrder], forgetting read: [OrderID], of company: CompanyKey, lease: Lease
    ) async throws
}

package struct UnreadOrder: Sendable, Hashable {
    package let id: OrderID
    /// Of the list's row by which it was asked for.
    package let rowHash: ContentHash
    /// What Kounta answered the last time.
    package let cause: String
    package let tries: Int
    package let since: Instant
    package let nextTry: Instant
    /// When it was laid on the desk.
    package let toldAt: Instant?

    package init(
        id: OrderID, rowHash: ContentHash, cause: String, tries: Int, since: Instant, nextTry: Instant,
        toldAt: Instant?
    ) {
        self.id = id
        self.rowHash = rowHash
        self.cause = cause
        self.tries = tries
        self.since = since
        self.nextTry = nextTry
        self.toldAt = toldAt
    }
}

extension PostgresStore: UnreadOrderStore {
    /// What nobody asked for in this time has left every list that is read.
    private static let keptFor = "interval '30 days'"

    package func unreadOrders(_ ids: [OrderID], of company: CompanyKey) async throws -> [OrderID: UnreadOrder] {
        if ids.isEmpty { return [:] }
        return try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT id, row_hash, cause, tries, since, next_try, told_at FROM poll_unread
                 WHERE company = $1 AND id = ANY($2::text[])
                """, [.text(company.text), .texts(ids.map(\.text))])
            return try rows.reduce(into: [:]) { orders, row in
                guard let hash = ContentHash(bytes: try row.bytes("row_hash")) else { return }
                let id = OrderID(try row.text("id"))
                orders[id] = UnreadOrder(
                    id: id, rowHash: hash, cause: try row.text("cause"), tries: Int(try row.int("tries")),
                    since: try row.instant("since"), nextTry: try row.instant("next_try"),
                    toldAt: try row.instantOrNil("told_at"))
            }
        }
    }

    package func unreadOrdersTold(of company: CompanyKey) async throws -> Int {
        try await pool.withSession { session in
            let rows = try session.query(
                "SELECT count(*) AS told FROM poll_unread WHERE company = $1 AND told_at IS NOT NULL",
                [.text(company.text)])
            return Int(try rows[0].int("told"))
        }
    }

    package func keepUnread(
        _ orders: [UnreadOrder], forgetting read: [OrderID], of company: CompanyKey, lease: Lease
    ) async throws {
        if orders.isEmpty, read.isEmpty { return }
        try await pool.transaction { session in
            try Self.requireHeld(lease, session)
            _ = try session.pipeline([
                (
                    """
                    DELETE FROM poll_unread
                     WHERE company = $1 AND (id = ANY($2::text[]) OR next_try < now() - \(Self.keptFor))
                    """, [.text(company.text), .texts(read.map(\.text))]
                ),
                (
                    """
                    INSERT INTO poll_unread (company, id, row_hash, cause, tries, since, next_try, told_at)
                    SELECT DISTINCT ON (i) $1, i, h, c, n, s, t, d
                      FROM unnest($2::text[], $3::bytea[], $4::text[], $5::bigint[], $6::timestamptz[],
                                  $7::timestamptz[], $8::timestamptz[]) AS u (i, h, c, n, s, t, d)
                     ORDER BY i, n DESC
                    ON CONFLICT (company, id) DO UPDATE
                       SET row_hash = excluded.row_hash, cause = excluded.cause, tries = excluded.tries,
                           since = excluded.since, next_try = excluded.next_try, told_at = excluded.told_at
                    """,
                    [
                        .text(company.text), .texts(orders.map(\.id.text)), .bytesArray(orders.map(\.rowHash.bytes)),
                        .texts(orders.map { $0.cause.replacing("\0", with: " ") }),
                        .ints(orders.map { Int64($0.tries) }),
                        .timestamps(microsecondsSince1970: orders.map(\.since.microseconds)),
                        .timestamps(microsecondsSince1970: orders.map(\.nextTry.microseconds)),
                        .timestamps(microsecondsSince1970: orders.map(\.toldAt?.microseconds)),
                    ]
                ),
            ])
        }
    }
}
