import FoundationEssentials

/// How many cases the property tests play, and from which seed: `make property N=…` plays more.
package enum PropertyRun {
    private static let environment = ProcessInfo.processInfo.environment
    package static let seed = environment["TILLBRIDGE_PROPERTY_SEED"].flatMap { UInt64($0) } ?? 2026

    package static func cases(_ usual: Int) -> Int {
        environment["TILLBRIDGE_PROPERTY_CASES"].flatMap { Int($0) } ?? usual
    }

    /// Plays `cases` recipes; the first that fails is made as simple as it can be and shown with its seed.
    ///
    /// - Parameter isFixed: no more cases than usual, whatever is asked for.
    package static func play(_ usual: Int, isFixed: Bool = false, _ check: (Recipe) -> String?) -> String? {
        var generator = Seeded(seed: seed)
        for round in 0..<(isFixed ? usual : cases(usual)) {
            let recipe = Recipe.random(&generator)
            guard var failure = check(recipe) else { continue }
            var simplest = recipe
            var candidates = simplest.simpler[...]
            while let candidate = candidates.popFirst() {
                guard let still = check(candidate) else { continue }
                (simplest, failure) = (candidate, still)
                candidates = candidate.simpler[...]
            }
            return "\(failure)\n  \(simplest)\n  round \(round); again: TILLBRIDGE_PROPERTY_SEED=\(seed)"
        }
        return nil
    }
}
