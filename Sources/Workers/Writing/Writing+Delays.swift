import Domain
import Messaging
import Setbacks
import Store

extension Writing {
    /// Documents that failed for now: their messages go to a delay queue, counted, and in the end to the desk. None of
    /// them stands in the ledger, as far as could be seen; it is looked again before anything is sent.
    mutating func putOff(_ claims: [Claim], _ why: String) async throws {
        var waits: [Duration: [Claim]] = [:]
        var given: [InvoiceResult] = []
        for claim in claims {
            switch course(of: claim, why) {
            case .settle(.retry(let after, let counted, let cause)):
                verdicts[claim.id] = .retry(after: after, counted: counted, cause: cause)
                waits[RetryDelay.atLeast(after).duration, default: []].append(claim)
            case .settle(.park(let reason, _)):
                let park = Self.park(reason, about: claim.name)
                self.park(claim, park)
                given.append(InvoiceResult(claim: claim, state: .refused, cause: park.cause))
            case .settle, .again, .pause, .proceed, .stop: preconditionFailure("a failure has no other course")
            }
        }
        for (wait, claims) in waits { try await tools.store.putOff(claims, for: wait) }
        if !given.isEmpty { try await tools.store.recordInvoices(given, of: nil, payments: []) }
    }

    /// The same of payments. Where a document has a letter already, its other payments do not wait for hours: the
    /// letter tells of them, too.
    mutating func putOff(_ due: [Due], _ why: String) async throws {
        var waits: [Duration: [Claim]] = [:]
        var given: [(due: Due, result: PaymentResult)] = []
        // What of these documents is carried waits with the rest: nobody may take one for paid that is not.
        let documents = Set(due.map(\.claim.id))
        carried.removeAll { documents.contains($0.claim.id) }
        for claim in Self.claims(due) {
            let own = due.filter { $0.claim.id == claim.id }
            let hasLetter = if case .park = verdicts[claim.id] { true } else { false }
            switch course(of: claim, why) {
            case .settle(.retry(let after, let counted, let cause)) where !hasLetter:
                verdicts[claim.id] = .retry(after: after, counted: counted, cause: cause)
                waits[RetryDelay.atLeast(after).duration, default: []].append(claim)
            case .settle(.park(let reason, _)): given += own.map { ($0, giveUp($0, reason)) }
            default:
                let reason = Park(.connection, why, remedy: "See whether Xero has trouble; then replay.")
                given += own.map { ($0, giveUp($0, reason)) }
            }
        }
        for (wait, claims) in waits { try await tools.store.putOff(claims, for: wait) }
        if !given.isEmpty { try await record(given, of: nil) }
    }

    /// What is to be done with a document that stands failed for now. In the end it counts as refused by Xero: whoever
    /// asked for it decides what is done instead, and writes the letter.
    mutating func putOff(_ claim: Claim, task why: String) async throws {
        switch course(of: claim, why) {
        case .settle(.retry(let after, let counted, let cause)):
            verdicts[claim.id] = .retry(after: after, counted: counted, cause: cause)
            try await tools.store.putOff([claim], for: RetryDelay.atLeast(after).duration)
        case .settle(.park(let reason, _)):
            try await tools.store.recordTask(claim, .refused(reason.cause, .other))
        case .settle, .again, .pause, .proceed, .stop: preconditionFailure("a failure has no other course")
        }
    }

    /// Whatever of the batch has no verdict yet.
    mutating func putOffRest(_ claims: [Claim], _ why: String) async throws {
        let rest = withCarried(claims).filter { verdicts[$0.id] == nil }
        carried = []
        // Of one that stands, only its payments are left: they are looked for when it comes again.
        for claim in rest where claim.task != nil { try await putOff(claim, task: why) }
        let standing = rest.filter { $0.task == nil && ($0.before == .written || open[$0.id] != nil) }
        for claim in standing { try await putOff(claim.payments.filter(\.isOpen).map { due($0, of: claim) }, why) }
        let absent = Set(rest.lazy.filter { $0.task == nil }.map(\.id)).subtracting(standing.map(\.id))
        try await putOff(rest.filter { absent.contains($0.id) }, why)
    }

    private func due(_ payment: ClaimedPayment, of claim: Claim) -> Due {
        Due(claim: claim, payment: payment, documentID: claim.xeroID ?? "")
    }

    private func course(of claim: Claim, _ why: String) -> Course {
        let subject = BatchWriter.subject(of: claim, tools.organisation)
        return tools.patience.course(of: .failed(why: why), Course.Way(attempt: claim.attempt, about: subject))
    }

    private mutating func giveUp(_ item: Due, _ reason: Park) -> PaymentResult {
        let what = "the payment of \(item.payment.amount) by \(item.payment.reference) on \(item.claim.name)"
        let park = Self.park(reason, about: what)
        self.park(item.claim, park)
        return PaymentResult(id: item.payment.id, state: .refused, cause: park.cause)
    }

    private static func park(_ reason: Park, about what: String) -> Park {
        Park(reason.deadLetterClass, "To send \(what): \(reason.cause)", remedy: reason.remedy)
    }
}
