internal import JSON

/// What stands before the organisations: who exists, which tokens are good, how many calls the whole app has made, and
/// which faults are planned.
actor Gate {
    private let settings: SimulatorSettings
    private var organisations: [String: Organisation] = [:]
    private var order: [String] = []
    private var tokens: TokenBook
    private var windows = CallWindows()
    private var faults: [Fault] = []
    /// How often they were taken away: what is held goes on then.
    private(set) var clearings = 0
    private var refused: [String: Int] = [:]
    private var tokenCalls: [String: Int] = [:]
    private var generator: SeededGenerator

    init(_ settings: SimulatorSettings) {
        self.settings = settings
        tokens = TokenBook(seed: settings.seed, accessSeconds: settings.accessSeconds)
        generator = SeededGenerator(seed: settings.seed ^ 0xC0_44E1)
        for organisation in settings.organisations {
            organisations[organisation.tenantID] = Organisation(organisation, settings)
            order.append(organisation.tenantID)
        }
    }

    // MARK: calls

    enum Admission: Sendable {
        case admitted(Organisation, headers: [(name: String, value: String)])
        case refused(Answer)
    }

    /// Checks the token, finds the organisation and counts the call for the app.
    func admit(token: String?, tenant: String?, now: Int64) -> Admission {
        let access: TokenBook.Access
        switch authenticate(token, now: now) {
        case .success(let found): access = found
        case .failure(let refusal): return .refused(refusal.answer)
        }
        guard let tenant = tenant ?? access.implied, let organisation = organisations[tenant],
            access.opens(tenant)
        else { return .refused(.problem(403, "Forbidden", "AuthenticationUnsuccessful")) }
        windows.record(now)
        var headers = [("Xero-Correlation-Id", generator.identifier().text)].map { (name: $0.0, value: $0.1) }
        if settings.limits != .off {
            let left = settings.appMinuteLimit - windows.inMinute
            headers.append((name: "X-AppMinLimit-Remaining", value: String(max(0, left))))
            if left < 0 {
                refused[LimitProblem.appMinute.rawValue, default: 0] += 1
                let wait = windows.waitForMinute(settings.appMinuteLimit, now: now)
                return .refused(.tooMany(.appMinute, wait: wait, headers))
            }
        }
        return .admitted(organisation, headers: headers)
    }

    struct Refused: Error { let answer: Answer }

    func authenticate(_ token: String?, now: Int64) -> Result<TokenBook.Access, Refused> {
        guard let token else {
            return .failure(Refused(answer: .problem(401, "Unauthorized", "AuthenticationUnsuccessful")))
        }
        switch tokens.check(token, now: now) {
        case .valid(let access): return .success(access)
        case .expired:
            return .failure(Refused(answer: .problem(401, "Unauthorized", "TokenExpired: token expired")))
        case .unknown:
            return .failure(Refused(answer: .problem(401, "Unauthorized", "AuthenticationUnsuccessful")))
        }
    }

    /// The fault that hits a call, if any. The first that matches counts.
    func fault(_ method: String, _ path: String, tenant: String?, body: [UInt8]) -> Fault? {
        for index in faults.indices where faults[index].strikes(method, path, tenant, body) {
            var fault = faults[index]
            fault.clearings = clearings
            return fault
        }
        return nil
    }

    // MARK: identity

    /// `POST /connect/token`. `client` comes from HTTP Basic or from the form.
    func token(_ form: Query, id: String?, secret: String?, now: Int64) -> Answer {
        let type = form["grant_type"] ?? ""
        tokenCalls[type, default: 0] += 1
        guard let id, let client = client(id, secret ?? "") else { return Self.error("invalid_client") }
        let pair: (access: String, refresh: String?)
        var scope = form["scope"] ?? "offline_access accounting.invoices accounting.payments accounting.contacts "
            + "accounting.settings"
        switch type {
        case "client_credentials":
            let own = client.tenantID ?? (organisations[id] != nil ? id : nil)
            pair = tokens.grant(
                client: id, implied: own ?? order.first, tenants: own.map { [$0] }, withRefresh: false, now: now)
            scope = scope.split(separator: " ").filter { $0 != "offline_access" }.joined(separator: " ")
        case "authorization_code":
            guard let granted = tokens.exchange(
                form["code"] ?? "", client: id, redirect: form["redirect_uri"], verifier: form["code_verifier"],
                now: now)
            else { return Self.error("invalid_grant") }
            pair = granted
        case "refresh_token":
            guard let renewed = tokens.renew(form["refresh_token"] ?? "", client: id, now: now) else {
                return Self.error("invalid_grant")
            }
            pair = renewed
        default: return Self.error("unsupported_grant_type")
        }
        return .json { writer in
            writer.field("access_token", pair.access)
            writer.field("expires_in", tokens.accessLifetime / 1000)
            writer.field("token_type", "Bearer")
            if let refresh = pair.refresh { writer.field("refresh_token", refresh) }
            writer.field("scope", scope)
        }
    }

    /// The consent page, with the consent given at once. `tenants` in the query names the organisations that were
    /// ticked, parted by commas (else all of them); `deny=1` says no.
    func authorize(_ query: Query, now: Int64) -> Answer {
        guard let redirect = query["redirect_uri"], !redirect.isEmpty else {
            return .text(400, "redirect_uri is missing")
        }
        guard query["response_type"] == "code", let client = query["client_id"], knows(client) else {
            return .text(400, "unauthorized_client")
        }
        guard query["code_challenge"] == nil || query["code_challenge_method"] == "S256" else {
            return .text(400, "code_challenge_method must be S256")
        }
        let sign = redirect.contains("?") ? "&" : "?"
        let state = "&state=" + Query.escaped(query["state"] ?? "")
        if query.isTrue("deny") || query["deny"] == "1" {
            return Answer(
                status: 302, contentType: nil, headers: [("Location", "\(redirect)\(sign)error=access_denied\(state)")])
        }
        let code = tokens.code(
            TokenBook.Consent(
                client: client, redirect: redirect, challenge: query["code_challenge"],
                tenants: query.list("tenants").map { Set($0) }, given: now))
        return Answer(status: 302, contentType: nil, headers: [("Location", "\(redirect)\(sign)code=\(code)\(state)")])
    }

    private func knows(_ id: String) -> Bool {
        settings.clients.isEmpty ? !id.isEmpty : settings.clients.contains { $0.id == id }
    }

    private func client(_ id: String, _ secret: String) -> Client? {
        guard !settings.clients.isEmpty else { return id.isEmpty ? nil : Client(flag: "\(id):any") }
        return settings.clients.first { $0.id == id && $0.secret == secret }
    }

    private static func error(_ code: String) -> Answer { .json(400) { $0.field("error", code) } }

    /// `POST /connect/revocation`: always 200, as the standard wants.
    func revoke(_ form: Query) -> Answer {
        tokens.revoke(form["token"] ?? "")
        return Answer()
    }

    /// `GET /connections`, and `DELETE /connections/{id}` which disconnects.
    func connections(_ method: String, _ id: String?, token: String?, now: Int64) async -> Answer {
        let access: TokenBook.Access
        switch authenticate(token, now: now) {
        case .success(let found): access = found
        case .failure(let refusal): return refusal.answer
        }
        if method == "DELETE" {
            guard let organisation = organisations.values.first(where: { $0.connectionID.text == id }),
                access.opens(organisation.tenantID)
            else { return .notFound }
            await organisation.disconnect()
            return Answer(status: 204, contentType: nil)
        }
        var writer = JSONWriter()
        var shown: [(OrganisationSettings, XeroID)] = []
        for tenant in order where access.opens(tenant) {
            guard let organisation = organisations[tenant] else { continue }
            let settings = await organisation.settings
            if !settings.isDisconnected { shown.append((settings, organisation.connectionID)) }
        }
        writer.array { writer in
            for (settings, connection) in shown {
                writer.object { writer in
                    writer.field("id", connection.text)
                    writer.field("authEventId", connection.text)
                    writer.field("tenantId", settings.tenantID)
                    writer.field("tenantType", "ORGANISATION")
                    writer.field("tenantName", settings.name)
                    writer.field("createdDateUtc", "2026-01-01T00:00:00.0000000")
                    writer.field("updatedDateUtc", "2026-01-01T00:00:00.0000000")
                }
            }
        }
        return Answer(body: writer.bytes)
    }

    // MARK: control

    func add(_ fault: Fault) { faults.append(fault) }

    func clearFaults() {
        faults = []
        clearings += 1
    }

    /// Adds an organisation, or changes the one of that tenant id. All ends with `revokeTokens`, access tokens alone
    /// with `expireTokens`.
    func change(_ json: JSON, now: Int64) async throws {
        guard let tenant = json["tenantId"]?.string else { throw SettingsError("an organisation needs a tenantId") }
        if json["revokeTokens"]?.bool == true { tokens.revokeAll() }
        if json["expireTokens"]?.bool == true { tokens.expireAll(now: now) }
        if let organisation = organisations[tenant] {
            try await organisation.change(json)
        } else {
            let organisation = Organisation(try OrganisationSettings(json), settings)
            organisations[tenant] = organisation
            order.append(tenant)
            try await organisation.change(json)
        }
    }

    /// All organisations, in the order they were made known.
    var all: [Organisation] { order.compactMap { organisations[$0] } }

    struct Counters: Sendable {
        var tokenCalls: [String: Int]
        var refused: [String: Int]
        var mostInMinute: Int
    }

    var counters: Counters {
        Counters(tokenCalls: tokenCalls, refused: refused, mostInMinute: windows.mostInMinute)
    }
}
