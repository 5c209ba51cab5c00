/// A program that may ask for tokens.
package struct Client: Sendable {
    package let id: String
    package let secret: String
    /// The organisation of its custom connection; nil means the one whose tenant id is the client's id, else the first.
    package let tenantID: String?

    /// `id:secret`, or `id:secret=tenantId` for a custom connection.
    package init?(flag: String) {
        let parts = flag.split(separator: ":", maxSplits: 1)
        guard parts.count == 2 else { return nil }
        let rest = parts[1].split(separator: "=", maxSplits: 1)
        guard let secret = rest.first else { return nil }
        id = String(parts[0])
        self.secret = String(secret)
        tenantID = rest.count > 1 ? String(rest[1]) : nil
    }
}

/// The tokens the identity service has given out. A state machine: time comes in, texts come out.
struct TokenBook: Sendable {
    struct Access: Sendable {
        let family: Int
        /// The organisation a custom connection's token stands for where no tenant header says otherwise.
        let implied: String?
        /// The only organisation a custom connection's token opens; nil opens all.
        let custom: String?
        let expires: Int64
    }

    private struct Refresh: Sendable {
        let family: Int
        let issued: Int64
        /// When it was first used and its successor given out.
        var replaced: Int64?
    }

    /// Milliseconds.
    static let accessLifetime: Int64 = 30 * 60_000
    static let grace: Int64 = 30 * 60_000
    static let refreshLifetime: Int64 = 60 * 86_400_000

    private var access: [String: Access] = [:]
    private var refresh: [String: Refresh] = [:]
    private var revoked: Set<Int> = []
    private var families = 0
    private var generator: SeededGenerator

    init(seed: UInt64) { generator = SeededGenerator(seed: seed ^ 0x746F_6B65_6E73) }

    private mutating func text() -> String {
        String([generator.next(), generator.next(), generator.next()].map { String($0, radix: 36) }.joined())
    }

    /// Begins a family of tokens: one grant by one client.
    mutating func grant(
        implied: String?, custom: String?, withRefresh: Bool, now: Int64
    ) -> (access: String, refresh: String?) {
        families += 1
        return issue(families, implied: implied, custom: custom, withRefresh: withRefresh, now: now)
    }

    private mutating func issue(
        _ family: Int, implied: String?, custom: String?, withRefresh: Bool, now: Int64
    ) -> (access: String, refresh: String?) {
        if access.count > 4096 { access = access.filter { $0.value.expires > now } }
        let token = text()
        access[token] = Access(family: family, implied: implied, custom: custom, expires: now + Self.accessLifetime)
        guard withRefresh else { return (token, nil) }
        let successor = text()
        refresh[successor] = Refresh(family: family, issued: now)
        return (token, successor)
    }

    /// Trades a refresh token for a new pair. A token already used may be sent again for 30 minutes, in case the answer
    /// was lost. Nil is `invalid_grant`.
    mutating func renew(_ token: String, now: Int64) -> (access: String, refresh: String?)? {
        guard var entry = refresh[token], !revoked.contains(entry.family) else { return nil }
        if let replaced = entry.replaced {
            guard now <= replaced + Self.grace else { return nil }
        } else {
            guard now <= entry.issued + Self.refreshLifetime else { return nil }
            entry.replaced = now
            refresh[token] = entry
        }
        return issue(entry.family, implied: nil, custom: nil, withRefresh: true, now: now)
    }

    enum Check: Sendable { case valid(Access), expired, unknown }

    func check(_ token: String, now: Int64) -> Check {
        guard let entry = access[token], !revoked.contains(entry.family) else { return .unknown }
        return entry.expires > now ? .valid(entry) : .expired
    }

    /// Ends the family of a refresh token.
    mutating func revoke(_ token: String) {
        if let entry = refresh[token] { revoked.insert(entry.family) }
    }

    /// Ends the access tokens only: the next call gets 401, a refresh helps.
    mutating func expireAll(now: Int64) {
        access = access.mapValues {
            Access(family: $0.family, implied: $0.implied, custom: $0.custom, expires: min($0.expires, now))
        }
    }

    mutating func revokeAll() { revoked.formUnion(1...max(families, 1)) }
}
