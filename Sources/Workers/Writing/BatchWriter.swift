import Domain
import Logging
import Messaging
import Setbacks
import Store
import Telemetry
import Xero

/// Brings one batch of claimed documents into the ledger: first what a dead writer left in doubt is looked up, then
/// invoices and credit notes are created, then payments.
struct BatchWriter: Sendable {
    let organisation: OrganisationKey
    let store: any WritingStore
    let ledger: any Ledger
    let contacts: ContactBook
    let patience: Patience
    let pace: Pace
    let metrics: Metrics
    let logger: Logger

    /// - Parameters:
    ///   - carried: payments of earlier batches that wait for a full request.
    ///   - mayCarry: more documents wait behind these, so that payments which fill no request may go with theirs.
    /// - Returns: a verdict for each document, but for those whose payments are carried on.
    /// - Throws: when nothing more can be done now: database or broker away, drain, lease lost for the whole batch.
    func write(
        _ claims: [Claim], carrying carried: CarriedPayments = CarriedPayments(), mayCarry: Bool = false
    ) async throws -> (verdicts: [DocumentID: Verdict], carried: CarriedPayments) {
        do {
            var writing = Writing(self, carried, mayCarry: mayCarry)
            do { try await writing.run(claims) } catch let putOff as PutOff {
                try await writing.putOffRest(claims, putOff)
            } catch let limit as LimitUsedUp {
                logger.warning("comes back later: \(limit.putOff)", metadata: ["documents": "\(claims.count)"])
                try await writing.putOffRest(claims, limit.putOff)
            }
            return writing.outcome
        } catch is LeaseLost {
            // Who took over has a message of its own; ours comes back to see how it went.
            return Self.all(claims, carried, .retry(after: .seconds(30), counted: false, cause: "the lease was lost"))
        } catch is HeldTooLong {
            await release(claims)
            return Self.all(claims, carried, .handBack)
        } catch {
            // What certainly was not sent can be written by anyone at once; the rest waits for its lease and a look.
            await release(claims)
            throw error
        }
    }

    private static func all(
        _ claims: [Claim], _ carried: CarriedPayments, _ verdict: Verdict
    ) -> (verdicts: [DocumentID: Verdict], carried: CarriedPayments) {
        let all = Set(claims.map(\.id)).union(carried.documents)
        return (all.reduce(into: [:]) { $0[$1] = verdict }, CarriedPayments())
    }

    private func release(_ claims: [Claim]) async {
        do { try await store.release(claims) } catch { logger.warning("claims wait for their lease to end: \(error)") }
    }

    /// Documents that stand, and of which nothing is on its way to the ledger.
    func letGo(_ claims: [Claim]) async {
        do { try await store.putOff(claims, for: .zero) } catch {
            logger.warning("claims wait for their lease to end: \(error)")
        }
    }

    static func subject(of claim: Claim, _ organisation: OrganisationKey) -> Envelope.Subject {
        Envelope.Subject(
            organisation: organisation, company: claim.company, venue: claim.venue, kind: SourceKind.order.rawValue,
            id: claim.sourceID, document: claim.id.value)
    }
}

/// The state of one batch while it is written.
struct Writing {
    let tools: BatchWriter
    var verdicts: [DocumentID: Verdict] = [:]
    /// The claims as they are held now: a sending counts their fences up, an answer adds the ledger's id.
    var latest: [DocumentID: Claim] = [:]
    /// Documents that were found or put into the ledger by this batch or an earlier one.
    var stands: Set<DocumentID> = []
    /// Documents that have a letter of what was refused of them when an earlier writer had them in hand.
    var isToldAgain: Set<DocumentID> = []
    /// Documents whose task this batch has carried out.
    var isCarriedOut: Set<DocumentID> = []
    /// Payments of each written document that are neither written nor refused yet.
    var open: [DocumentID: Set<PaymentKey>] = [:]
    /// Requests of payments that were stored together with their invoices' answers, still to be sent.
    var prepared: [PaymentRequest] = []

    /// Of how long what is put off stays away. One for the batch: what went together comes back together, or each
    /// document would need a request of its own.
    let chance: Int

    /// Payments that wait for a full request; whether some may still wait when this batch ends.
    var carried: [Due]
    let mayCarry: Bool

    init(_ tools: BatchWriter, _ carried: CarriedPayments, mayCarry: Bool) {
        self.tools = tools
        self.carried = carried.due
        self.mayCarry = mayCarry
        chance = tools.patience.chance()
        verdicts = carried.verdicts
        for due in carried.due {
            open[due.claim.id, default: []].insert(due.payment.id)
            noteStanding([due.claim])
        }
    }

    mutating func noteStanding(_ claims: [Claim]) {
        for claim in claims {
            latest[claim.id] = claim
            stands.insert(claim.id)
        }
    }

    /// Everything that is settled, and what is carried on.
    var outcome: (verdicts: [DocumentID: Verdict], carried: CarriedPayments) {
        let waiting = Set(carried.map(\.claim.id))
        let early = verdicts.filter { waiting.contains($0.key) }
        return (verdicts.filter { !waiting.contains($0.key) }, CarriedPayments(due: carried, verdicts: early))
    }

    /// Waits for a permit; the leases of what is in hand are kept alive meanwhile.
    func reserve(_ purpose: CallPurpose, holding claims: [Claim]) async throws -> CallPermit {
        let permit = try await tools.patience.keeping(withCarried(claims)) { [tools] in
            try await tools.ledger.reserve(purpose)
        } orElse: { [tools] permit in
            await tools.ledger.giveBack(permit)
        }
        tools.pace.noteCall(percentLeft: permit.percentLeft)
        return permit
    }

    func withCarried(_ claims: [Claim]) -> [Claim] {
        let known = Set(claims.map(\.id))
        var seen: Set<DocumentID> = []
        return claims
            + carried.lazy.map(\.claim).filter { !known.contains($0.id) && seen.insert($0.id).inserted }
    }

    mutating func run(_ claims: [Claim]) async throws {
        let earlier = Set(carried.map(\.claim.id))
        var fresh: [Claim] = []
        var written: [Claim] = []
        var doubtful: [Claim] = []
        for claim in claims {
            switch claim.before {
            case .ready, .claimed: fresh.append(claim)
            case .sent, .uncertain: doubtful.append(claim)
            case .written:
                parkAgain(claim)
                written.append(claim)
            case .refused, .withdrawn, .voided: verdicts[claim.id] = .done
            }
        }
        if !doubtful.isEmpty {
            do {
                let (adopted, absent) = try await lookUp(doubtful)
                written += adopted
                fresh += absent
            } catch let unseen as PutOff { try await putOff(doubtful, unseen) }
        }
        let addressed = try await address(fresh)
        for batch in Self.batches(addressed) { written += try await create(batch) }
        written = try await carryOut(written)
        try await pay(written)
        let waiting = Set(carried.map(\.claim.id))
        for id in earlier.union(claims.map(\.id)) where verdicts[id] == nil && !waiting.contains(id) {
            verdicts[id] = .done
        }
    }

    /// A document has one letter: of two causes (two payments refused) the letter tells both.
    mutating func park(_ claim: Claim, _ park: Park) {
        var park = park
        if case .park(let first, _) = verdicts[claim.id] {
            park = Park(first.deadLetterClass, "\(first.cause) \(park.cause)", remedy: first.remedy)
        }
        verdicts[claim.id] = .park(park, about: BatchWriter.subject(of: claim, tools.organisation))
    }

    /// What was refused of a document that an earlier writer wrote, and had in hand when it died, drained or lost its
    /// lease: that one sent no letter, since a document's message is settled when all of it is done. A letter that the
    /// desk has already is not kept twice.
    private mutating func parkAgain(_ claim: Claim) {
        guard claim.task == nil else { return }
        let ofTotal = claim.cause.flatMap { $0.hasPrefix(Self.differing(claim)) ? $0 : nil }
        let refused = claim.payments.filter { $0.state == "refused" }.compactMap(\.cause)
        for cause in [ofTotal].compactMap({ $0 }) + refused {
            park(claim, RefusalReading.again(cause))
            isToldAgain.insert(claim.id)
        }
    }

    /// An element of a request with the claim it is for.
    struct Addressed {
        var claim: Claim
        let contactID: String
        let element: [UInt8]
    }

    /// Puts the contact in. Where the ledger refuses a contact, its documents go to the desk and the others go on.
    private mutating func address(_ claims: [Claim]) async throws -> [Addressed] {
        var addressed: [Addressed] = []
        var refused: [InvoiceResult] = []
        var parks: [String: Park] = [:]
        var failures: [String: PutOff] = [:]
        for claim in claims {
            if parks[claim.contactNumber] == nil, failures[claim.contactNumber] == nil {
                do {
                    let id = try await tools.contacts.id(of: claim, holding: claims)
                    addressed.append(
                        Addressed(claim: claim, contactID: id, element: InvoiceBody.element(claim.body, contact: id)))
                    continue
                } catch let park as Park { parks[claim.contactNumber] = park } catch let putOff as PutOff {
                    failures[claim.contactNumber] = putOff
                }
            }
            if let failure = failures[claim.contactNumber] {
                try await putOff([claim], failure)
                continue
            }
            guard let park = parks[claim.contactNumber] else { continue }
            self.park(claim, park)
            refused.append(InvoiceResult(claim: claim, state: .refused, cause: park.cause))
        }
        if !refused.isEmpty { try await tools.store.recordInvoices(refused, of: nil, payments: []) }
        return addressed
    }

    /// Xero takes at most 3.5 MB a request; the claim's size already bounds the count to fifty.
    private static let bytesMax = 3_400_000

    private static func batches(_ elements: [Addressed]) -> [[Addressed]] {
        var batches: [[Addressed]] = []
        var bytes = 0
        // A request takes documents of one kind.
        for kind in LedgerDocument.Kind.allCases {
            var isFirst = true
            for element in elements where element.claim.kind == kind {
                if isFirst || bytes + element.element.count > bytesMax {
                    batches.append([])
                    (bytes, isFirst) = (0, false)
                }
                batches[batches.count - 1].append(element)
                bytes += element.element.count + 1
            }
        }
        return batches
    }
}

/// Payments of written invoices that wait for a full request, with the verdicts their documents have so far.
struct CarriedPayments: Sendable {
    var due: [Writing.Due] = []
    var verdicts: [DocumentID: Verdict] = [:]

    var documents: Set<DocumentID> { Set(due.map(\.claim.id)) }

    mutating func append(_ other: CarriedPayments) {
        due += other.due
        verdicts.merge(other.verdicts) { $1 }
    }
}
