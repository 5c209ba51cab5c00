/// A program that may ask for tokens.
package struct Client: Sendable {
    package let id: String
    /// Empty: a public app, which proves itself with PKCE alone.
    package let secret: String
    /// The organisation of its custom connection; nil means the one whose tenant id is the client's id, else the first.
    package let tenantID: String?

    /// `id:secret`, `id:secret=tenantId` for a custom connection, or `id:` for a public app.
    package init?(flag: String) {
        let parts = flag.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty else { return nil }
        let rest = parts[1].split(separator: "=", maxSplits: 1)
        id = String(parts[0])
        secret = rest.first.map { String($0) } ?? ""
        tenantID = rest.count > 1 ? String(rest[1]) : nil
    }
}

/// The tokens the identity service has given out. A state machine: time comes in, texts come out.
struct TokenBook: Sendable {
    struct Access: Sendable {
        let family: Int
        /// The organisation a custom connection's token stands for where no tenant header says otherwise.
        let implied: String?
        /// The organisations it opens; nil opens all.
        let tenants: Set<String>?
        let expires: Int64

        func opens(_ tenant: String) -> Bool { tenants?.contains(tenant) ?? true }
    }

    private struct Refresh: Sendable {
        let family: Int
        let issued: Int64
        /// When it was first used and its successor given out.
        var replaced: Int64?
    }

    /// What a person agreed to: one grant to one app.
    private struct Family: Sendable {
        let client: String
        let tenants: Set<String>?
    }

    /// What waits for its code to be traded.
    struct Consent: Sendable {
        let client: String
        let redirect: String
        /// `S256` of the verifier; nil where the app sent none.
        let challenge: String?
        let tenants: Set<String>?
        let given: Int64
    }

    /// Milliseconds.
    static let grace: Int64 = 30 * 60_000
    static let refreshLifetime: Int64 = 60 * 86_400_000
    static let codeLifetime: Int64 = 5 * 60_000
    let accessLifetime: Int64

    private var access: [String: Access] = [:]
    private var refresh: [String: Refresh] = [:]
    private var families: [Int: Family] = [:]
    private var revoked: Set<Int> = []
    private var codes: [String: Consent] = [:]
    private var generator: SeededGenerator

    init(seed: UInt64, accessSeconds: Int) {
        generator = SeededGenerator(seed: seed ^ 0x746F_6B65_6E73)
        accessLifetime = Int64(accessSeconds) * 1000
    }

    private mutating func text() -> String {
        String([generator.next(), generator.next(), generator.next()].map { String($0, radix: 36) }.joined())
    }

    /// A code as the consent page sends it back.
    mutating func code(_ consent: Consent) -> String {
        let code = text()
        codes[code] = consent
        return code
    }

    /// Trades a code, once, within five minutes, by the app it was given to, at the redirect address it was sent to,
    /// and by whoever knows the verifier. Nil is `invalid_grant`; a code is used up by the attempt.
    mutating func exchange(
        _ code: String, client: String, redirect: String?, verifier: String?, now: Int64
    ) -> (access: String, refresh: String?)? {
        guard let consent = codes.removeValue(forKey: code), consent.client == client, consent.redirect == redirect,
            now <= consent.given + Self.codeLifetime,
            consent.challenge == nil || consent.challenge == verifier.map(ProofKey.challenge)
        else { return nil }
        return grant(client: client, implied: nil, tenants: consent.tenants, withRefresh: true, now: now)
    }

    /// Begins a family of tokens: one grant by one client.
    mutating func grant(
        client: String, implied: String?, tenants: Set<String>?, withRefresh: Bool, now: Int64
    ) -> (access: String, refresh: String?) {
        let family = families.count + 1
        families[family] = Family(client: client, tenants: tenants)
        return issue(family, implied: implied, withRefresh: withRefresh, now: now)
    }

    private mutating func issue(
        _ family: Int, implied: String?, withRefresh: Bool, now: Int64
    ) -> (access: String, refresh: String?) {
        if access.count > 4096 { access = access.filter { $0.value.expires > now } }
        let token = text()
        access[token] = Access(
            family: family, implied: implied, tenants: families[family]?.tenants, expires: now + accessLifetime)
        guard withRefresh else { return (token, nil) }
        let successor = text()
        refresh[successor] = Refresh(family: family, issued: now)
        return (token, successor)
    }

    /// Trades a refresh token for a new pair. A token already used may be sent again for 30 minutes, in case the answer
    /// was lost. Nil is `invalid_grant`.
    mutating func renew(_ token: String, client: String, now: Int64) -> (access: String, refresh: String?)? {
        guard var entry = refresh[token], !revoked.contains(entry.family), families[entry.family]?.client == client
        else { return nil }
        if let replaced = entry.replaced {
            guard now <= replaced + Self.grace else { return nil }
        } else {
            guard now <= entry.issued + Self.refreshLifetime else { return nil }
            entry.replaced = now
            refresh[token] = entry
        }
        return issue(entry.family, implied: nil, withRefresh: true, now: now)
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
            Access(family: $0.family, implied: $0.implied, tenants: $0.tenants, expires: min($0.expires, now))
        }
    }

    mutating func revokeAll() { revoked.formUnion(families.keys) }
}
