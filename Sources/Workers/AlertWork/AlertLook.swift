package import Alerting
package import Domain
package import Messaging
package import Settings
package import Store

/// One look at database and broker: gathers the facts, judges nothing.
package struct AlertLook: Sendable {
    private let organisations: [OrganisationSettings]
    private let companies: [CompanySettings]
    private let policy: AlertPolicy
    private let store: any AlertFactStore
    private let broker: any QueueLook

    package init(settings: Settings, store: any AlertFactStore, broker: any QueueLook) {
        organisations = settings.organisations
        companies = settings.companies
        policy = settings.alerts.policy
        self.store = store
        self.broker = broker
    }

    /// What a look remembers for the next: since when each queue holds messages that nobody takes, and since when the
    /// mapper's was not empty.
    package struct Memory: Sendable {
        package var watchingSince: Instant
        var idleSince: [QueueName: Instant] = [:]
        var busySince: Instant?

        package init(watchingSince: Instant) { self.watchingSince = watchingSince }
    }

    /// - Returns: the facts, and why the broker could not be looked at, if so. The database's errors are thrown.
    package func facts(_ memory: inout Memory, at now: Instant) async throws -> (facts: AlertFacts, trouble: String?) {
        var facts = AlertFacts(watchingSince: memory.watchingSince)
        facts.currencies = Dictionary(organisations.map { ($0.key, $0.currency) }) { first, _ in first }
        facts.groups = try await store.groupFacts()
        facts.openDays = try await store.openDays(
            madeBefore: now.adding(.zero - min(policy.queueAge, policy.dayLate)))
        facts.unclosedDays = try await unclosedDays(at: now)
        facts.venues = try await venues()
        facts.handlerSeen = try await store.handlerSeen()
        let calls = try await store.callsToday(TimeZoneRules.utc.date(at: now))
        facts.budgets = organisations.map {
            AlertFacts.Budget(organisation: $0.key, used: calls[$0.key] ?? 0, limit: $0.limits.callsPerDay)
        }
        try await addConnections(&facts)
        let spent = facts.budgets.filter { $0.limit > 0 && $0.used >= $0.limit }.map(\.organisation)
        facts.resting = try await store.restingOrganisations(at: now).union(spent)
        do {
            let mapped = facts.venues.compactMap(\.lastOrder).max()
            let closed = facts.resting.union(facts.unreachable)
            facts.idleQueues = try await idleQueues(&memory, lastMapped: mapped, closed: closed, now)
            return (facts, nil)
        } catch {
            facts.blindTo = [.handlerDown, .queueAge]
            return (facts, "\(error)")
        }
    }

    private func unclosedDays(at now: Instant) async throws -> [AlertFacts.UnclosedDay] {
        // A day's own end is looked at with the facts; today is not over anywhere.
        let days = try await store.unclosedDays(
            before: TimeZoneRules.utc.date(at: now).adding(days: 1), metBefore: now.adding(.zero - policy.dayLate))
        return days.compactMap { day in
            guard let company = companies.first(where: { $0.key == day.company }),
                let venue = company.venues.first(where: { $0.site == day.site })
            else { return nil }
            var unclosed = AlertFacts.UnclosedDay(
                organisation: company.organisation, venue: venue.name, day: day.day, metAt: day.metAt,
                waitsForTakings: venue.closesByTakings && !day.isCounted)
            unclosed.zone = venue.timeZone
            return unclosed
        }
    }

    private func venues() async throws -> [AlertFacts.Venue] {
        let readings = try await store.venueReadings()
        let orders = try await store.lastOrders(of: companies.map(\.key))
        return companies.flatMap { company in
            company.venues.map { venue in
                var facts = AlertFacts.Venue(
                    company: company.key, organisation: company.organisation, site: venue.site, name: venue.name,
                    hours: venue.tradingHours, lastOrder: orders[company.key]?[venue.name],
                    lastPolled: readings[company.key]?[venue.site]?.polled)
                facts.lastRescanned = readings[company.key]?[venue.site]?.rescanned
                facts.sideListsRead = readings[company.key]?[venue.site]?.sideLists
                facts.zone = venue.timeZone
                return facts
            }
        }
    }

    private func addConnections(_ facts: inout AlertFacts) async throws {
        // One with a credential of its own needs no grant.
        var byTenant: [String: OrganisationKey] = [:]
        for organisation in organisations where organisation.credential == nil {
            if let tenant = organisation.tenant { byTenant[tenant] = organisation.key }
        }
        let (grants, lost) = try await store.connectionFacts()
        facts.connections = grants.map { grant in
            AlertFacts.Connection(
                name: grant.name, service: grant.service, organisations: grant.tenants.compactMap { byTenant[$0] },
                renewedAt: grant.renewedAt, refreshEnds: grant.refreshEnds, deadSince: grant.deadSince,
                deadWhy: grant.deadWhy)
        }
        facts.disconnections = lost.compactMap { lost in
            byTenant[lost.tenant].map {
                AlertFacts.Disconnection(organisation: $0, since: lost.since, why: lost.why)
            }
        }
        let keys = Set(organisations.map(\.key))
        facts.disconnections += try await store.closedOrganisations().filter { keys.contains($0.organisation) }.map {
            AlertFacts.Disconnection(
                organisation: $0.organisation, since: $0.since, why: $0.why, hasOwnCredential: true)
        }
    }

    /// A backlog that is worked off is none: of the mapper's queue, when the last order became a document or a letter
    /// tells the two apart. What waits for a writer is seen by its document's age; of an organisation that takes no
    /// calls (`closed`) nobody need read the queue, and the time in which nobody did does not count.
    private func idleQueues(
        _ memory: inout Memory, lastMapped: Instant?, closed: Set<OrganisationKey>, _ now: Instant
    ) async throws -> [AlertFacts.IdleQueue] {
        let owners = Dictionary(organisations.map { (QueueName.write($0.key), $0.key) }) { first, _ in first }
        let queues = [QueueName.dead, .unreadable, .map] + organisations.map { .write($0.key) }
        let states = try await broker.look(at: queues)
        var idle: [AlertFacts.IdleQueue] = []
        for queue in queues {
            let owner = owners[queue]
            guard let state = states[queue], state.waiting > 0, state.consumers == 0,
                !(owner.map { closed.contains($0) } ?? false)
            else {
                memory.idleSince[queue] = nil
                continue
            }
            let since = memory.idleSince[queue] ?? now
            memory.idleSince[queue] = since
            idle.append(
                AlertFacts.IdleQueue(
                    name: broker.name(of: queue), isForDesk: queue == .dead || queue == .unreadable,
                    waiting: state.waiting, since: since, organisation: owner))
        }
        guard let state = states[.map], state.waiting > 0, state.consumers > 0 else {
            memory.busySince = nil
            return idle
        }
        let busy = memory.busySince ?? now
        memory.busySince = busy
        idle.append(
            AlertFacts.IdleQueue(
                name: broker.name(of: .map), isForDesk: false, waiting: state.waiting,
                since: lastMapped.map { max($0, busy) } ?? busy, hasConsumer: true))
        return idle
    }
}
