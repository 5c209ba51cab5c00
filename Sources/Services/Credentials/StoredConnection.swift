package import Domain
package import Settings

/// The two tokens of a grant. Only ever stored sealed, never printed.
package struct TokenPair: Sendable, Equatable {
    package let access: Secret
    package let refresh: Secret

    package init(access: Secret, refresh: Secret) {
        self.access = access
        self.refresh = refresh
    }
}

/// What is known of a connection besides its secrets: what `tillbridge connections` shows.
package struct ConnectionRecord: Sendable {
    package struct Death: Sendable, Equatable {
        package let since: Instant
        package let why: String

        package init(since: Instant, why: String) {
            self.since = since
            self.why = why
        }
    }

    package let name: ConnectionName
    /// The app the grant was given to: only that one may renew it.
    package let clientID: String
    package let keyID: String
    /// Rises with every stored pair; a writer that saw an older one changes nothing.
    package let generation: Int64
    package let connectedAt: Instant
    package let renewedAt: Instant
    /// How long the access token lives in all, and how long from now on by the database's clock: negative once it
    /// has ended.
    package let lifetime: Duration
    package let remaining: Duration
    /// When the refresh token ends if it is not used; nil where the service does not say.
    package let refreshEnds: Instant?
    /// When the stored refresh token was first sent without an answer being stored.
    package let unansweredSince: Instant?
    package let death: Death?

    package init(
        name: ConnectionName, clientID: String, keyID: String, generation: Int64, connectedAt: Instant,
        renewedAt: Instant, lifetime: Duration, remaining: Duration, refreshEnds: Instant?, unansweredSince: Instant?,
        death: Death?
    ) {
        self.name = name
        self.clientID = clientID
        self.keyID = keyID
        self.generation = generation
        self.connectedAt = connectedAt
        self.renewedAt = renewedAt
        self.lifetime = lifetime
        self.remaining = remaining
        self.refreshEnds = refreshEnds
        self.unansweredSince = unansweredSince
        self.death = death
    }
}

/// An organisation of Xero's that a connection covers.
package struct ConnectedTenant: Sendable, Equatable {
    package let tenant: String
    /// Xero's id of this link between app and organisation: what a disconnection names.
    package let connectionID: String
    package let name: String
    /// Why Xero no longer lets us in, where it said so.
    package var disconnected: String?

    package init(tenant: String, connectionID: String, name: String, disconnected: String? = nil) {
        self.tenant = tenant
        self.connectionID = connectionID
        self.name = name
        self.disconnected = disconnected
    }
}

/// A connection with its tokens, as read from the store.
package struct StoredConnection: Sendable {
    package let record: ConnectionRecord
    package let pair: TokenPair

    package init(record: ConnectionRecord, pair: TokenPair) {
        self.record = record
        self.pair = pair
    }
}

/// A pair as the service gave it out.
package struct GrantedTokens: Sendable {
    package let access: Secret
    /// Nil: the one that was sent stays good.
    package let refresh: Secret?
    /// From the moment the request was sent, so that a slow answer shortens it.
    package let lifetime: Duration
    /// How long the refresh token lives unused; nil where the service does not say.
    package let refreshLifetime: Duration?

    package init(access: Secret, refresh: Secret?, lifetime: Duration, refreshLifetime: Duration?) {
        self.access = access
        self.refresh = refresh
        self.lifetime = lifetime
        self.refreshLifetime = refreshLifetime
    }
}
