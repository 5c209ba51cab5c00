/// The connections this process uses: one ``SharedTokens`` each, however many organisations share it.
package actor ConnectionBook {
    private let store: any CredentialStore
    private let endpoint: @Sendable (ConnectedService) -> TokenEndpoint?
    private let onEvent: @Sendable (ConnectionName, SharedTokens.Event) -> Void
    private let patience: SharedTokens.Patience
    private var open: [ConnectionName: SharedTokens] = [:]

    /// - Parameter endpoint: nil where no app of ours is configured for that service.
    package init(
        store: any CredentialStore, endpoint: @escaping @Sendable (ConnectedService) -> TokenEndpoint?,
        patience: SharedTokens.Patience = SharedTokens.Patience(),
        onEvent: @escaping @Sendable (ConnectionName, SharedTokens.Event) -> Void
    ) {
        self.store = store
        self.endpoint = endpoint
        self.patience = patience
        self.onEvent = onEvent
    }

    package func tokens(_ name: ConnectionName) throws(TokenTrouble) -> SharedTokens {
        if let tokens = open[name] { return tokens }
        guard let endpoint = endpoint(name.service) else {
            throw .needsPerson("set TILLBRIDGE_\(name.service.rawValue.uppercased())_CLIENT_ID: no app is configured")
        }
        let tokens = SharedTokens(name, store: store, endpoint: endpoint, patience: patience) { [onEvent] in
            onEvent(name, $0)
        }
        open[name] = tokens
        return tokens
    }

    nonisolated package func name(covering tenant: String) async throws(TokenTrouble) -> ConnectionName? {
        do { return try await store.name(covering: tenant) } catch {
            throw .unavailable("the connections cannot be read: \(error)")
        }
    }

    nonisolated package func setDisconnected(_ tenant: String, why: String?) async throws {
        try await store.setDisconnected(tenant, why: why)
    }
}

/// The access tokens of one organisation of Xero's: those of whichever connection covers it.
package actor TenantTokens: AccessTokens {
    private let tenant: String
    private let title: String
    private let book: ConnectionBook
    private let onClosed: @Sendable (String?) -> Void
    private var name: ConnectionName?

    private enum Standing: Equatable { case unknown, open, closed(String) }
    private var standing = Standing.unknown

    /// - Parameters:
    ///   - title: what an operator calls the organisation.
    ///   - onClosed: told why Xero no longer lets us in, and nil when it does again.
    package init(
        tenant: String, title: String, book: ConnectionBook, onClosed: @escaping @Sendable (String?) -> Void
    ) {
        self.tenant = tenant
        self.title = title
        self.book = book
        self.onClosed = onClosed
    }

    package func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String {
        let known = name
        do { return try await tokens().accessToken(insteadOf: refused) } catch .needsPerson(let detail) {
            // It may have moved to a connection made since.
            name = nil
            guard let known, let current = try await book.name(covering: tenant), current != known else {
                throw .needsPerson(detail)
            }
            return try await tokens().accessToken(insteadOf: refused)
        }
    }

    private func tokens() async throws(TokenTrouble) -> SharedTokens {
        if let name { return try await book.tokens(name) }
        guard let found = try await book.name(covering: tenant) else {
            throw .needsPerson(
                "no connection to Xero covers the organisation \(title) (\(tenant)): run `tillbridge connect xero` and "
                    + "tick it")
        }
        name = found
        return try await book.tokens(found)
    }

    package func refusedFresh(_ token: String, saying sentence: String) async {
        guard let name, let tokens = try? await book.tokens(name) else { return }
        await tokens.refusedFresh(token, saying: sentence)
    }

    package func settle() async {
        guard let name, let tokens = try? await book.tokens(name) else { return }
        await tokens.settle()
    }

    package func organisationClosed(_ why: String?) async {
        let now = why.map { Standing.closed($0) } ?? .open
        guard now != standing else { return }
        // The store is for the operator's eyes: should it be away, the next answer tries again.
        guard (try? await book.setDisconnected(tenant, why: why)) != nil else { return }
        if standing != .unknown || why != nil { onClosed(why) }
        standing = now
    }
}
