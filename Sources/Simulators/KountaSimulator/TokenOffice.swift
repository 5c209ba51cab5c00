import JSON

/// Who is calling.
struct Caller: Sendable {
    let client: String
    /// The one company the caller reaches; nil: all of them.
    let company: Int64?
    let isBasic: Bool
}

/// Hands out tokens and checks them.
struct TokenOffice: Sendable {
    enum Refusal: Error { case unknown, expired }

    private struct Token {
        let client: String
        let company: Int64?
        let expiresAt: Int64
    }

    private let clients: [KountaSettings.Client]
    private let companies: [Int64]
    private let lifetime: Int64
    private var tokens: [String: Token] = [:]
    private var refreshTokens: [String: (client: String, company: Int64?)] = [:]
    /// Codes from `/authorize`; each is good once, for ten minutes, for that app at that redirect address.
    private var codes: [String: Consent] = [:]

    private struct Consent {
        let company: Int64
        let client: String?
        let redirect: String
        let given: Int64
    }

    private static let codeSeconds: Int64 = 600
    private var spentCodes: Set<String> = []
    private var serial = 0
    private var refreshes = 0

    init(settings: KountaSettings) {
        clients = settings.clients
        companies = settings.companies.map(\.id)
        lifetime = settings.tokenSeconds
    }

    private func client(_ id: String, _ secret: String) -> KountaSettings.Client? {
        if clients.isEmpty { return id.isEmpty ? nil : KountaSettings.Client(id: id, secret: secret) }
        return clients.first { $0.id == id && $0.secret == secret }
    }

    func secret(ofClient id: String) -> String? { clients.first { $0.id == id }?.secret }

    func basic(_ id: String, _ secret: String) throws(Refusal) -> Caller {
        guard let client = client(id, secret) else { throw .unknown }
        return Caller(client: client.id, company: client.company, isBasic: true)
    }

    func bearer(_ token: String, now: Int64) throws(Refusal) -> Caller {
        guard let known = tokens[token] else { throw .unknown }
        guard now < known.expiresAt else { throw .expired }
        return Caller(client: known.client, company: known.company, isBasic: false)
    }

    /// A code as the consent page would send it back.
    mutating func code(for company: Int64?, client: String?, redirect: String, now: Int64) -> String {
        serial += 1
        let code = "code-\(serial)"
        codes[code] = Consent(company: company ?? companies[0], client: client, redirect: redirect, given: now)
        return code
    }

    /// Ends every access token: the next call is refused as expired, a refresh helps.
    mutating func expireAll(now: Int64) {
        tokens = tokens.mapValues { Token(client: $0.client, company: $0.company, expiresAt: min($0.expiresAt, now)) }
    }

    /// Ends every grant, as when somebody removes the app.
    mutating func revokeAll() {
        tokens = [:]
        refreshTokens = [:]
    }

    /// Answers `POST /token`. A code that did not come from `/authorize` is taken too, once: digits at its end that
    /// name a company choose it, else it is the first.
    mutating func exchange(_ form: [String: String], now: Int64) -> Answer {
        guard let client = client(form["client_id"] ?? "", form["client_secret"] ?? "") else {
            return .error(401, "invalid_client", "Client authentication failed")
        }
        switch form["grant_type"] {
        case "authorization_code":
            let code = form["code"] ?? ""
            guard !code.isEmpty, spentCodes.insert(code).inserted, fits(codes[code], form, client.id, now) else {
                return .error(400, "invalid_grant", "The authorization code is invalid or was used")
            }
            let named = Int64(String(code.reversed().prefix { $0.isNumber }.reversed()))
            let company = codes[code]?.company ?? named.flatMap { companies.contains($0) ? $0 : nil } ?? companies[0]
            return issue(client.id, client.company ?? company, refresh: true, now)
        case "refresh_token":
            guard let grant = refreshTokens[form["refresh_token"] ?? ""], grant.client == client.id else {
                return .error(400, "invalid_grant", "The refresh token is invalid")
            }
            // The service may leave the refresh token out: every second time. The old one stays good.
            refreshes += 1
            return issue(grant.client, grant.company, refresh: refreshes % 2 == 1, now)
        case "client_credentials":
            return issue(client.id, client.company, refresh: false, now)
        default:
            return .error(400, "unsupported_grant_type", "The grant type is not supported")
        }
    }

    private func fits(_ consent: Consent?, _ form: [String: String], _ client: String, _ now: Int64) -> Bool {
        guard let consent else { return true }
        return (consent.client ?? client) == client && consent.redirect == form["redirect_uri"]
            && now < consent.given + Self.codeSeconds
    }

    private mutating func issue(_ client: String, _ company: Int64?, refresh: Bool, _ now: Int64) -> Answer {
        serial += 1
        let access = "access-\(company ?? 0)-\(serial)"
        tokens[access] = Token(client: client, company: company, expiresAt: now + lifetime)
        let refreshToken = "refresh-\(company ?? 0)-\(serial)"
        if refresh { refreshTokens[refreshToken] = (client, company) }
        return Answer(200, body: Answer.json { writer in
            writer.field("access_token", access)
            writer.field("token_type", "Bearer")
            writer.field("expires_in", lifetime)
            if refresh { writer.field("refresh_token", refreshToken) }
        })
    }
}
