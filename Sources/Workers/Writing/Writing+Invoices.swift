import Domain
import HTTP
import JSON
import Logging
import Messaging
import Money
import Setbacks
import Store
import Telemetry
import Xero

extension Writing {
    /// Creates the invoices or the credit notes of one request: documents of one kind.
    ///
    /// - Returns: the claims that now stand in the ledger, with their ids. The others have a verdict. Payments of those
    ///   just created are in ``prepared``.
    mutating func create(_ batch: [Addressed]) async throws -> [Claim] {
        guard !batch.isEmpty else { return [] }
        var batch = batch
        let kind = batch[0].claim.kind
        let body = InvoiceBody.batch(kind.endpoint, of: batch.map(\.element))
        var tries = 0
        var mayStand = false
        var key = IdempotencyKey.make(tools.organisation)
        var keyMade = ContinuousClock.now
        while true {
            let permit = try await reserve(.invoices, holding: batch.map(\.claim))
            guard !mayStand || .now - keyMade < Self.keyAgeMax else {
                // Xero may have forgotten the key by now.
                await tools.ledger.giveBack(permit)
                return try await settleUnknown(batch, of: AnsweredCall(key: key), "no answer for minutes")
            }
            do { batch = try await stored(batch, body, key) } catch let taken as TakenByOthers {
                await tools.ledger.giveBack(permit)
                return try await create(without(taken, batch))
            }
            pass(.writerStored)
            let reply = try await tools.ledger.create(kind, body, key: key, permit: permit)
            pass(.writerAnswered)
            let call = AnsweredCall(key: key, correlationID: reply.correlationID)
            switch reply.outcome {
            case .answered(let response):
                guard let results = ElementResult.read(kind.endpoint, idField: kind.idField, from: response.body) else {
                    tools.logger.error("the answer to PUT /\(kind.endpoint) is not understood: looking what stands")
                    return try await settleUnknown(batch, of: call, "an answer that is not understood")
                }
                return try await store(results, of: batch, call: call)
            case .refused(let status, let sentence):
                return try await split(batch, of: call, status, sentence)
            default: break
            }
            do {
                try await tools.patience.bear(reply.outcome, tries: tries, holding: withCarried(batch.map(\.claim)))
            } catch let putOff as PutOff {
                // Asked often enough, or failed for good under this key: what stands there decides.
                return try await settleUnknown(batch, of: call, putOff.why)
            } catch let limit as LimitUsedUp {
                // Refused before anything happened: nothing has to be looked for when they come again.
                if !mayStand {
                    try await tools.store.recordNotTaken(batch.map(\.claim), of: call, cause: limit.putOff.why)
                }
                throw limit
            }
            tries += 1
            if case .unknown = reply.outcome {
                // The same bytes under the same key: if the first call was carried out, its answer is replayed.
                mayStand = true
            } else {
                // Nothing was carried out: a new key, because refusals may be stored under the old one.
                key = IdempotencyKey.make(tools.organisation)
                keyMade = .now
            }
        }
    }

    /// Key and bytes are stored, and the documents claimed: now the request may go out.
    private mutating func stored(_ batch: [Addressed], _ body: [UInt8], _ key: String) async throws -> [Addressed] {
        let claims = try await tools.store.recordSending(
            batch.map(\.claim),
            SendingAttempt(
                organisation: tools.organisation, kind: batch[0].claim.kind, key: key, bytes: body,
                lease: tools.patience.lease))
        var batch = batch
        for (index, claim) in claims.enumerated() {
            batch[index].claim = claim
            latest[claim.id] = claim
        }
        return batch
    }

    /// What others took meanwhile is theirs; their message, or ours when it comes again, sees how it went.
    private mutating func without(_ taken: TakenByOthers, _ batch: [Addressed]) -> [Addressed] {
        for id in taken.documents {
            verdicts[id] = .retry(after: .seconds(5), counted: false, cause: "another writer took it")
        }
        return batch.filter { !taken.documents.contains($0.claim.id) }
    }

    /// One bad request must not hold back its neighbours: halves are sent alone until the bad one stands by itself.
    private mutating func split(
        _ batch: [Addressed], of call: AnsweredCall, _ status: Int, _ sentence: String
    ) async throws -> [Claim] {
        guard batch.count == 1, let only = batch.first else {
            let middle = batch.count / 2
            let first = try await create(Array(batch[..<middle]))
            return first + (try await create(Array(batch[middle...])))
        }
        let park = RefusalReading.park(["\(sentence) (status \(status))"], document: only.claim.name)
        self.park(only.claim, park)
        try await tools.store.recordInvoices(
            [InvoiceResult(claim: only.claim, state: .refused, cause: park.cause)], of: call, payments: [])
        return []
    }

    /// Stores what the ledger said of each element.
    private mutating func store(
        _ results: [ElementResult], of batch: [Addressed], call: AnsweredCall
    ) async throws -> [Claim] {
        var byNumber: [String: ElementResult] = [:]
        for result in results { if let number = result.number { byNumber[number] = result } }
        var outcomes: [InvoiceResult] = []
        var written: [Claim] = []
        var there: [Addressed] = []
        for element in batch {
            var claim = element.claim
            guard let result = byNumber[claim.number] else {
                there.append(element)
                continue
            }
            if result.isAccepted, let id = result.id {
                claim.xeroID = id
                let difference = checkTotal(of: claim, result.amount)
                outcomes.append(InvoiceResult(claim: claim, state: .written, xeroID: id, cause: difference))
                written.append(claim)
            } else if RefusalReading.saysAlreadyThere(result.errors) {
                there.append(element)
            } else {
                let park = RefusalReading.park(result.errors, document: claim.name)
                if RefusalReading.saysContactIsArchived(result.errors) {
                    await tools.contacts.doubt(claim.contactNumber)
                }
                self.park(claim, park)
                outcomes.append(InvoiceResult(claim: claim, state: .refused, cause: park.cause))
            }
        }
        // The payments' requests are stored in the same transaction as the answer they follow from.
        let requests = paymentRequests(of: written)
        try await tools.store.recordInvoices(
            outcomes, of: call, payments: requests.map { ($0.attempt, Self.claims($0.due)) })
        noteStanding(written)
        prepared += requests
        tools.metrics.count(
            "tillbridge_invoices_written_total", ["organisation": tools.organisation.text], by: written.count)
        if !there.isEmpty { written += try await settleUnknown(there, of: nil, "the number is there already") }
        return written
    }

    /// Xero adds the lines up itself: a total that differs from the till's is told at once.
    ///
    /// - Returns: the cause, to be stored with the document.
    private mutating func checkTotal(of claim: Claim, _ total: String?) -> String? {
        guard let total, !Amounts.areEqual(total, claim.total) else { return nil }
        let park = RefusalReading.again(
            "\(Self.differing(claim)) \(total), the till says \(claim.total).")
        self.park(claim, park)
        return park.cause
    }

    /// How the cause begins that is stored with a document whose total in Xero is not the till's.
    static func differing(_ claim: Claim) -> String { "Xero holds \(claim.name) with" }

    /// After a call whose outcome is unknown: what stands in the ledger is adopted, what does not is put off.
    private mutating func settleUnknown(
        _ batch: [Addressed], of call: AnsweredCall?, _ cause: String
    ) async throws -> [Claim] {
        let claims = batch.map(\.claim)
        if let call { try await tools.store.recordUncertain(claims, of: call, cause: cause) }
        tools.metrics.count(
            "tillbridge_invoices_looked_up_total", ["organisation": tools.organisation.text], by: claims.count)
        do {
            let (adopted, absent) = try await lookUp(claims)
            try await putOff(absent, PutOff(cause))
            return adopted
        } catch let unseen as PutOff {
            try await putOff(claims, unseen)
            return []
        }
    }

    /// Asks the ledger which of these numbers it holds.
    ///
    /// - Returns: those that stand there and are ours, and those that do not stand there. Somebody else's document
    ///   under our number goes to the desk.
    mutating func lookUp(_ claims: [Claim]) async throws -> (adopted: [Claim], absent: [Claim]) {
        var found: [String: LedgerInvoice] = [:]
        for invoice in try await standing(claims) { found[invoice.number] = invoice }
        pass(.writerLooked)
        var adopted: [Claim] = []
        var absent: [Claim] = []
        var outcomes: [InvoiceResult] = []
        for claim in claims {
            guard let invoice = found[claim.number] else {
                absent.append(claim)
                continue
            }
            if let difference = try await difference(claim, invoice) {
                let isOurs = try await isEarlierVersion(invoice, of: claim)
                let park = RefusalReading.taken(claim.number, difference, isEarlierVersion: isOurs)
                self.park(claim, park)
                outcomes.append(InvoiceResult(claim: claim, state: .refused, cause: park.cause))
            } else {
                var claim = claim
                claim.xeroID = invoice.id
                claim.payments = claim.payments.map { $0.adopted(from: invoice) }
                outcomes.append(InvoiceResult(claim: claim, state: .written, xeroID: invoice.id))
                adopted.append(claim)
            }
        }
        if !outcomes.isEmpty { try await tools.store.recordInvoices(outcomes, of: nil, payments: []) }
        noteStanding(adopted)
        return (adopted, absent)
    }

    /// What the ledger holds under the numbers of these documents.
    func standing(_ claims: [Claim]) async throws -> [LedgerInvoice] {
        var found: [LedgerInvoice] = []
        for kind in LedgerDocument.Kind.allCases {
            let ofKind = claims.filter { $0.kind == kind }
            for start in stride(from: 0, to: ofKind.count, by: kind.numbersMax) {
                let part = ofKind[start..<min(start + kind.numbersMax, ofKind.count)]
                found += try await documents(kind, part.map(\.number), holding: claims)
            }
        }
        return found
    }

    /// - Throws: ``PutOff`` where the look fails time and again.
    func documents(
        _ kind: LedgerDocument.Kind, _ numbers: [String], holding claims: [Claim]
    ) async throws -> [LedgerInvoice] {
        var tries = 0
        while true {
            let outcome: XeroOutcome
            let found = try await tools.patience.keeping(withCarried(claims)) { [tools] in
                try await tools.ledger.documents(kind, numbers: numbers)
            }
            switch found {
            case .found(let invoices): return invoices
            case .failed(let failure): outcome = failure
            }
            do {
                try await tools.patience.bear(outcome, isRepeatable: true, tries: tries, holding: withCarried(claims))
            } catch let refusal as Park {
                // One that Xero will not answer at all waits like a disconnection.
                let reason = "Xero refuses to look up \(kind.endpoint): \(refusal.cause)"
                try await tools.patience.rest(.seconds(60), because: reason, holding: withCarried(claims))
            }
            tries += 1
        }
    }

    /// Whether what stands is what an earlier version of the document came to: its writer died before it knew, it
    /// counted as refused, and the order was corrected since.
    private func isEarlierVersion(_ invoice: LedgerInvoice, of claim: Claim) async throws -> Bool {
        guard let total = invoice.total else { return false }
        return try await tools.store.sentBodies(of: claim.id).contains { bytes in
            (try? JSON(parsing: bytes))?[claim.kind.endpoint]?.elements.contains { element in
                guard let sent = try? InvoiceBody.document(from: Array(element.raw), contact: claim.contactNumber)
                else { return false }
                return sent.number.text == invoice.number && Amounts.areEqual(sent.total.description, total)
                    && (invoice.date ?? sent.date.description) == sent.date.description
                    && invoice.contactID == element["Contact"]?["ContactID"]?.string
            } ?? false
        }
    }

    /// Nil where the document is ours: same contact, date and total.
    private func difference(_ claim: Claim, _ invoice: LedgerInvoice) async throws -> String? {
        if invoice.status == "VOIDED" || invoice.status == "DELETED" { return "it is \(invoice.status)" }
        if let total = invoice.total, !Amounts.areEqual(total, claim.total) {
            return "its total is \(total), ours \(claim.total)"
        }
        if let date = invoice.date, date != claim.date { return "its date is \(date), ours \(claim.date)" }
        let contact = try await tools.contacts.id(of: claim, holding: [claim])
        if let theirs = invoice.contactID, theirs != contact { return "it is another contact's" }
        return nil
    }
}

extension Claim {
    /// `invoice HBR-1`: what a person is told.
    var name: String { (kind == .invoice ? "invoice " : "credit note ") + number }
}

extension ClaimedPayment {
    /// Payments a dead writer may have sent are looked for before any re-send, so they count as in doubt.
    fileprivate func adopted(from invoice: LedgerInvoice) -> ClaimedPayment {
        guard state == "ready", !invoice.payments.isEmpty else { return self }
        var doubtful = self
        doubtful.state = "uncertain"
        return doubtful
    }
}
