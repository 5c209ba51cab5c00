import AMQP
import Domain
import Foundation
import Messaging
import Money
import Postgres
import Store
import Testing

/// The test run's own PostgreSQL and RabbitMQ; suites that need them are skipped with a message where they are absent.
enum LiveServers {
    static let database = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_DATABASE_URL"]
    static let rabbitMQ = ProcessInfo.processInfo.environment["TILLBRIDGE_TEST_RABBITMQ_URL"]
    static let areThere = database != nil && rabbitMQ != nil
    static let absence: Comment =
        "TILLBRIDGE_TEST_RABBITMQ_URL and TILLBRIDGE_TEST_DATABASE_URL are not set: use `make test`"

    /// A schema of its own.
    static func withDatabase(
        _ name: String, _ work: (PostgresPool) async throws -> Void
    ) async throws {
        let schema = "writing_\(name)_\(getpid())"
        let base = try #require(database)
        let separator = base.contains("?") ? "&" : "?"
        let pool = PostgresPool(
            address: try PostgresAddress(url: "\(base)\(separator)options=-csearch_path%3D\(schema)"), size: 6,
            name: "writing-tests")
        let result: Result<Void, any Error>
        do {
            _ = try await Migrator(pool: pool, schema: schema).migrate()
            result = .success(try await work(pool))
        } catch { result = .failure(error) }
        try await pool.withSession { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await pool.close()
        try result.get()
    }

    /// Queues of its own, which are gone afterwards.
    static func withBroker(
        _ organisations: [OrganisationKey], _ work: (RabbitBroker) async throws -> Void
    ) async throws {
        let endpoint = try AMQPEndpoint(url: #require(rabbitMQ))
        let topology = Topology(prefix: "tb-writing-\(UUID().uuidString.prefix(13))", organisations: organisations)
        let broker = RabbitBroker(endpoint: endpoint, name: "test", topology: topology, onEvent: { _, _ in })
        // Unstructured: it ends when the broker is closed below, and is awaited there.
        let running = Task { await broker.run() }
        let outcome: Result<Void, any Error>
        do {
            await broker.waitUntilReady()
            outcome = .success(try await work(broker))
        } catch { outcome = .failure(error) }
        await broker.close()
        await running.value
        let connection = try await AMQPConnection.open(endpoint: endpoint, name: "writing test")
        let declarations = topology.declarations
        for queue in declarations.queues { try await connection.deleteQueue(queue.name) }
        for exchange in declarations.exchanges { try await connection.deleteExchange(exchange.name) }
        await connection.close()
        try outcome.get()
    }
}

extension PostgresStore {
    /// Mapped orders of an organisation, each an invoice of 10.00 paid by one tender, as the mapper stores them.
    func map(_ ids: some Sequence<Int>, for organisation: OrganisationKey) async throws -> [DocumentID] {
        try await accept(
            ids.map { id in
                let number = "HBR-\(organisation)-\(id)"
                return .made(
                    number, for: organisation, contact: "WALKIN", cents: 1000,
                    element: "{\"InvoiceNumber\":\"\(number)\"}", tenders: [("231", 1000)])
            }
        ).map(\.id)
    }
}

extension MappedRecord {
    /// An order that is known by its document's number.
    static func made(
        _ number: String, for organisation: OrganisationKey, contact: String, cents: Int64, element: String,
        tenders: [(account: String, cents: Int64)]
    ) -> MappedRecord {
        let date = CalendarDate(year: 2026, month: 11, day: 20)
        // As good as a hash: another number is another content.
        let padding = Array(repeating: UInt8(0), count: 32)
        guard let hash = ContentHash(bytes: Array((Array(number.utf8) + padding).prefix(32))) else {
            preconditionFailure("32 bytes")
        }
        return MappedRecord(
            source: SourceKey(company: CompanyKey("\(organisation)"), kind: .order, id: number), hash: hash,
            body: Array("order \(number)".utf8),
            document: NewDocument(
                organisation: organisation, number: DocumentNumber(number), venue: "Bistro", contactNumber: contact,
                tradingDate: date, currency: "AUD", total: Money(cents: cents), body: Array(element.utf8),
                contentHash: hash,
                payments: tenders.map {
                    InvoicePayment(account: $0.account, amount: Money(cents: $0.cents), date: date, reference: "Cash")
                }))
    }
}
