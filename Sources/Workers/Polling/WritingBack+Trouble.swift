import Domain
import Kounta
import Logging
import Settings
import Store
import Telemetry

/// What is done about a write that fails.
extension WritingBack {
    /// After so many failures, some twenty hours, a person is told instead.
    static let attemptsMax = 12
    private static let pauseMin = Duration.seconds(60)
    private static let pauseMax = Duration.seconds(6 * 3600)

    /// What becomes of a failure.
    enum Remedy: Sendable, Equatable {
        /// Nothing of it is this row's: the look ends, and the row is due as before.
        case wait
        /// Another try after a pause; the look ends where others would meet the same.
        case again(Duration, endsLook: Bool)
        case giveUp(TillWriteResult.Outcome)
    }

    /// Pure.
    ///
    /// - Parameter attempts: that failed before this one.
    static func remedy(for error: any Error, attempts: Int) -> Remedy {
        var endsLook = false
        switch error as? KountaError {
        case .rateLimited, .noToken: return .wait
        case .unreachable, .refusedCredential: endsLook = true
        case .answered(let status, _):
            // Neither time-outs nor conflicts are about what was sent.
            if (400..<500).contains(status), ![408, 409, 425].contains(status) { return .giveUp(.refused) }
            endsLook = status >= 500
        case .notFound, .unexpectedShape, nil: break
        }
        if attempts + 1 >= attemptsMax { return .giveUp(.failed) }
        return .again(min(pauseMin * (1 << min(attempts, 10)), pauseMax), endsLook: endsLook)
    }

    /// Carries out one write and stores what became of it.
    ///
    /// - Throws: what ends the look.
    @discardableResult
    func attempt(
        _ write: TillWrite, _ inEffect: LoadedWriteBack, _ work: () async throws -> TillWriteResult?
    ) async throws -> TillWriteResult? {
        do {
            guard let result = try await work() else { return nil }
            try await settle(write, result)
            return result
        } catch {
            // The database's trouble is nobody's row's either.
            guard !Task.isCancelled, error is KountaError || error is UnkeptWrite else { throw error }
            switch Self.remedy(for: error, attempts: write.attempts) {
            case .wait: throw error
            case .again(let pause, let endsLook):
                try await store.putOff(write, for: pause, because: "\(error)")
                count("postponed", write)
                if endsLook { throw error }
                logger.info("\(write.kind.rawValue) \(write.id) is tried again later: \(error)")
                return nil
            case .giveUp(let outcome):
                let result = TillWriteResult(
                    outcome, cause: "\(error)", rules: inEffect.hash, mappingVersion: inEffect.version)
                try await settle(write, result)
                return result
            }
        }
    }

    /// Stores it, counts it, and says it once where a person should know.
    func settle(_ write: TillWrite, _ result: TillWriteResult) async throws {
        try await store.settle(write, result)
        count(result.outcome.rawValue, write)
        let what = "\(write.kind.rawValue) \(write.id) in Kounta"
        if result.outcome == .altered {
            logger.error(
                """
                \(what): \(result.cause ?? ""). Nothing more is written for customers of this company until a rule \
                under `write_back` is changed: set right what was changed, and look how Kounta takes a write
                """)
        } else if TillWriteResult.Outcome.left.contains(result.outcome), write.before != result.outcome {
            logger.warning("\(what) is left as it is: \(result.cause ?? result.outcome.rawValue)")
        } else {
            logger.debug("\(what): \(result.outcome.rawValue)")
        }
    }

    private func count(_ outcome: String, _ write: TillWrite) {
        metrics.count(
            "tillbridge_till_writes_total",
            ["company": company.key.text, "kind": write.kind.rawValue, "outcome": outcome])
    }
}
