/// Deliveries that wait for takers, and takers that wait for deliveries. Pure: says what to do, does nothing itself.
struct WaitingLine: Sendable {
    typealias Continuation = CheckedContinuation<[AMQPDelivery]?, Never>

    enum Action: Sendable {
        case resume(Continuation, [AMQPDelivery]?)
        /// Call ``lingered(_:)`` with this id after the time.
        case startLinger(Int, Duration)
    }

    private struct Taker: Sendable {
        let id: Int
        let max: Int
        let linger: @Sendable () -> Duration
        let continuation: Continuation
        var isLingering = false
        var isOverdue = false
    }

    private let prefetch: Int
    private var deliveries: [AMQPDelivery] = []
    private var head = 0
    private var takers: [Taker] = []
    private var lastID = 0
    /// Those the broker waits for, in the line or handed out: at `prefetch` it sends no more.
    private var unsettled = 0
    /// No more deliveries come: takers get what is there, then [].
    private var isClosing = false

    init(prefetch: Int = 1) { self.prefetch = prefetch }

    private var count: Int { deliveries.count - head }

    /// All that ever arrived.
    private(set) var arrivedCount = 0

    /// The broker has sent all that the prefetch allows: nothing is on its way.
    var isFull: Bool { unsettled >= prefetch }
    var unsettledCount: Int { unsettled }

    mutating func newID() -> Int {
        lastID += 1
        return lastID
    }

    /// - Parameter linger: asked when the taker's first delivery is there.
    mutating func join(
        id: Int, max: Int, linger: @escaping @Sendable () -> Duration, _ continuation: Continuation
    ) -> [Action] {
        takers.append(Taker(id: id, max: max, linger: linger, continuation: continuation))
        return serve()
    }

    /// The taker's task was cancelled.
    mutating func leave(_ id: Int) -> [Action] {
        guard let place = takers.firstIndex(where: { $0.id == id }) else { return [] }
        let taker = takers.remove(at: place)
        return [.resume(taker.continuation, nil)] + serve()
    }

    mutating func arrived(_ more: [AMQPDelivery]) -> [Action] {
        unsettled += more.count
        arrivedCount += more.count
        if head == deliveries.count {
            deliveries = more
            head = 0
        } else {
            deliveries.append(contentsOf: more)
        }
        return serve()
    }

    mutating func settled(_ count: Int) -> [Action] {
        unsettled -= min(count, unsettled)
        return []
    }

    mutating func lingered(_ id: Int) -> [Action] {
        guard let place = takers.firstIndex(where: { $0.id == id }) else { return [] }
        takers[place].isLingering = false
        // Whatever it lingered for may be gone with its connection: then the next first delivery counts.
        takers[place].isOverdue = count > 0
        return serve()
    }

    /// No more deliveries will come; those in the line are still handed out.
    mutating func close() -> [Action] {
        isClosing = true
        return serve()
    }

    /// The connection is gone, and with it every delivery's standing.
    mutating func forget() -> [Action] {
        deliveries = []
        head = 0
        unsettled = 0
        return serve()
    }

    /// No more takers, no more deliveries; gives those nobody took.
    mutating func end() -> (unread: [AMQPDelivery], [Action]) {
        let unread = Array(deliveries[head...])
        let actions = takers.map { Action.resume($0.continuation, []) }
        takers = []
        deliveries = []
        head = 0
        return (unread, actions)
    }

    private mutating func serve() -> [Action] {
        var actions: [Action] = []
        while count > 0, let taker = takers.first {
            let isEnough = count >= taker.max || taker.isOverdue || unsettled >= prefetch || isClosing
            if !isEnough {
                if taker.isLingering { return actions }
                let linger = taker.linger()
                if linger > .zero {
                    takers[0].isLingering = true
                    actions.append(.startLinger(taker.id, linger))
                    return actions
                }
            }
            takers.removeFirst()
            actions.append(.resume(taker.continuation, take(taker.max)))
        }
        if isClosing && count == 0 {
            actions += takers.map { .resume($0.continuation, []) }
            takers = []
        }
        return actions
    }

    private mutating func take(_ max: Int) -> [AMQPDelivery] {
        if head == 0, deliveries.count <= max {
            defer { deliveries = [] }
            return deliveries
        }
        let end = min(head + max, deliveries.count)
        let batch = Array(deliveries[head..<end])
        head = end
        if head == deliveries.count {
            deliveries = []
            head = 0
        } else if head > 1_024 {
            deliveries.removeFirst(head)
            head = 0
        }
        return batch
    }
}
