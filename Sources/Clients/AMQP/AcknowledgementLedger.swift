/// Which deliveries of a channel wait for a verdict, and how to acknowledge several with few frames.
///
/// `basic.ack` with `multiple` speaks of *every* open delivery up to a number. It is right only where all of those
/// below are settled already or being acknowledged now: with two batches in work, the later one acknowledged first must
/// go one by one, or it would take the earlier one with it.
package struct AcknowledgementLedger {
    package enum Step: Equatable {
        case upTo(UInt64)
        case single(UInt64)
    }

    private enum State { case open, settled, acknowledging }

    /// `states[0]` belongs to `firstTag`; the broker counts a channel's deliveries without a gap.
    private var states: [State] = []
    private var firstTag: UInt64 = 1
    package private(set) var openCount = 0

    package init() {}

    /// A delivery came. `tag` must be the next number.
    package mutating func opened(_ tag: UInt64) {
        precondition(tag == firstTag + UInt64(states.count), "the broker skipped a delivery tag")
        states.append(.open)
        openCount += 1
    }

    /// Marks one settled by a reject; false if it was settled before or never came.
    package mutating func settle(_ tag: UInt64) -> Bool {
        guard mark(tag, .settled) else { return false }
        trim()
        return true
    }

    /// What to send for acknowledging `tags`, in any order; those settled before or unknown are passed over.
    package mutating func acknowledge(_ tags: some Sequence<UInt64>) -> [Step] {
        var acknowledging: [UInt64] = []
        for tag in tags where mark(tag, .acknowledging) { acknowledging.append(tag) }
        var steps: [Step] = []
        // The run from the oldest on in which nothing is open.
        let prefix = states.prefix { $0 != .open }
        let boundary = firstTag + UInt64(prefix.count)
        // The number sent must itself be open at the broker.
        if let last = acknowledging.lazy.filter({ $0 < boundary }).max() { steps.append(.upTo(last)) }
        for tag in acknowledging where tag >= boundary { steps.append(.single(tag)) }
        for tag in acknowledging { states[Int(tag - firstTag)] = .settled }
        trim()
        return steps
    }

    private mutating func mark(_ tag: UInt64, _ state: State) -> Bool {
        guard tag >= firstTag, tag < firstTag + UInt64(states.count) else { return false }
        let position = Int(tag - firstTag)
        guard states[position] == .open else { return false }
        states[position] = state
        openCount -= 1
        return true
    }

    private mutating func trim() {
        let settled = states.prefix { $0 == .settled }.count
        guard settled > 0 else { return }
        states.removeFirst(settled)
        firstTag += UInt64(settled)
    }
}
