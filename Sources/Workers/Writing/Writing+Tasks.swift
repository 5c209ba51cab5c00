import Domain
import Logging
import Messaging
import Store
import Xero

extension Writing {
    /// Carries out what is to be done with documents that stand: they are changed or made void.
    ///
    /// Every step begins with a look at what stands in the ledger and does only what is left to do, so that a writer
    /// that died on its way is simply followed by another. Key and bytes are stored before each call all the same.
    ///
    /// - Returns: the claims that may have payments left to send.
    mutating func carryOut(_ claims: [Claim]) async throws -> [Claim] {
        var rest: [Claim] = []
        for claim in claims {
            switch claim.task {
            case nil: rest.append(claim)
            case .void:
                do { try await makeVoid(claim) } catch let refusal as TaskRefusal { try await giveUp(claim, refusal) }
            case .update:
                do { try await update(claim) } catch let refusal as TaskRefusal {
                    try await giveUp(claim, refusal)
                    continue
                }
                rest.append(claim)
            }
        }
        return rest
    }

    /// Xero will not do it, and would not next time either.
    private struct TaskRefusal: Error { let sentence: String }

    // MARK: void

    private func makeVoid(_ claim: Claim) async throws {
        guard let id = claim.xeroID, let document = try await standing([claim]).first, !document.isGone else {
            return try await tools.store.recordTask(claim, .voided)
        }
        for payment in document.payments {
            try await change(
                claim, .post, "/Payments/\(payment.id)", #"{"Status":"DELETED"}"#, unless: {
                    try await standing([claim]).first?.payments.contains { $0.id == payment.id } != true
                })
        }
        for allocation in try await allocations(of: document, claim) {
            try await change(
                claim, .delete, "/CreditNotes/\(allocation.note)/Allocations/\(allocation.id)", nil, unless: {
                    try await !allocations(of: document, claim).contains(allocation)
                })
        }
        let body = #"{"\#(claim.kind.idField)":"\#(id)","Status":"VOIDED"}"#
        try await change(
            claim, .post, "/\(claim.kind.endpoint)/\(id)", body,
            unless: { try await standing([claim]).first?.isGone == true })
        try await tools.store.recordTask(claim, .voided)
    }

    private struct Allocated: Equatable {
        let note: String
        let id: String
    }

    /// An invoice names the credit notes set against it; the allocations' own ids stand on those.
    private func allocations(of document: LedgerInvoice, _ claim: Claim) async throws -> [Allocated] {
        if claim.kind == .creditNote {
            return document.allocations.compactMap { allocation in
                allocation.id.map { Allocated(note: document.id, id: $0) }
            }
        }
        var found: [Allocated] = []
        for note in Set(document.allocations.compactMap(\.creditNoteID)).sorted() {
            let read = try await patiently(holding: [claim]) {
                try await tools.ledger.document(.creditNote, id: note)
            }
            for allocation in read?.allocations ?? [] where allocation.invoiceID == document.id {
                if let id = allocation.id { found.append(Allocated(note: note, id: id)) }
            }
        }
        return found
    }

    // MARK: update

    private func update(_ claim: Claim) async throws {
        guard let id = claim.xeroID, let change = try await tools.store.change(of: claim) else {
            return try await tools.store.recordTask(claim, .refused("What it is to become is not stored.", .other))
        }
        let contact = try await tools.contacts.id(of: claim, holding: [claim])
        let body = String(decoding: InvoiceBody.element(change, contact: contact), as: UTF8.self)
        // The same content twice is the same document: nothing needs to be looked for.
        try await self.change(
            claim, .post, "/\(claim.kind.endpoint)/\(id)?unitdp=4", body, unless: { false })
        try await tools.store.recordTask(claim, .updated)
    }

    // MARK: a call

    /// Makes one call that changes what stands, with its key and bytes stored first.
    ///
    /// - Parameter isDone: looked at after an unclear answer.
    private func change(
        _ claim: Claim, _ method: LedgerChange.Method, _ path: String, _ body: String?,
        unless isDone: () async throws -> Bool
    ) async throws {
        var attempt = 0
        while true {
            let bytes = body.map { Array($0.utf8) }
            let key = IdempotencyKey.make(tools.organisation)
            let permit = try await reserve(.payments, holding: [claim])
            let note = Array("\(method.rawValue) \(path) \(body ?? "")".utf8)
            try await tools.store.recordSending(
                PaymentAttempt(
                    organisation: tools.organisation, kind: .changes, key: key, bytes: note, documents: [claim.id]))
            let outcome = try await tools.ledger.change(
                LedgerChange(method: method, path: path, body: bytes), key: key, permit: permit)
            switch outcome {
            case .answered: return
            case .refused(_, let sentence):
                if try await isDone() { return }
                throw TaskRefusal(sentence: sentence)
            case .unknown: if try await isDone() { return }
            default: break
            }
            guard let (wait, reason) = tools.patience.wait(for: outcome, attempt: attempt) else { continue }
            attempt += 1
            try await tools.patience.rest(wait, because: reason, holding: [claim])
        }
    }

    /// The document stays as it stands, with Xero's sentence; what to do instead is decided by whoever asked for it.
    private func giveUp(_ claim: Claim, _ refusal: TaskRefusal) async throws {
        let lowered = refusal.sentence.lowercased()
        tools.logger.notice("Xero will not change \(claim.name): \(refusal.sentence)")
        if lowered.contains("lock date") {
            let day = try await patiently(holding: [claim]) { try await tools.ledger.lockedThrough() }
            try await tools.store.recordLock(tools.organisation, through: day)
            return try await tools.store.recordTask(claim, .refused(refusal.sentence, .locked))
        }
        let why: TaskOutcome.Obstacle = lowered.contains("reconcil") ? .reconciled : .other
        try await tools.store.recordTask(claim, .refused(refusal.sentence, why))
    }

    /// A read may always be tried again.
    private func patiently<Value: Sendable>(
        holding claims: [Claim], _ read: () async throws -> Lookup<Value>
    ) async throws -> Value {
        var attempt = 0
        while true {
            switch try await read() {
            case .found(let value): return value
            case .failed(let outcome):
                let (wait, reason) = tools.patience.wait(for: outcome, attempt: attempt)
                    ?? (.seconds(60), "Xero refuses to be read: \(outcome)")
                attempt += 1
                try await tools.patience.rest(wait, because: reason, holding: claims)
            }
        }
    }

    // MARK: credit notes set against invoices

    /// Sets credit notes against the invoices they settle. What stands is looked for first: allocations have no number.
    mutating func allocate(_ claims: [Claim]) async throws {
        for claim in claims {
            for item in claim.payments where item.isOpen && item.allocates != nil {
                guard let number = item.allocates, let note = claim.xeroID else { continue }
                let due = Due(claim: claim, payment: item, documentID: note)
                guard let invoice = try await documents(.invoice, [number], holding: [claim]).first else {
                    park(claim, Park(
                        .value, "Xero holds no invoice \(number) that \(claim.name) could settle.",
                        remedy: "Set the credit note against the right invoice in Xero, then discard this letter."))
                    try await record(
                        [(due, PaymentResult(id: item.id, state: .refused, cause: "no invoice \(number)"))], of: nil)
                    continue
                }
                func isSet() async throws -> Bool {
                    try await standing([claim]).first?.allocations.contains {
                        $0.invoiceID == invoice.id && Amounts.areEqual($0.amount ?? "", item.amount)
                    } ?? false
                }
                do {
                    if try await !isSet() {
                        let body = """
                            {"Allocations":[{"Invoice":{"InvoiceID":"\(invoice.id)"},"Amount":\(item.amount),\
                            "Date":"\(item.date)"}]}
                            """
                        try await change(claim, .put, "/CreditNotes/\(note)/Allocations", body, unless: isSet)
                    }
                    try await record([(due, PaymentResult(id: item.id, state: .written))], of: nil)
                } catch let refusal as TaskRefusal {
                    park(claim, RefusalReading.park(
                        [refusal.sentence], document: "to set \(claim.name) against invoice \(number)"))
                    try await record(
                        [(due, PaymentResult(id: item.id, state: .refused, cause: refusal.sentence))], of: nil)
                }
            }
        }
    }
}
