package import Domain
import Postgres

/// Where dead letters come to rest.
package protocol DeadLetterStore: Sendable {
    /// Stores letters; one that is there already is only noted as seen again.
    ///
    /// - Returns: how many were new.
    func keep(_ letters: [DeadLetter]) async throws -> Int
}

package struct DeadLetter: Sendable {
    /// Tells a second delivery of one letter from a second letter.
    package var identity: ContentHash
    package var queue: String
    package var origin: String?
    package var deadLetterClass: DeadLetterClass
    package var cause: String
    package var remedy: String
    package var organisation: OrganisationKey?
    package var company: CompanyKey?
    package var venue: String?
    package var sourceKind: String?
    package var sourceID: String?
    package var document: Int64?
    package var attempts: Int
    /// Every header as it came, as a JSON object.
    package var headers: [UInt8]
    package var body: [UInt8]
    package var firstSeen: Instant

    package init(
        identity: ContentHash, queue: String, deadLetterClass: DeadLetterClass, cause: String, remedy: String,
        attempts: Int, headers: [UInt8], body: [UInt8], firstSeen: Instant
    ) {
        self.identity = identity
        self.queue = queue
        self.deadLetterClass = deadLetterClass
        self.cause = cause
        self.remedy = remedy
        self.attempts = attempts
        self.headers = headers
        self.body = body
        self.firstSeen = firstSeen
    }
}

extension PostgresStore: DeadLetterStore {
    package func keep(_ letters: [DeadLetter]) async throws -> Int {
        var unique: [ContentHash: DeadLetter] = [:]
        for letter in letters { unique[letter.identity] = letter }
        let sorted = unique.values.sorted { $0.identity.bytes.lexicographicallyPrecedes($1.identity.bytes) }
        guard !sorted.isEmpty else { return 0 }
        let parameters = Self.parameters(sorted)
        return try await pool.transaction { session in
            let rows = try session.query(
                """
                INSERT INTO dead_letter (identity, queue, origin, class, cause, remedy, organisation, company, venue,
                                         source_kind, source_id, document_id, attempts, headers, body, first_seen)
                SELECT i, q, o, c, ca, r, og, co, v, k, s, d, a, h::jsonb, b, f
                  FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                              $8::text[], $9::text[], $10::text[], $11::text[], $12::bigint[], $13::bigint[],
                              $14::text[], $15::bytea[], $16::timestamptz[])
                    AS u (i, q, o, c, ca, r, og, co, v, k, s, d, a, h, b, f)
                ON CONFLICT (identity) DO UPDATE SET last_seen = now()
                RETURNING xmax = 0 AS is_new
                """, parameters)
            return try rows.reduce(0) { $0 + (try $1.bool("is_new") ? 1 : 0) }
        }
    }

    private static func parameters(_ letters: [DeadLetter]) -> [PostgresValue] {
        [
            .bytesArray(letters.map { $0.identity.bytes }), .texts(letters.map { $0.queue }),
            .texts(letters.map { clean($0.origin) }), .texts(letters.map { $0.deadLetterClass.rawValue }),
            .texts(letters.map { clean($0.cause) }), .texts(letters.map { clean($0.remedy) }),
            .texts(letters.map { clean($0.organisation?.text) }), .texts(letters.map { clean($0.company?.text) }),
            .texts(letters.map { clean($0.venue) }), .texts(letters.map { clean($0.sourceKind) }),
            .texts(letters.map { clean($0.sourceID) }), .ints(letters.map { $0.document }),
            .ints(letters.map { Int64($0.attempts) }),
            .texts(letters.map { String(decoding: $0.headers, as: UTF8.self).replacing("\\u0000", with: "\\ufffd") }),
            .bytesArray(letters.map { $0.body }),
            .timestamps(microsecondsSince1970: letters.map { $0.firstSeen.microseconds }),
        ]
    }

    /// PostgreSQL's text holds no NUL; a hostile header may.
    private static func clean(_ text: String?) -> String? { text?.replacing("\0", with: "\u{FFFD}") }
}
