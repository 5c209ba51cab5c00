import Messaging
package import Store

/// Finds the message that kills its worker without taking its neighbours along.
///
/// A crash gives back everything that was in hand, and nobody knows which message it was. So what comes back is
/// watched: first together with what else came back, each with a crash counted ahead in the database; what was
/// watched when a worker died is from then on tried alone, one in the whole process at a time. Whatever survives is
/// forgiven. So after the first crash (unwatched), the second (in company) and the third (alone) it is the message
/// itself, and it goes to the desk; its neighbours cost one extra request each at worst. The broker's delivery
/// limit stays the outer net.
package struct Suspicion: Sendable {
    let store: any SuspectStore
    let turn: SoloTurn

    /// Crashes while it was watched: the one before that makes three.
    private static let crashesMax = 2

    package init(store: any SuspectStore, turn: SoloTurn) {
        self.store = store
        self.turn = turn
    }

    struct Sorted {
        var fresh: [IncomingMessage] = []
        var together: [IncomingMessage] = []
        var alone: [IncomingMessage] = []
        var condemned: [IncomingMessage] = []
    }

    func sort(_ batch: [IncomingMessage]) async throws -> Sorted {
        var sorted = Sorted()
        let back = batch.filter { $0.isRedelivered && $0.messageID != nil }
        guard let queue = back.first?.queue else {
            sorted.fresh = batch
            return sorted
        }
        let crashes = try await store.crashes(of: back.compactMap(\.messageID), in: queue)
        for message in batch {
            guard message.isRedelivered, let id = message.messageID else {
                sorted.fresh.append(message)
                continue
            }
            switch crashes[id] ?? 0 {
            case 0: sorted.together.append(message)
            case ..<Self.crashesMax: sorted.alone.append(message)
            default: sorted.condemned.append(message)
            }
        }
        return sorted
    }

    /// Works on suspects under watch.
    func watching(_ messages: [IncomingMessage], _ work: () async throws -> Void) async throws {
        guard let queue = messages.first?.queue else { return }
        let ids = messages.compactMap(\.messageID)
        try await store.beginTrial(of: ids, in: queue)
        do { try await work() } catch {
            // It ends in order, or fails in order: nobody died.
            try? await store.abandonTrial(of: ids, in: queue)
            throw error
        }
        try await store.endTrial(of: ids, in: queue)
    }
}

/// One suspect alone at a time in this process: a neighbour tried alone beside it would be taken along.
package actor SoloTurn {
    private var isTaken = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    package init() {}

    func take() async {
        if !isTaken {
            isTaken = true
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func giveBack() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().resume() }
    }
}
