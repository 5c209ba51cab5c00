/// Requests in the order they came, with none copied when the first leaves.
struct WaitingLine {
    private var arrivals: [Arrival] = []
    private var head = 0

    var isEmpty: Bool { head == arrivals.count }
    var deadlines: [ContinuousClock.Instant] { arrivals[head...].map(\.deadline) }

    mutating func append(_ arrival: Arrival) { arrivals.append(arrival) }

    mutating func popFirst() -> Arrival? {
        guard head < arrivals.count else { return nil }
        let first = arrivals[head]
        head += 1
        // Each element is moved at most once for each that left.
        if head * 2 > arrivals.count {
            arrivals.removeFirst(head)
            head = 0
        }
        return first
    }

    mutating func remove(_ ticket: Ticket) -> Arrival? {
        guard let index = arrivals[head...].firstIndex(where: { $0.ticket === ticket }) else { return nil }
        return arrivals.remove(at: index)
    }

    mutating func removeAll(where isGone: (Arrival) -> Bool = { _ in true }) -> [Arrival] {
        let gone = arrivals[head...].filter(isGone)
        arrivals = arrivals[head...].filter { !isGone($0) }
        head = 0
        return gone
    }
}
