import Domain
import Messaging
import Store

/// An order that was decided upon by itself, and what came of it.
struct DecidedOrder {
    let mapped: MappedMessage
    let announced: [DocumentID]
    let verdict: Verdict

    func isAbout(_ other: MappedMessage) -> Bool {
        mapped.key == other.key && mapped.record.hash == other.record.hash
    }
}

extension MapperService {
    /// What became of the records that were sent from the desk.
    ///
    /// - Parameter readings: those that are dealt with. Those that are parked again tell it by their letters, and those
    ///   that wait for something are told when it has come.
    static func replays(
        _ readings: [Reading], _ outcomes: [DocumentKey: AcceptedDocument], _ decided: [DecidedOrder]
    ) -> [MappedReplay] {
        let decisions = Dictionary(decided.map { ($0.mapped.key, $0) }) { first, _ in first }
        return readings.compactMap { reading in
            if case .needless(let mark?, _) = reading {
                return MappedReplay(mark: mark, document: nil, ending: .needless)
            }
            guard case .mapped(let mapped) = reading, let mark = mapped.mark else { return nil }
            if let decision = decisions[mapped.key] { return replay(mapped, mark, decision) }
            guard let outcome = outcomes[mapped.key] else {
                return MappedReplay(mark: mark, document: nil, ending: .nothingLeft)
            }
            switch outcome.outcome {
            case .created, .known, .replaced: return MappedReplay(mark: mark, document: outcome.id)
            case .stale: return MappedReplay(mark: mark, document: outcome.id, ending: .outdated)
            case .conflict: return nil
            }
        }
    }

    private static func replay(
        _ mapped: MappedMessage, _ mark: LetterMark, _ decision: DecidedOrder
    ) -> MappedReplay? {
        // A later version in the same batch was decided upon in this one's place.
        guard mapped.record.hash == decision.mapped.record.hash else {
            return MappedReplay(mark: mark, document: nil, ending: .outdated)
        }
        guard case .done = decision.verdict else { return nil }
        // Each writer's message carries the mark: should another of them be refused, the letter comes back.
        guard let document = decision.announced.last else {
            return MappedReplay(mark: mark, document: nil, ending: .nothingLeft)
        }
        return MappedReplay(mark: mark, document: document)
    }
}
