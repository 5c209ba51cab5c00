import Peers
import Postgres
import Testing

/// Each in a process of its own: what other tests open would count as well.
@Suite("what a pool leaves behind", .enabled(if: TestDatabase.isThere, TestDatabase.skipped), .timeLimit(.minutes(2)))
struct PostgresLeakTests {
    @Test("a hundred pools made, used and closed leave no descriptor and no thread")
    func used() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-pg") {
                let pool = PostgresPool(address: try TestDatabase.address(), size: 2, name: "leak-pg")
                try await pool.transaction { try $0.execute("SELECT 1") }
                await pool.close()
            }
        }
    }

    @Test("a hundred pools that were refused leave no descriptor and no thread")
    func refused() async {
        await #expect(processExitsWith: .success) {
            try await Leak.check(thread: "leak-pg") {
                let pool = PostgresPool(
                    address: try PostgresAddress(url: "postgresql://a@127.0.0.1:1/x"), size: 2, name: "leak-pg",
                    acquireTimeout: .milliseconds(50))
                let error = try await TestDatabase.failure {
                    _ = try await pool.transaction { try $0.execute("SELECT 1") }
                }
                try #require(error.code == .cannotConnect)
                await pool.close()
            }
        }
    }
}
