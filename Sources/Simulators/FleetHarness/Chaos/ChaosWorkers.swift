import Foundation
import Glibc
import Telemetry
import Threads

/// The workers of one seed, each in its slot: what dies is replaced, what is trapped dies or stops where it shall, and
/// each reaches its servers by links of its own.
actor ChaosWorkers {
    typealias Slot = ChaosPlan.Slot

    private let fleet: Fleet
    private let plan: ChaosPlan
    private let links: ChaosLinks
    /// Told when a process stands still at a trap, before it is woken.
    private let onStop: @Sendable (Slot) async -> Void
    private var present: [Slot: ChildProcess] = [:]
    private var keepers: [Task<Void, Never>] = []
    private var left: [Slot: [ChaosPlan.Trap]] = [:]
    private var isOver = false
    private var isDisarmed = false
    /// Processes the harness killed itself.
    private var killed: Set<Int32> = []
    private(set) var problems: [String] = []
    /// Traps that closed, by point.
    private(set) var sprung: [String] = []
    private(set) var starts = 0

    init(
        fleet: Fleet, plan: ChaosPlan, links: ChaosLinks, onStop: @escaping @Sendable (Slot) async -> Void
    ) {
        self.fleet = fleet
        self.plan = plan
        self.links = links
        self.onStop = onStop
        for trap in plan.traps { left[trap.slot, default: []].append(trap) }
    }

    /// Fills every slot, for as long as the seed lasts.
    func start() {
        for slot in plan.slots {
            // Unstructured: a keeper lives until `stop`, which waits for it.
            keepers.append(Task { await self.keep(slot) })
        }
    }

    private func keep(_ slot: Slot) async {
        while !isOver {
            let trap = left[slot]?.isEmpty == false ? left[slot]?.removeFirst() : nil
            starts += 1
            let child: ChildProcess
            do {
                child = try await fleet.startWorker(
                    slot.worker, log: "\(slot)-\(starts)", environment: links.environment(slot, trap))
            } catch {
                problems.append("\(slot) cannot be started: \(error)")
                return
            }
            present[slot] = child
            let waker = trap?.stop.map { stop in
                Task { await self.wake(slot, child, after: stop, at: trap?.waypoint.rawValue ?? "") }
            }
            let status = await child.waitForExit()
            waker?.cancel()
            await fleet.children.remove(child)
            note(slot, child, status, trap)
            guard !isOver else { return }
            // As a supervisor does it: not at once, lest a crash at start becomes a storm.
            try? await Task.sleep(for: .milliseconds(200))
        }
    }

    private func note(_ slot: Slot, _ child: ChildProcess, _ status: Int32, _ trap: ChaosPlan.Trap?) {
        if killed.remove(child.processID) != nil {
            // Killed on its way there: its successor goes on with the trap.
            if let trap, trap.stop == nil, !isDisarmed { left[slot, default: []].insert(trap, at: 0) }
            return
        }
        if let trap, trap.stop == nil, status == SIGKILL { return sprung.append(trap.waypoint.rawValue) }
        // One told to end in its first instants, before it listens for signals, ends of the signal itself.
        if isOver, status == 0 || status == SIGTERM { return }
        problems.append("\(slot) ended with status \(status), and nobody had asked for it")
    }

    /// Waits for the process to stand still at its trap, and wakes it when the time is over.
    private func wake(_ slot: Slot, _ child: ChildProcess, after stop: Duration, at point: String) async {
        while !child.isStopped {
            guard child.isRunning else { return }
            do { try await Task.sleep(for: .milliseconds(50)) } catch { return }
        }
        sprung.append(point)
        let start = ContinuousClock.now
        await onStop(slot)
        // Cancelled when the process is gone.
        try? await Task.sleep(until: start + stop, clock: .continuous)
        child.signal(SIGCONT)
    }

    func kill(_ slot: Slot) {
        guard let child = present[slot], child.isRunning else { return }
        killed.insert(child.processID)
        child.signal(SIGKILL)
    }

    func killAll() { for slot in plan.slots { kill(slot) } }

    /// Stands still, is told of, and goes on.
    func pause(_ slot: Slot, for duration: Duration) async {
        guard let child = present[slot], child.isRunning else { return }
        child.signal(SIGSTOP)
        let start = ContinuousClock.now
        await onStop(slot)
        try? await Task.sleep(until: start + duration, clock: .continuous)
        child.signal(SIGCONT)
    }

    /// From now on nobody dies of a trap: whoever still carries one is replaced.
    func disarm() {
        let armed = present.filter { slot, _ in plan.traps.contains { $0.slot == slot } }
        left = [:]
        isDisarmed = true
        for (slot, child) in armed where child.isRunning {
            child.signal(SIGCONT)
            kill(slot)
        }
    }

    /// SIGTERM to all; who does not end within the grace is a problem.
    func stop() async {
        isOver = true
        for child in present.values {
            child.signal(SIGCONT)
            child.signal(SIGTERM)
        }
        let late = Task {
            try await Task.sleep(for: .seconds(40))
            for (slot, child) in self.present where child.isRunning {
                self.problems.append("\(slot) did not end within 40 s of SIGTERM")
                self.kill(slot)
            }
        }
        for keeper in keepers { await keeper.value }
        late.cancel()
    }
}

extension ChildProcess {
    /// Whether the process stands still (SIGSTOP), as the kernel says.
    var isStopped: Bool {
        guard let text = try? String(contentsOfFile: "/proc/\(processID)/stat", encoding: .utf8),
            let end = text.lastIndex(of: ")")
        else { return false }
        return text[end...].dropFirst(2).first == "T"
    }
}

/// Every worker's ways to its servers, through the proxy.
struct ChaosLinks: Sendable {
    private let proxy: ChaosProxy
    private let links: [ChaosPlan.Slot: [ChaosPlan.Party: (link: Int, url: String)]]

    init(_ plan: ChaosPlan, _ fleet: Fleet, _ proxy: ChaosProxy) throws {
        self.proxy = proxy
        let urls: [ChaosPlan.Party: String] = [
            .broker: fleet.options.rabbitMQ, .database: fleet.options.database, .till: fleet.kounta.base,
            .ledger: fleet.xero.base,
        ]
        var links: [ChaosPlan.Slot: [ChaosPlan.Party: (link: Int, url: String)]] = [:]
        for slot in plan.slots {
            for party in Set(plan.parties(of: slot)) {
                guard let url = urls[party], let port = Self.port(url) else {
                    throw HarnessError("the address of the \(party.rawValue) has no port")
                }
                let (link, own) = try proxy.link(to: port)
                links[slot, default: [:]][party] = (link, url.replacing("127.0.0.1:\(port)", with: "127.0.0.1:\(own)"))
            }
        }
        self.links = links
    }

    /// The digits after the host: all addresses of a run are loopback ones with a port.
    private static func port(_ url: String) -> Int? {
        guard let host = url.firstRange(of: "127.0.0.1:") else { return nil }
        return Int(url[host.upperBound...].prefix { $0.isNumber })
    }

    func environment(_ slot: ChaosPlan.Slot, _ trap: ChaosPlan.Trap?) -> [String: String] {
        let names: [ChaosPlan.Party: [String]] = [
            .broker: ["TILLBRIDGE_RABBITMQ_URL"], .database: ["TILLBRIDGE_DATABASE_URL"],
            .till: ["TILLBRIDGE_KOUNTA_URL"], .ledger: ["TILLBRIDGE_XERO_URL", "TILLBRIDGE_XERO_IDENTITY_URL"],
        ]
        var environment: [String: String] = [:]
        for (party, link) in links[slot] ?? [:] {
            for name in names[party] ?? [] { environment[name] = link.url }
        }
        if slot.worker == "poller" { environment["TILLBRIDGE_SIMULATION_LIMITS_MULTIPLE"] = "0" }
        if let trap {
            let name = trap.stop == nil ? "TILLBRIDGE_CRASH_AT" : "TILLBRIDGE_STOP_AT"
            environment[name] = "\(trap.waypoint.rawValue):\(trap.pass)"
        }
        return environment
    }

    /// Does it, and for a fault that lasts, undoes it after its time.
    func apply(
        _ slot: ChaosPlan.Slot, _ party: ChaosPlan.Party, _ mood: ChaosProxy.Mood, for duration: Duration
    ) async {
        guard let link = links[slot]?[party]?.link else { return }
        if mood != .open {
            proxy.set(link, mood)
            // Cancelled: the seed is over, and everything is healed anyway.
            try? await Task.sleep(for: duration)
        }
        proxy.set(link, .open, cutting: true)
    }
}
