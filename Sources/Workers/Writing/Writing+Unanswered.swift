import Domain
import HTTP
import Messaging
import Setbacks
import Store
import Xero

/// What a writer that died, or stands still, had sent or was about to send.
extension Writing {
    /// Xero remembers a key for six minutes ("a short period", as its documentation has it; the simulator's is six). A
    /// request goes out under its key no later than this after it was stored, the call's own time included.
    static let keyAgeMax = Duration.seconds(240)
    /// Before this nobody looks what stands and sends anew: a request under the old key may still be on its way.
    private static let settledAfter = Duration.seconds(360)

    /// Payments taken over: the requests they were in are sent once more, the same bytes under the same key. Whether
    /// the first one was carried out, was not, or arrives a moment after this one, there is one payment.
    ///
    /// A request may hold other writers' documents, too: whoever has those does the same.
    ///
    /// - Returns: what is still in doubt: payments that were in no such request. They are to be looked for.
    mutating func sendUnansweredAgain(_ due: [Due]) async throws -> [Due] {
        let attempts = try await tools.store.unanswered(Self.claims(due).map(\.id), ageMax: Self.settledAfter)
        let read = ContinuousClock.now
        var left = due
        for attempt in attempts {
            let documents = Set(attempt.documents)
            let own = left.filter { documents.contains($0.claim.id) }
            guard !own.isEmpty else { continue }
            let rest = left.filter { !documents.contains($0.claim.id) }
            do {
                left = rest + (try await sendAgain(attempt, own, until: read + (Self.keyAgeMax - attempt.age)))
            } catch let unclear as PutOff {
                try await putOff(own, unclear)
                left = rest
            }
        }
        return left
    }

    /// - Returns: those of which the answer says nothing.
    /// - Throws: ``PutOff`` where there is no answer, and where it is too late to ask and too early to look.
    private mutating func sendAgain(
        _ attempt: UnansweredAttempt, _ own: [Due], until: ContinuousClock.Instant
    ) async throws -> [Due] {
        var tries = 0
        while true {
            guard .now < until else { throw PutOff("a request of \(own.count) payments may still be on its way") }
            let permit = try await reserve(.payments, holding: Self.claims(own))
            guard .now < until else {
                await tools.ledger.giveBack(permit)
                continue
            }
            let reply = try await tools.ledger.createPayments(attempt.bytes, key: attempt.key, permit: permit)
            let call = AnsweredCall(key: attempt.key, correlationID: reply.correlationID)
            switch reply.outcome {
            case .answered(let response):
                guard let results = ElementResult.read("Payments", idField: "PaymentID", from: response.body) else {
                    throw PutOff("an answer that is not understood")
                }
                return try await store(own, answeredBy: results, call)
            case .refused:
                // As a whole: nothing was done, and nothing will be under this key.
                try await record([], of: call)
                return own
            default: break
            }
            try await tools.patience.bear(reply.outcome, tries: tries, holding: withCarried(Self.claims(own)))
            tries += 1
        }
    }

    private mutating func store(
        _ own: [Due], answeredBy results: [ElementResult], _ call: AnsweredCall
    ) async throws -> [Due] {
        let (answered, silent) = Self.answers(to: own, among: results)
        try await store(answered.map(\.result), of: answered.map(\.due), call: call)
        return silent
    }
}
