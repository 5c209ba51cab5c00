/// Where the connections' tokens are kept, for all processes of the fleet.
package protocol CredentialStore: Sendable {
    /// - Throws: ``SealError`` where the tokens cannot be opened.
    func connection(_ name: ConnectionName) async throws -> StoredConnection?
    /// Which connection covers an organisation of Xero's.
    func name(covering tenant: String) async throws -> ConnectionName?
    /// Runs `work` while no other process of the fleet does so for the same connection.
    ///
    /// The lock ends with the process that holds it.
    /// - Throws: ``CredentialBusy`` when the lock does not come free in time.
    func exclusively<Result: Sendable>(
        _ name: ConnectionName, within limit: Duration, _ work: (any CredentialPage) async throws -> Result
    ) async throws -> Result
    func setDisconnected(_ tenant: String, why: String?) async throws
}

/// One connection's row, in the hands of who holds its lock.
package protocol CredentialPage: Sendable {
    func read() async throws -> StoredConnection?
    /// Notes that the refresh token of that generation goes out now: should no answer come back, a later reader knows
    /// since when.
    func noteSending(_ generation: Int64) async throws
    /// Replaces the pair of generation `generation`.
    ///
    /// - Returns: false when the row holds another generation by now.
    func replace(
        _ generation: Int64, clientID: String, with tokens: TokenPair, from granted: GrantedTokens
    ) async throws -> Bool
    /// - Returns: false when the row holds another generation by now.
    func declareDead(_ generation: Int64, why: String) async throws -> Bool
}

/// Another process renews these tokens and has not finished in time.
package struct CredentialBusy: Error, Sendable, CustomStringConvertible {
    package let name: ConnectionName
    package init(_ name: ConnectionName) { self.name = name }
    package var description: String { "another process has been renewing the tokens of \(name) for too long" }
}
