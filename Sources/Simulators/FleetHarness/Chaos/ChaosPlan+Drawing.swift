import KountaSimulator
import Telemetry

extension ChaosPlan {
    /// How long a writer's claim lasts in these runs; what stands still longer is taken over.
    static let writingLease = Duration.seconds(4)
    static let pollingLease = Duration.seconds(2)

    /// The points that sales and their corrections pass. No venue of a seed posts summaries, and no seed's rules write
    /// back: that has a test of its own.
    static let points = Waypoint.allCases.filter {
        $0 != .mapperDayClosed && !$0.isOfWritingBack && !$0.isOfReplay
    }

    /// Passed so seldom that nobody may come there a second time.
    private static let rare: [Waypoint] = [
        .writerContacted, .writerLooked, .writerPaymentsLooked, .sweeperTaken, .handlerReceived, .handlerKept,
    ]

    private static let invoices = "/api.xro/2.0/Invoices"
    private static let payments = "/api.xro/2.0/Payments"

    /// - Parameter canRestart: whether servers may be restarted.
    init(seed: UInt64, canRestart: Bool) {
        self.seed = seed
        var numbers = SeededNumbers(seed: seed, stream: 0xC4A0)
        ordersPerVenue = 15 + numbers.below(20)
        let counts = [("poller", 2), ("mapper", 2), ("writer", 2 + numbers.below(2)), ("dead-letter-handler", 1)]
        slots = counts.flatMap { worker, count in (1...count).map { Slot(worker: worker, number: $0) } }

        // Every point has its turn, however the rest falls out.
        let points = Self.points
        add(points[Int(seed % UInt64(points.count))], &numbers)
        for _ in 0..<(1 + numbers.below(3)) { add(numbers.pick(points), &numbers) }
        for _ in 0..<(2 + numbers.below(3)) { add(draw(&numbers), &numbers) }
        if canRestart, numbers.percent(20) {
            add(.restart(numbers.percent(40) ? .rabbitmq : .postgres, hard: numbers.percent(60)), &numbers)
        }
        if numbers.percent(25) { badOrders = 3 }
        if numbers.percent(40) { limits = "x2" }
        if numbers.percent(30) {
            let at = Duration.milliseconds(1_500 + numbers.below(2_500))
            events.append(Event(at: at, fault: .edits(3 + numbers.below(8))))
            // The version before comes once more, behind the correction.
            events.append(Event(at: at + .milliseconds(1_500), fault: .duplicates(150)))
        }
        if seed % Self.everyWriterDies == 1 { trapEveryWriter() }
        if let point = Self.correctionDeaths[seed % Self.everyWriterDies] { trapEveryWriter(at: point) }
        // Somebody has to pass there.
        if traps.contains(where: { $0.waypoint.isOfCorrection }) || numbers.percent(20) {
            let at = Duration.milliseconds(1_500 + numbers.below(2_000))
            events.append(Event(at: at, fault: .corrections(6 + numbers.below(4))))
            // The version before comes once more, behind the correction.
            events.append(Event(at: at + .milliseconds(2_500), fault: .duplicates(100)))
            // A correction is half a dozen calls: at twice the vendor's limits the seed would wait for another minute.
            if limits != "off" { limits = "x5" }
        }
        events.sort { $0.at < $1.at }
    }

    /// Of so many seeds one: the first of any run from 1 on.
    private static let everyWriterDies: UInt64 = 10

    /// Every writer dies of its first payments, of which some were carried out and nobody was told: of two payments of
    /// an invoice the smaller, which Xero would take once more. Whoever takes over must look what stands before it
    /// sends any: this does not wait for a seed that happens to try it.
    private mutating func trapEveryWriter() {
        let writers = slots.filter { $0.worker == "writer" }
        traps = writers.map { Trap(slot: $0, waypoint: .writerPaymentsAnswered, pass: 1, stop: nil) } + traps
        // Ahead of what else befalls the payments: the first fault that matches a call counts.
        events.insert(Event(at: .zero, fault: Self.smallestOfSeveral(count: writers.count)), at: 0)
    }

    /// In these of the ten every writer dies of its first correction.
    static let correctionDeaths: [UInt64: Waypoint] = [
        3: .writerChangeStored, 6: .writerChangeAnswered, 9: .writerTaskDone,
    ]

    private mutating func trapEveryWriter(at point: Waypoint) {
        let writers = slots.filter { $0.worker == "writer" }
        traps = writers.map { Trap(slot: $0, waypoint: point, pass: 1, stop: nil) } + traps
    }

    private mutating func add(_ fault: Fault, _ numbers: inout SeededNumbers) {
        events.append(Event(at: .milliseconds(200 + numbers.below(4_500)), fault: fault))
    }

    /// A trap, and what it takes for anybody to pass there.
    private mutating func add(_ waypoint: Waypoint, _ numbers: inout SeededNumbers) {
        let slot = numbers.pick(slots.filter { $0.worker == waypoint.worker })
        let isRare = waypoint.isOfCorrection || Self.rare.contains(waypoint)
        let stop: Duration? = numbers.percent(30) ? Self.writingLease + .seconds(1 + numbers.below(2)) : nil
        traps.append(
            Trap(slot: slot, waypoint: waypoint, pass: isRare ? 1 : 1 + numbers.below(4), stop: stop))
        switch waypoint {
        // Not by dropped answers: those are asked for again under the same key, and nobody need look.
        case .writerLooked: add(Self.failedButDone, &numbers)
        case .writerPaymentsLooked: add(Self.failedButPaid, &numbers)
        // One who dies knowing nothing of a call that did half of it: of two payments of an invoice, one stands.
        case .writerPaymentsAnswered:
            // From the start and for long enough, so that the call it dies of is one of these.
            events.append(Event(at: .zero, fault: Self.everyOther))
        case .sweeperTaken: add(.forget, &numbers)
        case .handlerReceived, .handlerKept: badOrders = 3
        default: break
        }
    }

    private func draw(_ numbers: inout SeededNumbers) -> Fault {
        let slot = numbers.pick(slots)
        let party = numbers.pick(parties(of: slot))
        let moment = Duration.milliseconds(500 + numbers.below(2_500))
        switch numbers.below(100) {
        case ..<12: return .kill(slot)
        case ..<15: return .powerCut
        case ..<25: return .pause(slot, Self.writingLease + .milliseconds(500 + numbers.below(2_000)))
        case ..<32: return .cut(slot, party)
        case ..<40: return .deaf(slot, party, moment)
        case ..<45: return .silent(slot, party, moment)
        case ..<50: return .bar(slot, party, moment)
        case ..<70: return Self.ledgerFault(&numbers)
        case ..<80: return Self.tillFault(&numbers)
        case ..<84: return .tokensRevoked
        case ..<86: return .offline(moment)
        case ..<97: return .duplicates(20 + numbers.below(80))
        default: return .forget
        }
    }

    func parties(of slot: Slot) -> [Party] {
        switch slot.worker {
        case "poller": [.broker, .database, .till]
        case "writer": [.broker, .database, .ledger, .ledger]
        default: [.broker, .database]
        }
    }

    private static let failedButDone = Fault.ledger(
        name: "4 × 500 that did it all the same at Invoices",
        order: #"{"match":{"path":"\#(invoices)"},"action":{"status":500,"commit":true},"count":4}"#)

    private static let failedButPaid = Fault.ledger(
        name: "4 × 500 that did every other all the same at Payments",
        order: #"{"match":{"path":"\#(payments)"},"action":{"status":500,"halfBatch":"everyOther"},"count":4}"#)

    private static func smallestOfSeveral(count: Int) -> Fault {
        .ledger(
            name: "\(count) × the smaller of an invoice's two payments, then dropped",
            order: #"{"match":{"path":"\#(payments)"},"action":{"halfBatch":"smallestOfSeveral","drop":"after"},"#
                + #""count":\#(count)}"#)
    }

    private static let everyOther = Fault.ledger(
        name: "12 × every other of a batch, then dropped at Payments",
        order: #"{"match":{"path":"\#(payments)"},"action":{"halfBatch":"everyOther","drop":"after"},"count":12}"#)

    private static func ledgerFault(_ numbers: inout SeededNumbers) -> Fault {
        let path = numbers.pick([invoices, invoices, payments, payments, "/api.xro/2.0/Contacts"])
        let count = 1 + numbers.below(4)
        let (name, action): (String, String) = numbers.pick([
            ("dropped before", #"{"drop":"before"}"#), ("dropped after", #"{"drop":"after"}"#),
            ("dropped after", #"{"drop":"after"}"#), ("500", #"{"status":500}"#),
            ("500 that did it all the same", #"{"status":500,"commit":true}"#),
            ("half a batch and 500", #"{"halfBatch":true}"#),
            ("every other of a batch and 500", #"{"halfBatch":"everyOther"}"#),
            ("half a batch, then dropped", #"{"halfBatch":true,"drop":"after"}"#),
            ("429", #"{"status":429,"headers":{"Retry-After":"1","X-Rate-Limit-Problem":"minute"}}"#),
            ("503", #"{"status":503,"body":"The Organisation is offline"}"#),
            ("slower than a lease", #"{"delayMs":\#(4_500 + numbers.below(2_000))}"#),
            ("an answer nobody understands", #"{"status":200,"body":"<html>","commit":true}"#),
        ])
        // One that waits a quarter of a minute each time is enough once.
        let times = name == "429" ? count * 3 : name == "503" ? 1 : count
        return .ledger(
            name: "\(times) × \(name) at \(path.split(separator: "/").last ?? "")",
            order: #"{"match":{"path":"\#(path)"},"action":\#(action),"count":\#(times)}"#)
    }

    private static func tillFault(_ numbers: inout SeededNumbers) -> Fault {
        let count = 1 + numbers.below(6)
        let (name, action): (String, String) = numbers.pick([
            ("dropped before", #"{"drop":"before"}"#), ("dropped after", #"{"drop":"after"}"#),
            ("500", #"{"status":500}"#), ("429", #"{"status":429,"body":"Limit exceeded"}"#),
            ("slow", #"{"delayMs":\#(500 + numbers.below(2_500))}"#),
        ])
        return .till(name: "\(count) × \(name)", order: #"{"action":\#(action),"count":\#(count)}"#)
    }
}
