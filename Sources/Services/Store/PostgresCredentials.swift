package import Credentials
import Domain
import Postgres
import Settings

/// The connections' tokens in PostgreSQL, sealed with the key ring. All times are the database's own, so that the
/// clocks of the processes do not matter.
package struct PostgresCredentials: CredentialStore {
    let store: PostgresStore
    package let keys: KeyRing

    package init(store: PostgresStore, keys: KeyRing) {
        self.store = store
        self.keys = keys
    }

    package func connection(_ name: ConnectionName) async throws -> StoredConnection? {
        let keys = keys
        return try await store.pool.withSession { try Self.read($0, name, keys) }
    }

    package func name(covering tenant: String) async throws -> ConnectionName? {
        try await store.pool.withSession { session in
            try session.query("SELECT credential FROM credential_tenant WHERE tenant = $1", [.text(tenant)]).first
                .flatMap { ConnectionName(try $0.text("credential")) }
        }
    }

    package func setDisconnected(_ tenant: String, why: String?) async throws {
        try await store.pool.withSession { session in
            // The condition keeps the first moment, and writes nothing where nothing changes.
            try session.execute(
                """
                UPDATE credential_tenant
                   SET disconnected_since = CASE WHEN $2::text IS NULL THEN NULL ELSE clock_timestamp() END,
                       disconnected_why = $2
                 WHERE tenant = $1 AND (disconnected_since IS NULL) <> ($2::text IS NULL)
                """, [.text(tenant), why.map { .text(String($0.prefix(500))) } ?? .null])
        }
    }

    /// An advisory lock of the session, on a connection lent for so long: it ends with this process or its connection.
    /// It is asked for again and again rather than waited for in the server, so that a process that ends need not wait.
    ///
    /// Should the connection break while `work` waits for the service, another process may come in; every write names
    /// the generation it saw, so that the later one finds that out.
    package func exclusively<Result: Sendable>(
        _ name: ConnectionName, within limit: Duration, _ work: (any CredentialPage) async throws -> Result
    ) async throws -> Result {
        try await store.pool.withConnection { connection in
            let deadline = ContinuousClock.now + limit
            while try await !Self.lock(connection, name) {
                guard ContinuousClock.now < deadline else { throw CredentialBusy(name) }
                try await Task.sleep(for: .milliseconds(Int64.random(in: 30...100)))
            }
            return try await work(Page(connection: connection, name: name, keys: keys))
        }
    }

    private static func lock(_ connection: PostgresConnection, _ name: ConnectionName) async throws -> Bool {
        try await connection.run { session in
            try session.query(
                "SELECT pg_try_advisory_lock(hashtextextended(current_schema() || ' credential ' || $1, 0)) AS got",
                [.text(name.text)]
            ).first?.bool("got") ?? false
        }
    }

    static let columns = """
        name, client_id, key_id, sealed, generation, connected_at, renewed_at, refresh_ends, sent_at, dead_since,
        dead_why,
        (extract(epoch FROM access_ends - renewed_at) * 1000)::bigint AS lifetime,
        (extract(epoch FROM access_ends - clock_timestamp()) * 1000)::bigint AS remaining
        """

    static func read(_ session: PostgresSession, _ name: ConnectionName, _ keys: KeyRing) throws -> StoredConnection? {
        guard let row = try session.query("SELECT \(columns) FROM credential WHERE name = $1", [.text(name.text)]).first
        else { return nil }
        let record = try record(row, name)
        let pair = try keys.open(
            SealedTokens(keyID: record.keyID, bytes: try row.bytes("sealed")), name, clientID: record.clientID,
            generation: record.generation)
        return StoredConnection(record: record, pair: pair)
    }

    static func record(_ row: PostgresRow, _ name: ConnectionName) throws -> ConnectionRecord {
        func instant(_ column: PostgresColumn) throws -> Instant? {
            try row.timestampOrNil(column).map { Instant(microseconds: $0) }
        }
        return ConnectionRecord(
            name: name, clientID: try row.text("client_id"), keyID: try row.text("key_id"),
            generation: try row.int("generation"),
            connectedAt: Instant(microseconds: try row.timestamp("connected_at")),
            renewedAt: Instant(microseconds: try row.timestamp("renewed_at")),
            lifetime: .milliseconds(try row.int("lifetime")), remaining: .milliseconds(try row.int("remaining")),
            refreshEnds: try instant("refresh_ends"), unansweredSince: try instant("sent_at"),
            death: try instant("dead_since").map { .init(since: $0, why: try row.text("dead_why")) })
    }
}

extension PostgresCredentials {
    private struct Page: CredentialPage {
        let connection: PostgresConnection
        let name: ConnectionName
        let keys: KeyRing

        func read() async throws -> StoredConnection? {
            let (name, keys) = (name, keys)
            return try await connection.run { try PostgresCredentials.read($0, name, keys) }
        }

        func noteSending(_ generation: Int64) async throws {
            let name = name
            try await connection.run { session in
                try session.execute(
                    """
                    UPDATE credential SET sent_at = clock_timestamp()
                     WHERE name = $1 AND generation = $2 AND sent_at IS NULL
                    """, [.text(name.text), .int(generation)])
            }
        }

        func replace(
            _ generation: Int64, clientID: String, with tokens: TokenPair, from granted: GrantedTokens
        ) async throws -> Bool {
            let name = name
            let sealed = keys.seal(tokens, name, clientID: clientID, generation: generation + 1)
            return try await connection.run { session in
                try session.execute(
                    """
                    UPDATE credential
                       SET key_id = $3, sealed = $4, generation = generation + 1, renewed_at = clock_timestamp(),
                           access_ends = clock_timestamp() + $5 * interval '1 millisecond',
                           refresh_ends = clock_timestamp() + $6::bigint * interval '1 millisecond',
                           sent_at = NULL, dead_since = NULL, dead_why = NULL
                     WHERE name = $1 AND generation = $2
                    """,
                    [
                        .text(name.text), .int(generation), .text(sealed.keyID), .bytes(sealed.bytes),
                        .int(granted.lifetime.milliseconds),
                        granted.refreshLifetime.map { .int($0.milliseconds) } ?? .null,
                    ]) == 1
            }
        }

        func declareDead(_ generation: Int64, why: String) async throws -> Bool {
            let name = name
            return try await connection.run { session in
                try session.execute(
                    """
                    UPDATE credential SET dead_since = clock_timestamp(), dead_why = $3
                     WHERE name = $1 AND generation = $2
                    """, [.text(name.text), .int(generation), .text(String(why.prefix(500)))]) == 1
            }
        }
    }
}
