import Domain
package import Messaging
package import Store

/// Finds the message that kills its worker without taking its neighbours along.
///
/// A crash gives back everything that was in hand, and nobody knows which message it was. So what comes back is
/// watched: first together with what else came back, each with a crash counted ahead in the database; what was
/// watched when a worker died is from then on tried alone, one in the whole process at a time. Whatever survives is
/// forgiven. So after the first crash (unwatched), the second (in company) and the third (alone) it is the message
/// itself, and it goes to the desk; its neighbours cost one extra request each at worst. Nothing goes there that no
/// worker died of alone, however often machines fail. The broker's delivery limit stays the outer net.
package struct Suspicion: Sendable {
    private let store: any SuspectStore
    private let turn: SoloTurn

    /// - Parameter turn: shared by everything in the process that tries suspects: a neighbour tried alone beside it
    ///   would be taken along.
    package init(store: any SuspectStore, turn: SoloTurn) {
        self.store = store
        self.turn = turn
    }

    package struct Sorted: Sendable {
        package var fresh: [IncomingMessage] = []
        package var together: [IncomingMessage] = []
        package var alone: [IncomingMessage] = []
        package var condemned: [IncomingMessage] = []
    }

    package static let cause =
        "Three workers died while they had this message in hand, the last one had nothing else."

    /// What the desk is told of a message that was condemned.
    package static func condemned(_ message: IncomingMessage) -> Verdict {
        .park(
            Park(
                .unknown, cause,
                remedy: "Look at the workers' logs of that time and report this to the makers; then replay."),
            about: (try? message.envelope.get())?.subject ?? Envelope.Subject())
    }

    /// Works on a batch: what is fresh as it is, what came back under watch.
    ///
    /// - Parameters:
    ///   - condemn: lays these on the desk; answers those of them that need no desk: their work is done already.
    ///   - onSuspect: told before a message is tried alone.
    package func consider(
        _ batch: [IncomingMessage], _ endurance: Endurance, onSuspect: () -> Void,
        condemn: ([IncomingMessage]) async throws -> [IncomingMessage],
        work: (_ messages: [IncomingMessage], _ isWholeBatch: Bool) async throws -> Void
    ) async throws {
        guard batch.contains(where: \.isRedelivered) else { return try await work(batch, true) }
        let sorted = try await endurance.through(batch) { try await sort(batch) }
        if let queue = sorted.condemned.first?.queue {
            let acquitted = try await condemn(sorted.condemned)
            // Replayed, it begins anew. A record left behind only condemns it sooner.
            try? await store.endTrial(of: sorted.condemned.compactMap(\.identity), in: queue)
            if !acquitted.isEmpty { try await work(acquitted, false) }
        }
        if !sorted.fresh.isEmpty { try await work(sorted.fresh, false) }
        if !sorted.together.isEmpty {
            try await watching(sorted.together, isAlone: false, endurance) { try await work(sorted.together, false) }
        }
        for message in sorted.alone {
            await turn.take()
            onSuspect()
            let result: Result<Void, any Error>
            do {
                try await watching([message], isAlone: true, endurance) { try await work([message], false) }
                result = .success(())
            } catch { result = .failure(error) }
            await turn.giveBack()
            try result.get()
        }
    }

    package func sort(_ batch: [IncomingMessage]) async throws -> Sorted {
        var sorted = Sorted()
        let back = batch.filter { $0.isRedelivered && $0.identity != nil }
        guard let queue = back.first?.queue else {
            sorted.fresh = batch
            return sorted
        }
        let crashes = try await store.crashes(of: back.compactMap(\.identity), in: queue)
        for message in batch {
            guard message.isRedelivered, let id = message.identity else {
                sorted.fresh.append(message)
                continue
            }
            let known = crashes[id] ?? Crashes(all: 0, alone: 0)
            if known.alone > 0 {
                sorted.condemned.append(message)
            } else if known.all > 0 {
                sorted.alone.append(message)
            } else {
                sorted.together.append(message)
            }
        }
        return sorted
    }

    /// Works on suspects under watch.
    package func watching(
        _ messages: [IncomingMessage], isAlone: Bool, _ endurance: Endurance, _ work: () async throws -> Void
    ) async throws {
        guard let queue = messages.first?.queue else { return }
        let ids = messages.compactMap(\.identity)
        try await endurance.through(messages) { try await store.beginTrial(of: ids, in: queue, isAlone: isAlone) }
        do { try await work() } catch {
            // It ends in order, or fails in order: nobody died.
            try? await store.abandonTrial(of: ids, in: queue)
            throw error
        }
        // They are done: a record left behind by a database that is away would only be tried alone some day.
        try? await store.endTrial(of: ids, in: queue)
    }
}

extension IncomingMessage {
    private static let shortMax = 200

    /// What tells this message from others when it comes again: its sender's name for it, or, of a short message, what
    /// it says. The mapper's messages to the writers carry no name: they are nothing but a document's id.
    package var identity: String? {
        let text = messageID ?? (body.count <= Self.shortMax ? String(decoding: body, as: UTF8.self) : nil)
        // No text of the database's holds a NUL.
        return text?.replacing("\0", with: "\u{FFFD}")
    }
}
