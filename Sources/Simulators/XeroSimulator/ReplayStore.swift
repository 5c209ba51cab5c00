/// First answers, kept by idempotency key: a repeated request gets the same answer instead of a second effect.
/// Errors are kept like successes. Bounded in time and in bytes; the oldest goes first.
struct ReplayStore: Sendable {
    enum Finding: Sendable { case new, replay(Answer), otherRequest }

    private struct Entry: Sendable {
        let request: UInt64
        let bytes: Int
        let expires: Int64
        let answer: Answer
    }

    let lifetime: Int64
    let bytesMax: Int
    private var entries: [String: Entry] = [:]
    private var order: [String] = []
    private var start = 0
    private var bytes = 0
    /// Answers that had to go before their time because the store was full.
    private(set) var evicted = 0

    /// `lifetime` in milliseconds.
    init(lifetime: Int64, bytesMax: Int) {
        self.lifetime = lifetime
        self.bytesMax = bytesMax
    }

    mutating func find(_ key: String, request: UInt64, now: Int64) -> Finding {
        forget(now)
        guard let entry = entries[key] else { return .new }
        return entry.request == request ? .replay(entry.answer) : .otherRequest
    }

    mutating func keep(_ answer: Answer, _ key: String, request: UInt64, now: Int64) {
        guard entries[key] == nil else { return }
        entries[key] = Entry(request: request, bytes: answer.body.count, expires: now + lifetime, answer: answer)
        order.append(key)
        bytes += answer.body.count
        while bytes > bytesMax, start < order.count - 1 {
            removeOldest()
            evicted += 1
        }
    }

    private mutating func forget(_ now: Int64) {
        while start < order.count, let entry = entries[order[start]], entry.expires <= now { removeOldest() }
        if start > 1024, start * 2 > order.count {
            order.removeFirst(start)
            start = 0
        }
    }

    private mutating func removeOldest() {
        if let entry = entries.removeValue(forKey: order[start]) { bytes -= entry.bytes }
        start += 1
    }
}
