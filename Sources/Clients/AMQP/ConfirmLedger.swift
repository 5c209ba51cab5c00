/// Which publishes of a channel the broker has not confirmed yet.
///
/// The broker numbers the publishes of a confirming channel 1, 2, 3 … and confirms them in any order, one by one or
/// all up to a number. So a row of slots suffices, no dictionary.
package struct ConfirmLedger<Owner> {
    package struct Slot {
        package let owner: Owner
        /// Which message of the owner's array.
        package let index: Int
        /// The broker returned it: its confirm will say nothing but that.
        package var isReturned = false
    }

    private var slots: [Slot?] = []
    /// The first slot that may still be open.
    private var head = 0
    /// The broker's number of `slots[0]`.
    private var firstTag: UInt64 = 1
    /// Publishes without a verdict.
    package private(set) var count = 0

    package init() {}

    package mutating func append(_ owner: Owner, index: Int) {
        slots.append(Slot(owner: owner, index: index))
        count += 1
    }

    /// Closes the slot of `tag`, or of all up to it, and shows each to `body`. Numbers already closed, or never given,
    /// are passed over.
    package mutating func settle(_ tag: UInt64, multiple: Bool, _ body: (Slot) -> Void) {
        guard tag >= firstTag + UInt64(head), tag < firstTag + UInt64(slots.count) else { return }
        let last = Int(tag - firstTag)
        for position in (multiple ? head : last)...last {
            guard let slot = slots[position] else { continue }
            slots[position] = nil
            count -= 1
            body(slot)
        }
        while head < slots.count, slots[head] == nil { head += 1 }
        // Moving the rest down costs as much as it frees, so it is done seldom.
        if head > 1_024, head * 2 > slots.count {
            slots.removeFirst(head)
            firstTag += UInt64(head)
            head = 0
        }
    }

    /// Shows the open slots, oldest first; where `body` says true, the slot is marked returned and the search ends.
    package mutating func markReturned(where body: (Slot) -> Bool) {
        for position in head..<slots.count {
            guard let slot = slots[position], !slot.isReturned, body(slot) else { continue }
            slots[position]?.isReturned = true
            return
        }
    }

    /// Shows every open slot, oldest first.
    package func forEachOpen(_ body: (Slot) -> Void) {
        for position in head..<slots.count {
            if let slot = slots[position] { body(slot) }
        }
    }
}
