import Domain
import Mapping
import Messaging
import Settings
import Store

/// Why a document's lines are what they are, as far as it is worth keeping.
struct Basis: Sendable {
    let rules: [String]
    let warnings: [String]

    /// Nil where the configuration does not want it kept. Usually no rule decided anything: that costs a look at each
    /// line's rule and no row.
    init?(of document: LedgerDocument, _ keeping: MappingSettings.Basis) {
        switch keeping {
        case .none: return nil
        case .rules:
            let isDecided = document.lines.contains { $0.rule != Treatment.byDefault }
            guard isDecided || !document.warnings.isEmpty else { return nil }
        case .all: break
        }
        rules = document.lines.map(\.rule)
        warnings = document.warnings
    }
}

extension MapperService {
    /// What is to be kept of a batch. A document that was known and may have been sent keeps the basis it was made on.
    static func bases(
        _ readings: [Reading], _ outcomes: [DocumentKey: AcceptedDocument], version: Int64
    ) -> [DocumentBasis] {
        readings.compactMap { reading in
            guard case .mapped(let mapped) = reading, let basis = mapped.basis, let outcome = outcomes[mapped.key]
            else { return nil }
            switch outcome.outcome {
            case .created, .replaced, .known(.ready):
                return DocumentBasis(
                    document: outcome.id, mappingVersion: version, rules: basis.rules, warnings: basis.warnings)
            case .known, .conflict, .stale: return nil
            }
        }
    }
}
