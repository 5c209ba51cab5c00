import Domain
import Logging
import Messaging
import ServiceLifecycle
import Store
import Telemetry
import Testing
import Threads

@testable import DeadLetters
@testable import Settings

@Suite("The desk's keeper", .timeLimit(.minutes(1))) struct DeskKeeperTests {
    /// Letters in memory, and a clock that moves by sleeping on it alone.
    private final class MemoryDesk: ReplayStore, SettlingStore, LeaseStore, Outbox {
        struct State {
            var queued: Int
            var now = Instant(secondsSince1970: 1_790_000_000)
            var open = OpenLetters()
            /// When how many were published.
            var published: [(at: Instant, count: Int)] = []
            var noted = 0
            /// What publishing a batch takes.
            var takes = Duration.zero
            var settlement = Settlement()
            /// The letter that no frame carries.
            var unsendable: Int64?
            var putBack: [Int64] = []
        }

        let state: Locked<State>
        private let (done, finish) = AsyncStream.makeStream(of: Void.self)

        init(queued: Int, takes: Duration = .zero) {
            var state = State(queued: queued)
            state.takes = takes
            self.state = Locked(state)
        }

        var clock: WorkClock {
            WorkClock(
                now: { self.state.withLock { $0.now } },
                sleep: { duration in
                    try Task.checkCancellation()
                    self.state.withLock { $0.now = $0.now.adding(duration) }
                    await Task.yield()
                }, randomInteger: { $0.lowerBound })
        }

        /// Until everything was sent and looked at once more.
        func waitUntilSent() async { for await _ in done { return } }

        func takeQueued(_ limit: Int) async throws -> [Replay] {
            let (first, count) = state.withLock { state in
                let count = min(limit, state.queued)
                state.queued -= count
                return (state.queued, count)
            }
            if count == 0 { finish.yield() }
            return (0..<count).map { index in
                Replay(
                    mark: LetterMark(letter: Int64(first + index + 1), replay: 1),
                    route: .map(company: CompanyKey("harbour"), kind: "order", id: "\(first + index)"),
                    origin: "t.map", organisation: nil, venue: nil, body: [], headers: Array("{}".utf8),
                    firstSeen: Instant(secondsSince1970: 5))
            }
        }

        func publish(_ messages: [OutgoingMessage]) async throws {
            let unsendable = state.withLock { $0.unsendable }
            if messages.contains(where: { $0.envelope.mark?.letter == unsendable && unsendable != nil }) {
                throw Unsendable("too large")
            }
            state.withLock { state in
                state.published.append((state.now, messages.count))
                // The third takes far longer than any other.
                let isSlow = state.published.count == 3
                state.now = state.now.adding(isSlow ? state.takes * 7 : state.takes)
            }
        }

        func recordPublished(_ letters: [Int64]) async throws { state.withLock { $0.noted += letters.count } }
        func putBack(_ letters: [(id: Int64, reason: String)]) async throws {
            state.withLock { $0.putBack += letters.map(\.id) }
        }
        func settleReplays() async throws -> Settlement {
            state.withLock { state in
                defer { state.settlement = Settlement() }
                return state.settlement
            }
        }
        func settleOpen() async throws -> Int { 0 }
        func closeGroups() async throws -> [ClosedGroup] { [] }
        func probe(_ interval: Duration) async throws -> [Probing] { [] }
        func probeSoon() async throws {}
        func openLetters() async throws -> OpenLetters { state.withLock { $0.open } }
        func acquire(_ name: String, for duration: Duration) async throws -> Lease? { Lease(name: name, fence: 1) }
        func renew(_ lease: Lease, for duration: Duration) async throws -> Bool { true }
        func giveBack(_ lease: Lease) async throws {}
    }

    /// Runs the keeper until the desk has nothing left to send.
    private func run(_ desk: MemoryDesk, perSecond: Int, _ metrics: Metrics = Metrics()) async throws {
        let settings = DeskSettings(replaysPerSecond: perSecond, probeInterval: .seconds(60))
        let keeper = DeskKeeper(
            organisations: [], prefix: "t", store: desk, outbox: desk, settings: settings, clock: desk.clock,
            metrics: metrics, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await keeper.run() }
            await desk.waitUntilSent()
            group.cancelAll()
            try await group.waitForAll()
        }
    }

    @Test(
        "in no second, wherever it begins, more letters are sent than the pace allows, and not many fewer",
        arguments: [1, 3, 250, 303, 500, 1000, 1999, 10_000], [Duration.zero, .milliseconds(150)])
    func pace(perSecond: Int, takes: Duration) async throws {
        let count = min(perSecond * 6 + 1, 20_000)
        let desk = MemoryDesk(queued: count, takes: takes)
        try await run(desk, perSecond: perSecond)
        let published = desk.state.withLock { $0.published }
        #expect(published.reduce(0) { $0 + $1.count } == count)
        #expect(desk.state.withLock { $0.noted } == count)
        for (index, first) in published.enumerated() {
            let second = published[index...].prefix { $0.at.since(first.at) < .seconds(1) }
            let sent = second.reduce(0) { $0 + $1.count }
            #expect(sent <= perSecond, "\(sent) in the second from batch \(index)")
        }
        guard takes == .zero, let last = published.last else { return }
        // What the batches do not divide evenly is lost: fewer letters a second than there are batches in one.
        let seconds = Double(count) / Double(perSecond - perSecond / 250)
        #expect(last.at.since(published[0].at) <= .milliseconds(Int64((seconds + 1) * 1000)))
    }

    @Test("a letter that no frame carries is put back, and holds up no other of its batch")
    func unsendable() async throws {
        let desk = MemoryDesk(queued: 20)
        desk.state.withLock { $0.unsendable = 7 }
        try await run(desk, perSecond: 500)
        desk.state.withLock { state in
            #expect(state.putBack == [7])
            #expect(state.published.reduce(0) { $0 + $1.count } == 19 && state.noted == 19)
        }
    }

    @Test("figures are what the desk holds: by class, on their way, the oldest one's age, and what became of replays")
    func figures() async throws {
        let desk = MemoryDesk(queued: 7)
        desk.state.withLock { state in
            state.open.counts = [.archived: 5, .value: 2]
            state.open.inFlight = 3
            state.open.oldest = state.now.adding(seconds: -90)
            state.settlement.resolved = 4
            state.settlement.returned = 2
        }
        let metrics = Metrics()
        try await run(desk, perSecond: 10_000, metrics)
        let lines = Set(metrics.rendered().split(separator: "\n"))
        for line in [
            #"tillbridge_dead_letters_open{class="archived"} 5"#, #"tillbridge_dead_letters_open{class="value"} 2"#,
            #"tillbridge_dead_letters_open{class="parse"} 0"#, "tillbridge_dead_letters_in_flight 3",
            "tillbridge_dead_letter_oldest_seconds 90",
            #"tillbridge_dead_letter_replays_total{outcome="sent"} 7"#,
            #"tillbridge_dead_letter_replays_total{outcome="booked"} 4"#,
            #"tillbridge_dead_letter_replays_total{outcome="came_back"} 2"#,
        ] {
            #expect(lines.contains(Substring(line)), "\(line) in \(metrics.rendered())")
        }
        for deadLetterClass in DeadLetterClass.allCases {
            let series = "tillbridge_dead_letters_open{class=\"\(deadLetterClass.rawValue)\"}"
            #expect(lines.contains { $0.hasPrefix(series) }, "\(series)")
        }
    }
}
