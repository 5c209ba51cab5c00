import Settings

/// The tokens of one connection, shared with every other process of the fleet through the store.
///
/// Renewed ahead of their end, by one process at a time: who holds the connection's lock sends the refresh token,
/// stores the new pair and only then uses it; the others find it in the store. Should the answer be lost, the store
/// still holds the refresh token that was sent, and the same one goes out again: the service answers it for half an
/// hour.
package actor SharedTokens: AccessTokens {
    /// What happens to a connection, for log and metrics.
    package enum Event: Sendable {
        /// This process renewed the tokens.
        case renewed(generation: Int64)
        /// Another process had; its pair is used.
        case adopted(generation: Int64)
        /// No answer to a renewal: the same refresh token is sent again.
        case unanswered(String)
        case postponed(String)
        case died(why: String)
        /// A person connected again.
        case revived
    }

    private struct Held {
        let value: String
        let generation: Int64
        /// When it was given out, to whichever process.
        let renewedAt: ContinuousClock.Instant
        /// From here on it is renewed, and from there on no longer used.
        let dueAt: ContinuousClock.Instant
        let endsAt: ContinuousClock.Instant
    }

    private let name: ConnectionName
    private let store: any CredentialStore
    private let endpoint: TokenEndpoint
    private let patience: Patience
    private let onEvent: @Sendable (Event) -> Void
    private let clock = ContinuousClock()
    private var held: Held?
    private var renewal: Task<Result<String, TokenTrouble>, Never>?
    private var notBefore: ContinuousClock.Instant?
    private var isDead = false

    /// How long one waits; tests shorten it.
    package struct Patience: Sendable {
        /// For the lock: longer than another process's renewal takes with all its repetitions.
        package var lock = TokenEndpoint.timeout * 4
        /// Before the same refresh token is sent again; the count of these is the count of repetitions.
        package var repetitions: [Duration] = [.milliseconds(200), .seconds(1)]
        /// For the database to take a new pair.
        package var saving = Duration.seconds(15)
        /// A token refused so soon after its renewal is not renewed again.
        package var renewalInterval = Duration.seconds(2)

        package init() {}
    }

    package init(
        _ name: ConnectionName, store: any CredentialStore, endpoint: TokenEndpoint, patience: Patience = Patience(),
        onEvent: @escaping @Sendable (Event) -> Void
    ) {
        self.name = name
        self.store = store
        self.endpoint = endpoint
        self.patience = patience
        self.onEvent = onEvent
    }

    /// However many callers ask at once, this process asks the store once, and the fleet the service once.
    package func accessToken(insteadOf refused: String?) async throws(TokenTrouble) -> String {
        if let held, held.value != refused {
            if held.dueAt > clock.now { return held.value }
            if held.endsAt > clock.now {
                // Renewed ahead of its end: nobody has to wait for that.
                if notBefore.map({ $0 <= clock.now }) ?? true { _ = renewing(insteadOf: nil) }
                return held.value
            }
        }
        if let held, held.value == refused, clock.now - held.renewedAt < patience.renewalInterval {
            throw .unavailable("\(name.service.title) refused a token it gave out a moment ago; it is tried again")
        }
        // A renewal that was under way for another reason may have come upon the very token that was refused.
        let first = try await renewing(insteadOf: refused).value.get()
        if first != refused { return first }
        return try await renewing(insteadOf: refused).value.get()
    }

    package func refusedFresh(_ token: String, saying sentence: String) async {
        let why = "\(name.service.title) refused a fresh token: \(sentence)"
        do {
            try await store.exclusively(name, within: patience.lock) { page in
                guard let stored = try await page.read(), stored.pair.access.revealed == token else { return }
                if try await page.declareDead(stored.record.generation, why: why) { self.died(why) }
            }
        } catch { onEvent(.postponed("\(error)")) }
    }

    package func settle() async { _ = await renewal?.value }

    // MARK: renewing

    private func renewing(insteadOf refused: String?) -> Task<Result<String, TokenTrouble>, Never> {
        if let renewal { return renewal }
        // Unstructured: it serves every caller that waits, so one caller's cancellation must not end it.
        let task = Task {
            let result = await self.renew(insteadOf: refused)
            self.ended(result)
            return result
        }
        renewal = task
        return task
    }

    private func ended(_ result: Result<String, TokenTrouble>) {
        renewal = nil
        guard case .failure(let trouble) = result else {
            notBefore = nil
            return
        }
        notBefore = clock.now + .seconds(10)
        if case .unavailable(let detail) = trouble { onEvent(.postponed(detail)) }
    }

    private func renew(insteadOf refused: String?) async -> Result<String, TokenTrouble> {
        do {
            // Without the lock first: mostly another process has renewed them already.
            if let token = try usable(try await store.connection(name), insteadOf: refused) { return .success(token) }
            return .success(
                try await store.exclusively(name, within: patience.lock) { page in
                    try await self.renew(page, insteadOf: refused)
                })
        } catch let trouble as TokenTrouble {
            return .failure(trouble)
        } catch let error as SealError {
            return .failure(.needsPerson("\(error): \(name.connectCommand)"))
        } catch {
            return .failure(.unavailable("the tokens of \(name) cannot be had: \(error)"))
        }
    }

    /// Nil: they must be renewed.
    private func usable(_ stored: StoredConnection?, insteadOf refused: String?) throws(TokenTrouble) -> String? {
        guard let stored else {
            throw .needsPerson("\(name.service.title) is not connected as `\(name)`: run `\(name.connectCommand)`")
        }
        if let death = stored.record.death {
            died(death.why)
            throw .needsPerson(
                "the connection \(name) is dead since \(death.since): \(death.why); run `\(name.connectCommand)`")
        }
        guard stored.pair.access.revealed != refused,
            !TokenTiming.isDue(remaining: stored.record.remaining, lifetime: stored.record.lifetime)
        else { return nil }
        if held?.generation != stored.record.generation { onEvent(.adopted(generation: stored.record.generation)) }
        return hold(
            stored.pair.access.revealed, stored.record.generation, remaining: stored.record.remaining,
            lifetime: stored.record.lifetime)
    }

    private func hold(_ value: String, _ generation: Int64, remaining: Duration, lifetime: Duration) -> String {
        let now = clock.now
        held = Held(
            value: value, generation: generation, renewedAt: now - (lifetime - remaining),
            dueAt: now + (remaining - TokenTiming.ahead(lifetime)),
            endsAt: now + (remaining - TokenTiming.margin(lifetime)))
        if isDead {
            isDead = false
            onEvent(.revived)
        }
        return value
    }

    private func died(_ why: String) {
        held = nil
        guard !isDead else { return }
        isDead = true
        onEvent(.died(why: why))
    }

    /// Holds the lock.
    private func renew(_ page: any CredentialPage, insteadOf refused: String?) async throws -> String {
        var repetitions = patience.repetitions[...]
        while true {
            let stored = try await page.read()
            if let token = try usable(stored, insteadOf: refused) { return token }
            guard let stored else { throw CredentialBusy(name) }
            let generation = stored.record.generation
            guard stored.record.clientID == endpoint.clientID else {
                throw TokenTrouble.needsPerson(
                    "the connection \(name) was made with the app \(stored.record.clientID), this process is the app "
                        + "\(endpoint.clientID): correct the client id or run `\(name.connectCommand)`")
            }
            try await page.noteSending(generation)
            switch await endpoint.renew(stored.pair.refresh) {
            case .granted(let granted):
                if let token = try await keep(granted, of: stored, page) { return token }
            case .lost(let detail):
                onEvent(.unanswered(detail))
                guard let pause = repetitions.popFirst() else {
                    throw TokenTrouble.unavailable("\(name.service.title) does not answer a renewal: \(detail)")
                }
                try await clock.sleep(for: pause)
            case .unavailable(let detail):
                throw TokenTrouble.unavailable("\(name.service.title) gives no token now: \(detail)")
            case .appRefused(let code):
                throw TokenTrouble.needsPerson(
                    "\(name.service.title) refuses the app \(endpoint.clientID) (\(code)): correct "
                        + "TILLBRIDGE_\(name.service.rawValue.uppercased())_CLIENT_ID and …_CLIENT_SECRET")
            case .grantRefused:
                // Read again before giving up: should the lock have been lost, another pair may stand there by now.
                guard try await page.declareDead(generation, why: Self.why(stored.record)) else { continue }
                died(Self.why(stored.record))
            }
        }
    }

    /// Stores the new pair, then hands it out: a pair that only this process knew would be lost with it.
    ///
    /// - Returns: nil where another pair was stored meanwhile; that one counts.
    private func keep(
        _ granted: GrantedTokens, of stored: StoredConnection, _ page: any CredentialPage
    ) async throws -> String? {
        let pair = TokenPair(access: granted.access, refresh: granted.refresh ?? stored.pair.refresh)
        let deadline = clock.now + patience.saving
        while true {
            do {
                let generation = stored.record.generation
                guard try await page.replace(generation, clientID: endpoint.clientID, with: pair, from: granted)
                else { return nil }
                onEvent(.renewed(generation: generation + 1))
                return hold(
                    granted.access.revealed, generation + 1, remaining: granted.lifetime, lifetime: granted.lifetime)
            } catch {
                guard clock.now < deadline else { throw error }
                try await clock.sleep(for: .milliseconds(200))
            }
        }
    }

    private static func why(_ record: ConnectionRecord) -> String {
        let title = record.name.service.title
        guard let since = record.unansweredSince else {
            return "\(title) no longer takes the refresh token: access was withdrawn, or the token lay unused too long"
        }
        return "\(title) no longer takes the refresh token: a renewal of \(since) was never answered, and it could not "
            + "be repeated in time"
    }
}

/// When a token is renewed, and when it is no longer used.
enum TokenTiming {
    /// So long before its end it is renewed: a sixth of its life, five minutes at most.
    static func ahead(_ lifetime: Duration) -> Duration { min(.seconds(300), lifetime / 6) }

    /// So long before its end it is used no more: the call takes a moment to arrive.
    static func margin(_ lifetime: Duration) -> Duration { min(.seconds(30), lifetime / 12) }

    static func isDue(remaining: Duration, lifetime: Duration) -> Bool { remaining <= ahead(lifetime) }
}
