internal import JSON

/// One organisation at the vendor: its books, its limits and its stored answers. The actor is the lock that makes
/// calls follow each other; different organisations work side by side.
actor Organisation {
    nonisolated let tenantID: String
    /// Of the connection between app and organisation, as `GET /connections` lists it.
    nonisolated let connectionID: XeroID
    private var books: Books
    private var windows = CallWindows()
    private var replays: ReplayStore
    private var scale: LimitScale
    private var counters = OrganisationCounters()
    private var inFlight = 0

    init(_ settings: OrganisationSettings, _ simulator: SimulatorSettings) {
        tenantID = settings.tenantID
        let hash = digest(settings.tenantID.utf8)
        connectionID = XeroID(high: hash, low: digest("connection".utf8) ^ hash)
        books = Books(settings, seed: simulator.seed)
        replays = ReplayStore(
            lifetime: Int64(simulator.idempotencySeconds) * 1000, bytesMax: simulator.idempotencyMegabytes << 20)
        scale = simulator.limits
    }

    var settings: OrganisationSettings { books.settings }

    /// What stands at the door of an organisation.
    enum Entry: Sendable {
        /// With the headers that tell what is left. `leave` must follow.
        case entered([(name: String, value: String)])
        case refused(Answer)
    }

    /// Counts a call, refused or not, and lets it in where the limits allow.
    func enter(_ endpoint: String, now: Int64) -> Entry {
        windows.record(now)
        counters.calls[endpoint, default: 0] += 1
        let limits = OrganisationLimits(scale, books.settings)
        var headers: [(name: String, value: String)] = []
        if let minute = limits.minute {
            headers.append(("X-MinLimit-Remaining", String(max(0, minute - windows.inMinute))))
        }
        if let day = limits.day { headers.append(("X-DayLimit-Remaining", String(max(0, day - windows.day.calls)))) }
        if books.settings.isDisconnected {
            return .refused(.problem(403, "Forbidden", "AuthenticationUnsuccessful"))
        }
        if let day = limits.day, windows.day.calls > day {
            return refuse(.day, wait: windows.waitForDay(now: now), headers)
        }
        if let minute = limits.minute, windows.inMinute > minute {
            return refuse(.minute, wait: windows.waitForMinute(minute, now: now), headers)
        }
        if let concurrent = limits.concurrent, inFlight >= concurrent { return refuse(.concurrent, wait: nil, headers) }
        if books.settings.isOffline {
            var answer = Answer.text(503, "The Organisation is offline")
            answer.headers = headers
            return .refused(answer)
        }
        inFlight += 1
        counters.mostInFlight = max(counters.mostInFlight, inFlight)
        return .entered(headers)
    }

    /// 429 as it was captured: no body, no content type; no `Retry-After` for too many in flight.
    private func refuse(
        _ problem: LimitProblem, wait: Int64?, _ headers: [(name: String, value: String)]
    ) -> Entry {
        counters.refused[problem.rawValue, default: 0] += 1
        return .refused(.tooMany(problem, wait: wait, headers))
    }

    func leave() { inFlight -= 1 }

    /// Answers a call that has entered: from the stored answers where its key is known, from the books otherwise.
    /// `planned` is the answer a fault puts in the place of the true one; it is stored under the key like any other.
    func answer(_ call: Call, planned: Answer? = nil) -> Answer {
        answer(call) { books in
            let real = books.answer(call)
            return planned ?? real
        }
    }

    /// The same without an effect: a call that failed inside, and whose answer is stored all the same.
    func answer(_ call: Call, instead answer: Answer) -> Answer { self.answer(call) { _ in answer } }

    private func answer(_ call: Call, _ perform: (inout Books) -> Answer) -> Answer {
        guard let key = call.idempotencyKey, call.method != "GET" else { return perform(&books) }
        guard !key.isEmpty, key.utf8.count <= 128 else {
            return .invalid("Idempotency-Key must have 1 to 128 characters", number: 10, type: "ValidationException")
        }
        let scope = call.endpoint + " " + key
        let request = digest(call.path.joined(separator: "/").utf8) ^ digestOfBody(call.body)
        switch replays.find(scope, request: request, now: call.now) {
        case .replay(let answer):
            counters.replays += 1
            return answer
        case .otherRequest:
            return .invalid(
                "The Idempotency-Key was used with another request", number: 10, type: "ValidationException")
        case .new:
            let answer = perform(&books)
            replays.keep(answer, scope, request: request, now: call.now)
            return answer
        }
    }

    private func digestOfBody(_ body: [UInt8]) -> UInt64 {
        var hasher = Hasher()
        body.withUnsafeBytes { hasher.combine(bytes: $0) }
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    // MARK: control

    func disconnect() { books.settings.isDisconnected = true }

    /// Changes settings, accounts and venues while running: the members of `OrganisationSettings.apply`, and
    /// `archiveAccounts`, `activateAccounts`, `venues`, `archiveVenues`, `activateVenues`, `restoreContacts`,
    /// `reconcile` (lists; the last of document numbers, whose payments are then reconciled), `mergeContacts` (an
    /// object: contact number into contact number), `rounding: false` (takes the mark of the system account away).
    /// Throws `SettingsError`; what came before the mistake is done.
    func change(_ json: JSON) throws {
        var settings = books.settings
        try settings.apply(json)
        books.settings = settings
        for code in json["archiveAccounts"]?.elements.compactMap(\.string) ?? [] { try setAccount(code, false) }
        for code in json["activateAccounts"]?.elements.compactMap(\.string) ?? [] { try setAccount(code, true) }
        for venue in json["venues"]?.elements.compactMap(\.string) ?? [] { books.addVenue(venue) }
        for venue in json["archiveVenues"]?.elements.compactMap(\.string) ?? [] {
            guard let index = books.venues[venue] else { throw SettingsError("there is no venue '\(venue)'") }
            books.tracking[0].options[index].isActive = false
        }
        for venue in json["activateVenues"]?.elements.compactMap(\.string) ?? [] {
            guard let index = books.venues[venue] else { throw SettingsError("there is no venue '\(venue)'") }
            books.tracking[0].options[index].isActive = true
        }
        for number in json["restoreContacts"]?.elements.compactMap(\.string) ?? [] { try books.restoreContact(number) }
        for pair in json["mergeContacts"]?.members ?? [] {
            try books.mergeContact(pair.key, into: pair.value.string ?? "")
        }
        for number in json["reconcile"]?.elements.compactMap(\.string) ?? [] {
            try books.reconcilePayments(of: number)
        }
        if json["rounding"]?.bool == false {
            for index in books.accounts.indices where books.accounts[index].systemAccount == "ROUNDING" {
                books.accounts[index].systemAccount = ""
            }
        }
    }

    private func setAccount(_ code: String, _ isActive: Bool) throws {
        guard let index = books.accountsByCode[code] else { throw SettingsError("there is no account '\(code)'") }
        books.accounts[index].isActive = isActive
    }

    func ledger(summary: Bool) -> [UInt8] { books.ledger(summary: summary) }

    func counts() -> OrganisationCounters {
        var result = counters
        result.inFlight = inFlight
        result.mostInMinute = windows.mostInMinute
        result.evicted = replays.evicted
        return result
    }
}

/// What one organisation counted since the last reset.
struct OrganisationCounters: Sendable {
    var calls: [String: Int] = [:]
    var refused: [String: Int] = [:]
    var replays = 0
    /// Stored answers dropped early because the store was full.
    var evicted = 0
    var inFlight = 0
    var mostInFlight = 0
    var mostInMinute = 0
}

extension Answer {
    static func tooMany(
        _ problem: LimitProblem, wait: Int64?, _ headers: [(name: String, value: String)] = []
    ) -> Answer {
        var answer = Answer(status: 429, contentType: nil, headers: headers)
        answer.headers.append(("X-Rate-Limit-Problem", problem.rawValue))
        if let wait { answer.headers.append(("Retry-After", String((wait + 999) / 1000))) }
        return answer
    }
}
