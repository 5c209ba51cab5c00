package import Domain
import Postgres
package import Settings

/// The mapping's values that people set over the file, with who and why.
package protocol MappingEditStore: Sendable {
    /// What stands, and which edit was the last: together they decide what the file becomes.
    func mappingEdits() async throws -> MappingEdits
    /// The number of the last edit; 0 where there was none. What a worker asks every few seconds.
    func lastMappingEdit() async throws -> Int64
}

package struct MappingEdits: Sendable {
    /// In the order in which they were made.
    package let standing: [KeptMappingEdit]
    /// The number of the last edit, one that took another away included; 0 where there was none.
    package let through: Int64

    /// What they do to the file.
    package var edits: [MappingEdit] { standing.compactMap(\.edit) }
}

/// One edit as it is kept.
package struct KeptMappingEdit: Sendable, Hashable {
    package let id: Int64
    package let scope: MappingScope
    /// As in ``MappingTarget/text``.
    package let what: String
    /// Nil: it took away what stood there.
    package let value: String?
    package let author: String
    package let reason: String
    package let at: Instant

    /// Nil where it takes away, or where this version does not know what it sets.
    package var edit: MappingEdit? {
        guard let value, let target = MappingTarget(what) else { return nil }
        return MappingEdit(scope: scope, target: target, value: value)
    }
}

/// Why an edit is not kept, in words for the person who makes it.
package struct MappingEditRefusal: Error, Sendable, CustomStringConvertible {
    package let description: String
    /// There is nothing of that kind to take away.
    package let isNothing: Bool

    package init(_ description: String, isNothing: Bool = false) {
        self.description = description
        self.isNothing = isNothing
    }
}

extension PostgresStore: MappingEditStore {
    /// So many values may stand at once: more belong in the file.
    private static let standingMax = 1000
    private static let wordsMax = 1000
    /// Letters that are tried because of an edit wait until every mapper has taken it over (it looks every two
    /// seconds).
    private static let probeAfter = "interval '5 seconds'"

    private static let columns = "id, organisation, company, site, what, value, author, reason, at"

    package func mappingEdits() async throws -> MappingEdits {
        try await pool.withSession { try Self.edits($0) }
    }

    package func lastMappingEdit() async throws -> Int64 {
        try await pool.withSession { session in
            try session.query("SELECT id FROM mapping_edit ORDER BY id DESC LIMIT 1").first?.int("id") ?? 0
        }
    }

    private static func edits(_ session: PostgresSession) throws -> MappingEdits {
        // One statement, so that both are of one moment: the last edit is the latest of its place.
        let latest = try session.query(
            """
            SELECT DISTINCT ON (organisation, company, site, what) \(columns)
              FROM mapping_edit ORDER BY organisation, company, site, what, id DESC
            """
        ).map { try KeptMappingEdit($0) }.sorted { $0.id < $1.id }
        return MappingEdits(standing: latest.filter { $0.value != nil }, through: latest.last?.id ?? 0)
    }

    /// Keeps an edit. Only one is made at a time, so that what `check` has seen is what it is added to.
    ///
    /// The desk's groups that the mapping may be the cause of are tried soon after it.
    ///
    /// - Parameters:
    ///   - value: nil takes away what stands there.
    ///   - check: throws where the mapping with it would not be in order; gets what stands before and after. It may be
    ///     run more than once.
    /// - Throws: ``MappingEditRefusal``, or what `check` throws; then nothing is changed.
    package func edit(
        _ target: MappingTarget, of scope: MappingScope, to value: String?, by author: String, because reason: String,
        check: @Sendable (_ before: [MappingEdit], _ after: [MappingEdit]) throws -> Void
    ) async throws -> (kept: KeptMappingEdit, before: String?) {
        guard reason.count <= Self.wordsMax, author.count <= Self.wordsMax else {
            throw MappingEditRefusal("a name and a reason have at most \(Self.wordsMax) letters")
        }
        return try await pool.transaction { session in
            _ = try session.query("SELECT pg_advisory_xact_lock(hashtextextended('mapping edit', 0))")
            let standing = try Self.edits(session).standing
            let here = standing.first { $0.scope == scope && $0.what == target.text }
            if value == nil, here == nil {
                throw MappingEditRefusal("nothing stands there that could be unset", isNothing: true)
            }
            let others = standing.filter { $0.id != here?.id }.compactMap(\.edit)
            let new = value.map { MappingEdit(scope: scope, target: target, value: $0) }
            if others.count >= Self.standingMax, new != nil {
                throw MappingEditRefusal("\(others.count) edits stand: put them into the file, and unset them")
            }
            try check(standing.compactMap(\.edit), others + [new].compactMap(\.self))
            let place = Self.place(scope)
            let row = try session.query(
                """
                INSERT INTO mapping_edit (organisation, company, site, what, value, author, reason)
                VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING \(Self.columns)
                """,
                [
                    .text(scope.organisation.text), .text(place.company), .text(place.site), .text(target.text),
                    value.map { .text($0) } ?? .null, .text(author), .text(reason),
                ])[0]
            _ = try session.execute(
                """
                UPDATE dead_letter_group SET next_probe = now() + \(Self.probeAfter), probes = 0
                 WHERE closed_at IS NULL AND organisation = $1 AND class IN ('mapping', 'archived')
                """, [.text(scope.organisation.text)])
            return (try KeptMappingEdit(row), here?.value)
        }
    }

    private static func place(_ scope: MappingScope) -> (company: String, site: String) {
        guard case .venue(let key, _) = scope else { return ("", "") }
        return (key.company.text, key.site.text)
    }

    /// Every edit there was, the latest first.
    ///
    /// - Parameter before: the number of the last one of the page before.
    package func mappingEditHistory(before: Int64?, limit: Int) async throws -> [KeptMappingEdit] {
        try await pool.withSession { session in
            try session.query(
                "SELECT \(Self.columns) FROM mapping_edit WHERE id < $1 ORDER BY id DESC LIMIT $2",
                [.int(before ?? .max), .int(Int64(limit))]
            ).map { try KeptMappingEdit($0) }
        }
    }

    /// The number of a mapping that some worker took into effect at a moment or after it; nil where none did.
    package func mappingVersion(hash: ContentHash, usedSince moment: Instant) async throws -> Int64? {
        try await pool.withSession { session in
            try session.query(
                "SELECT version FROM mapping_version WHERE hash = $1 AND last_used >= $2",
                [.bytes(hash.bytes), moment.parameter]
            ).first?.int("version")
        }
    }
}

extension KeptMappingEdit {
    fileprivate init(_ row: PostgresRow) throws {
        id = try row.int("id")
        let organisation = OrganisationKey(try row.text("organisation"))
        let (company, site) = (try row.text("company"), try row.text("site"))
        scope =
            company.isEmpty
            ? .organisation(organisation)
            : .venue(VenueKey(company: CompanyKey(company), site: SiteID(site)), of: organisation)
        what = try row.text("what")
        value = try row.textOrNil("value")
        author = try row.text("author")
        reason = try row.text("reason")
        at = Instant(microseconds: try row.timestamp("at"))
    }
}
