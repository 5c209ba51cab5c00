import Postgres
import Testing

@Suite("the pool", .enabled(if: TestDatabase.isThere, TestDatabase.skipped), .timeLimit(.minutes(1)))
struct PoolTests {
    private static func counter(_ pool: PostgresPool) async throws {
        try await pool.withSession { session in
            try session.script(
                "CREATE TABLE counter (id int8 PRIMARY KEY, n int8); INSERT INTO counter VALUES (1, 0), (2, 0)")
        }
    }

    private static func total(_ pool: PostgresPool) async throws -> Int64 {
        try await pool.withSession { try $0.query("SELECT n FROM counter WHERE id = 1")[0].int("n") }
    }

    @Test("concurrent serialisable increments are repeated until every one has counted")
    func serialization() async throws {
        let events = Events()
        try await TestDatabase.withPool(onEvent: events.note) { pool in
            try await Self.counter(pool)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<4 {
                    group.addTask {
                        for _ in 0..<25 {
                            try await pool.transaction(isolation: .serializable, retries: 100) { session in
                                let n = try session.query("SELECT n FROM counter WHERE id = 1")[0].int("n")
                                try session.execute("UPDATE counter SET n = $1 WHERE id = 1", [.int(n + 1)])
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await Self.total(pool) == 100)
            #expect(events.retries > 0, "nothing collided: the test proved nothing")
        }
    }

    @Test("a deadlock is resolved by doing the victim's work again")
    func deadlock() async throws {
        let events = Events()
        try await TestDatabase.withPool(onEvent: events.note) { pool in
            try await Self.counter(pool)
            // Each holds its first row until the other holds its own: the deadlock is certain.
            let meeting = Meeting()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (first, second) in [(1, 2), (2, 1)] as [(Int64, Int64)] {
                    group.addTask {
                        try await pool.transaction { session in
                            try session.execute("SET LOCAL deadlock_timeout = '20ms'")
                            try session.execute("UPDATE counter SET n = n + 1 WHERE id = $1", [.int(first)])
                            meeting.arrive()
                            try session.execute("UPDATE counter SET n = n + 1 WHERE id = $1", [.int(second)])
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(try await Self.total(pool) == 2)
            #expect(events.retries == 1)
        }
    }

    @Test("what the closure throws rolls back and reaches the caller")
    func rollback() async throws {
        struct Refused: Error {}
        try await TestDatabase.withPool(size: 1) { pool in
            try await Self.counter(pool)
            await #expect(throws: Refused.self) {
                try await pool.transaction { session in
                    try session.execute("UPDATE counter SET n = 5")
                    throw Refused()
                }
            }
            #expect(try await Self.total(pool) == 0)
        }
    }

    @Test("a swallowed error does not make a failed transaction look committed")
    func swallowed() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await Self.counter(pool)
            let error = try await TestDatabase.failure {
                try await pool.transaction { session in
                    try session.execute("UPDATE counter SET n = 5")
                    _ = try? session.execute("INSERT INTO counter VALUES (1, 1)")
                }
            }
            #expect(error.code == .uniqueViolation)
            #expect(try await Self.total(pool) == 0)
        }
    }

    @Test("read-only means it, and a transaction without a statement sends nothing")
    func readOnly() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await Self.counter(pool)
            let error = try await TestDatabase.failure {
                _ = try await pool.transaction(readOnly: true) { try $0.execute("UPDATE counter SET n = 1") }
            }
            #expect(error.sqlState == "25006")
            #expect(try await pool.transaction { _ in 7 } == 7)
        }
    }

    @Test("a transaction left open by a session is rolled back and reported")
    func leftOpen() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await Self.counter(pool)
            let error = try await TestDatabase.failure {
                try await pool.withSession { try $0.script("BEGIN; UPDATE counter SET n = 3") }
            }
            #expect(error.code == .other)
            #expect(try await Self.total(pool) == 0)
        }
    }

    @Test("a backend killed in the middle of a transaction is replaced and the work done again, once")
    func killed() async throws {
        let events = Events()
        try await TestDatabase.withPool(size: 2, onEvent: events.note) { pool in
            try await Self.counter(pool)
            let attempts = Attempts()
            try await pool.transaction { session in
                try session.execute("UPDATE counter SET n = n + 1 WHERE id = 1")
                if attempts.next() == 1 { _ = try session.query("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            #expect(try await Self.total(pool) == 1)
            #expect(events.retries == 1)
            let error = try await TestDatabase.failure {
                try await pool.withSession { _ = try $0.query("SELECT pg_terminate_backend(pg_backend_pid())") }
            }
            #expect([.shuttingDown, .connectionLost].contains(error.code))
            #expect(error.isRetriable)
            #expect(try await Self.total(pool) == 1)
        }
    }

    @Test("connections killed while idle are noticed before they are used")
    func killedIdle() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await Self.counter(pool)
            let pid = try await pool.withSession { try $0.query("SELECT pg_backend_pid() AS p")[0].int("p") }
            let other = PostgresConnection(address: try TestDatabase.address(), name: "killer")
            // Waits until it is gone.
            _ = try await other.run { try $0.query("SELECT pg_terminate_backend($1::int8::int4, 5000)", [.int(pid)]) }
            await other.close()
            #expect(try await pool.withSession { try $0.query("SELECT pg_backend_pid() AS p")[0].int("p") } != pid)
        }
    }

    @Test("a connection lost while COMMIT is under way says that the outcome is unknown, and is not repeated")
    func unknownOutcome() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            let attempts = Attempts()
            try await pool.withSession { session in
                try session.script(
                    """
                    CREATE TABLE doomed (n int8);
                    CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
                        $$ BEGIN
                            PERFORM pg_terminate_backend(pg_backend_pid());
                            PERFORM pg_sleep(1);
                            RETURN NULL;
                        END $$;
                    CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON doomed DEFERRABLE INITIALLY DEFERRED
                        FOR EACH ROW EXECUTE FUNCTION die()
                    """)
            }
            let error = try await TestDatabase.failure {
                try await pool.transaction { session in
                    _ = attempts.next()
                    try session.execute("INSERT INTO doomed VALUES (1)")
                }
            }
            #expect(error.outcomeUnknown)
            #expect(!error.isRetriable)
            #expect(attempts.count == 1)
        }
    }

    @Test("who finds no free connection in time is told so, and who waits is served in order")
    func exhausted() async throws {
        try await TestDatabase.withPool(size: 1, acquireTimeout: .milliseconds(100)) { pool in
            try await pool.withConnection { connection in
                let error = try await TestDatabase.failure { _ = try await pool.withSession { _ in } }
                #expect(error.code == .poolExhausted)
                #expect(try await connection.run { try $0.query("SELECT 1").count } == 1)
            }
            try await pool.withSession { _ in }
        }
        try await TestDatabase.withPool(size: 1) { pool in
            let order = Collected<Int>()
            try await withThrowingTaskGroup(of: Void.self) { group in
                try await pool.withConnection { connection in
                    for number in 0..<5 {
                        group.addTask { try await pool.withConnection { _ in await order.add(number) } }
                        while pool.waitingCount <= number { await Task.yield() }
                    }
                }
                try await group.waitForAll()
            }
            #expect(await order.all == [0, 1, 2, 3, 4])
        }
    }

    @Test("a cancelled task leaves the queue")
    func cancelledWaiter() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withConnection { _ in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { _ = try await pool.withSession { _ in } }
                    while pool.waitingCount == 0 { await Task.yield() }
                    group.cancelAll()
                    let error = try await TestDatabase.failure { try await group.waitForAll() }
                    #expect(error.code == .cancelled)
                    #expect(pool.waitingCount == 0)
                }
            }
        }
    }

    @Test("cancelling a task cancels its running statement and never the next one", arguments: 0..<5)
    func cancelled(round: Int) async throws {
        let name = "cancel\(UInt64.random(in: 0..<UInt64.max))"
        let pool = PostgresPool(
            address: try TestDatabase.address(), size: 1, name: name, statementTimeout: .seconds(50))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = try await pool.transaction { try $0.query("SELECT pg_sleep(40)") } }
            try await TestDatabase.waitForSessions(1, name: name, running: "pg_sleep")
            group.cancelAll()
            let error = try await TestDatabase.failure { try await group.waitForAll() }
            #expect(error.code == .cancelled)
        }
        for _ in 0..<20 {
            #expect(try await pool.withSession { try $0.query("SELECT pg_sleep(0.005), 1").count } == 1)
        }
        await pool.close()
    }

    @Test("a statement beyond its time limit ends, and a unit of work may ask for more")
    func timedOut() async throws {
        try await TestDatabase.withPool(size: 1, statementTimeout: .milliseconds(50)) { pool in
            let error = try await TestDatabase.failure {
                _ = try await pool.withSession { try $0.query("SELECT pg_sleep(30)") }
            }
            #expect(error.code == .timedOut)
            _ = try await pool.withSession { session in
                try session.limitStatements(to: .seconds(10))
                return try session.query("SELECT pg_sleep(0.1)")
            }
            let limit = try await pool.withSession { try $0.query("SHOW statement_timeout")[0].text(0) }
            #expect(limit == "50ms")
        }
    }

    @Test("sessions that wait do not block Swift's pool: a timer stays on time beside eight of them")
    func nothingBlocks() async throws {
        let name = "sleep\(UInt64.random(in: 0..<UInt64.max))"
        let pool = PostgresPool(address: try TestDatabase.address(), size: 8, name: name)
        let late = try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<8 { group.addTask { _ = try await pool.withSession { try $0.query("SELECT pg_sleep(30)") } } }
            try await TestDatabase.waitForSessions(8, name: name, running: "pg_sleep")
            var latest = Duration.zero
            for _ in 0..<20 {
                let start = ContinuousClock.now
                try await Task.sleep(for: .milliseconds(5))
                latest = max(latest, ContinuousClock.now - start)
            }
            group.cancelAll()
            _ = try? await group.waitForAll()
            return latest
        }
        // Blocked, it would be 30 s; a busy machine stands still for some seconds now and then.
        #expect(late < .seconds(15))
        await pool.close()
    }

    @Test("a refused login and a missing database are told at once, a server that is not there after the time allowed")
    func connecting() async throws {
        let parts = try #require(TestDatabase.url).split(separator: "?")[0].split(separator: "/")
        let missing = parts.dropLast().joined(separator: "/")
        let url = missing.replacing("postgresql:/", with: "postgresql://") + "/no_such_database"
        let pool = PostgresPool(address: try PostgresAddress(url: url), size: 1, name: "none")
        let error = try await TestDatabase.failure { try await pool.waitUntilReady() }
        #expect(error.code == .undefinedObject, "\(error)")
        await pool.close()
        let events = Events()
        let nobody = PostgresPool(
            address: try PostgresAddress(url: "postgresql:///x?host=/nonexistent&user=a"), size: 1, name: "none",
            acquireTimeout: .seconds(2), onEvent: events.note)
        let unreachable = try await TestDatabase.failure { _ = try await nobody.withSession { _ in } }
        #expect(unreachable.code == .cannotConnect)
        #expect(unreachable.isRetriable)
        #expect(events.connectFailures > 0)
        await nobody.close()
    }

    @Test("a closed pool serves nobody and leaves no connection behind")
    func closed() async throws {
        let name = "closing\(UInt64.random(in: 0..<UInt64.max))"
        let pool = PostgresPool(address: try TestDatabase.address(), size: 3, name: name)
        try await pool.waitUntilReady()
        await pool.close()
        let error = try await TestDatabase.failure { _ = try await pool.withSession { _ in } }
        #expect(error.code == .cancelled)
        let watcher = PostgresConnection(address: try TestDatabase.address(), name: "watcher")
        while try await watcher.run({
            try $0.query("SELECT 1 FROM pg_stat_activity WHERE application_name = $1", [.text(name)]).count
        }) > 0 { await Task.yield() }
        await watcher.close()
    }

    @Test("a listener hears what is sent and, after its connection was killed, says so and hears again")
    func listen() async throws {
        let channel = "Chan \"nel\(UInt64.random(in: 0..<UInt64.max))"
        try await TestDatabase.withPool(size: 1) { pool in
            var heard = pool.listen(channel: channel).makeAsyncIterator()
            func notify(_ text: String) async throws {
                try await pool.withSession {
                    _ = try $0.query("SELECT pg_notify($1, $2)", [.text(channel), .text(text)])
                }
            }
            #expect(await heard.next() == .listening)
            try await notify("one")
            try await notify("zwei ü")
            #expect(await heard.next() == .received(payload: "one"))
            #expect(await heard.next() == .received(payload: "zwei ü"))
            _ = try await pool.withSession {
                try $0.query(
                    """
                    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                    WHERE query LIKE 'LISTEN%' AND strpos(query, $1) > 0
                    """, [.text(String(channel.suffix(12)))])
            }
            #expect(await heard.next() == .listening)
            try await notify("three")
            #expect(await heard.next() == .received(payload: "three"))
        }
    }
}
