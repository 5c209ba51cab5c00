import Foundation
import JSON
import Postgres
import Telemetry

/// One seed: a fleet, what befalls it, and the proof that its books are right all the same.
struct ChaosRun {
    let plan: ChaosPlan
    let options: FleetOptions
    let servers: ChaosServers

    struct Outcome: Sendable {
        var problems: [String] = []
        var sprung: [String] = []
        var orders = 0
        var starts = 0
        var took = Duration.zero
    }

    /// How long a fleet left in peace may take until everything is booked.
    private static let settleMax = Duration.seconds(120)

    func run() async throws -> Outcome {
        let start = ContinuousClock.now
        let fleet = try await Fleet(options)
        let proxy = ChaosProxy()
        var outcome = Outcome()
        let result: Result<Void, any Error>
        do { result = .success(try await play(fleet, proxy, &outcome)) } catch { result = .failure(error) }
        outcome.problems += await fleet.stop()
        proxy.stop()
        if case .failure(let error) = result { outcome.problems.append("the harness: \(error)") }
        outcome.took = .now - start
        return outcome
    }

    private func play(_ fleet: Fleet, _ proxy: ChaosProxy, _ outcome: inout Outcome) async throws {
        let messages = try ChaosMessages(fleet)
        try await messages.open()
        let edits = ChaosEdits(fleet)
        let watch = try await ChaosWatch(fleet)
        let links = try ChaosLinks(plan, fleet, proxy)
        let workers = ChaosWorkers(fleet: fleet, plan: plan, links: links) { _ in
            // Past the lease of whoever stands still, others are told of what it holds.
            try? await Task.sleep(for: ChaosPlan.writingLease + .milliseconds(300))
            try? await messages.remindWriters()
        }
        await workers.start()
        var failure: (any Error)?
        do {
            try await befall(fleet, messages, edits, links, workers)
            try await letSweep(watch, messages, workers)
            proxy.healAll()
            await workers.disarm()
            try await heal(fleet)
            try await messages.hurry()
            outcome.problems += try await settle(fleet, watch, edits)
        } catch { failure = error }
        await workers.stop()
        if failure == nil {
            do { outcome.problems += try await takeUpRest(fleet, watch, links) } catch { failure = error }
        }
        await messages.close()
        outcome.problems += await workers.problems
        outcome.sprung = await workers.sprung
        outcome.starts = await workers.starts
        if failure == nil {
            do {
                let audit = try await ChaosAudit(fleet: fleet, watch: watch)
                outcome.problems += audit.problems
                outcome.problems += try await edits.missing()
                outcome.orders = audit.orders
            } catch { failure = error }
        }
        await watch.close()
        if let failure { throw failure }
    }

    // MARK: faults

    /// Every event at its time, each beside the others; returns when all are over and the trade is, too.
    private func befall(
        _ fleet: Fleet, _ messages: ChaosMessages, _ edits: ChaosEdits, _ links: ChaosLinks, _ workers: ChaosWorkers
    ) async throws {
        let start = ContinuousClock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for event in plan.events {
                group.addTask {
                    try await Task.sleep(until: start + event.at, clock: .continuous)
                    if case .edits(let count) = event.fault { return try await edits.make(count, seed: plan.seed) }
                    if case .corrections(let count) = event.fault {
                        return try await edits.correct(count, seed: plan.seed)
                    }
                    try await cause(event.fault, fleet, messages, links, workers)
                }
            }
            try await group.waitForAll()
        }
        while try await fleet.kounta.get("/_control/ledger")["finished"]?.bool != true {
            try await Task.sleep(for: .milliseconds(100))
        }
    }

    private func cause(
        _ fault: ChaosPlan.Fault, _ fleet: Fleet, _ messages: ChaosMessages, _ links: ChaosLinks,
        _ workers: ChaosWorkers
    ) async throws {
        switch fault {
        case .kill(let slot): await workers.kill(slot)
        case .powerCut: await workers.killAll()
        case .pause(let slot, let duration): await workers.pause(slot, for: duration)
        case .cut(let slot, let party): await links.apply(slot, party, .open, for: .zero)
        case .deaf(let slot, let party, let duration): await links.apply(slot, party, .deaf, for: duration)
        case .silent(let slot, let party, let duration): await links.apply(slot, party, .silent, for: duration)
        case .bar(let slot, let party, let duration): await links.apply(slot, party, .barred, for: duration)
        case .ledger(_, let order): try await fleet.xero.post("/_control/faults", order)
        case .till(_, let order): try await fleet.kounta.post("/_control/faults", order)
        case .tokensRevoked: try await change(fleet, #""revokeTokens":true"#)
        case .offline(let duration):
            try await change(fleet, #""offline":true"#)
            try await Task.sleep(for: duration)
            try await change(fleet, #""offline":false"#)
        // The broker may be away at this moment: then nothing is doubled or lost by hand.
        case .duplicates(let count): try? await messages.duplicate(count, seed: plan.seed)
        case .forget: try? await messages.forget()
        case .edits, .corrections: break
        case .restart(let server, let hard):
            try await servers.restart(server, hard: hard, log: "\(options.folder)/restart-\(server.rawValue).log")
        }
    }

    /// A sweep, and the next one: its interval is a quarter of a minute.
    private static let sweepMax = Duration.seconds(35)

    /// Where somebody is to die while it sweeps: time passes for documents whose messages are lost, until it has.
    private func letSweep(_ watch: ChaosWatch, _ messages: ChaosMessages, _ workers: ChaosWorkers) async throws {
        guard plan.traps.contains(where: { $0.waypoint == .sweeperTaken }) else { return }
        let start = ContinuousClock.now
        while await !workers.sprung.contains(Waypoint.sweeperTaken.rawValue), .now - start < Self.sweepMax {
            // The servers may be starting again.
            guard let state = try? await watch.state() else { continue }
            if state.closed < state.documents {
                try? await messages.forget()
                try? await watch.age()
            } else if .now - start > .seconds(2) {
                // Everything is booked already: there is nothing left to lose.
                return
            }
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    private func change(_ fleet: Fleet, _ member: String) async throws {
        for organisation in fleet.plan.organisations {
            try await fleet.xero.post("/_control/organisations", #"{"tenantId":"\#(organisation.tenant)",\#(member)}"#)
        }
    }

    private func heal(_ fleet: Fleet) async throws {
        try await fleet.xero.delete("/_control/faults")
        try await fleet.kounta.delete("/_control/faults")
    }

    // MARK: peace

    /// What a worker gave back when it ended (it was waiting for the ledger, say, while another wrote its documents)
    /// is nobody's loss if the next one takes it up and finds nothing to do.
    private func takeUpRest(_ fleet: Fleet, _ watch: ChaosWatch, _ links: ChaosLinks) async throws -> [String] {
        // One that is told to end while it starts gives back what it has just been handed: then there is another.
        for _ in 0..<3 {
            guard try await isLeft(watch) else { return [] }
            let next = ChaosWorkers(fleet: fleet, plan: plan.withoutFaults, links: links) { _ in }
            await next.start()
            let start = ContinuousClock.now
            while try await !watch.queued().isEmpty, .now - start < .seconds(45) {
                try await Task.sleep(for: .milliseconds(100))
            }
            await next.stop()
            let problems = await next.problems
            if !problems.isEmpty { return problems }
        }
        return []
    }

    /// The broker shows what an ended worker held only when it has noticed that its connection is gone.
    private static let givingBackMax = Duration.seconds(2)

    private func isLeft(_ watch: ChaosWatch) async throws -> Bool {
        let start = ContinuousClock.now
        repeat {
            if try await !watch.queued().isEmpty { return true }
            try await Task.sleep(for: .milliseconds(100))
        } while .now - start < Self.givingBackMax
        return false
    }

    /// Waits until the fleet has nothing left to do.
    private func settle(_ fleet: Fleet, _ watch: ChaosWatch, _ edits: ChaosEdits) async throws -> [String] {
        let start = ContinuousClock.now
        var expected = try await Trade(fleet)
        expected.deleted = await edits.deleted.count
        var last = "nothing could be seen"
        var moved = start
        while ContinuousClock.now - start < Self.settleMax {
            do {
                let state = try await watch.state()
                if state.isDone(expected), try await edits.missing().isEmpty { return [] }
                // Everything is closed and nobody moves any more: the audit says what is wrong.
                if state.words(expected) != last { moved = .now }
                if state.isAtRest(expected), .now - moved > .seconds(8) { return [] }
                last = state.words(expected)
                if state.condemned > 0 { try await replayCondemned(fleet) }
                // A lost message is found by its age: it is made old.
                if ContinuousClock.now - start > .seconds(2) { try await watch.age() }
            } catch { last = "\(error)" }
            try await Task.sleep(for: .milliseconds(200))
        }
        return ["\(Self.settleMax) after the last fault it is not done: \(last)"]
    }
}

extension ChaosRun {
    /// A message in whose presence three workers were killed lies on the desk, and rightly: nobody can tell the
    /// harness's signal from a crash. A person sends it again.
    private func replayCondemned(_ fleet: Fleet) async throws {
        // Where that does not help, the time to settle is over some day, and the state says so.
        _ = try await fleet.command([
            "dead-letters", "replay", "--cause", ChaosWatch.condemned, "--state", "open", "--by", "chaos",
        ])
    }
}

/// What the till says must be booked, and what must be on the desk.
struct Trade: Sendable {
    let orders: Int
    /// Orders that were booked before they were deleted: their documents stay in the table.
    var deleted = 0
    /// Ids of the records nobody can book.
    let unbelievable: [String]

    init(_ fleet: Fleet) async throws {
        let till = try await fleet.kounta.get("/_control/ledger")
        var orders = 0
        for company in till["companies"]?.elements ?? [] {
            for site in company["sites"]?.elements ?? [] { orders += Int(site["orders"]?.integer ?? 0) }
        }
        self.orders = orders
        unbelievable = (till["unbelievable"]?.elements ?? []).compactMap(\.numberText)
    }
}
