package import Domain
package import HTTP
import Postgres
package import Settings
package import Xero

/// Shares each organisation's allowance of Xero calls among all writers, through rows in PostgreSQL: the functions
/// `take_permit` and `return_permit` of migrations 0026 and 0018 hold the rules.
///
/// Whoever must wait asks again, at the moment the database named: that is exact for a used-up minute, a park and an
/// open breaker. Who waits for a place in flight, or for somebody of a higher priority, is woken when a permit comes
/// back: of this process at once, of others by a notification of the database's (``watchOthers()``).
package struct PostgresBudget: CallBudget {
    private let store: PostgresStore
    private let limits: [OrganisationKey: OrganisationLimits]
    private let appCallsPerMinute: Int
    private let sharingApp: Set<OrganisationKey>
    private let sleep: @Sendable (Duration) async throws -> Void
    private let onEvent: @Sendable (OrganisationKey, BudgetEvent) -> Void
    private let bell = PermitBell()

    /// A call takes at most so long (the HTTP time-out and a little): a permit not given back by then is free again.
    private static let callMax = "75 seconds"
    /// Looks again at least this often: another writer may have given a permit back, or a person lifted a limit.
    private static let waitMax = Duration.seconds(5)
    /// So long at most a place in flight goes unnoticed where its notification is lost.
    private static let wakeMax = Duration.milliseconds(500)
    private static let channel = "tillbridge.permits"

    /// - Parameters:
    ///   - appCallsPerMinute: over all organisations; 0 stands for no limit.
    ///   - sharingApp: the organisations that are called through one app: where its minute is used up, all of them
    ///     are parked. One with a custom connection has an app of its own.
    package init(
        store: PostgresStore, limits: [OrganisationKey: OrganisationLimits], appCallsPerMinute: Int = 0,
        sharingApp: Set<OrganisationKey> = [],
        sleep: @escaping @Sendable (Duration) async throws -> Void,
        onEvent: @escaping @Sendable (OrganisationKey, BudgetEvent) -> Void = { _, _ in }
    ) {
        self.store = store
        self.limits = limits
        self.appCallsPerMinute = appCallsPerMinute
        self.sharingApp = sharingApp
        self.sleep = sleep
        self.onEvent = onEvent
    }

    package func take(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit {
        guard let limits = limits[organisation], limits.isLimited else {
            return CallPermit(organisation: organisation, id: nil)
        }
        var waiter: Int64?
        do {
            while true {
                let rings = await bell.rings(organisation)
                let answer = try await ask(purpose, isRead, limits, organisation, waiter)
                onEvent(organisation, .breaker(answer.breaker))
                if let permit = answer.permit(of: organisation, limits) { return permit }
                onEvent(organisation, .waited(answer.reason))
                waiter = answer.waiter
                if answer.isOthers {
                    try await beWoken(organisation, after: rings)
                } else {
                    try await sleep(min(.milliseconds(answer.wait), Self.waitMax))
                }
            }
        } catch {
            if let waiter { await forget(waiter) }
            // Cancelled in the middle of a statement: the database's word for it is an error like any other.
            if Task.isCancelled { throw CancellationError() }
            throw error
        }
    }

    package func takeAtOnce(
        _ purpose: CallPurpose, isRead: Bool, for organisation: OrganisationKey
    ) async throws -> CallPermit? {
        guard let limits = limits[organisation], limits.isLimited else {
            return CallPermit(organisation: organisation, id: nil)
        }
        let answer = try await ask(purpose, isRead, limits, organisation, nil)
        onEvent(organisation, .breaker(answer.breaker))
        if let waiter = answer.waiter { await forget(waiter) }
        return answer.permit(of: organisation, limits)
    }

    package func closed(_ organisation: OrganisationKey) async throws -> Duration? {
        guard let limits = limits[organisation], limits.isLimited else { return nil }
        let answer = try await ask(.invoices, false, limits, organisation, nil)
        if let permit = answer.permit {
            let unused = CallPermit(organisation: organisation, id: permit, percentLeft: nil)
            await giveBack(unused, headers: nil, result: .unused)
        }
        if let waiter = answer.waiter { await forget(waiter) }
        return answer.isClosed ? .milliseconds(answer.wait) : nil
    }

    private struct Answer {
        let permit: Int64?
        let waiter: Int64?
        let wait: Int64
        let reason: String
        let left: Int
        let breaker: BreakerState

        var isClosed: Bool { ["parked", "breaker", "day"].contains(reason) }
        func permit(of organisation: OrganisationKey, _ limits: OrganisationLimits) -> CallPermit? {
            permit.map { id in
                let percent = limits.callsPerMinute > 0 ? 100 * left / limits.callsPerMinute : nil
                return CallPermit(organisation: organisation, id: id, percentLeft: percent)
            }
        }

        /// It is over when somebody gives a permit back.
        var isOthers: Bool { reason == "in_flight" || reason == "priority" }
    }

    /// Returns when a permit came back since `rings`, or after a while.
    private func beWoken(_ organisation: OrganisationKey, after rings: Int) async throws {
        let (bell, sleep) = (bell, sleep)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await bell.wait(organisation, after: rings) }
            group.addTask { try await sleep(Self.wakeMax) }
            defer { group.cancelAll() }
            _ = try await group.next()
        }
    }

    /// Hears of permits that other processes give back, on a connection of its own; until it is cancelled.
    package func watchOthers() async {
        let schema = try? await store.pool.withSession { session in
            try session.query("SELECT current_schema() AS name").first?.text("name")
        }
        for await notification in store.pool.listen(channel: Self.channel) {
            switch notification {
            // Something may have been missed.
            case .listening: for organisation in limits.keys { await bell.ring(organisation) }
            case .received(let payload):
                let words = payload.split(separator: " ", maxSplits: 1)
                guard words.count == 2, String(words[0]) == schema ?? nil else { continue }
                await bell.ring(OrganisationKey(String(words[1])))
            }
        }
    }

    private func ask(
        _ purpose: CallPurpose, _ isRead: Bool, _ limits: OrganisationLimits, _ organisation: OrganisationKey,
        _ waiter: Int64?
    ) async throws -> Answer {
        let appCallsPerMinute = appCallsPerMinute
        let kept = limits.kept(from: purpose, isRead: isRead)
        return try await store.pool.transaction { session in
            let rows = try session.query(
                """
                SELECT permit, waiter_id, wait_ms, why, minute_left::bigint AS minute_left, breaker_state
                  FROM take_permit($1, $2::bigint, $3::integer, $4::integer, $5::integer, $6::integer, $7::integer,
                                   $8::integer, $9::interval, $10, $11::integer)
                """,
                [
                    .text(organisation.text), waiter.map { .int($0) } ?? .null, .int(Int64(purpose.rawValue)),
                    .int(Int64(limits.callsPerMinute)), .int(Int64(limits.callsInFlight)),
                    .int(Int64(limits.callsPerDay)), .int(Int64(appCallsPerMinute)), .int(Int64(kept)),
                    .text(Self.callMax), .bool(isRead), .int(Int64(limits.reserve.reads)),
                ])
            guard let row = rows.first else { preconditionFailure("a function with OUT parameters answers one row") }
            return Answer(
                permit: try row.intOrNil("permit"), waiter: try row.intOrNil("waiter_id"),
                wait: try row.int("wait_ms"), reason: try row.textOrNil("why") ?? "",
                left: Int(try row.int("minute_left")),
                breaker: BreakerState(rawValue: try row.text("breaker_state")) ?? .closed)
        }
    }

    /// Whoever stops waiting holds up nobody of a lower priority any more.
    private func forget(_ waiter: Int64) async {
        // Unstructured: whoever is cancelled stops waiting, and in a cancelled task the database does nothing.
        await Task { [store] in
            _ = try? await store.pool.withSession { session in
                try session.execute("DELETE FROM budget_waiter WHERE id = $1", [.int(waiter)])
            }
        }.value
    }

    package func giveBack(_ permit: CallPermit, headers: HTTPHeaders?, result: CallResult) async {
        guard let id = permit.id, let limits = limits[permit.organisation] else { return }
        func number(_ name: String) -> PostgresValue {
            // Whatever a peer sends: what is no sensible number is as good as missing.
            headers?[name].flatMap { Int32($0) }.flatMap { $0 >= 0 ? .int(Int64($0)) : nil } ?? .null
        }
        let (word, reason) = result.words
        let parameters: [PostgresValue] = [
            .text(permit.organisation.text), .int(id), .int(Int64(limits.callsPerMinute)),
            .int(Int64(limits.callsPerDay)), .int(Int64(appCallsPerMinute)), number("X-MinLimit-Remaining"),
            number("X-DayLimit-Remaining"), number("X-AppMinLimit-Remaining"), .text(word), .text(reason),
        ]
        // A permit that cannot be given back comes free by itself after `callMax`.
        // Unstructured: a cancelled task's permit comes back, too, and in that task the database does nothing.
        let state = await Task { [store] in
            try? await store.pool.transaction { session in
                try session.query(
                    """
                    SELECT breaker_state FROM return_permit($1, $2::bigint, $3::integer, $4::integer, $5::integer,
                                                            $6::integer, $7::integer, $8::integer, $9, $10)
                    """, parameters
                ).first?.textOrNil("breaker_state")
            }
        }.value
        await bell.ring(permit.organisation)
        if let state = state.flatMap({ $0 }).flatMap(BreakerState.init) {
            onEvent(permit.organisation, .breaker(state))
        }
    }

    package func park(_ organisation: OrganisationKey, for duration: Duration, reason: String) async {
        let isOfAll = CallLimit.isOfApp(reason) && sharingApp.contains(organisation)
        // In one order, so that two who park all of them do not wait for each other.
        let parked = isOfAll ? sharingApp.map(\.text).sorted() : [organisation.text]
        _ = try? await store.pool.withSession { session in
            try session.execute(
                """
                INSERT INTO budget (organisation, parked_until, parked_why)
                SELECT o.organisation, now() + $2 * interval '1 millisecond', $3
                  FROM unnest($1::text[]) AS o (organisation)
                ON CONFLICT (organisation) DO UPDATE
                   SET parked_until = greatest(budget.parked_until, excluded.parked_until),
                       parked_why = excluded.parked_why
                """, [.texts(parked), .int(duration.milliseconds), .text(reason)])
        }
    }
}

/// What the budget has to tell, for metrics.
package enum BudgetEvent: Sendable, Hashable {
    case breaker(BreakerState)
    /// `parked`, `breaker`, `day`, `priority`, `in_flight`, `minute` or `app`.
    case waited(String)
}

extension CallResult {
    fileprivate var words: (word: String, reason: String) {
        switch self {
        case .good: ("good", "")
        case .failed(let reason): ("failed", reason)
        case .offline(let reason): ("offline", reason)
        case .disconnected(let reason): ("disconnected", reason)
        case .unused: ("unused", "")
        }
    }
}

extension OrganisationLimits {
    fileprivate var isLimited: Bool { callsPerMinute > 0 || callsInFlight > 0 || callsPerDay > 0 }

    /// Calls a minute that a request of this kind leaves free for others.
    fileprivate func kept(from purpose: CallPurpose, isRead: Bool) -> Int {
        reserve.people + (isRead ? 0 : reserve.reads) + (purpose.isLow ? reserve.posting : 0)
    }
}
