package import Domain
import Postgres

/// What the till's own records say of customers, as they were last read.
package protocol CustomerStore: Sendable {
    /// Those of them that are known.
    func customers(_ ids: Set<String>, of company: CompanyKey) async throws -> [String: KnownCustomer]
    /// Once for each customer; what is older than what is known changes nothing.
    ///
    /// - Parameter before: whom nobody looked at since then is forgotten.
    func keep(_ customers: [KnownCustomer], of company: CompanyKey, forgetting before: Instant) async throws
}

package struct KnownCustomer: Sendable, Hashable {
    package let id: String
    package var tags: [String]
    package var email: String?
    package var isGone: Bool
    package var lookedAt: Instant
    /// Nil where the last look was answered; else nothing else here is to be believed.
    package var failure: Failure?

    package struct Failure: Sendable, Hashable {
        /// Of the first look that failed.
        package var since: Instant
        /// Of the last one.
        package var cause: String

        package init(since: Instant, cause: String) {
            self.since = since
            self.cause = cause
        }
    }

    package init(
        id: String, tags: [String] = [], email: String? = nil, isGone: Bool = false, lookedAt: Instant,
        failure: Failure? = nil
    ) {
        self.id = id
        self.tags = tags
        self.email = email
        self.isGone = isGone
        self.lookedAt = lookedAt
        self.failure = failure
    }
}

extension PostgresStore: CustomerStore {
    package func customers(_ ids: Set<String>, of company: CompanyKey) async throws -> [String: KnownCustomer] {
        guard !ids.isEmpty else { return [:] }
        return try await pool.withSession { session in
            let rows = try session.query(
                """
                SELECT id, tags, email, is_gone, looked_at, failing_since, cause FROM till_customer
                 WHERE company = $1 AND id = ANY($2::text[])
                """, [.text(company.text), .texts(ids.sorted())])
            return Dictionary(try rows.map { row in
                var customer = KnownCustomer(
                    id: try row.text("id"), tags: try row.texts("tags").compactMap(\.self),
                    email: try row.textOrNil("email"), isGone: try row.bool("is_gone"),
                    lookedAt: Instant(microseconds: try row.timestamp("looked_at")))
                if let since = try row.timestampOrNil("failing_since") {
                    customer.failure = KnownCustomer.Failure(
                        since: Instant(microseconds: since), cause: try row.text("cause"))
                }
                return (customer.id, customer)
            }) { $1 }
        }
    }

    package func keep(
        _ customers: [KnownCustomer], of company: CompanyKey, forgetting before: Instant
    ) async throws {
        // In one order, so that two that keep the same never wait for each other in a circle.
        let sorted = customers.sorted { $0.id < $1.id }
        if sorted.isEmpty { return }
        try await pool.transaction { session in
            try session.execute(
                "DELETE FROM till_customer WHERE company = $1 AND looked_at < $2",
                [.text(company.text), .timestamp(microsecondsSince1970: before.microseconds)])
            try session.execute(
                """
                INSERT INTO till_customer (company, id, tags, email, is_gone, looked_at, failing_since, cause)
                SELECT $1, id, ARRAY(SELECT jsonb_array_elements_text(tags)), email, is_gone, looked_at, failing_since,
                       cause
                  FROM unnest($2::text[], $3::jsonb[], $4::text[], $5::boolean[], $6::timestamptz[],
                              $7::timestamptz[], $8::text[])
                    AS c (id, tags, email, is_gone, looked_at, failing_since, cause)
                ON CONFLICT (company, id) DO UPDATE
                   SET tags = excluded.tags, email = excluded.email, is_gone = excluded.is_gone,
                       looked_at = excluded.looked_at, failing_since = excluded.failing_since, cause = excluded.cause
                 WHERE till_customer.looked_at <= excluded.looked_at
                """,
                [
                    .text(company.text), .texts(sorted.map(\.id)), .jsons(sorted.map { Self.json($0.tags) }),
                    .texts(sorted.map { $0.email.map(Self.plain) }), .bools(sorted.map(\.isGone)),
                    .timestamps(microsecondsSince1970: sorted.map(\.lookedAt.microseconds)),
                    .timestamps(microsecondsSince1970: sorted.map { $0.failure?.since.microseconds }),
                    .texts(sorted.map { ($0.failure?.cause).map(Self.plain) }),
                ])
        }
    }
}
