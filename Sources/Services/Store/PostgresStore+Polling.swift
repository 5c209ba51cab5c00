package import Domain
import Postgres

/// What the poller remembers.
package protocol PollingStore: LeaseStore, UnreadOrderStore {
    func position(company: CompanyKey, site: SiteID) async throws -> PollPosition?
    /// Of these list rows, the ids whose row is new or has changed since its details were published; and of what lies
    /// on the desk because Kounta does not show it, what is to be asked for again by `now`.
    func unseen(
        company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], at now: Instant
    ) async throws -> Set<OrderID>
    /// The details of these rows are published and confirmed.
    ///
    /// - Throws: ``LeaseLost``: another poller may know better by now.
    func markSeen(company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], lease: Lease) async throws
    /// The orders that stood in the list of open accounts when it was last read.
    func openAccounts(company: CompanyKey, site: SiteID) async throws -> Set<OrderID>
    /// - Throws: ``LeaseLost``.
    func setOpenAccounts(_ ids: Set<OrderID>, company: CompanyKey, site: SiteID, lease: Lease) async throws
    /// Moves the cursor, and says that what was sold lately is read; refused when the lease was lost. No part of a
    /// position ever goes back: whoever knows less of it than another changes nothing.
    func move(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws
    /// As ``move(_:company:site:lease:)``, of what is read beside: it does not say that what was sold lately is read.
    func note(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws
}

package struct PollPosition: Sendable, Equatable {
    /// Everything created before was read.
    package var readUntil: Instant
    package var rescanned: Instant?
    /// When the lists of deleted orders and open accounts were last read.
    package var sideListsRead: Instant?

    package init(readUntil: Instant, rescanned: Instant?, sideListsRead: Instant? = nil) {
        self.readUntil = readUntil
        self.rescanned = rescanned
        self.sideListsRead = sideListsRead
    }
}

extension PostgresStore: PollingStore {
    package func position(company: CompanyKey, site: SiteID) async throws -> PollPosition? {
        try await pool.withSession { session in
            try session.query(
                "SELECT position, rescanned, side_lists_read FROM poll_cursor WHERE company = $1 AND site = $2",
                [.text(company.text), .text(site.text)]
            ).first.map { row in
                PollPosition(
                    readUntil: Instant(microseconds: try row.timestamp("position")),
                    rescanned: try row.timestampOrNil("rescanned").map { Instant(microseconds: $0) },
                    sideListsRead: try row.timestampOrNil("side_lists_read").map { Instant(microseconds: $0) })
            }
        }
    }

    package func unseen(
        company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], at now: Instant
    ) async throws -> Set<OrderID> {
        guard !rows.isEmpty else { return [] }
        let parameters = Self.parameters(company, rows) + [now.parameter]
        return try await pool.withSession { session in
            let new = try session.query(
                """
                SELECT u.id FROM unnest($2::text[], $3::bytea[]) AS u (id, row_hash)
                 WHERE NOT EXISTS (SELECT FROM poll_seen AS s
                                    WHERE s.company = $1 AND s.id = u.id AND s.row_hash = u.row_hash)
                    OR EXISTS (SELECT FROM poll_unread AS n
                                WHERE n.company = $1 AND n.id = u.id AND n.told_at IS NOT NULL AND n.next_try <= $4)
                """, parameters)
            return Set(try new.map { OrderID(try $0.text("id")) })
        }
    }

    package func markSeen(
        company: CompanyKey, rows: [(id: OrderID, hash: ContentHash)], lease: Lease
    ) async throws {
        guard !rows.isEmpty else { return }
        let parameters = Self.parameters(company, rows.sorted { $0.id < $1.id })
        try await pool.transaction { session in
            try Self.requireHeld(lease, session)
            try session.execute(
                """
                INSERT INTO poll_seen (company, id, row_hash)
                SELECT DISTINCT ON (id) $1, id, row_hash FROM unnest($2::text[], $3::bytea[]) AS u (id, row_hash)
                ON CONFLICT (company, id) DO UPDATE SET row_hash = excluded.row_hash, seen_at = now()
                """, parameters)
        }
    }

    package func openAccounts(company: CompanyKey, site: SiteID) async throws -> Set<OrderID> {
        try await pool.withSession { session in
            let rows = try session.query(
                "SELECT id FROM poll_open_account WHERE company = $1 AND site = $2",
                [.text(company.text), .text(site.text)])
            return Set(try rows.map { OrderID(try $0.text("id")) })
        }
    }

    package func setOpenAccounts(
        _ ids: Set<OrderID>, company: CompanyKey, site: SiteID, lease: Lease
    ) async throws {
        let parameters: [PostgresValue] = [
            .text(company.text), .text(site.text), .texts(ids.map(\.text).sorted()),
        ]
        try await pool.transaction { session in
            try Self.requireHeld(lease, session)
            _ = try session.query(
                "DELETE FROM poll_open_account WHERE company = $1 AND site = $2 AND NOT id = ANY($3::text[])",
                parameters)
            _ = try session.query(
                """
                INSERT INTO poll_open_account (company, site, id) SELECT $1, $2, unnest($3::text[])
                ON CONFLICT DO NOTHING
                """, parameters)
        }
    }

    /// Locks the lease's row: nobody can take it over between the look and what this transaction changes.
    static func requireHeld(_ lease: Lease, _ session: PostgresSession) throws {
        let held = try session.query(
            "SELECT fence FROM lease WHERE name = $1 AND fence = $2 AND until > now() FOR SHARE",
            [.text(lease.name), .int(lease.fence)])
        guard held.count == 1 else { throw LeaseLost(count: 1) }
    }

    private static func parameters(
        _ company: CompanyKey, _ rows: [(id: OrderID, hash: ContentHash)]
    ) -> [PostgresValue] {
        [.text(company.text), .texts(rows.map { $0.id.text }), .bytesArray(rows.map { $0.hash.bytes })]
    }

    package func move(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws {
        try await keep(position, ofLook: true, company, site, lease)
    }

    package func note(_ position: PollPosition, company: CompanyKey, site: SiteID, lease: Lease) async throws {
        try await keep(position, ofLook: false, company, site, lease)
    }

    private func keep(
        _ position: PollPosition, ofLook isLook: Bool, _ company: CompanyKey, _ site: SiteID, _ lease: Lease
    ) async throws {
        try await pool.transaction { session in
            try Self.requireHeld(lease, session)
            try session.execute(
                """
                INSERT INTO poll_cursor (company, site, position, rescanned, fence, side_lists_read)
                VALUES ($1, $2, $3, $4, $5, $6)
                ON CONFLICT (company, site) DO UPDATE
                   SET position = greatest(poll_cursor.position, excluded.position),
                       rescanned = greatest(poll_cursor.rescanned, excluded.rescanned), fence = excluded.fence,
                       side_lists_read = greatest(poll_cursor.side_lists_read, excluded.side_lists_read),
                       updated_at = CASE WHEN $7 THEN now() ELSE poll_cursor.updated_at END
                """,
                [
                    .text(company.text), .text(site.text),
                    .timestamp(microsecondsSince1970: position.readUntil.microseconds),
                    position.rescanned.map { .timestamp(microsecondsSince1970: $0.microseconds) } ?? .null,
                    .int(lease.fence),
                    position.sideListsRead.map { .timestamp(microsecondsSince1970: $0.microseconds) } ?? .null,
                    .bool(isLook),
                ])
        }
    }
}
