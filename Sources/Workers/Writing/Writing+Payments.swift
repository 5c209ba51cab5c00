import Domain
import HTTP
import Messaging
import Setbacks
import Store
import Telemetry
import Xero

extension Writing {
    /// One payment that is to be sent, with the claim it settles.
    struct Due {
        let claim: Claim
        let payment: ClaimedPayment
        let documentID: String

        var element: [UInt8] {
            PaymentBody(
                kind: claim.kind, documentID: documentID, account: payment.account, date: payment.date,
                amount: payment.amount, reference: payment.reference
            ).element
        }
    }

    /// One request of payments with its key, ready to be sent.
    struct PaymentRequest {
        let due: [Due]
        let attempt: PaymentAttempt
        /// Not later than it was stored.
        let madeAt = ContinuousClock.now
    }

    /// Sends the payments of written documents. Those that may have been sent before are looked for first, because a
    /// payment has no number that Xero would keep unique.
    mutating func pay(_ written: [Claim]) async throws {
        if !written.isEmpty { pass(.writerInvoiced) }
        let isPrepared = Set(prepared.lazy.flatMap(\.due).map(\.claim.id)).union(carried.lazy.map(\.claim.id))
        var due: [Due] = []
        var doubtful: [Due] = []
        for claim in written {
            let openPayments = claim.payments.filter(\.isOpen)
            guard claim.xeroID != nil, !openPayments.isEmpty else { continue }
            open[claim.id] = Set(openPayments.map(\.id))
            guard !isPrepared.contains(claim.id) else { continue }
            // Taken over from a writer that died after the invoice stood: whatever is open may have been sent.
            let isTakenOver = claim.before == .written
            for item in Self.due(claim, openPayments) {
                if isTakenOver || item.payment.state != "ready" { doubtful.append(item) } else { due.append(item) }
            }
        }
        let requests = prepared
        prepared = []
        for request in requests { try await send(request) }
        if !doubtful.isEmpty { doubtful = try await sendUnansweredAgain(doubtful) }
        if !doubtful.isEmpty {
            do { due += try await missing(of: doubtful) } catch let unseen as PutOff {
                try await putOff(doubtful, unseen)
            }
        }
        due += carried
        let rest = mayCarry ? due.count % Self.paymentsMax : 0
        carried = due.suffix(rest)
        try await send(due.dropLast(rest))
        try await allocate(written.filter { open[$0.id] != nil })
    }

    private static func due(_ claim: Claim, _ payments: [ClaimedPayment]) -> [Due] {
        guard let documentID = claim.xeroID else { return [] }
        return payments.filter { $0.allocates == nil }.map { Due(claim: claim, payment: $0, documentID: documentID) }
    }

    /// The requests that pay invoices just created: nobody can have sent any of these before. What does not fill a
    /// request is carried to the next batch, where there is one: fifty invoices may have more than fifty payments, and
    /// the rest of each batch would cost a call of its own.
    mutating func paymentRequests(of written: [Claim]) -> [PaymentRequest] {
        let due = carried + written.flatMap { Self.due($0, $0.payments.filter(\.isOpen)) }
        let rest = mayCarry ? due.count % Self.paymentsMax : 0
        carried = due.suffix(rest)
        return requests(of: due.dropLast(rest))
    }

    private func requests(of due: [Due]) -> [PaymentRequest] {
        stride(from: 0, to: due.count, by: Self.paymentsMax).map { start in
            request(of: Array(due[start..<min(start + Self.paymentsMax, due.count)]))
        }
    }

    private func request(of due: [Due]) -> PaymentRequest {
        PaymentRequest(
            due: due,
            attempt: PaymentAttempt(
                organisation: tools.organisation, key: IdempotencyKey.make(tools.organisation),
                bytes: InvoiceBody.batch("Payments", of: due.map(\.element)), documents: Self.claims(due).map(\.id)))
    }

    /// Stores what became of payments, and closes the documents that have none left open, in one transaction.
    mutating func record(
        _ outcomes: [(due: Due, result: PaymentResult)], of call: AnsweredCall?
    ) async throws {
        var settled: [Claim] = []
        for (due, result) in outcomes where result.state == .written || result.state == .refused {
            open[due.claim.id]?.remove(result.id)
            if open[due.claim.id]?.isEmpty == true {
                open[due.claim.id] = nil
                settled.append(due.claim)
                if verdicts[due.claim.id] == nil { verdicts[due.claim.id] = .done }
            }
        }
        try await tools.store.recordPayments(
            outcomes.map(\.result), of: Self.claims(outcomes.map(\.due)), settled: settled, answering: call)
    }

    private static let paymentsMax = 50

    private mutating func send(_ due: [Due]) async throws {
        for request in requests(of: due) {
            try await tools.store.recordSending(request.attempt, of: Self.claims(request.due), insteadOf: nil)
            try await send(request)
        }
    }

    /// Sends a request whose key and bytes are stored.
    private mutating func send(_ request: PaymentRequest) async throws {
        let due = request.due
        var sending = request
        var tries = 0
        var mayArriveYet = false
        while true {
            let permit = try await payingPermit(due, mayArriveYet: mayArriveYet)
            pass(.writerPaymentsStored)
            // Looked at last of all: this process may have stood still for longer than its claims last, and another
            // may have sent under this key, which Xero forgets some day.
            guard .now - sending.madeAt < Self.keyAgeMax else {
                await tools.ledger.giveBack(permit)
                throw LeaseLost(count: Self.claims(due).count)
            }
            let key = sending.attempt.key
            let reply = try await tools.ledger.createPayments(sending.attempt.bytes, key: key, permit: permit)
            pass(.writerPaymentsAnswered)
            let call = AnsweredCall(key: key, correlationID: reply.correlationID)
            switch reply.outcome {
            case .answered(let response):
                guard let results = ElementResult.read("Payments", idField: "PaymentID", from: response.body) else {
                    return try await settleUnknown(due, of: call, "an answer that is not understood")
                }
                return try await store(results, of: due, call: call)
            case .refused(let status, let sentence):
                return try await split(due, of: call, "\(sentence) (status \(status))")
            default: break
            }
            do {
                try await tools.patience.bear(reply.outcome, tries: tries, holding: withCarried(Self.claims(due)))
            } catch let putOff as PutOff {
                return try await settleUnknown(due, of: call, putOff.why)
            } catch let limit as LimitUsedUp {
                // Refused before anything happened: nobody need send it under this key again.
                if !mayArriveYet { try await record([], of: call) }
                throw limit
            }
            tries += 1
            if case .unknown = reply.outcome {
                // The same bytes under the same key: if the first call was carried out, its answer is replayed.
                mayArriveYet = true
            } else if mayArriveYet {
                // This call did nothing, but one before it may have: a new key would pay twice.
                return try await settleUnknown(due, of: call, "a call whose answer was lost, then one not taken")
            } else {
                // Nothing was carried out: a new key, because refusals may be stored under the old one.
                sending = self.request(of: due)
            }
            try await tools.store.recordSending(
                sending.attempt, of: Self.claims(due), insteadOf: mayArriveYet ? nil : key)
        }
    }

    /// A permit for payments. Where the wait for it ends without one (a drain, the database away), nothing is on its
    /// way to the ledger: the documents are let go of, so that whoever gets the messages next need not wait for our
    /// lease to end.
    private func payingPermit(_ due: [Due], mayArriveYet: Bool) async throws -> CallPermit {
        let claims = Self.claims(due)
        do { return try await reserve(.payments, holding: claims) } catch {
            if !mayArriveYet, !(error is LeaseLost) { await tools.letGo(withCarried(claims)) }
            throw error
        }
    }

    private mutating func split(_ due: [Due], of call: AnsweredCall, _ sentence: String) async throws {
        guard due.count == 1, let only = due.first else {
            let middle = due.count / 2
            try await record([], of: call)
            try await send(Array(due[..<middle]))
            return try await send(Array(due[middle...]))
        }
        try await record([(only, refuse(only, [sentence]))], of: call)
    }

    mutating func store(_ results: [ElementResult], of due: [Due], call: AnsweredCall) async throws {
        var outcomes: [(due: Due, result: PaymentResult)] = []
        let (answered, unanswered) = Self.answers(to: due, among: results)
        var excessive: [(due: Due, sentences: [String])] = []
        for (item, result) in answered {
            if result.isAccepted {
                outcomes.append((item, PaymentResult(id: item.payment.id, state: .written, xeroID: result.id)))
            } else if RefusalReading.saysPaidAlready(result.errors) {
                excessive.append((item, result.errors))
            } else {
                outcomes.append((item, refuse(item, result.errors)))
            }
        }
        try await record(outcomes, of: call)
        tools.metrics.count(
            "tillbridge_payments_written_total", ["organisation": tools.organisation.text],
            by: outcomes.count { $0.result.state == .written })
        if !excessive.isEmpty { try await adoptOrRefuse(excessive) }
        if !unanswered.isEmpty {
            try await settleUnknown(unanswered, of: call, "no word about these payments")
        }
    }

    /// An invoice that owes nothing more may have been paid by ourselves: a call of ours that was slower than its lease
    /// arrives after another writer looked and before it sends. What stands is adopted; only the rest was refused.
    private mutating func adoptOrRefuse(_ excessive: [(due: Due, sentences: [String])]) async throws {
        let refused: Set<PaymentKey>
        do { refused = Set(try await missing(of: excessive.map(\.due)).map(\.payment.id)) } catch let unseen as PutOff {
            return try await putOff(excessive.map(\.due), unseen)
        }
        var outcomes: [(due: Due, result: PaymentResult)] = []
        for (item, sentences) in excessive where refused.contains(item.payment.id) {
            outcomes.append((item, refuse(item, sentences)))
        }
        if !outcomes.isEmpty { try await record(outcomes, of: nil) }
    }

    private mutating func refuse(_ item: Due, _ sentences: [String]) -> PaymentResult {
        let what = "the payment of \(item.payment.amount) by \(item.payment.reference) on \(item.claim.name)"
        let park = RefusalReading.park(sentences, document: what)
        self.park(item.claim, park)
        return PaymentResult(id: item.payment.id, state: .refused, cause: park.cause)
    }

    /// After a call whose outcome is unknown: what stands in the ledger is adopted, what does not is put off, and
    /// looked for once more before it is sent.
    private mutating func settleUnknown(_ due: [Due], of call: AnsweredCall, _ cause: String) async throws {
        try await tools.store.recordPayments(
            due.map { PaymentResult(id: $0.payment.id, state: .uncertain, cause: cause) }, of: Self.claims(due),
            settled: [], answering: call)
        do { try await putOff(try await missing(of: due), PutOff(cause)) } catch let unseen as PutOff {
            try await putOff(due, unseen)
        }
    }

    /// Reads the documents' payments: those that stand there are recorded, the others are returned.
    ///
    /// - Throws: ``PutOff`` where the look fails time and again.
    private mutating func missing(of due: [Due]) async throws -> [Due] {
        let claims = Self.claims(due)
        let documents = try await self.standing(claims)
        pass(.writerPaymentsLooked)
        // A payment that is known to stand cannot be one that is looked for: a customer may pay the same amount twice.
        // As the table has it now, not as it was claimed: an equal one may have been recorded a moment ago.
        let known = try await tools.store.standingPayments(of: claims.map(\.id))
        var standing: [String: [StandingPayment]] = [:]
        for document in documents {
            standing[document.id] = document.payments.filter { !known.contains($0.id) }
        }
        var found: [(due: Due, result: PaymentResult)] = []
        var missing: [Due] = []
        for item in due {
            if let index = standing[item.documentID]?.firstIndex(where: { item.payment.isSame(as: $0) }),
                let payment = standing[item.documentID]?.remove(at: index)
            {
                found.append((item, PaymentResult(id: item.payment.id, state: .written, xeroID: payment.id)))
            } else {
                missing.append(item)
            }
        }
        if !found.isEmpty { try await record(found, of: nil) }
        return missing
    }

    /// What an answer says of each payment: of two that differ in nothing but their day (instalments) each gets its
    /// own, as far as days are told.
    static func answers(
        to due: [Due], among results: [ElementResult]
    ) -> (answered: [(due: Due, result: ElementResult)], silent: [Due]) {
        var left = results
        var found: [Int: ElementResult] = [:]
        for mayDiffer in [false, true] {
            for (place, item) in due.enumerated() where found[place] == nil {
                let index = left.firstIndex { result in
                    item.isAnswered(by: result) && (mayDiffer || item.payment.isDated(result.date))
                }
                if let index { found[place] = left.remove(at: index) }
            }
        }
        return (
            due.enumerated().compactMap { place, item in found[place].map { (item, $0) } },
            due.enumerated().filter { found[$0.offset] == nil }.map(\.element)
        )
    }

    static func claims(_ due: [Due]) -> [Claim] {
        var seen: Set<DocumentID> = []
        return due.map(\.claim).filter { seen.insert($0.id).inserted }
    }
}

extension Writing.Due {
    /// Payments have no number of ours: document, account and amount tell them apart.
    func isAnswered(by result: ElementResult) -> Bool {
        result.documentID == documentID && (result.account ?? payment.account) == payment.account
            && (result.amount.map { Amounts.areEqual($0, payment.amount) } ?? true)
    }
}

extension ClaimedPayment {
    /// Also where the other's day is not known.
    fileprivate func isDated(_ day: CalendarDate?) -> Bool { day.map { $0 == date } ?? true }

    /// A payment is sent with the day that is stored, so that one of another day is another payment.
    fileprivate func isSame(as other: StandingPayment) -> Bool {
        guard let amount = other.amount, Amounts.areEqual(amount, self.amount), isDated(other.date) else {
            return false
        }
        return (other.account ?? account) == account && (other.reference ?? reference) == reference
    }
}
