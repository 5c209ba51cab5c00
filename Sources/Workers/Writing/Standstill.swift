import Logging
import Messaging
import ServiceLifecycle
import Telemetry
import Xero

/// A writer's rest while its organisation takes no calls for longer than messages may be in hand: over its day,
/// offline, disconnected. Its loops hand back what they hold, the queue is let go, and the messages wait there, where
/// the broker keeps them for as long as it takes. One loop asks now and then whether calls may be made again.
actor Standstill {
    private let inbox: any PausingInbox
    private let ledger: any Ledger
    /// How many loops take from the inbox. All of them must have settled what they hold before it is taken from again.
    private let loops: Int
    private let clock: WorkClock
    private let onChange: @Sendable (_ isResting: Bool, String) -> Void

    private(set) var isResting = false
    private var isOver = false
    private var waiting = 0
    private var isLooking = false

    /// Between two looks at least and at most.
    private static let lookMin = Duration.seconds(1)
    private static let lookMax = Duration.seconds(30)
    private static let step = Duration.milliseconds(250)

    init(
        inbox: any PausingInbox, ledger: any Ledger, loops: Int, clock: WorkClock,
        onChange: @escaping @Sendable (_ isResting: Bool, String) -> Void
    ) {
        self.inbox = inbox
        self.ledger = ledger
        self.loops = loops
        self.clock = clock
        self.onChange = onChange
    }

    /// Returns when nothing more comes from the queue: what is handed back would be delivered again at once.
    func begin() async {
        guard !isResting, !isOver else { return }
        isResting = true
        onChange(true, "the organisation takes no calls: its orders wait in their queue")
        await inbox.pause()
    }

    /// The process ends.
    func end() { isOver = true }

    /// Called by a loop that holds nothing. Returns when the organisation may be called again.
    ///
    /// - Returns: false where no rest is going on: the inbox has ended.
    /// - Throws: `CancellationError` when the process drains.
    func passed() async throws -> Bool {
        guard isResting, !isOver else { return false }
        waiting += 1
        defer { waiting -= 1 }
        while isResting, !isOver {
            guard waiting == loops, !isLooking else {
                try await sleep(Self.step)
                continue
            }
            isLooking = true
            defer { isLooking = false }
            if let wait = await look() { try await sleep(min(max(wait, Self.lookMin), Self.lookMax)) } else {
                await inbox.resume()
                isResting = false
                onChange(false, "the organisation may take calls again")
            }
        }
        return !isOver
    }

    private func look() async -> Duration? {
        do { return try await ledger.closed() } catch {
            // The database is away: nothing could be claimed either.
            return Self.lookMax
        }
    }

    private func sleep(_ duration: Duration) async throws {
        try await cancelWhenGracefulShutdown { [clock] in try await clock.sleep(duration) }
    }
}
