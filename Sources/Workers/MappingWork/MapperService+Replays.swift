import Domain
import Store

extension MapperService {
    /// What became of the records that were sent from the desk; those that are parked again tell it by their letters.
    static func replays(
        _ readings: [Reading], _ outcomes: [DocumentKey: AcceptedDocument]
    ) -> [MappedReplay] {
        readings.compactMap { reading in
            guard case .mapped(let mapped) = reading, let mark = mapped.mark, let outcome = outcomes[mapped.key]
            else { return nil }
            switch outcome.outcome {
            case .created, .known, .replaced: return MappedReplay(mark: mark, document: outcome.id, isOutdated: false)
            case .stale: return MappedReplay(mark: mark, document: outcome.id, isOutdated: true)
            case .conflict: return nil
            }
        }
    }
}
