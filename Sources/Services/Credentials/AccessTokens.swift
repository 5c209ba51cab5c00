/// Hands out the access token a call carries, whatever kind of credential it comes from.
package protocol AccessTokens: Sendable {
    /// - Parameter refused: a token the service just refused as expired; it is not handed out again.
    func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String
    /// The service refused a token it had only just given out: no renewal helps, a person must connect again.
    func refusedFresh(_ token: String, saying sentence: String) async
    /// The service no longer lets us into the organisation (`why`), or does so again (nil).
    func organisationClosed(_ why: String?) async
    /// Returns once a renewal that is under way has ended: a process that ends with one in flight loses its answer.
    func settle() async
}

extension AccessTokens {
    package func accessToken() async throws(TokenTrouble) -> String { try await accessToken(insteadOf: nil) }
    package func refusedFresh(_ token: String, saying sentence: String) async {}
    package func organisationClosed(_ why: String?) async {}
    package func settle() async {}
}

/// Why there is no token.
package enum TokenTrouble: Error, Sendable, CustomStringConvertible {
    /// Worth another try: network, 5xx, a used-up limit, the database away.
    case unavailable(String)
    /// Waiting does not help; the sentence says what a person must do.
    case needsPerson(String)

    package var description: String {
        switch self {
        case .unavailable(let detail), .needsPerson(let detail): detail
        }
    }
}
