package import Domain
import Postgres

/// What the writers store. Every change of a document names the fencing number of its claim; a writer whose lease ran
/// out changes nothing and is told so.
package protocol WritingStore: Sendable {
    /// Takes what can be worked on. What another writer holds, or what is finished, is in the result as such.
    func claim(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult]
    /// Stores key and exact bytes and moves the documents to `sent`. Nothing may be sent before this returned.
    func recordSending(_ claims: [Claim], organisation: OrganisationKey, key: String, bytes: [UInt8]) async throws
    /// Gives back to `ready` those that are still `claimed`: nothing of them can have reached the ledger.
    func release(_ claims: [Claim]) async throws
    func recordUncertain(_ claims: [Claim], key: String, cause: String) async throws
    /// Stores what the ledger said of each document; payments of the written ones become the next attempt.
    func recordInvoices(_ results: [InvoiceResult], key: String?, payments: PaymentAttempt?) async throws
    func recordPayments(_ results: [PaymentResult], settled: [Claim], key: String?) async throws
    /// Makes a claim last longer.
    func extend(_ claims: [Claim], lease: Duration) async throws
}

package struct ClaimResult: Sendable {
    package enum Outcome: Sendable {
        case claimed(Claim)
        /// Another writer holds it until its lease ends.
        case busy
        /// Nothing left to do.
        case finished(DocumentState)
        /// No such row.
        case absent
    }

    package let id: DocumentID
    package let outcome: Outcome
}

/// A document in a writer's hands.
package struct Claim: Sendable {
    package let id: DocumentID
    package let fencing: Int64
    /// The state it was in before: `ready`, or what a writer that died left behind.
    package let before: DocumentState
    package let number: String
    package let contactNumber: String
    package let company: CompanyKey
    package let venue: String
    package let sourceID: String
    package let date: String
    /// Exact digits.
    package let total: String
    package let body: [UInt8]
    package var xeroID: String?
    package var payments: [ClaimedPayment]
}

package struct ClaimedPayment: Sendable {
    package let id: Int64
    package let account: String
    /// Exact digits with two decimals.
    package let amount: String
    package let date: CalendarDate
    package let reference: String
    package var state: String
}

package struct InvoiceResult: Sendable {
    package let claim: Claim
    package let state: DocumentState
    package let xeroID: String?
    package let cause: String?

    package init(claim: Claim, state: DocumentState, xeroID: String? = nil, cause: String? = nil) {
        self.claim = claim
        self.state = state
        self.xeroID = xeroID
        self.cause = cause
    }
}

/// A batch of payments that is about to be sent.
package struct PaymentAttempt: Sendable {
    package let organisation: OrganisationKey
    package let key: String
    package let bytes: [UInt8]
    package let ids: [Int64]

    package init(organisation: OrganisationKey, key: String, bytes: [UInt8], ids: [Int64]) {
        self.organisation = organisation
        self.key = key
        self.bytes = bytes
        self.ids = ids
    }
}

package struct PaymentResult: Sendable {
    package enum State: String, Sendable { case ready, uncertain, written, refused }
    package let id: Int64
    package let state: State
    package let xeroID: String?
    package let cause: String?

    package init(id: Int64, state: State, xeroID: String? = nil, cause: String? = nil) {
        self.id = id
        self.state = state
        self.xeroID = xeroID
        self.cause = cause
    }
}

/// A lease ran out and another process took over: what this one still holds of it is void.
package struct LeaseLost: Error, Sendable, CustomStringConvertible {
    package let count: Int
    package var description: String { "\(count) leases ran out and were taken over" }
}

extension PostgresStore: WritingStore {
    package func claim(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult] {
        let ids = documents.map(\.value)
        let holder = holder
        return try await pool.transaction { session in
            let rows = try session.query(
                Self.claimSQL, [.ints(ids.map { $0 }), .text(holder), .int(lease.milliseconds)])
            let claimedIDs = try rows.map { try $0.int("id") }
            let paymentRows = try session.query(
                """
                SELECT document_id, id, account, amount, paid_on, reference, state FROM payment
                 WHERE document_id = ANY($1::bigint[]) ORDER BY document_id, ordinal
                """, [.ints(claimedIDs.map { $0 })])
            var payments: [Int64: [ClaimedPayment]] = [:]
            for row in paymentRows {
                payments[try row.int("document_id"), default: []].append(try ClaimedPayment(row))
            }
            var results: [ClaimResult] = []
            for row in rows {
                let claim = try Claim(row, payments: payments[try row.int("id")] ?? [])
                results.append(ClaimResult(id: claim.id, outcome: .claimed(claim)))
            }
            let missing = Set(ids).subtracting(claimedIDs)
            if !missing.isEmpty { results += try Self.notClaimed(missing, session) }
            return results
        }
    }

    /// Rows another writer is claiming at this moment are skipped, not waited for.
    private static let claimSQL = """
        WITH wanted AS (
            SELECT id, state FROM document
             WHERE id = ANY($1::bigint[])
               AND (state = 'ready'
                    OR (state IN ('claimed', 'sent', 'uncertain') AND lease_until < now())
                    OR (state = 'written' AND closed_at IS NULL AND (lease_until IS NULL OR lease_until < now())))
             ORDER BY id FOR UPDATE SKIP LOCKED
        )
        UPDATE document AS d
           SET state = CASE WHEN d.state = 'ready' THEN 'claimed' ELSE d.state END, claimed_by = $2,
               fencing = d.fencing + 1, lease_until = now() + $3 * interval '1 millisecond'
          FROM wanted JOIN document_body AS b ON b.document_id = wanted.id
         WHERE d.id = wanted.id
        RETURNING d.id, wanted.state AS before, d.fencing, d.number, d.contact_number, d.company, d.venue, d.source_id,
                  d.trading_date, d.total, b.body, d.xero_id
        """

    private static func notClaimed(_ ids: Set<Int64>, _ session: PostgresSession) throws -> [ClaimResult] {
        var results: [ClaimResult] = []
        var found: Set<Int64> = []
        let rows = try session.query(
            "SELECT id, state, closed_at IS NOT NULL AS settled FROM document WHERE id = ANY($1::bigint[])",
            [.ints(ids.map { $0 })])
        for row in rows {
            let id = try row.int("id")
            found.insert(id)
            let state = DocumentState(rawValue: try row.text("state")) ?? .refused
            let isSettled = try row.bool("settled")
            let isFinished = state == .refused || (state == .written && isSettled)
            results.append(ClaimResult(id: DocumentID(id), outcome: isFinished ? .finished(state) : .busy))
        }
        return results + ids.subtracting(found).map { ClaimResult(id: DocumentID($0), outcome: .absent) }
    }

    package func recordSending(
        _ claims: [Claim], organisation: OrganisationKey, key: String, bytes: [UInt8]
    ) async throws {
        let holder = holder
        try await pool.transaction { session in
            let results = try session.pipeline([
                (
                    """
                    UPDATE document AS d SET state = 'sent'
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing AND d.state IN ('claimed', 'sent', 'uncertain')
                    RETURNING d.id
                    """, Self.fences(claims)
                ),
                (
                    Self.insertAttempt,
                    [
                        .text(organisation.text), .text("invoices"), .text(key), .bytes(bytes),
                        .ints(claims.map { $0.id.value }), .text(holder),
                    ]
                ),
            ])
            try Self.require(claims.count, results[0].count)
        }
    }

    private static let insertAttempt = """
        INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by)
        VALUES ($1, $2, $3, $4, $5::bigint[], $6)
        ON CONFLICT (idempotency_key) DO UPDATE SET sent_at = clock_timestamp(), sent_by = excluded.sent_by
        """

    package func release(_ claims: [Claim]) async throws {
        guard !claims.isEmpty else { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE document AS d SET state = 'ready', lease_until = NULL, claimed_by = NULL
                  FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                 WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'claimed'
                """, Self.fences(claims))
        }
    }

    package func recordUncertain(_ claims: [Claim], key: String, cause: String) async throws {
        try await pool.transaction { session in
            _ = try session.pipeline([
                (
                    """
                    UPDATE document AS d SET state = 'uncertain', cause = $3
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'sent'
                    """, Self.fences(claims) + [.text(cause)]
                ),
                (Self.finishAttempt, [.text(key), .text("uncertain: \(cause)")]),
            ])
        }
    }

    private static let finishAttempt =
        "UPDATE attempt SET finished_at = clock_timestamp(), outcome = $2 WHERE idempotency_key = $1"

    package func recordInvoices(_ results: [InvoiceResult], key: String?, payments: PaymentAttempt?) async throws {
        let holder = holder
        try await pool.transaction { session in
            var statements: [(sql: String, parameters: [PostgresValue])] = [
                (
                    """
                    UPDATE document AS d
                       SET state = u.state, xero_id = u.xero_id, cause = u.cause,
                           written_at = CASE WHEN u.state = 'written' THEN coalesce(d.written_at, now()) END,
                           closed_at = CASE WHEN u.state = 'refused' OR (u.state = 'written' AND u.settled)
                                            THEN now() END,
                           lease_until = CASE WHEN u.state = 'written' AND NOT u.settled THEN d.lease_until END
                      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::boolean[])
                        AS u (id, fencing, state, xero_id, cause, settled)
                     WHERE d.id = u.id AND d.fencing = u.fencing
                       AND d.state IN ('claimed', 'sent', 'uncertain', 'written')
                    RETURNING d.id
                    """,
                    Self.fences(results.map(\.claim)) + [
                        .texts(results.map(\.state.rawValue)), .texts(results.map(\.xeroID)),
                        .texts(results.map(\.cause)), .bools(results.map { !$0.claim.hasOpenPayments }),
                    ]
                )
            ]
            if let key { statements.append((Self.finishAttempt, [.text(key), .text("answered")])) }
            if let payments { statements += Self.sendPayments(payments, holder) }
            try Self.require(results.count, try session.pipeline(statements)[0].count)
        }
    }

    private static func sendPayments(
        _ attempt: PaymentAttempt, _ holder: String
    ) -> [(sql: String, parameters: [PostgresValue])] {
        [
            (
                """
                UPDATE payment SET state = 'sent'
                 WHERE id = ANY($1::bigint[]) AND state IN ('ready', 'sent', 'uncertain')
                """,
                [.ints(attempt.ids.map { $0 })]
            ),
            (
                insertAttempt,
                [
                    .text(attempt.organisation.text), .text("payments"), .text(attempt.key), .bytes(attempt.bytes),
                    .ints(attempt.ids.map { $0 }), .text(holder),
                ]
            ),
        ]
    }

    package func recordPayments(_ results: [PaymentResult], settled: [Claim], key: String?) async throws {
        try await pool.transaction { session in
            var statements: [(sql: String, parameters: [PostgresValue])] = [
                (
                    """
                    UPDATE payment AS p SET state = u.state, xero_id = coalesce(u.xero_id, p.xero_id), cause = u.cause
                      FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[]) AS u (id, state, xero_id, cause)
                     WHERE p.id = u.id AND p.state <> 'written'
                    """,
                    [
                        .ints(results.map { $0.id }), .texts(results.map(\.state.rawValue)),
                        .texts(results.map(\.xeroID)), .texts(results.map(\.cause)),
                    ]
                ),
                (
                    """
                    UPDATE document AS d SET closed_at = now(), lease_until = NULL
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'written'
                    """, Self.fences(settled)
                ),
            ]
            if let key { statements.append((Self.finishAttempt, [.text(key), .text("answered")])) }
            _ = try session.pipeline(statements)
        }
    }

    package func extend(_ claims: [Claim], lease: Duration) async throws {
        try await pool.transaction { session in
            let rows = try session.query(
                """
                UPDATE document AS d SET lease_until = now() + $3 * interval '1 millisecond'
                  FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                 WHERE d.id = u.id AND d.fencing = u.fencing RETURNING d.id
                """, Self.fences(claims) + [.int(lease.milliseconds)])
            try Self.require(claims.count, rows.count)
        }
    }

    private static func fences(_ claims: [Claim]) -> [PostgresValue] {
        [.ints(claims.map { $0.id.value }), .ints(claims.map { $0.fencing })]
    }

    private static func require(_ wanted: Int, _ found: Int) throws {
        guard wanted == found else { throw LeaseLost(count: wanted - found) }
    }
}

extension Claim {
    /// Whether something is left to pay after the invoice stands.
    package var hasOpenPayments: Bool { payments.contains { $0.state != "written" && $0.state != "refused" } }

    fileprivate init(_ row: PostgresRow, payments: [ClaimedPayment]) throws {
        id = DocumentID(try row.int("id"))
        fencing = try row.int("fencing")
        before = DocumentState(rawValue: try row.text("before")) ?? .uncertain
        number = try row.text("number")
        contactNumber = try row.text("contact_number")
        company = CompanyKey(try row.text("company"))
        venue = try row.text("venue")
        sourceID = try row.text("source_id")
        date = try row.date("trading_date")
        total = try row.numeric("total")
        body = try row.bytes("body")
        xeroID = try row.textOrNil("xero_id")
        self.payments = payments
    }
}

extension ClaimedPayment {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.int("id")
        account = try row.text("account")
        amount = try row.numeric("amount")
        date = CalendarDate(try row.date("paid_on")) ?? CalendarDate(daysSince1970: 0)
        reference = try row.text("reference")
        state = try row.text("state")
    }
}
