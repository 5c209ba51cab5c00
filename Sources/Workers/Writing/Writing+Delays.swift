import Domain
import Messaging
import Setbacks
import Store

extension Writing {
    /// Documents that failed for now: their messages go to a delay queue, counted, and in the end to the desk. None of
    /// them stands in the ledger, as far as could be seen; it is looked again before anything is sent.
    mutating func putOff(_ claims: [Claim], _ putOff: PutOff) async throws {
        var waits: [Duration: [Claim]] = [:]
        var given: [InvoiceResult] = []
        for claim in claims {
            switch fate(of: claim, putOff) {
            case .later(let after, let why):
                verdicts[claim.id] = .retry(after: after, counted: true, cause: why)
                waits[RetryDelay.atLeast(after).duration, default: []].append(claim)
            case .park(let reason):
                let park = Self.park(reason, about: claim.name)
                self.park(claim, park)
                given.append(InvoiceResult(claim: claim, state: .refused, cause: park.cause))
            }
        }
        for (wait, claims) in waits { try await tools.store.putOff(claims, for: wait) }
        if !given.isEmpty { try await tools.store.recordInvoices(given, of: nil, payments: []) }
    }

    /// The same of payments. Where a document has a letter already, its other payments do not wait for hours: the
    /// letter tells of them, too. Not so a letter of what was refused earlier: what waits now may have been sent by
    /// whoever was to send that letter, and it is made again with the next claim.
    mutating func putOff(_ due: [Due], _ putOff: PutOff) async throws {
        var waits: [Duration: [Claim]] = [:]
        var given: [(due: Due, result: PaymentResult)] = []
        // What of these documents is carried waits with the rest: nobody may take one for paid that is not.
        let documents = Set(due.map(\.claim.id))
        carried.removeAll { documents.contains($0.claim.id) }
        for claim in Self.claims(due) {
            let own = due.filter { $0.claim.id == claim.id }
            let hasLetter = if case .park = verdicts[claim.id] { !isToldAgain.contains(claim.id) } else { false }
            switch fate(of: claim, putOff) {
            case .later(let after, let why) where !hasLetter:
                verdicts[claim.id] = .retry(after: after, counted: true, cause: why)
                waits[RetryDelay.atLeast(after).duration, default: []].append(claim)
            case .later(_, let why):
                let reason = Park(.connection, why, remedy: "See whether Xero has trouble; then replay.")
                given += own.map { ($0, giveUp($0, reason)) }
            case .park(let reason): given += own.map { ($0, giveUp($0, reason)) }
            }
        }
        for (wait, claims) in waits { try await tools.store.putOff(claims, for: wait) }
        if !given.isEmpty { try await record(given, of: nil) }
    }

    /// What is to be done with a document that stands failed for now. In the end it counts as refused by Xero: whoever
    /// asked for it decides what is done instead, and writes the letter.
    mutating func putOff(_ claim: Claim, task putOff: PutOff) async throws {
        switch fate(of: claim, putOff) {
        case .later(let after, let why):
            verdicts[claim.id] = .retry(after: after, counted: true, cause: why)
            try await tools.store.putOff([claim], for: RetryDelay.atLeast(after).duration)
        case .park(let reason): try await tools.store.recordTask(claim, .refused(reason.cause, .other), of: nil)
        }
    }

    /// Whatever has no verdict yet: of this batch, and of earlier ones whose payments were carried here.
    mutating func putOffRest(_ claims: [Claim], _ putOff: PutOff) async throws {
        carried = []
        let all = claims.reduce(into: latest) { all, claim in if all[claim.id] == nil { all[claim.id] = claim } }
        let rest = all.values.filter { verdicts[$0.id] == nil }.sorted { $0.id.value < $1.id.value }
        var absent: [Claim] = []
        for claim in rest {
            if claim.task != nil, !isCarriedOut.contains(claim.id) {
                try await self.putOff(claim, task: putOff)
            } else if claim.before == .written || stands.contains(claim.id) {
                // Of one that stands, only payments are left: they are looked for when it comes again.
                let left = claim.payments.filter { open[claim.id]?.contains($0.id) ?? $0.isOpen }
                if !left.isEmpty { try await self.putOff(left.map { due($0, of: claim) }, putOff) }
            } else {
                absent.append(claim)
            }
        }
        try await self.putOff(absent, putOff)
    }

    private func due(_ payment: ClaimedPayment, of claim: Claim) -> Due {
        Due(claim: claim, payment: payment, documentID: claim.xeroID ?? "")
    }

    private func fate(of claim: Claim, _ putOff: PutOff) -> PutOff.Fate {
        let subject = BatchWriter.subject(of: claim, tools.organisation)
        return putOff.fate(of: Course.Way(attempt: claim.attempt, about: subject), permille: chance)
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
