import Crypto
import Domain
import Foundation
import Mapping
import Money
import Postgres
import Store
import Testing

/// A schema of its own on the test run's PostgreSQL; skipped with a message where there is none.
enum Database {
    static let url = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    static let isThere = url != nil
    static let absence: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set: use `make test`"

    static func with(
        _ name: String, migrated: Bool = true, _ work: (PostgresPool, PostgresStore) async throws -> Void
    ) async throws {
        let schema = "store_\(name)_\(getpid())"
        let base = try #require(url)
        let separator = base.contains("?") ? "&" : "?"
        let pool = PostgresPool(
            address: try PostgresAddress(url: "\(base)\(separator)options=-csearch_path%3D\(schema)"), size: 6,
            name: "store-tests")
        let result: Result<Void, any Error>
        do {
            if migrated { _ = try await Migrator(pool: pool, schema: schema).migrate() }
            result = .success(try await work(pool, PostgresStore(pool: pool, holder: "tests")))
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        try result.get()
    }

    static func schema(_ name: String) -> String { "store_\(name)_\(getpid())" }
}

func hash(_ text: String) -> ContentHash {
    guard let hash = ContentHash(bytes: Array(SHA256.hash(data: Array(text.utf8)))) else {
        preconditionFailure("32 bytes")
    }
    return hash
}

/// A record with an invoice of `cents`, paid by two tenders.
func record(_ id: String, cents: Int64 = 1000, content: String = "first") -> MappedRecord {
    let date = CalendarDate(year: 2026, month: 11, day: 20)
    let half = Money(cents: cents / 2)
    return MappedRecord(
        source: SourceKey(company: CompanyKey("harbour"), kind: .order, id: id), hash: hash(id + content),
        body: Array("record \(id) \(content)".utf8),
        document: NewDocument(
            organisation: OrganisationKey("harbour"), number: DocumentNumber("HBR-\(id)"), venue: "Harbour Bistro",
            contactNumber: "WALKIN-HBR", tradingDate: date, currency: "AUD", total: Money(cents: cents),
            body: Array("{\"InvoiceNumber\":\"HBR-\(id)\",\"x\":\"\(content)\"}".utf8),
            contentHash: hash("\(cents)\(content)"),
            payments: [
                InvoicePayment(account: "231", amount: half, date: date, reference: "Cash"),
                InvoicePayment(account: "232", amount: Money(cents: cents) - half, date: date, reference: "Card"),
            ]))
}

extension ClaimResult {
    var claim: Claim? { if case .claimed(let claim) = outcome { claim } else { nil } }
}

extension PostgresStore {
    /// Closes a day whose orders no mapping is asked about again.
    func close(
        _ key: DayKey, at moment: Instant, mappingVersion: Int64, withOrders: Bool,
        _ decide: @escaping @Sendable (DayContents) -> DayDecision
    ) async throws -> ClosedDay? {
        let making = DayMaking(
            mappingVersion: mappingVersion, withOrders: withOrders, again: { _ in .kept }, decide: decide)
        switch try await close(key, at: moment, making) {
        case nil: return nil
        case .made(let closed): return closed
        case .waits(let outdated):
            Issue.record("it waits for \(outdated.map(\.sourceID))")
            return nil
        }
    }
}
