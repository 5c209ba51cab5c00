/// The access tokens of an organisation with a credential of its own, which tell when a person is needed: the
/// credential is refused, or Xero no longer lets us in. Nobody else would know: there is no grant whose end is seen.
package actor WatchedTokens: AccessTokens {
    private let tokens: any AccessTokens
    private let note: @Sendable (String?) async throws -> Void

    private enum Standing: Equatable { case unknown, open, closed(String) }
    private var standing = Standing.unknown

    /// - Parameter note: told why Xero no longer lets us in, and nil when it does again; each once, and once more where
    ///   it throws.
    package init(_ tokens: any AccessTokens, note: @escaping @Sendable (String?) async throws -> Void) {
        self.tokens = tokens
        self.note = note
    }

    package func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String {
        do { return try await tokens.accessToken(insteadOf: refused) } catch {
            if case .needsPerson(let detail) = error { await organisationClosed(detail) }
            throw error
        }
    }

    package func refusedFresh(_ token: String, saying sentence: String) async {
        await tokens.refusedFresh(token, saying: sentence)
        await organisationClosed(sentence)
    }

    package func settle() async { await tokens.settle() }

    package func organisationClosed(_ why: String?) async {
        let now = why.map { Standing.closed($0) } ?? .open
        guard now != standing, (try? await note(why)) != nil else { return }
        standing = now
    }
}
