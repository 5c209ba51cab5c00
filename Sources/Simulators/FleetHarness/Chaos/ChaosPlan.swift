import KountaSimulator
import Telemetry

/// What one seed does to a fleet: who runs, where each dies, what happens around them and when. The same seed always
/// gives the same plan; how the processes' threads interleave under it is the machine's.
struct ChaosPlan: Sendable {
    /// One place in the fleet that a process fills; a dead one is replaced.
    struct Slot: Sendable, Hashable, CustomStringConvertible {
        let worker: String
        let number: Int
        var description: String { "\(worker)-\(number)" }
    }

    /// A process that ends or stops by itself at a point; its successor in the slot gets the slot's next trap, or none.
    struct Trap: Sendable, CustomStringConvertible {
        let slot: Slot
        let waypoint: Waypoint
        let pass: Int
        /// Stops for so long and goes on; nil: it is killed.
        let stop: Duration?

        var description: String {
            let what = stop.map { "stops for \($0)" } ?? "is killed"
            return "\(slot) \(what) at pass \(pass) of \(waypoint.rawValue)"
        }
    }

    enum Party: String, Sendable, CaseIterable { case broker, database, till, ledger }

    enum Fault: Sendable {
        case kill(Slot)
        /// Every worker at the same instant, as when the machine fails.
        case powerCut
        case pause(Slot, Duration)
        case cut(Slot, Party)
        case deaf(Slot, Party, Duration)
        case silent(Slot, Party, Duration)
        case bar(Slot, Party, Duration)
        /// For the simulators' control APIs.
        case ledger(name: String, order: String)
        case till(name: String, order: String)
        case offline(Duration)
        case tokensRevoked
        /// So many of what has been published are published again, in another order.
        case duplicates(Int)
        /// The messages that wait for the writers are lost.
        case forget
        /// So many orders are corrected at the till.
        case edits(Int)
        /// So many sales that stand in the ledger become another amount, are deleted or given back, by turns.
        case corrections(Int)
        case restart(ChaosServers.Server, hard: Bool)
    }

    struct Event: Sendable, CustomStringConvertible {
        /// After the workers' start.
        let at: Duration
        let fault: Fault
        var description: String { "\(Int(at / .milliseconds(1))) ms: \(fault.words)" }
    }

    let seed: UInt64
    var ordersPerVenue = 30
    /// Seconds over which they come.
    var duration = 4
    /// Records nobody can book: they must end on the desk.
    var badOrders = 0
    /// Of the ledger: `off`, or `x2` for twice the vendor's, `x5` where much is corrected. No call may be refused for
    /// them.
    var limits = "off"
    var slots: [Slot] = []
    var traps: [Trap] = []
    var events: [Event] = []

    var needsRestart: Bool { events.contains { if case .restart = $0.fault { true } else { false } } }

    /// The same fleet, left in peace.
    var withoutFaults: ChaosPlan {
        var plan = self
        (plan.traps, plan.events) = ([], [])
        return plan
    }

    var lines: [String] {
        [
            "seed \(seed): \(ordersPerVenue) orders a venue, limits \(limits), "
                + slots.map(\.description).joined(separator: " ")
        ]
            + traps.map { "  \($0)" } + events.map { "  \($0)" }
    }
}

extension ChaosPlan.Fault {
    var words: String {
        switch self {
        case .kill(let slot): "\(slot) is killed"
        case .powerCut: "every worker is killed"
        case .pause(let slot, let duration): "\(slot) stands still for \(duration)"
        case .cut(let slot, let party): "\(slot) loses its connections to the \(party)"
        case .deaf(let slot, let party, let duration): "\(slot) gets no answer from the \(party) for \(duration)"
        case .silent(let slot, let party, let duration):
            "nothing moves between \(slot) and the \(party) for \(duration)"
        case .bar(let slot, let party, let duration): "\(slot) cannot reach the \(party) for \(duration)"
        case .ledger(let name, _): "the ledger: \(name)"
        case .till(let name, _): "the till: \(name)"
        case .offline(let duration): "the organisations are offline for \(duration)"
        case .tokensRevoked: "every token is revoked"
        case .duplicates(let count): "\(count) messages come once more, in another order"
        case .forget: "the messages waiting for the writers are lost"
        case .edits(let count): "\(count) orders are corrected at the till"
        case .corrections(let count): "\(count) booked orders become another amount, are deleted or given back"
        case .restart(let server, let hard): "\(server.rawValue) \(hard ? "is killed" : "stops") and starts again"
        }
    }
}
