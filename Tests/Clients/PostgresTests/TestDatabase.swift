import Foundation
import Glibc
import Peers
import Postgres
import Testing

/// The server the tests run against: `TILLBRIDGE_TEST_DATABASE_URL`, else they are skipped.
enum TestDatabase {
    static let skipped: Comment = "TILLBRIDGE_TEST_DATABASE_URL is not set: no PostgreSQL to test against"
    static let url = getenv("TILLBRIDGE_TEST_DATABASE_URL").map { String(cString: $0) }
    static var isThere: Bool { url != nil }

    static func address(schema: String? = nil, setting: String = "") throws -> PostgresAddress {
        let url = try #require(url)
        guard let schema else { return try PostgresAddress(url: url) }
        let options = "options=-csearch_path%3D\(schema)\(setting)"
        return try PostgresAddress(url: url + (url.contains("?") ? "&" : "?") + options)
    }

    /// A proxy before the server, and the address that leads through it.
    static func throughProxy() throws -> (proxy: FaultyProxy, address: PostgresAddress) {
        let url = try #require(url)
        var parts = try #require(URLComponents(string: url))
        let host = try #require(parts.host, "this test needs a server that is reached by TCP")
        let proxy = try FaultyProxy(host: host, port: parts.port ?? 5432)
        (parts.host, parts.port) = ("127.0.0.1", Int(proxy.port))
        return (proxy, try PostgresAddress(url: #require(parts.string)))
    }

    /// Lends a pool whose connections see an empty schema of their own, dropped afterwards.
    static func withPool<Result: Sendable>(
        size: Int = 4, acquireTimeout: Duration = .seconds(20), statementTimeout: Duration? = .seconds(20),
        onEvent: @escaping @Sendable (PostgresEvent) -> Void = { _ in },
        _ work: (PostgresPool) async throws -> Result
    ) async throws -> Result {
        let schema = "t\(UInt64.random(in: 0..<UInt64.max))"
        let pool = PostgresPool(
            address: try address(schema: schema), size: size, name: schema, acquireTimeout: acquireTimeout,
            statementTimeout: statementTimeout, onEvent: onEvent)
        try await pool.withSession { try $0.script("CREATE SCHEMA \(schema)") }
        let result: Swift.Result<Result, any Error>
        do { result = .success(try await work(pool)) } catch { result = .failure(error) }
        await pool.close()
        let cleaner = PostgresConnection(address: try address(), name: "cleaner")
        _ = try await cleaner.run { try $0.script("DROP SCHEMA IF EXISTS \(schema) CASCADE") }
        await cleaner.close()
        return try result.get()
    }

    /// Runs `work` and returns the PostgresError it must throw.
    static func failure(
        sourceLocation: SourceLocation = #_sourceLocation, _ work: () async throws -> Void
    ) async throws -> PostgresError {
        do {
            try await work()
        } catch let error as PostgresError {
            return error
        }
        Issue.record("no error was thrown", sourceLocation: sourceLocation)
        throw CancellationError()
    }

    /// Waits until `count` sessions named `name` are in a statement that contains `fragment` (a signal from the
    /// server, not a guess of time).
    static func waitForSessions(_ count: Int, name: String, running fragment: String) async throws {
        let watcher = PostgresConnection(address: try address(), name: "watcher")
        while true {
            let seen = try await watcher.run { session in
                try session.query(
                    """
                    SELECT count(*) AS n FROM pg_stat_activity
                    WHERE application_name = $1 AND state = 'active' AND query LIKE '%' || $2 || '%'
                    """, [.text(name), .text(fragment)])[0].int("n")
            }
            if seen >= count { break }
            try await Task.sleep(for: .milliseconds(5))
        }
        await watcher.close()
    }
}

/// Counts or collects from any thread.
actor Collected<Element: Sendable> {
    private(set) var all: [Element] = []
    func add(_ element: Element) { all.append(element) }
}
