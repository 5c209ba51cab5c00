package import Credentials
package import Domain
package import HTTP
import JSON

/// Xero's Accounting API of one organisation: every call takes a permit first, carries the tenant and a fresh token,
/// and comes back as a ``XeroOutcome``.
package struct XeroClient: Sendable {
    private let organisation: OrganisationKey
    private let http: HTTPClient
    private let base: String
    private let tenant: String?
    private let tokens: any AccessTokens
    private let budget: any CallBudget
    private let onCall: @Sendable (_ endpoint: String, _ status: Int, _ duration: Duration) -> Void

    /// A call under a key leaves within so long after it was asked for, or not at all: whoever asked has made sure that
    /// Xero still knows the key, and will not look for what arrives later.
    private let leaveMax: Duration

    private static let timeout = Duration.seconds(60)

    package init(
        organisation: OrganisationKey, http: HTTPClient, base: String, tenant: String?, tokens: any AccessTokens,
        budget: any CallBudget, leaveMax: Duration = .seconds(30),
        onCall: @escaping @Sendable (_ endpoint: String, _ status: Int, _ duration: Duration) -> Void
    ) {
        self.organisation = organisation
        self.http = http
        self.base = base + "/api.xro/2.0"
        self.tenant = tenant
        self.tokens = tokens
        self.budget = budget
        self.leaveMax = leaveMax
        self.onCall = onCall
    }

    package func reserve(_ purpose: CallPurpose) async throws -> CallPermit {
        try await budget.take(purpose, isRead: false, for: organisation)
    }

    package func giveBack(_ permit: CallPermit) async { await budget.giveBack(permit, headers: nil, result: .unused) }

    /// Without a token no call can be made, however much is left of the allowance: until then a look each minute.
    private static let tokenWait = Duration.seconds(60)

    package func closed() async throws -> Duration? {
        do { _ = try await tokens.accessToken() } catch { return Self.tokenWait }
        return try await budget.closed(organisation)
    }

    package func call(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, idempotencyKey: String? = nil,
        permit: CallPermit? = nil, mediaType: String = "application/json"
    ) async throws -> XeroOutcome {
        try await reply(
            method, path, body: body, idempotencyKey: idempotencyKey, permit: permit, mediaType: mediaType
        ).outcome
    }

    func reply(
        _ method: HTTPMethod, _ path: String, body: [UInt8]? = nil, idempotencyKey: String? = nil,
        permit: CallPermit? = nil, mediaType: String = "application/json"
    ) async throws -> XeroReply {
        let until = ContinuousClock.now + leaveMax
        let isLate = { idempotencyKey != nil && .now > until }
        let token: String
        do { token = try await tokens.accessToken() } catch {
            if let permit { await giveBack(permit) }
            return XeroReply(Self.outcome(of: error))
        }
        if isLate() {
            if let permit { await giveBack(permit) }
            return XeroReply(.neverSent("the token came too late for the call's key"))
        }
        let first = try await send(method, path, body, mediaType, idempotencyKey, token, permit)
        guard case .answered(let response) = first, response.status == 401 else { return await judged(first) }
        // An expired token: one fresh one, one more try; nothing was carried out. A second 401 is final.
        let fresh: String
        do { fresh = try await tokens.accessToken(insteadOf: token) } catch {
            return XeroReply(Self.outcome(of: error), correlationID: response.correlationID)
        }
        var again: CallPermit?
        if idempotencyKey != nil {
            // Nobody keeps the caller's claims while a permit is waited for here.
            let purpose = Self.purpose(of: path)
            let isRead = method == .get
            guard !isLate(), let permit = try await budget.takeAtOnce(purpose, isRead: isRead, for: organisation)
            else {
                let why = "401, and no call is free at once for another with a fresh token"
                return XeroReply(.neverSent(why), correlationID: response.correlationID)
            }
            again = permit
        }
        let second = try await send(method, path, body, mediaType, idempotencyKey, fresh, again)
        if case .answered(let response) = second, response.status == 401 {
            await tokens.refusedFresh(fresh, saying: "401 \(XeroOutcome.sentence(response))")
        }
        return await judged(second)
    }

    /// Tells the connection what the answer says about the organisation: 403 `AuthenticationUnsuccessful` is a
    /// disconnected one, and any answer from inside shows that it is open.
    private func judged(_ outcome: HTTPOutcome) async -> XeroReply {
        guard case .answered(let response) = outcome else { return XeroReply(Self.outcome(of: outcome)) }
        return XeroReply(await judged(response), correlationID: response.correlationID)
    }

    private func judged(_ response: HTTPResponse) async -> XeroOutcome {
        if response.status == 403 {
            let sentence = XeroOutcome.sentence(response)
            guard sentence.contains("AuthenticationUnsuccessful") else { return .disconnected("403 \(sentence)") }
            await tokens.organisationClosed("403 \(sentence)")
            return .disconnected(
                "Xero says 403 \(sentence): the organisation was disconnected; run `tillbridge connect xero`")
        }
        if (200..<300).contains(response.status) { await tokens.organisationClosed(nil) }
        return XeroOutcome(response)
    }

    private func send(
        _ method: HTTPMethod, _ path: String, _ body: [UInt8]?, _ mediaType: String, _ idempotencyKey: String?,
        _ token: String, _ reserved: CallPermit?
    ) async throws -> HTTPOutcome {
        var headers: [(name: String, value: String)] = [
            ("Authorization", "Bearer \(token)"), ("Accept", "application/json"),
        ]
        if let tenant { headers.append(("xero-tenant-id", tenant)) }
        if body != nil { headers.append(("Content-Type", mediaType)) }
        // No header rather than an empty one.
        if let idempotencyKey { headers.append(("Idempotency-Key", idempotencyKey)) }
        let request = HTTPRequest(
            method: method, url: base + path, headers: headers, body: body, timeout: Self.timeout,
            maxResponseBytes: 32 << 20)
        let permit: CallPermit
        if let reserved {
            permit = reserved
        } else {
            permit = try await budget.take(Self.purpose(of: path), isRead: method == .get, for: organisation)
        }
        let start = ContinuousClock.now
        let outcome = await http.send(request)
        let endpoint = String(path.dropFirst().prefix { $0 != "?" && $0 != "/" })
        if case .answered(let response) = outcome {
            await budget.giveBack(permit, headers: response.headers, result: CallResult(outcome))
            onCall("\(method.rawValue) \(endpoint)", response.status, .now - start)
            if response.status == 429, case .limited(let after, let problem) = XeroOutcome(response) {
                await budget.park(organisation, for: after, reason: problem)
            }
        } else {
            await budget.giveBack(permit, headers: nil, result: CallResult(outcome))
            onCall("\(method.rawValue) \(endpoint)", 0, .now - start)
        }
        return outcome
    }

    /// Of calls that do not say so themselves: by what they are about. What nobody waits for is reconciliation.
    private static func purpose(of path: String) -> CallPurpose {
        switch path.dropFirst().prefix(while: { $0 != "?" && $0 != "/" }) {
        case "Invoices", "CreditNotes": .invoices
        // The lock dates, which a correction asks for before it takes anything away.
        case "Payments", "Organisation": .payments
        case "Contacts": .contacts
        case "Items": .items
        default: .reconciliation
        }
    }

    private static func outcome(of outcome: HTTPOutcome) -> XeroOutcome {
        switch outcome {
        case .answered(let response): XeroOutcome(response)
        case .neverSent(let error): .neverSent("\(error)")
        case .unknown(let error): .unknown("\(error)")
        }
    }

    private static func outcome(of error: TokenTrouble) -> XeroOutcome {
        switch error {
        case .unavailable: .neverSent("\(error)")
        case .needsPerson: .disconnected("\(error)")
        }
    }
}

extension HTTPResponse {
    fileprivate var correlationID: String? { headers["Xero-Correlation-Id"] }
}
