import Postgres
import Testing

@Suite("sessions", .enabled(if: TestDatabase.isThere, TestDatabase.skipped), .timeLimit(.minutes(1)))
struct SessionTests {
    @Test("a connection prepares each statement once, keeps 256 at most and gives up the least recently used")
    func cacheBound() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                for index in 0..<300 {
                    #expect(try session.query("SELECT \(index) AS n")[0].int("n") == index)
                    _ = try session.query("SELECT 'kept'::text AS word")
                }
                let rows = try session.query(
                    """
                    SELECT count(*) AS n, count(*) FILTER (WHERE statement LIKE '%kept%') AS kept,
                           count(*) FILTER (WHERE statement = 'SELECT 0 AS n') AS oldest
                    FROM pg_prepared_statements
                    """)
                #expect(try rows[0].int("n") == PostgresSession.statementsMax)
                // Itself among them: this statement names the word too.
                #expect(try rows[0].int("kept") == 2)
                #expect(try rows[0].int("oldest") == 0)
                #expect(try session.query("SELECT 0 AS n")[0].int("n") == 0)
            }
        }
    }

    @Test("one statement serves NULL and value, and is prepared anew when a parameter's type changes")
    func types() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                let sql = "SELECT $1 IS NULL AS gap, pg_typeof($1)::text AS type"
                #expect(try session.query(sql, [.int(1)])[0].text("type") == "bigint")
                #expect(try session.query(sql, [.null])[0].bool("gap"))
                #expect(try session.query(sql, [.text("x")])[0].text("type") == "text")
                let prepared = try session.query(
                    "SELECT count(*) AS n FROM pg_prepared_statements WHERE statement = $1", [.text(sql)])
                #expect(try prepared[0].int("n") == 1)
            }
        }
    }

    @Test("a row without columns is a row")
    func columnless() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                // The second time from the statement cache.
                for _ in 0..<2 {
                    let rows = try session.query("SELECT FROM generate_series(1, 3)")
                    #expect(rows.count == 3)
                }
                let counts = try ["SELECT FROM generate_series(1, 0)", "SET search_path TO public"].map {
                    try session.query($0).count
                }
                #expect(counts == [0, 0])
            }
        }
    }

    @Test("a table that changes under a prepared statement is noticed and the statement prepared again")
    func replan() async throws {
        try await TestDatabase.withPool(size: 2) { pool in
            try await pool.withSession {
                try $0.script("CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
            }
            let sql = "SELECT * FROM changing"
            try await pool.withConnection { connection in
                #expect(try await connection.run { try $0.query(sql)[0].columnNames } == ["a"])
                try await pool.withSession { try $0.script("ALTER TABLE changing ADD b text DEFAULT 'new'") }
                #expect(try await connection.run { try $0.query(sql)[0].columnNames } == ["a", "b"])
                // As the first statement of a pipeline too.
                try await pool.withSession { try $0.script("ALTER TABLE changing ADD c int") }
                let rows = try await connection.run { try $0.pipeline([(sql, []), ("SELECT 1 AS one", [])]) }
                #expect(rows[0][0].columnNames == ["a", "b", "c"])
                // And when somebody threw all prepared statements away.
                try await connection.run { try $0.script("DEALLOCATE ALL") }
                #expect(try await connection.run { try $0.query(sql).count } == 1)
            }
        }
    }

    @Test("a table that changes in the middle of a transaction repeats the transaction")
    func replanInTransaction() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                try session.script("CREATE TABLE changing (a int); INSERT INTO changing VALUES (1)")
                _ = try session.query("SELECT * FROM changing")
                try session.script("ALTER TABLE changing ADD b int")
            }
            let names = try await pool.transaction { session in
                _ = try session.query("SELECT 1")
                return try session.query("SELECT * FROM changing")[0].columnNames
            }
            #expect(names == ["a", "b"])
        }
    }

    @Test("a broken rule is a typed error with the constraint's name and without the values")
    func violations() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                try session.script(
                    """
                    CREATE TABLE parent (id int8 PRIMARY KEY);
                    CREATE TABLE thing (name text NOT NULL CONSTRAINT thing_name UNIQUE,
                        amount numeric CONSTRAINT thing_amount CHECK (amount > 0),
                        parent int8 CONSTRAINT thing_parent REFERENCES parent)
                    """)
                let insert = "INSERT INTO thing (name, amount, parent) VALUES ($1, $2, $3)"
                try session.execute(insert, [.text("topsecret"), .numeric("1"), .null])
                let cases: [([PostgresValue], PostgresError.Code, String?)] = [
                    ([.text("topsecret"), .numeric("1"), .null], .uniqueViolation, "thing_name"),
                    ([.text("topsecret2"), .numeric("-1"), .null], .checkViolation, "thing_amount"),
                    ([.text("topsecret3"), .numeric("1"), .int(77_712)], .foreignKeyViolation, "thing_parent"),
                    ([.null, .numeric("1"), .null], .notNullViolation, nil),
                ]
                for (values, code, constraint) in cases {
                    let error = try #require(throws: PostgresError.self) { try session.execute(insert, values) }
                    #expect(error.code == code)
                    #expect(error.constraint == constraint)
                    #expect(error.table == "thing")
                    #expect(!error.isRetriable)
                    for hidden in ["topsecret", "77712"] { #expect(!error.description.contains(hidden)) }
                }
                let invalid = try #require(throws: PostgresError.self) {
                    try session.query("SELECT $1::text::int8", [.text("topsecret")])
                }
                #expect(invalid.code == .invalidText)
                #expect(!invalid.description.contains("topsecret"))
                let missing = try #require(throws: PostgresError.self) { try session.query("SELECT * FROM nowhere") }
                #expect(missing.code == .undefinedObject)
                #expect(missing.sqlState == "42P01")
                #expect(missing.operation == "SELECT * FROM nowhere")
            }
        }
    }

    @Test("a pipeline is one transaction; a failure in it undoes all and leaves the connection usable")
    func pipeline() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                try session.script("CREATE TABLE t (n int8 PRIMARY KEY)")
                let insert = "INSERT INTO t VALUES ($1) RETURNING n"
                let rows = try session.pipeline([(insert, [.int(1)]), (insert, [.int(2)]), ("SELECT n FROM t", [])])
                #expect(rows.map { $0.count } == [1, 1, 2])
                #expect(throws: PostgresError.self) {
                    try session.pipeline([(insert, [.int(3)]), (insert, [.int(1)]), ("SELECT 'skipped'", [])])
                }
                #expect(try session.query("SELECT n FROM t").count == 2)
                // What was skipped was not prepared, and is prepared now.
                #expect(try session.query("SELECT 'skipped'").count == 1)
                #expect(try session.execute("UPDATE t SET n = n + 10") == 2)
            }
        }
    }

    @Test("a pipeline whose questions and answers both exceed every buffer does not hang")
    func largePipeline() async throws {
        let text = String(repeating: "x", count: 100_000)
        try await TestDatabase.withPool(size: 1) { pool in
            let sizes = try await pool.withSession { session in
                try session.pipeline((0..<60).map { _ in ("SELECT $1 AS t, $1 AS u", [.text(text)]) })
                    .map { try $0[0].bytes("u").count }
            }
            #expect(sizes == [Int](repeating: 100_000, count: 60))
        }
    }

    @Test("5,000 rows are inserted by one statement in one round trip")
    func unnest() async throws {
        let body = [UInt8](repeating: 65, count: 2_000)
        try await TestDatabase.withPool(size: 1) { pool in
            let (inserted, sum, bytes) = try await pool.transaction { session in
                try session.execute("CREATE TABLE many (id int8 PRIMARY KEY, name text, amount numeric, body bytea)")
                let inserted = try session.execute(
                    "INSERT INTO many SELECT * FROM unnest($1, $2, $3, $4)",
                    [
                        .ints((0..<5_000).map { Int64($0) }),
                        .texts((0..<5_000).map { $0 % 7 == 0 ? nil : "n\($0)" }),
                        .numerics((0..<5_000).map { "\($0).10" }),
                        .bytesArray([[UInt8]?](repeating: body, count: 5_000)),
                    ])
                let row = try session.query(
                    "SELECT sum(amount) AS s, sum(length(body)) AS b FROM many")[0]
                return (inserted, try row.numeric("s"), try row.int("b"))
            }
            #expect(inserted == 5_000)
            #expect(sum == "12498000.00")
            #expect(bytes == 10_000_000)
        }
    }

    @Test("the address masks its password, and a bad one says nothing of it")
    func address() throws {
        let address = try PostgresAddress(url: "postgresql://me:hunter2@db:5433/books?sslmode=require")
        #expect("\(address)".contains("host=db") && "\(address)".contains("port=5433"))
        #expect(!"\(address)".contains("hunter2"))
        let socket = try PostgresAddress(url: "postgresql:///books?host=/run/pg")
        #expect("\(socket)".contains("host=/run/pg"))
        for url in [
            "", "mysql://a:hunter2@b/c", "postgresql://a:hunter2@b/c?hunter2=1",
            "postgresql://a:hunter2%00@b/c",
        ] {
            let error = #expect(throws: PostgresError.self) { try PostgresAddress(url: url) }
            #expect(error?.code == .badURL)
            #expect(error?.description.contains("hunter2") == false)
        }
    }
}
