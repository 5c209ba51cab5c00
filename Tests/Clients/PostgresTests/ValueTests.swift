import Postgres
import Testing

@Suite("values", .enabled(if: TestDatabase.isThere, TestDatabase.skipped), .timeLimit(.minutes(1)))
struct ValueTests {
    @Test("every type comes back as it was sent")
    func scalars() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                let bytes = [UInt8](0...255)
                let row = try session.query(
                    """
                    SELECT $1 AS b, $2 AS i, $3 AS t, $4 AS y, $5 AS n, $6 AS w, $7 AS d, $8 AS u, $9 AS j, $10 AS k,
                           $11::text AS nothing
                    """,
                    [
                        .bool(true), .int(.min), .text("ü\"'\\%💶\n"), .bytes(bytes), .numeric("10.10"),
                        .timestamp(microsecondsSince1970: -1), .date("2024-02-29"),
                        .uuid("A0EEBC99-9c0b-4ef8-bb6d-6bb9bd380a11"), .json(#"{"a": 10.10}"#),
                        .jsonBytes(Array("[1]".utf8)), .null,
                    ])[0]
                #expect(try row.bool("b"))
                #expect(try row.int("i") == .min)
                #expect(try row.text("t") == "ü\"'\\%💶\n")
                #expect(try row.bytes("y") == bytes)
                #expect(try row.numeric("n") == "10.10")
                #expect(try row.timestamp("w") == -1)
                #expect(try row.date("d") == "2024-02-29")
                #expect(try row.uuid("u") == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
                #expect(try row.text("j") == #"{"a": 10.10}"#)
                #expect(try row.bytes("k") == Array("[1]".utf8))
                #expect(try row.textOrNil("nothing") == nil)
                #expect(try row.isNull("nothing"))
                #expect(try row.text(2) == row.text("t"))
                // The server agrees on what was meant.
                let texts = try session.query(
                    "SELECT $1::text AS n, $2::text AS w, $3::text AS d, $4 = '\\x00ff'::bytea AS y, $5::text AS e",
                    [
                        .numeric("-0.005"), .timestamp(microsecondsSince1970: 951_782_400_000_001),
                        .date("0001-01-01"), .bytes([0, 255]), .text(""),
                    ])[0]
                #expect(try texts.text("n") == "-0.005")
                #expect(try texts.text("w") == "2000-02-29 00:00:00.000001+00")
                #expect(try texts.text("d") == "0001-01-01")
                #expect(try texts.bool("y"))
                #expect(try texts.text("e") == "")
                let nulls = try session.query(
                    """
                    SELECT NULL::bool, NULL::int8, NULL::text, NULL::bytea, NULL::numeric, NULL::timestamptz,
                           NULL::date, NULL::uuid, NULL::text[], 7::int2, 8::int4, 9::oid
                    """)[0]
                #expect(try nulls.boolOrNil(0) == nil)
                #expect(try nulls.intOrNil(1) == nil)
                #expect(try nulls.textOrNil(2) == nil)
                #expect(try nulls.bytesOrNil(3) == nil)
                #expect(try nulls.numericOrNil(4) == nil)
                #expect(try nulls.timestampOrNil(5) == nil)
                #expect(try nulls.dateOrNil(6) == nil)
                #expect(try nulls.uuidOrNil(7) == nil)
                #expect(try nulls.textsOrNil(8) == nil)
                #expect(try nulls.int(9) + nulls.int(10) + nulls.int(11) == 24)
                #expect(try nulls.numeric(10) == "8")
            }
        }
    }

    @Test("numerics keep every digit and their scale, both ways")
    func numerics() async throws {
        let same = [
            "0", "0.00", "1", "-1", "10.10", "-0.005", "0.0000000001", "9999", "10000", "10000.0001", "100000000",
            "0.00010000", "12345678901234567890123456789012345678.90", "-99999999999999999999999999999999999999999",
            "0.1234567890123456789012345678901234567890", "123456.7",
        ]
        let rewritten = [
            ("1e-10", "0.0000000001"), ("2.5E3", "2500"), ("1.50e1", "15.0"), ("007", "7"), (".5", "0.5"),
            ("+3", "3"), ("-0", "0"), ("0e5", "0"), ("12e-5", "0.00012"), ("1e+2", "100"),
        ]
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                for (sent, expected) in same.map({ ($0, $0) }) + rewritten {
                    let row = try session.query(
                        "SELECT $1 AS n, $1::text AS t, $2::text::numeric AS s", [.numeric(sent), .text(expected)])[0]
                    #expect(try row.numeric("n") == expected)
                    #expect(try row.text("t") == expected)
                    #expect(try row.numeric("s") == expected)
                }
                for refused in ["", "NaN", "Infinity", "1,5", "1.2.3", "--1", "1e", "1 ", ".", "-", "0x10", "1e99999"] {
                    #expect(throws: PostgresError.self, "\(refused)") {
                        try session.query("SELECT $1", [.numeric(refused)])
                    }
                }
                let wild = try session.query("SELECT 'NaN'::numeric AS nan")[0]
                #expect(throws: PostgresError.self) { try wild.numeric("nan") }
            }
        }
    }

    @Test("random numerics survive the server's own parser, seed printed on failure", arguments: [UInt64(20_260_301)])
    func randomNumerics(seed: UInt64) async throws {
        var state = seed
        func random(_ bound: UInt64) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % bound)
        }
        var texts: [String] = []
        for _ in 0..<2_000 {
            let whole = (0..<random(30)).map { _ in String(random(10)) }.joined()
            let places = (0..<random(25)).map { _ in String(random(random(3) == 0 ? 1 : 10)) }.joined()
            let text = (random(2) == 0 ? "-" : "") + (whole.isEmpty ? "0" : whole)
            texts.append(places.isEmpty ? text : text + "." + places)
        }
        let sent = texts
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                let rows = try session.query(
                    """
                    SELECT n, n::text AS t, s::numeric AS p, s FROM unnest($1, $2) AS x(n, s)
                    """, [.numerics(sent), .texts(sent)])
                #expect(rows.count == sent.count)
                for row in rows {
                    let text = try row.text("t")
                    let source = try row.text("s")
                    #expect(try row.numeric("n") == text, "seed \(seed): \(source)")
                    #expect(try row.numeric("p") == text, "seed \(seed): \(source)")
                }
            }
        }
    }

    @Test("dates agree with the server from year 1 to 9999, and days that do not exist are refused")
    func dates() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                let rows = try session.query(
                    """
                    SELECT d::date AS d, to_char(d, 'YYYY-MM-DD') AS t
                    FROM generate_series('0001-01-01'::timestamp, '9999-12-31'::timestamp, '97 days') AS s(d)
                    UNION ALL SELECT d::date, to_char(d, 'YYYY-MM-DD')
                    FROM generate_series('1999-01-01'::timestamp, '2005-01-01'::timestamp, '1 day') AS s(d)
                    """)
                let texts = try rows.map { try $0.text("t") }
                #expect(try rows.map { try $0.date("d") } == texts)
                let back = try session.query(
                    "SELECT count(*) AS n FROM unnest($1, $2) AS x(d, t) WHERE d::text = t",
                    [.dates(texts), .texts(texts)])
                #expect(try back[0].int("n") == rows.count)
                for bad in ["2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "2024-1-1", "2024-04-31"] {
                    #expect(throws: PostgresError.self, "\(bad)") { try session.query("SELECT $1", [.date(bad)]) }
                }
            }
        }
    }

    @Test("arrays keep quotes, backslashes, empty texts, braces and NULLs apart")
    func arrays() async throws {
        let texts: [String?] = ["", nil, "NULL", "{a,b}", "\"q\"", "back\\slash", "comma,", "ü\n"]
        try await TestDatabase.withPool(size: 1) { pool in
            try await pool.withSession { session in
                let row = try session.query(
                    """
                    SELECT $1 AS t, $2 AS i, $3 AS b, $4 AS y, $5 AS n, $6 AS w, $7 AS d, $8 AS u, $9 AS e, $10 AS j
                    """,
                    [
                        .texts(texts), .ints([1, nil, .max]), .bools([true, nil, false]),
                        .bytesArray([[], nil, [0, 1, 255]]), .numerics(["1.50", nil, "-0.01"]),
                        .timestamps(microsecondsSince1970: [0, nil]), .dates(["2020-01-01", nil]),
                        .uuids(["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", nil]), .texts([]), .jsons(["{}", nil]),
                    ])[0]
                #expect(try row.texts("t") == texts)
                #expect(try row.ints("i") == [1, nil, .max])
                #expect(try row.bools("b") == [true, nil, false])
                #expect(try row.bytesArray("y") == [[], nil, [0, 1, 255]])
                #expect(try row.numerics("n") == ["1.50", nil, "-0.01"])
                #expect(try row.timestamps("w") == [0, nil])
                #expect(try row.dates("d") == ["2020-01-01", nil])
                #expect(try row.uuids("u") == ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", nil])
                #expect(try row.texts("e") == [])
                #expect(try row.texts("j") == ["{}", nil])
            }
        }
    }

    @Test("a value is never SQL: injection text stays text")
    func injection() async throws {
        let evil = "'); DROP TABLE victim; --"
        try await TestDatabase.withPool(size: 1) { pool in
            let found = try await pool.transaction { session in
                try session.execute("CREATE TABLE victim (name text)")
                try session.execute("INSERT INTO victim VALUES ($1)", [.text(evil)])
                return try session.query("SELECT name FROM victim WHERE name = $1", [.text(evil)])[0].text("name")
            }
            #expect(found == evil)
        }
    }

    @Test("what PostgreSQL cannot hold is refused before it is sent, and the transaction goes on")
    func refused() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            let one = try await pool.transaction { session in
                for (value, word) in [
                    (PostgresValue.text("secret\0"), "NUL"),
                    (.texts(["a", "secret\0"]), "NUL"), (.json("\"\0\""), "NUL"),
                    (.uuid("secret"), "UUID"), (.date("secret"), "date"),
                    (.timestamp(microsecondsSince1970: .min), "instant"),
                ] {
                    let error = #expect(throws: PostgresError.self) { try session.query("SELECT $1", [value]) }
                    #expect(error?.code == .invalidText)
                    #expect(error?.detail.contains("$1") == true && error?.detail.contains(word) == true)
                    #expect(error?.description.contains("secret") == false)
                }
                let many = [PostgresValue](repeating: .int(1), count: 65_536)
                let error = #expect(throws: PostgresError.self) { try session.query("SELECT 1", many) }
                #expect(error?.code == .invalidText)
                #expect(throws: PostgresError.self) { try session.query("SELECT 1\0; SELECT 2") }
                return try session.query("SELECT 1 AS one")[0].int("one")
            }
            #expect(one == 1)
        }
    }

    @Test("a column that is missing, NULL or of another type is an error that names it")
    func decoding() async throws {
        try await TestDatabase.withPool(size: 1) { pool in
            let row = try await pool.withSession {
                try $0.query("SELECT 'x'::text AS word, NULL::int8 AS gap, 'infinity'::timestamptz AS ever")[0]
            }
            for read in [
                { _ = try row.int("word") }, { _ = try row.int("gap") }, { _ = try row.int("nowhere") },
                { _ = try row.text(7) }, { _ = try row.timestamp("ever") }, { _ = try row.ints("word") },
            ] as [() throws -> Void] {
                let error = #expect(throws: PostgresError.self) { try read() }
                #expect(error?.code == .decoding)
                #expect(["word", "gap", "nowhere", "#7", "ever"].contains { error?.detail.contains($0) == true })
            }
        }
    }
}
