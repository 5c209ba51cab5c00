package import Domain
import JSON
import Mapping
import Postgres

extension PostgresStore: WritingStore {
    package func take(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult] {
        guard !documents.isEmpty else { return [] }
        let ids = documents.map(\.value)
        let ready = try await pool.withSession { session in
            let rows = try session.pipeline([(Self.readySQL, [.ints(ids)]), (Self.paymentsSQL, [.ints(ids)])])
            return try Self.claims(rows[0], payments: rows[1], isHeld: false)
        }
        let results = ready.map { ClaimResult(id: $0.id, outcome: .claimed($0)) }
        guard ready.count < documents.count else { return results }
        return results + (try await claim(Array(Set(documents).subtracting(ready.map(\.id))), lease: lease))
    }

    private static let readySQL = """
        SELECT d.id, d.state AS before, d.fencing, d.kind, d.task, d.number, d.contact_number, d.company, d.venue,
               d.source_id, d.trading_date, d.total, d.cause, b.body, b.form, d.xero_id
          FROM document AS d JOIN document_body AS b ON b.document_id = d.id
         WHERE d.id = ANY($1::bigint[]) AND d.state = 'ready'
        """

    private static let paymentsSQL = """
        SELECT document_id, ordinal, account, amount, paid_on, reference, state, xero_id, allocates, cause FROM payment
         WHERE document_id = ANY($1::bigint[]) ORDER BY document_id, ordinal
        """

    private static func claims(_ rows: [PostgresRow], payments: [PostgresRow], isHeld: Bool) throws -> [Claim] {
        var byDocument: [Int64: [ClaimedPayment]] = [:]
        for row in payments {
            let payment = try ClaimedPayment(row)
            byDocument[payment.id.document.value, default: []].append(payment)
        }
        return try rows.map { try Claim($0, payments: byDocument[try $0.int("id")] ?? [], isHeld: isHeld) }
    }

    /// Claims whatever nobody holds, in whatever state a dead writer left it.
    package func claim(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult] {
        let ids = documents.map(\.value)
        let holder = holder
        return try await pool.transaction { session in
            let rows = try session.query(
                Self.claimSQL, [.ints(ids), .text(holder), .int(lease.milliseconds)])
            let claimedIDs = try rows.map { try $0.int("id") }
            let payments = try session.query(Self.paymentsSQL, [.ints(claimedIDs)])
            var results = try Self.claims(rows, payments: payments, isHeld: true).map {
                ClaimResult(id: $0.id, outcome: .claimed($0))
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
        RETURNING d.id, wanted.state AS before, d.fencing, d.kind, d.task, d.number, d.contact_number, d.company,
                  d.venue, d.source_id, d.trading_date, d.total, d.cause, b.body, b.form, d.xero_id
        """

    private static func notClaimed(_ ids: Set<Int64>, _ session: PostgresSession) throws -> [ClaimResult] {
        var results: [ClaimResult] = []
        var found: Set<Int64> = []
        let rows = try session.query(StandingRefusal.sql, [.ints(ids.map { $0 })])
        for row in rows {
            let id = try row.int("id")
            found.insert(id)
            let state = DocumentState(rawValue: try row.text("state")) ?? .refused
            let isSettled = try row.bool("settled")
            let isFinished = [.refused, .withdrawn, .voided].contains(state)
                || (state == .written && isSettled)
            results.append(
                ClaimResult(
                    id: DocumentID(id), outcome: isFinished ? .finished(state) : .busy,
                    refusal: isFinished ? try StandingRefusal(row) : nil))
        }
        return results + ids.subtracting(found).map { ClaimResult(id: DocumentID($0), outcome: .absent) }
    }

    package func recordSending(_ claims: [Claim], _ attempt: SendingAttempt) async throws -> [Claim] {
        let holder = holder
        return try await pool.transaction { session in
            let results = try session.pipeline([
                (
                    // A claim and its sending are one statement: between them nothing could wait or fail.
                    """
                    UPDATE document AS d
                       SET state = 'sent', fencing = d.fencing + CASE WHEN d.state = 'ready' THEN 1 ELSE 0 END,
                           claimed_by = $3, lease_until = now() + $4 * interval '1 millisecond'
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing
                       AND d.state IN ('ready', 'claimed', 'sent', 'uncertain')
                    RETURNING d.id, d.fencing
                    """, Self.fences(claims) + [.text(holder), .int(attempt.lease.milliseconds)]
                ),
                (
                    Self.insertAttempt,
                    [
                        .text(attempt.organisation.text),
                        .text(attempt.kind == .invoice ? "invoices" : "credit_notes"), .text(attempt.key),
                        .bytes(attempt.bytes), .ints(claims.map { $0.id.value }), .text(holder),
                    ]
                ),
            ])
            var fences: [Int64: Int64] = [:]
            for row in results[0] { fences[try row.int("id")] = try row.int("fencing") }
            guard fences.count == claims.count else {
                throw TakenByOthers(Set(claims.map(\.id).filter { fences[$0.value] == nil }))
            }
            return claims.map { claim in
                var held = claim
                held.fencing = fences[claim.id.value] ?? claim.fencing
                held.isHeld = true
                return held
            }
        }
    }

    /// Sent again under its key, a request keeps the moment of its first sending: from then on Xero remembers the key.
    private static let insertAttempt = """
        INSERT INTO attempt (organisation, kind, idempotency_key, bytes, ids, sent_by)
        VALUES ($1, $2, $3, $4, $5::bigint[], $6)
        ON CONFLICT (idempotency_key) DO UPDATE SET sent_by = excluded.sent_by
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

    package func putOff(_ claims: [Claim], for wait: Duration) async throws {
        guard !claims.isEmpty else { return }
        _ = try await pool.withSession { session in
            try session.execute(
                """
                UPDATE document AS d
                   SET state = CASE WHEN d.state = 'claimed' THEN 'ready' ELSE d.state END, claimed_by = NULL,
                       lease_until = CASE WHEN d.state IN ('ready', 'claimed') THEN NULL ELSE now() END,
                       published_at = now() + $3 * interval '1 millisecond'
                  FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                 WHERE d.id = u.id AND d.fencing = u.fencing AND d.closed_at IS NULL
                """, Self.fences(claims) + [.int(wait.milliseconds)])
        }
    }

    package func giveUp(_ documents: [DocumentID], because cause: String) async throws -> [DocumentID] {
        try await pool.transaction { session in
            _ = try session.query(Self.forgetUnanswered, [.ints(documents.map(\.value))])
            return try session.query(
                """
                WITH given AS (
                    UPDATE document
                       SET state = CASE WHEN state = 'written' THEN state ELSE 'refused' END, cause = $2,
                           closed_at = now(), lease_until = NULL, fencing = fencing + 1
                     WHERE id = ANY($1::bigint[]) AND closed_at IS NULL
                    RETURNING id, state
                ), unpaid AS (
                    UPDATE payment AS p SET state = 'refused', cause = $2 FROM given AS g
                     WHERE p.document_id = g.id AND g.state = 'written' AND p.state NOT IN ('written', 'refused')
                )
                SELECT id FROM given
                """, [.ints(documents.map(\.value)), .text(cause)]
            ).map { DocumentID(try $0.int("id")) }
        }
    }

    package func recordUncertain(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws {
        try await pool.transaction { session in
            _ = try session.pipeline(Self.finish(call, "uncertain: \(cause)") + [
                (
                    """
                    UPDATE document AS d SET state = 'uncertain', cause = $3
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'sent'
                    """, Self.fences(claims) + [.text(cause)]
                ),
            ])
        }
    }

    package func recordNotTaken(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws {
        try await pool.transaction { session in
            _ = try session.pipeline(Self.finish(call, "not taken: \(cause)") + [
                (
                    """
                    UPDATE document AS d SET state = 'ready', lease_until = NULL, claimed_by = NULL
                      FROM unnest($1::bigint[], $2::bigint[]) AS u (id, fencing)
                     WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'sent'
                    """, Self.fences(claims)
                ),
            ])
        }
    }

    /// Closes the attempt, and lets the audit know Xero's name for the call that moves documents in this transaction.
    static func finish(
        _ call: AnsweredCall?, _ outcome: String = "answered"
    ) -> [(sql: String, parameters: [PostgresValue])] {
        guard let call else { return [] }
        let correlation = call.correlationID.map { PostgresValue.text(String($0.prefix(100))) } ?? .null
        return [
            ("SELECT set_config('tillbridge.correlation', coalesce($1::text, ''), true)", [correlation]),
            (finishAttempt, [.text(call.key), .text(outcome), correlation]),
        ]
    }

    package func recordInvoices(
        _ results: [InvoiceResult], of call: AnsweredCall?, payments: [(attempt: PaymentAttempt, claims: [Claim])]
    ) async throws {
        let holder = holder
        // Whose fences the results are stored by need no second look.
        let own = Set(results.map(\.claim.id))
        try await pool.transaction { session in
            var statements = Self.finish(call)
            let place = statements.count
            statements += [
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
                       AND d.state IN ('ready', 'claimed', 'sent', 'uncertain', 'written')
                    RETURNING d.id
                    """,
                    Self.fences(results.map(\.claim)) + [
                        .texts(results.map(\.state.rawValue)), .texts(results.map(\.xeroID)),
                        .texts(results.map(\.cause)), .bools(results.map { !$0.claim.hasOpenPayments }),
                    ]
                )
            ]
            statements += payments.map { payment in
                Self.attempt(payment.attempt, of: payment.claims.filter { !own.contains($0.id) }, holder)
            }
            let rows = try session.pipeline(statements)
            try Self.require(results.count, rows[place].count)
            try Self.requireStored(rows[(place + 1)...], of: payments.map(\.claims))
        }
    }

    package func recordPayments(
        _ results: [PaymentResult], of claims: [Claim], settled: [Claim], answering call: AnsweredCall?
    ) async throws {
        let ended = Set(settled.map(\.id))
        let others = claims.filter { !ended.contains($0.id) }
        try await pool.transaction { session in
            let statement = (
                Self.payAndClose,
                [
                    .ints(results.map { $0.id.document.value }), .ints(results.map { $0.id.ordinal }),
                    .texts(results.map(\.state.rawValue)), .texts(results.map(\.xeroID)),
                    .texts(results.map(\.cause)),
                ] + Self.fences(settled) + Self.fences(others)
            )
            _ = try session.pipeline(Self.finish(call) + [statement])
        }
    }

    /// Payments, and the documents of which they were the last, in one statement: a writer that lost its lease changes
    /// neither, and a document that is closed here need not be looked up a second time.
    private static let payAndClose = """
        WITH closed AS (
            UPDATE document AS d SET closed_at = now(), lease_until = NULL
              FROM unnest($6::bigint[], $7::bigint[]) AS u (id, fencing)
             WHERE d.id = u.id AND d.fencing = u.fencing AND d.state = 'written'
            RETURNING d.id
        ), held AS (
            SELECT id FROM closed
             UNION ALL
            SELECT d.id FROM unnest($8::bigint[], $9::bigint[]) AS o (id, fencing)
              JOIN document AS d ON d.id = o.id AND d.fencing = o.fencing
        )
        UPDATE payment AS p SET state = u.state, xero_id = coalesce(u.xero_id, p.xero_id), cause = u.cause
          FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[])
            AS u (document, ordinal, state, xero_id, cause)
         -- An array and not a join: the planner expects one row of it and would compare each with each.
         WHERE u.document = ANY (ARRAY(SELECT id FROM held))
           AND p.document_id = u.document AND p.ordinal = u.ordinal AND p.state <> 'written'
        """

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

    static func fences(_ claims: [Claim]) -> [PostgresValue] {
        [.ints(claims.map { $0.id.value }), .ints(claims.map { $0.fencing })]
    }

    /// Whatever becomes of a request, this is said of it once it is known.
    static let finishAttempt = """
        UPDATE attempt SET finished_at = clock_timestamp(), outcome = $2, correlation_id = $3 WHERE idempotency_key = $1
        """

    static func require(_ wanted: Int, _ found: Int) throws {
        guard wanted == found else { throw LeaseLost(count: wanted - found) }
    }
}

extension Claim {
    fileprivate init(_ row: PostgresRow, payments: [ClaimedPayment], isHeld: Bool) throws {
        document = ClaimedDocument(
            id: DocumentID(try row.int("id")), before: DocumentState(rawValue: try row.text("before")) ?? .uncertain,
            kind: LedgerDocument.Kind(rawValue: try row.text("kind")) ?? .invoice, number: try row.text("number"),
            contactNumber: try row.text("contact_number"),
            contact: try row.bytesOrNil("form").map { try LedgerDocument(stored: $0) }.flatMap(ClaimedContact.init),
            task: try row.textOrNil("task").flatMap(DocumentTask.init(rawValue:)),
            company: CompanyKey(try row.text("company")), venue: try row.text("venue"),
            sourceID: try row.text("source_id"), date: try row.date("trading_date"), total: try row.numeric("total"),
            body: try row.bytes("body"), cause: try row.textOrNil("cause"))
        self.isHeld = isHeld
        fencing = try row.int("fencing")
        xeroID = try row.textOrNil("xero_id")
        self.payments = payments
    }
}

extension ClaimedPayment {
    fileprivate init(_ row: PostgresRow) throws {
        id = PaymentKey(document: DocumentID(try row.int("document_id")), ordinal: try row.int("ordinal"))
        account = try row.text("account")
        amount = try row.numeric("amount")
        date = CalendarDate(try row.date("paid_on")) ?? CalendarDate(daysSince1970: 0)
        reference = try row.text("reference")
        state = try row.text("state")
        xeroID = try row.textOrNil("xero_id")
        allocates = try row.textOrNil("allocates")
        cause = try row.textOrNil("cause")
    }
}

extension ClaimedContact {
    fileprivate init?(_ document: LedgerDocument) {
        let customer = document.customer
        guard let name = document.contactName ?? customer?.name else { return nil }
        self.name = name
        firstName = customer?.firstName ?? ""
        lastName = customer?.lastName ?? ""
        email = customer?.email
    }
}
