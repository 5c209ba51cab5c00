package import Domain

extension AlertFacts {
    /// What of these facts needs a person, at `now`.
    ///
    /// A cause is told once: documents that wait because their connection is dead are told by that connection alone,
    /// and a venue whose poller is silent is not told as a venue without orders.
    package func concerns(_ policy: AlertPolicy, at now: Instant) -> [Concern] {
        let shutOut = connectionConcerns(policy, now)
        let held = unreachable
        let silent = venues.filter { isUnpolled($0, policy, now) }
        let silentSites = Set(silent.map { "\($0.company)/\($0.site)" })
        let quiet = venues.filter { !silentSites.contains("\($0.company)/\($0.site)") }
        let late = openDays.filter { !held.contains($0.organisation) }
        return shutOut + groups.compactMap { concern($0, policy, now) } + silent.map { unpolled($0, policy) }
            + quiet.compactMap { unrevised($0, policy, now) } + quiet.compactMap { withoutOrders($0, policy, now) }
            + late.compactMap { notPosted($0, policy, now) }
            + unclosedDays.compactMap { notClosed($0, policy, now) }
            + waiting(policy, now).filter { !held.contains($0.organisation ?? OrganisationKey("")) }
            + budgets.compactMap { concern($0, policy) } + handlerConcerns(policy, now) + idle(policy, now)
    }

    /// Organisations that no call reaches until a person connects them again.
    package var unreachable: Set<OrganisationKey> {
        Set(connections.filter { $0.deadSince != nil }.flatMap(\.organisations) + disconnections.map(\.organisation))
    }

    private func money(_ amount: String?, _ organisation: OrganisationKey?) -> String? {
        guard let amount else { return nil }
        return organisation.flatMap { currencies[$0] }.map { "\(amount) \($0)" } ?? amount
    }

    // MARK: the desk

    private func concern(_ group: Group, _ policy: AlertPolicy, _ now: Instant) -> Concern? {
        let age = now.since(group.openedAt)
        guard group.open > 0, age >= policy.groupAfter else { return nil }
        let place = group.organisation.map { group.venues.isEmpty ? "\($0)" : "\(group.venues) (\($0))" }
        return Concern(
            .deadLetterGroup, subject: "\(group.id)", organisation: group.organisation,
            place: place ?? (group.venues.isEmpty ? "the fleet" : group.venues),
            title: "\(group.open) \(group.open == 1 ? "letter" : "letters") on the desk: \(group.deadLetterClass)",
            cause: group.cause, remedy: group.remedy,
            command: GroupCommand.text(
                group.deadLetterClass, group: group.id, open: group.open, firstLetter: group.firstLetter),
            since: group.openedAt,
            count: group.open, amount: money(group.amount, group.organisation),
            isGrave: group.open >= policy.groupCount || age >= policy.groupAge, isInHand: group.assignee != nil)
    }

    private func handlerConcerns(_ policy: AlertPolicy, _ now: Instant) -> [Concern] {
        let queues = idleQueues.filter { $0.isForDesk && now.since($0.since) >= policy.handlerDown }
        let isOverdue = handlerSeen.map { now.since($0) >= policy.handlerDown } ?? false
        guard isOverdue || !queues.isEmpty else { return [] }
        let count = queues.reduce(0) { $0 + $1.waiting }
        return [
            Concern(
                .handlerDown, subject: "desk", place: "the fleet", title: "no dead-letter handler is at work",
                cause: "What cannot be booked stays in the broker, unseen by anybody; nothing of it is lost.",
                remedy: "Start a dead-letter-handler, or see in its log why it waits.",
                command: "dead-letter-handler --config tillbridge.yaml",
                since: isOverdue ? handlerSeen : queues.map(\.since).min(), count: count > 0 ? count : nil)
        ]
    }

    // MARK: venues

    private func isUnpolled(_ venue: Venue, _ policy: AlertPolicy, _ now: Instant) -> Bool {
        now.since(venue.lastPolled ?? watchingSince) >= policy.syncSilent
    }

    private func unpolled(_ venue: Venue, _ policy: AlertPolicy) -> Concern {
        Concern(
            .syncSilent, subject: "\(venue.company)/\(venue.site)", organisation: venue.organisation,
            place: "\(venue.name) (\(venue.organisation))", title: "orders of \(venue.name) are not read",
            cause: venue.lastPolled == nil
                ? "It was never read to the end." : "Its orders were not read to the end since then.",
            remedy: "See the poller's log: whether one runs, and why this venue stopped. No order is lost meanwhile.",
            command: "poller --config tillbridge.yaml", since: venue.lastPolled)
    }

    /// New sales are booked, and what becomes of them later is not.
    private func unrevised(_ venue: Venue, _ policy: AlertPolicy, _ now: Instant) -> Concern? {
        let rescanned = venue.lastRescanned ?? watchingSince
        let listed = venue.sideListsRead ?? watchingSince
        let isRescanLate = now.since(rescanned) >= policy.rereadSilent
        let areListsLate = now.since(listed) >= policy.rereadSilent
        guard isRescanLate || areListsLate else { return nil }
        let what = [
            isRescanLate ? "the orders of the last days" : nil,
            areListsLate ? "the lists of deleted orders and of open customers' accounts" : nil,
        ].compactMap(\.self).joined(separator: ", and ")
        return Concern(
            .syncSilent, subject: "\(venue.company)/\(venue.site)/again", organisation: venue.organisation,
            place: "\(venue.name) (\(venue.organisation))", title: "corrections of \(venue.name) are not read",
            cause: "New orders are read, but since then not \(what): what was changed, deleted or paid late in Kounta "
                + "is not in the ledger.",
            remedy: "See what the poller's log says Kounta answers to them, and mend that; a first reading of long "
                + "history may also just take longer. What was missed is read then.",
            command: "poller --config tillbridge.yaml",
            since: min(isRescanLate ? rescanned : now, areListsLate ? listed : now))
    }

    private func withoutOrders(_ venue: Venue, _ policy: AlertPolicy, _ now: Instant) -> Concern? {
        let zone = venue.zone ?? policy.clock.zone(of: venue.organisation)
        guard let open = venue.hours?.span(at: now, in: zone) else { return nil }
        let since = max(open.begins, venue.lastOrder ?? open.begins)
        guard now.since(since) >= policy.venueSilent else { return nil }
        return Concern(
            .venueSilent, subject: "\(venue.company)/\(venue.site)", organisation: venue.organisation,
            place: "\(venue.name) (\(venue.organisation))", title: "no orders of \(venue.name) in its trading hours",
            cause: "Kounta is read and gives no order of this venue, although it should be trading.",
            remedy: "Ask the venue whether its tills are online; if it is closed today, mute this alert.",
            command: "tillbridge alerts mute --alert "
                + "\(ShellWord.bare("venue_silent:\(venue.company)/\(venue.site)")) --for 12h --by NAME",
            since: since)
    }

    // MARK: documents

    private func notPosted(_ day: OpenDay, _ policy: AlertPolicy, _ now: Instant) -> Concern? {
        // A trading day ends in the small hours; a rescan may also bring an old day's order, which gets as long.
        let ended = policy.clock.zone(of: day.organisation).instant(on: day.day.adding(days: 1), minute: 4 * 60)
        let due = max(ended, day.oldest).adding(policy.dayLate)
        guard now >= due else { return nil }
        return Concern(
            .dayNotPosted, subject: "\(day.organisation)/\(day.venue)/\(day.day)", organisation: day.organisation,
            place: "\(day.venue) (\(day.organisation))", title: "\(day.venue) of \(day.day) is not in the ledger",
            cause: "Documents of that day are made but not finished in Xero.",
            remedy: "See the writer's log for what it waits for; the documents go on by themselves.",
            command: "tillbridge dead-letters list --venue \(ShellWord.quoted(day.venue)) --from \(day.day) "
                + "--to \(day.day)",
            since: ended, count: day.count, amount: money(day.amount, day.organisation))
    }

    private func notClosed(_ day: UnclosedDay, _ policy: AlertPolicy, _ now: Instant) -> Concern? {
        let zone = day.zone ?? policy.clock.zone(of: day.organisation)
        let ended = zone.instant(on: day.day.adding(days: 1), minute: 4 * 60)
        guard now >= max(ended, day.metAt).adding(policy.dayLate) else { return nil }
        return Concern(
            .dayNotPosted, subject: "\(day.organisation)/\(day.venue)/\(day.day)", organisation: day.organisation,
            place: "\(day.venue) (\(day.organisation))",
            title: day.waitsForTakings
                ? "the till of \(day.venue) was not counted on \(day.day)" : "\(day.venue) of \(day.day) is not closed",
            cause: day.waitsForTakings
                ? "Its takings close the day (`close_on: takings`), and not all that was sold is counted in Kounta."
                : "Its sales were not read to the day's end, or wait for a mapper.",
            remedy: day.waitsForTakings
                ? "Finalise the takings in Kounta; else the day is closed without them after `takings_within`. Where "
                    + "the till is counted the next morning, set `cut_off` to a time after that."
                : "See the logs of poller and mapper for what they wait for; the day is closed by itself then.",
            command: "tillbridge preview --venue \(ShellWord.quoted(day.venue)) --day \(day.day)", since: ended)
    }

    private func waiting(_ policy: AlertPolicy, _ now: Instant) -> [Concern] {
        Dictionary(grouping: openDays, by: \.organisation).sorted { $0.key < $1.key }.compactMap { organisation, days in
            guard let oldest = days.map(\.oldest).min(), now.since(oldest) >= policy.queueAge else { return nil }
            return Concern(
                .queueAge, subject: "\(organisation)", organisation: organisation, place: "\(organisation)",
                title: "documents wait for Xero too long",
                cause: "The oldest document that is not finished waits since then.",
                remedy: "See the writer's log: a rest that Xero asked for, a used-up limit, or no writer at work.",
                command: "writer --config tillbridge.yaml", since: oldest, count: days.reduce(0) { $0 + $1.count })
        }
    }

    private func idle(_ policy: AlertPolicy, _ now: Instant) -> [Concern] {
        // A writer whose organisation takes no calls for a while lets its queue go, and comes back by itself; what
        // waits there too long is seen by its documents' age.
        let resting = unreachable.union(self.resting)
        return idleQueues.filter { queue in
            !queue.isForDesk && now.since(queue.since) >= policy.queueAge
                && !(queue.organisation.map { resting.contains($0) } ?? false)
        }.map { queue in
            if queue.hasConsumer {
                return Concern(
                    .queueAge, subject: "reader/\(queue.name)", place: "queue \(queue.name)",
                    title: "messages of \(queue.name) do not get on",
                    cause: "It holds messages and is read, but nothing has become of any of them since then.",
                    remedy: "See in the mapper's log what it waits for; where it says nothing, start it again.",
                    command: "mapper --config tillbridge.yaml", since: queue.since, count: queue.waiting)
            }
            return Concern(
                .queueAge, subject: "queue/\(queue.name)", organisation: queue.organisation,
                place: "queue \(queue.name)", title: "nobody takes messages from \(queue.name)",
                cause: "It holds messages and has no consumer.",
                remedy: "Start a \(queue.reader), which reads it; where one runs, its log says why it does not.",
                command: "\(queue.reader) --config tillbridge.yaml", since: queue.since, count: queue.waiting)
        }
    }

    private func concern(_ budget: Budget, _ policy: AlertPolicy) -> Concern? {
        guard budget.limit > 0, budget.used * 100 >= budget.limit * policy.budgetPercent else { return nil }
        return Concern(
            .dayBudget, subject: "\(budget.organisation)", organisation: budget.organisation,
            place: "\(budget.organisation)",
            title: "\(budget.used) of today's \(budget.limit) calls to Xero are used",
            cause: "When all are used, documents wait until midnight UTC.",
            remedy: "Post daily summaries instead of single orders, or ask Xero for a higher tier and raise the limit.",
            command: "tillbridge config --config tillbridge.yaml", count: budget.used)
    }

    // MARK: connections

    private func connectionConcerns(_ policy: AlertPolicy, _ now: Instant) -> [Concern] {
        connections.compactMap { connection -> Concern? in
            let place = connection.organisations.isEmpty
                ? connection.name
                : "\(connection.name) (\(connection.organisations.map(\.text).joined(separator: ", ")))"
            let label = connection.name.split(separator: "/").last.map { ShellWord.bare(String($0)) }
            let command = connection.service == "xero"
                ? "tillbridge connect xero --port 8734"
                : "tillbridge connect kounta \(label ?? "COMPANY") --port 8734"
            if let since = connection.deadSince {
                return Concern(
                    .connectionDead, subject: connection.name, organisation: connection.organisations.first,
                    place: place, title: "the connection \(connection.name) is dead",
                    cause: connection.deadWhy ?? "Its tokens are refused.",
                    remedy: "Connect it again; what waits then goes on by itself.", command: command, since: since)
            }
            guard connection.refreshEnds != nil, now.since(connection.renewedAt) >= policy.refreshTokenAge else {
                return nil
            }
            return Concern(
                .refreshTokenOld, subject: connection.name, organisation: connection.organisations.first,
                place: place, title: "the connection \(connection.name) was not used for long and will die",
                cause: "Its refresh token is as old as that; Xero lets one live 60 days unused.",
                remedy: "Start a writer of its organisations, which renews it, or connect it again.",
                command: command, since: connection.renewedAt)
        } + disconnections.map { lost in
            Concern(
                .connectionDead, subject: "organisation/\(lost.organisation)", organisation: lost.organisation,
                place: "\(lost.organisation)", title: "Xero no longer lets us into \(lost.organisation)",
                cause: lost.why,
                remedy: lost.hasOwnCredential
                    ? "Authorise its custom connection again at developer.xero.com, or correct its client id and "
                        + "secret and restart the writers; what waits then goes on by itself. The command asks "
                        + "whether it works."
                    : "Connect again and tick that organisation; what waits then goes on by itself.",
                command: lost.hasOwnCredential
                    ? "tillbridge mapping check --organisation \(ShellWord.bare(lost.organisation.text))"
                    : "tillbridge connect xero --port 8734",
                since: lost.since)
        }
    }
}
