import Telemetry
import Domain
import HTTP
import Messaging
import Store
import Telemetry
import Xero

extension Writing {
    /// One payment that is to be sent, with the claim it settles.
    struct Due {
        let claim: Claim
        let payment: ClaimedPayment
        let invoiceID: String

        var element: [UInt8] {
            PaymentBody(
                invoiceID: invoiceID, account: payment.account, date: payment.date, amount: payment.amount,
                reference: payment.reference
            ).element
        }
    }

    /// Payments a request of fifty each; those that may have been sent before are looked for first, because a payment
    /// has no number that Xero would keep unique.
    mutating func pay(_ written: [Claim]) async throws {
        var due: [Due] = []
        var doubtful: [Due] = []
        for claim in written {
            guard let invoiceID = claim.xeroID else { continue }
            for payment in claim.payments {
                let item = Due(claim: claim, payment: payment, invoiceID: invoiceID)
                switch payment.state {
                case "ready": due.append(item)
                case "sent", "uncertain": doubtful.append(item)
                default: break
                }
            }
        }
        for claim in written where claim.hasOpenPayments {
            open[claim.id] = Set(claim.payments.filter { $0.state != "written" && $0.state != "refused" }.map(\.id))
        }
        if !doubtful.isEmpty { due += try await missing(of: doubtful) }
        for start in stride(from: 0, to: due.count, by: Self.paymentsMax) {
            try await send(Array(due[start..<min(start + Self.paymentsMax, due.count)]))
        }
    }

    /// Stores what became of payments, and closes the documents that have none left open, in one transaction.
    private mutating func record(_ outcomes: [(due: Due, result: PaymentResult)], key: String?) async throws {
        var settled: [Claim] = []
        for (due, result) in outcomes where result.state == .written || result.state == .refused {
            open[due.claim.id]?.remove(result.id)
            if open[due.claim.id]?.isEmpty == true {
                open[due.claim.id] = nil
                settled.append(due.claim)
            }
        }
        try await tools.store.recordPayments(outcomes.map(\.result), settled: settled, key: key)
    }

    private static let paymentsMax = 50

    private mutating func send(_ due: [Due]) async throws {
        guard !due.isEmpty else { return }
        let body = InvoiceBody.batch("Payments", of: due.map(\.element))
        var key = IdempotencyKey.make(tools.organisation)
        var attempt = 0
        while true {
            let sending = PaymentAttempt(
                organisation: tools.organisation, key: key, bytes: body, ids: due.map(\.payment.id))
            try await tools.store.recordInvoices([], key: nil, payments: sending)
            let outcome = try await tools.ledger.createPayments(body, key: key)
            switch outcome {
            case .answered(let response):
                guard let results = ElementResult.read("Payments", idField: "PaymentID", from: response.body) else {
                    return try await sendMissing(of: due, key: key, "an answer that is not understood")
                }
                return try await store(results, of: due, key: key)
            case .refused(let status, let sentence):
                return try await split(due, key: key, "\(sentence) (status \(status))")
            case .unknown(let detail) where attempt >= Self.sameKeyAttemptsMax || detail.hasPrefix("5"):
                return try await sendMissing(of: due, key: key, detail)
            default: break
            }
            guard let (wait, reason) = tools.patience.wait(for: outcome, attempt: attempt) else { continue }
            attempt += 1
            if case .unknown = outcome {} else { key = IdempotencyKey.make(tools.organisation) }
            try await tools.patience.rest(wait, because: reason, holding: Self.claims(due))
        }
    }

    private mutating func split(_ due: [Due], key: String, _ sentence: String) async throws {
        guard due.count == 1, let only = due.first else {
            let middle = due.count / 2
            try await send(Array(due[..<middle]))
            return try await send(Array(due[middle...]))
        }
        refuse(only, [sentence])
        try await record([(only, PaymentResult(id: only.payment.id, state: .refused, cause: sentence))], key: key)
    }

    private mutating func store(_ results: [ElementResult], of due: [Due], key: String) async throws {
        var left = results
        var outcomes: [(due: Due, result: PaymentResult)] = []
        var unanswered: [Due] = []
        for item in due {
            guard let index = left.firstIndex(where: { item.isAnswered(by: $0) }) else {
                unanswered.append(item)
                continue
            }
            let result = left.remove(at: index)
            if result.isAccepted {
                outcomes.append((item, PaymentResult(id: item.payment.id, state: .written, xeroID: result.id)))
            } else {
                refuse(item, result.errors)
                let cause = result.errors.joined(separator: " ")
                outcomes.append((item, PaymentResult(id: item.payment.id, state: .refused, cause: cause)))
            }
        }
        try await record(outcomes, key: key)
        tools.metrics.count(
            "tillbridge_payments_written_total", ["organisation": tools.organisation.text],
            by: outcomes.count { $0.result.state == .written })
        if !unanswered.isEmpty { try await sendMissing(of: unanswered, key: key, "no word about these payments") }
    }

    private mutating func refuse(_ item: Due, _ sentences: [String]) {
        let what = "the payment of \(item.payment.amount) by \(item.payment.reference) on invoice \(item.claim.number)"
        park(item.claim, RefusalReading.park(sentences, document: what))
    }

    private mutating func sendMissing(of due: [Due], key: String, _ cause: String) async throws {
        try await tools.store.recordPayments(
            due.map { PaymentResult(id: $0.payment.id, state: .uncertain, cause: cause) }, settled: [], key: key)
        try await tools.patience.rest(.seconds(1), because: cause, holding: Self.claims(due))
        try await send(try await missing(of: due))
    }

    /// Reads the invoices' payments: those that stand there are recorded, the others are returned.
    private mutating func missing(of due: [Due]) async throws -> [Due] {
        let claims = Self.claims(due)
        var standing: [String: [LedgerPayment]] = [:]
        for start in stride(from: 0, to: claims.count, by: invoiceNumbersMax) {
            let part = claims[start..<min(start + invoiceNumbersMax, claims.count)]
            for invoice in try await invoices(part.map(\.number), holding: claims) {
                standing[invoice.id] = invoice.payments
            }
        }
        var found: [(due: Due, result: PaymentResult)] = []
        var missing: [Due] = []
        for item in due {
            if let index = standing[item.invoiceID]?.firstIndex(where: { item.payment.isSame(as: $0) }),
                let payment = standing[item.invoiceID]?.remove(at: index)
            {
                found.append((item, PaymentResult(id: item.payment.id, state: .written, xeroID: payment.id)))
            } else {
                missing.append(item)
            }
        }
        if !found.isEmpty { try await record(found, key: nil) }
        return missing
    }

    private static func claims(_ due: [Due]) -> [Claim] {
        var seen: Set<DocumentID> = []
        return due.map(\.claim).filter { seen.insert($0.id).inserted }
    }
}

extension Writing.Due {
    /// Payments have no number of ours: invoice, account and amount tell them apart.
    fileprivate func isAnswered(by result: ElementResult) -> Bool {
        result.invoiceID == invoiceID && (result.account ?? payment.account) == payment.account
            && (result.amount.map { Amounts.areEqual($0, payment.amount) } ?? true)
    }
}

extension ClaimedPayment {
    fileprivate func isSame(as other: LedgerPayment) -> Bool {
        guard let amount = other.amount, Amounts.areEqual(amount, self.amount) else { return false }
        return (other.account ?? account) == account && (other.reference ?? reference) == reference
    }
}
