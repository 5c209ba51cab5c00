package import Credentials
import Domain
import Postgres

/// What a person does with connections: make, list, end, and seal anew.
extension PostgresCredentials {
    /// Stores what a person just granted. An organisation that another connection covered moves to this one.
    ///
    /// Under the same lock as renewals: one under way must not put its pair over this one.
    package func connect(
        _ name: ConnectionName, clientID: String, tokens: TokenPair, from granted: GrantedTokens,
        tenants: [ConnectedTenant]
    ) async throws {
        let keys = keys
        try await store.holding(name) { session in
            let last = try session.query(
                "SELECT generation FROM credential WHERE name = $1 FOR UPDATE", [.text(name.text)]
            ).first.map { try $0.int("generation") }
            let generation = (last ?? 0) + 1
            let sealed = keys.seal(tokens, name, clientID: clientID, generation: generation)
            try session.execute(
                """
                INSERT INTO credential (name, service, client_id, key_id, sealed, generation, connected_at, renewed_at,
                                        access_ends, refresh_ends)
                VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), clock_timestamp(),
                        clock_timestamp() + $7 * interval '1 millisecond',
                        clock_timestamp() + $8::bigint * interval '1 millisecond')
                ON CONFLICT (name) DO UPDATE
                   SET client_id = excluded.client_id, key_id = excluded.key_id, sealed = excluded.sealed,
                       generation = excluded.generation, connected_at = excluded.connected_at,
                       renewed_at = excluded.renewed_at, access_ends = excluded.access_ends,
                       refresh_ends = excluded.refresh_ends, sent_at = NULL, dead_since = NULL, dead_why = NULL
                """,
                [
                    .text(name.text), .text(name.service.rawValue), .text(clientID), .text(sealed.keyID),
                    .bytes(sealed.bytes), .int(generation), .int(granted.lifetime.milliseconds),
                    granted.refreshLifetime.map { .int($0.milliseconds) } ?? .null,
                ])
            try session.execute("DELETE FROM credential_tenant WHERE credential = $1", [.text(name.text)])
            try session.execute(
                """
                INSERT INTO credential_tenant (tenant, credential, connection_id, name)
                SELECT t.tenant, $1, t.connection_id, t.name
                  FROM unnest($2::text[], $3::text[], $4::text[]) AS t (tenant, connection_id, name)
                ON CONFLICT (tenant) DO UPDATE
                   SET credential = excluded.credential, connection_id = excluded.connection_id, name = excluded.name,
                       disconnected_since = NULL, disconnected_why = NULL
                """,
                [
                    .text(name.text), .texts(tenants.map(\.tenant)), .texts(tenants.map(\.connectionID)),
                    .texts(tenants.map(\.name)),
                ])
        }
    }

    /// Seals every row that is under another key with the current one; all or none. Safe to run again.
    ///
    /// A worker that still has the old key first may seal a row with it afterwards: give every process the new key
    /// first, then do this, then take the old key away.
    /// - Returns: how many were sealed anew, and how many had the current key already.
    /// - Throws: ``SealError`` for the first row that does not open; nothing is changed then.
    package func rotate() async throws -> (sealed: Int, current: Int) {
        let keys = keys
        return try await store.pool.transaction { session in
            let rows = try session.query(
                "SELECT \(Self.columns) FROM credential ORDER BY name FOR UPDATE")
            var count = 0
            for row in rows {
                guard let name = ConnectionName(try row.text("name")) else { continue }
                let record = try Self.record(row, name)
                guard record.keyID != keys.current.id else { continue }
                let pair = try keys.open(
                    SealedTokens(keyID: record.keyID, bytes: try row.bytes("sealed")), name,
                    clientID: record.clientID, generation: record.generation)
                let sealed = keys.seal(pair, name, clientID: record.clientID, generation: record.generation)
                count += try session.execute(
                    "UPDATE credential SET key_id = $2, sealed = $3 WHERE name = $1",
                    [.text(name.text), .text(sealed.keyID), .bytes(sealed.bytes)])
            }
            return (count, rows.count - count)
        }
    }
}

/// What needs no key: nothing of it is secret.
extension PostgresStore {
    /// - Returns: whether there was such a connection.
    package func forget(_ name: ConnectionName) async throws -> Bool {
        try await holding(name) { session in
            try session.execute("DELETE FROM credential WHERE name = $1", [.text(name.text)]) == 1
        }
    }

    package func forget(tenant: String) async throws {
        try await pool.withSession {
            try $0.execute("DELETE FROM credential_tenant WHERE tenant = $1", [.text(tenant)])
        }
    }

    func holding<Result: Sendable>(
        _ name: ConnectionName, _ work: @Sendable (PostgresSession) throws -> Result
    ) async throws -> Result {
        try await pool.transaction { session in
            // Of the transaction: it ends with it. The same lock as `exclusively` takes.
            try session.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' credential ' || $1, 0))",
                [.text(name.text)])
            return try work(session)
        }
    }

    package struct ListedConnection: Sendable {
        package let record: ConnectionRecord
        package let tenants: [ConnectedTenant]
    }

    package func connections() async throws -> [ListedConnection] {
        try await pool.withSession { session in
            var tenants: [String: [ConnectedTenant]] = [:]
            for row in try session.query(
                """
                SELECT credential, tenant, connection_id, name, disconnected_why
                  FROM credential_tenant ORDER BY name, tenant
                """)
            {
                tenants[try row.text("credential"), default: []].append(
                    ConnectedTenant(
                        tenant: try row.text("tenant"), connectionID: try row.text("connection_id"),
                        name: try row.text("name"), disconnected: try row.textOrNil("disconnected_why")))
            }
            return try session.query("SELECT \(PostgresCredentials.columns) FROM credential ORDER BY name")
                .compactMap { row in
                    let text = try row.text("name")
                    return try ConnectionName(text).map { name in
                        ListedConnection(
                            record: try PostgresCredentials.record(row, name), tenants: tenants[text] ?? [])
                    }
                }
        }
    }
}
