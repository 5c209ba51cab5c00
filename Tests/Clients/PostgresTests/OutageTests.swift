import Peers
import Postgres
import Testing

@Suite("a server that goes away", .enabled(if: TestDatabase.isThere, TestDatabase.skipped), .timeLimit(.minutes(1)))
struct OutageTests {
    @Test("a pool that lost its server and works again says so, once for each outage")
    func reachableAgain() async throws {
        let (proxy, address) = try TestDatabase.throughProxy()
        let events = Events()
        let pool = PostgresPool(
            address: address, size: 2, name: "outage", acquireTimeout: .seconds(40), onEvent: events.note)
        try await Self.ask(pool)
        #expect(events.returns == 0, "nothing was lost yet")
        for outage in 1...2 {
            proxy.shut()
            let failuresBefore = events.connectFailures
            // Two at once: both find the server gone, both find it again.
            async let first: Void = Self.ask(pool)
            async let second: Void = Self.ask(pool)
            while events.connectFailures < failuresBefore + 2 { try await Task.sleep(for: .milliseconds(2)) }
            #expect(events.returns == outage - 1, "it is still away")
            proxy.resume()
            // Either may have failed once more after the other was answered: then that end is told, too.
            try await first
            try await second
            try await Self.ask(pool)
            #expect(events.returns >= outage)
            let returns = events.returns
            try await Self.ask(pool)
            #expect(events.returns == returns, "told without a failure before it")
        }
        await pool.close()
        proxy.stop()
    }

    @Test("a server that answers with an error is there")
    func answersWithError() async throws {
        let (proxy, address) = try TestDatabase.throughProxy()
        let events = Events()
        let pool = PostgresPool(
            address: address, size: 1, name: "outage", acquireTimeout: .seconds(40), onEvent: events.note)
        proxy.shut()
        async let refused = TestDatabase.failure {
            _ = try await pool.withSession { try $0.query("SELECT no_such_column") }
        }
        while events.connectFailures == 0 { try await Task.sleep(for: .milliseconds(2)) }
        proxy.resume()
        #expect(try await refused.code == .undefinedObject)
        #expect(events.returns == 1)
        await pool.close()
        proxy.stop()
    }

    /// Once more where the connection is lost meanwhile.
    private static func ask(_ pool: PostgresPool) async throws {
        try await pool.transaction(readOnly: true) { try $0.execute("SELECT 1") }
    }
}
