import Domain
import Logging
import Messaging
import Setbacks
import Store
import Telemetry
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
            guard let task = claim.task else {
                rest.append(claim)
                continue
            }
            // One that fails time and again holds up none of its neighbours.
            do {
                if try await carryOut(task, claim) { rest.append(claim) }
                isCarriedOut.insert(claim.id)
            } catch let failure as PutOff { try await putOff(claim, task: failure) }
        }
        return rest
    }

    /// - Returns: whether the document may have payments left to send.
    /// - Throws: ``PutOff`` where Xero fails time and again.
    private func carryOut(_ task: DocumentTask, _ claim: Claim) async throws -> Bool {
        switch task {
        case .void:
            do { try await makeVoid(claim) } catch let refusal as TaskRefusal { try await giveUp(claim, refusal) }
        case .update:
            do { try await update(claim) } catch let refusal as TaskRefusal {
                try await giveUp(claim, refusal)
                return false
            }
        }
        pass(.writerTaskDone)
        return task == .update
    }

    /// Xero will not do it, and would not next time either.
    struct TaskRefusal: Error {
        let sentence: String
        /// Nil where the sentence has to tell it.
        var obstacle: TaskOutcome.Obstacle?
        /// The call that was refused; nil where none was made.
        var call: AnsweredCall?
    }

    // MARK: update

    private func update(_ claim: Claim) async throws {
        guard let id = claim.xeroID, let change = try await tools.store.change(of: claim) else {
            return try await tools.store.recordTask(
                claim, .refused("What it is to become is not stored.", .other), of: nil)
        }
        let contact = try await tools.contacts.id(of: claim, holding: [claim])
        let lineIDs = try await standing([claim]).first?.lineIDs ?? []
        let element = try InvoiceBody.change(change, contact: contact, lineIDs: lineIDs)
        // The same content twice is the same document: nothing needs to be looked for.
        let call = try await self.change(claim, .update(claim.kind, id, to: element), unless: { false })
        try await tools.store.recordTask(claim, .updated, of: call)
    }

    // MARK: a call

    /// Makes one call that changes what stands, with its key and bytes stored first, and only while the claim is ours:
    /// what a writer that lost its lease sends late may undo what another did meanwhile.
    ///
    /// - Parameter isDone: looked at after an unclear answer.
    /// - Returns: the last call that was made.
    /// - Throws: ``TaskRefusal``; ``LeaseLost``; ``PutOff``.
    @discardableResult
    func change(
        _ claim: Claim, _ change: LedgerChange,
        unless isDone: () async throws -> Bool
    ) async throws -> AnsweredCall {
        var tries = 0
        while true {
            let key = IdempotencyKey.make(tools.organisation)
            let permit = try await reserve(.payments, holding: [claim])
            let note = Array("\(change.method.rawValue) \(change.path) ".utf8) + (change.body ?? [])
            do {
                try await tools.store.recordChange(
                    claim,
                    PaymentAttempt(
                        organisation: tools.organisation, kind: .changes, key: key, bytes: note,
                        documents: [claim.id]))
            } catch {
                await tools.ledger.giveBack(permit)
                throw error
            }
            pass(.writerChangeStored)
            let reply = try await tools.ledger.change(change, key: key, permit: permit)
            pass(.writerChangeAnswered)
            let call = AnsweredCall(key: key, correlationID: reply.correlationID)
            try await tools.store.recordAnswer(call, reply.outcome.words)
            switch reply.outcome {
            case .answered: return call
            case .refused(_, let sentence):
                if try await isDone() { return call }
                throw TaskRefusal(sentence: sentence, call: call)
            case .unknown: if try await isDone() { return call }
            default: break
            }
            // It was looked whether it is done: whatever became of this call, another under a new key does no harm.
            try await tools.patience.bear(reply.outcome, isRepeatable: true, tries: tries, holding: [claim])
            tries += 1
        }
    }

    /// The document stays as it stands, with Xero's sentence; what to do instead is decided by whoever asked for it.
    /// What was taken away before Xero refused the rest is noted as gone: what is done instead starts from there.
    private func giveUp(_ claim: Claim, _ refusal: TaskRefusal) async throws {
        let lowered = refusal.sentence.lowercased()
        tools.logger.notice("Xero will not change \(claim.name): \(refusal.sentence)")
        let isLocked = lowered.contains("lock date")
        let obstacle = refusal.obstacle
            ?? (isLocked ? .locked : lowered.contains("reconcil") ? .reconciled : .other)
        if obstacle == .locked { _ = try await readLocks(holding: claim) }
        if claim.task == .void, let document = try await standing([claim]).first {
            try await tools.store.recordRemoved(
                claim, leaving: document.payments.map(\.id), settledBy: document.allocations)
        }
        try await tools.store.recordTask(claim, .refused(refusal.sentence, obstacle), of: refusal.call)
    }

    /// The last day that the ledger has locked, kept for whoever decides.
    func readLocks(holding claim: Claim) async throws -> CalendarDate? {
        let day = try await patiently(holding: [claim]) { [tools] in try await tools.ledger.lockedThrough() }
        try await tools.store.recordLock(tools.organisation, through: day)
        return day
    }

    /// A read may be tried again at once. The claims are kept alive while it waits for a permit.
    ///
    /// - Throws: ``PutOff`` where it fails time and again.
    func patiently<Value: Sendable>(
        holding claims: [Claim], _ read: @escaping @Sendable () async throws -> Lookup<Value>
    ) async throws -> Value {
        var tries = 0
        while true {
            switch try await tools.patience.keeping(withCarried(claims), read) {
            case .found(let value): return value
            case .failed(let outcome):
                do {
                    try await tools.patience.bear(outcome, isRepeatable: true, tries: tries, holding: claims)
                } catch let refusal as Park {
                    let reason = "Xero refuses to be read: \(refusal.cause)"
                    try await tools.patience.rest(.seconds(60), because: reason, holding: claims)
                }
                tries += 1
            }
        }
    }
}

extension XeroOutcome {
    /// For the attempt's row.
    fileprivate var words: String {
        switch self {
        case .answered: "answered"
        case .refused(let status, let sentence): "refused: \(sentence) (status \(status))"
        case .unknown(let why): "uncertain: \(why)"
        case .limited(_, let problem): "not taken: \(problem)"
        case .neverSent(let why), .offline(let why), .disconnected(let why): "not taken: \(why)"
        }
    }
}
