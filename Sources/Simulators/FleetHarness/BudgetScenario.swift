import Foundation
import JSON

/// A backlog over four organisations and four writers, at the vendors' own limits: 60 calls a minute, 5 at once, 5,000
/// a day for each organisation. Nothing is scaled: a request takes fifty, so 20,000 orders are some 900 calls, which
/// four organisations' budgets allow in under four minutes.
struct BudgetScenario {
    let options: FleetOptions
    let orders: Int

    private static let organisations = BenchOrganisations(count: 4)
    private static let writers = 4
    private static let callsPerMinute = 60
    /// Seconds.
    private static let minute = 60.0

    /// One look at the ledger's counters.
    private struct Look {
        let at: ContinuousClock.Instant
        /// Calls so far, by organisation.
        let calls: [Int]
    }

    func run(into figures: inout Figures) async throws {
        var options = options
        options.limits = "real"
        options.configuration = "\(options.folder)/budget.yaml"
        try Self.organisations.write(to: options.configuration)
        let fleet = try await Fleet(options)
        let (looks, ends, refused) = try await fleet.ending { try await measure(fleet) }
        figures.add("budget.use", Self.use(looks, ends), "share of the permits' time", .atLeast(0.98))
        figures.add("budget.refused_calls", Double(refused), "calls answered 429", .atMost(0))
        let calls = looks.last?.calls.reduce(0, +) ?? 0
        figures.add("budget.calls_per_order", Double(calls) / Double(orders), "calls", .atMost(0.045))
        if let first = looks.first, let last = looks.last {
            figures.add("budget.seconds", DrainScenario.seconds(last.at - first.at), "s for the backlog")
        }
    }

    private func measure(_ fleet: Fleet) async throws -> ([Look], [ContinuousClock.Instant], Int) {
        let (count, each) = (Self.organisations.count, orders / Self.organisations.count)
        try await fleet.queue((0..<count * each).map { Self.organisations.order($0 / count, of: $0 % count) })
        let watch = try await Watch(fleet)
        _ = try await fleet.startWorker("mapper", log: "mapper")
        // The whole backlog is mapped before the first writer starts: the writers' budget is what is measured.
        while try await watch.counts().mapped < count * each { try await Task.sleep(for: .milliseconds(200)) }
        for index in 0..<Self.writers { _ = try await fleet.startWorker("writer", log: "writer-\(index + 1)") }
        var looks: [Look] = []
        var ends = Array(repeating: ContinuousClock.now, count: count)
        let start = ContinuousClock.now
        var nextLedger = start
        while true {
            let counters = try await fleet.xero.get("/_control/counters")
            looks.append(Look(at: .now, calls: Self.calls(counters)))
            if ContinuousClock.now >= nextLedger {
                let written = try await watch.written(of: (0..<count).map(Self.organisations.key))
                for index in 0..<count where written[index] < each { ends[index] = .now }
                if try await watch.counts().settled >= count * each { break }
                nextLedger = .now + .milliseconds(500)
            }
            let ended = await fleet.children.ended()
            guard ended.isEmpty else { throw HarnessError("ended by itself: \(ended.joined(separator: ", "))") }
            guard ContinuousClock.now - start < .seconds(900) else { throw HarnessError("not done in 15 minutes") }
            try await Task.sleep(for: .milliseconds(100))
        }
        while try await watch.queued() > 0 { try await Task.sleep(for: .milliseconds(100)) }
        let counts = try await watch.counts()
        guard counts.dead == 0 else { throw HarnessError("\(counts.dead) dead letters") }
        await watch.close()
        let counters = try await fleet.xero.get("/_control/counters")
        let refused = (counters["refused"]?.members ?? []).reduce(0) { $0 + Int($1.1.integer ?? 0) }
        return (looks, ends, refused)
    }

    private static func calls(_ counters: JSON) -> [Int] {
        (0..<organisations.count).map { index in
            let tenant = organisations.tenant(index)
            let own = counters["organisations"]?.elements.first { $0["tenantId"]?.string == tenant }
            return (own?["calls"]?.members ?? []).reduce(0) { $0 + Int($1.1.integer ?? 0) }
        }
    }

    /// Each of the sixty permits of a minute is in use for the sixty seconds after its call and then free again. The
    /// share is the time in use over all the time there was, sixty times from the first call to the moment in which the
    /// last invoice of the organisation stood: until then there was a backlog. What is not used counts against it
    /// wherever it lies: while the first sixty go out five at a time, between a permit's end and its next call, and at
    /// the end.
    private static func use(_ looks: [Look], _ ends: [ContinuousClock.Instant]) -> Double {
        var (used, available) = (0.0, 0.0)
        for index in 0..<organisations.count {
            let end = ends[index]
            guard let first = looks.first(where: { $0.calls[index] > 0 })?.at, first < end else { continue }
            var known = 0
            for look in looks where look.at <= end {
                let inUse = min(minute, DrainScenario.seconds(end - look.at))
                used += Double(look.calls[index] - known) * inUse
                known = look.calls[index]
            }
            available += Double(callsPerMinute) * DrainScenario.seconds(end - first)
        }
        return available == 0 ? 0 : used / available
    }
}
