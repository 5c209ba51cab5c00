import Domain
import HTTP
import JSON
import Logging
import Messaging
import Settings
import Telemetry
import Xero

@testable import Store
@testable import Writing

/// A ledger that accepts everything and notes each request.
actor AcceptingLedger: Ledger {
    private(set) var invoiceCalls: [Int] = []
    private(set) var paymentCalls: [Int] = []
    /// Requests with this invoice in them are answered with 500, and nothing is done.
    private var failing: String?

    func fail(on number: String) { failing = number }
    private var refusals: [CallPurpose: (passing: Int, left: Int)] = [:]
    private(set) var refused: [CallPurpose] = []

    /// So many calls of this kind are refused for the limit, after so many that are not.
    func refuse(_ purpose: CallPurpose, times: Int, after passing: Int = 0) { refusals[purpose] = (passing, times) }

    /// Each creating call: what it was sent with, and whether just that had been stored before.
    private(set) var sent: [(sending: StoredSending, wasStored: Bool)] = []
    private var documents: MemoryDocuments?
    func watch(_ documents: MemoryDocuments) { self.documents = documents }

    private func note(_ key: String, _ bytes: [UInt8]) async {
        let sending = StoredSending(key: key, bytes: bytes)
        sent.append((sending, await documents?.sendings.contains(sending) == true))
    }

    private func limit(_ purpose: CallPurpose) -> XeroOutcome? {
        guard let (passing, left) = refusals[purpose], left > 0 else { return nil }
        guard passing == 0 else {
            refusals[purpose] = (passing - 1, left)
            return nil
        }
        refusals[purpose] = (0, left - 1)
        refused.append(purpose)
        return .limited(retryAfter: .seconds(1), problem: "minute")
    }

    /// So often a look still finds it closed; nil: it is open. Meanwhile nobody gets a permit.
    private var looksLeft: Int?
    func close(forLooks count: Int) { looksLeft = count }

    func closed() async throws -> Duration? {
        guard let left = looksLeft else { return nil }
        looksLeft = left > 0 ? left - 1 : nil
        return looksLeft == nil ? nil : .milliseconds(10)
    }

    private var percentLeft: Int?
    func leave(percent: Int) { percentLeft = percent }

    func reserve(_ purpose: CallPurpose) async throws -> CallPermit {
        while looksLeft != nil { try await Task.sleep(for: .milliseconds(5)) }
        return CallPermit(organisation: OrganisationKey("harbour"), id: nil, percentLeft: percentLeft)
    }
    func giveBack(_ permit: CallPermit) async {}

    func create(
        _ kind: LedgerDocument.Kind, _ body: [UInt8], key: String, permit: CallPermit
    ) async throws -> XeroReply {
        await note(key, body)
        if let limit = limit(.invoices) { return XeroReply(limit) }
        let numbers = try JSON(parsing: body)["Invoices"]?.elements.compactMap { $0["InvoiceNumber"]?.string } ?? []
        invoiceCalls.append(numbers.count)
        if let failing, numbers.contains(failing) { return XeroReply(.unknown("500: it failed inside")) }
        let elements = numbers.map { "{\"InvoiceNumber\":\"\($0)\",\"InvoiceID\":\"id-\($0)\"}" }
        return answer("Invoices", elements)
    }

    func createPayments(_ body: [UInt8], key: String, permit: CallPermit) async throws -> XeroReply {
        await note(key, body)
        if let limit = limit(.payments) { return XeroReply(limit) }
        let payments = try JSON(parsing: body)["Payments"]?.elements ?? []
        paymentCalls.append(payments.count)
        let elements = payments.enumerated().map { index, payment in
            "{\"PaymentID\":\"p\(paymentCalls.count)-\(index)\",\"Amount\":\(payment["Amount"]?.numberText ?? "0"),"
                + "\"Invoice\":{\"InvoiceID\":\"\(payment["Invoice"]?["InvoiceID"]?.string ?? "")\"},"
                + "\"Account\":{\"Code\":\"\(payment["Account"]?["Code"]?.string ?? "")\"}}"
        }
        return answer("Payments", elements)
    }

    private func answer(_ name: String, _ elements: [String]) -> XeroReply {
        let body = "{\"\(name)\":[\(elements.joined(separator: ","))]}"
        return XeroReply(
            .answered(HTTPResponse(status: 200, headers: HTTPHeaders(), body: Array(body.utf8), httpVersion: .http1_1)))
    }

    private(set) var lookedUp = 0
    func documents(_ kind: LedgerDocument.Kind, numbers: [String]) async throws -> Lookup<[LedgerInvoice]> {
        lookedUp += numbers.count
        return .found([])
    }
    func document(_ kind: LedgerDocument.Kind, id: String) async throws -> Lookup<LedgerInvoice?> { .found(nil) }
    func payment(id: String) async throws -> Lookup<StandingPayment?> { .found(nil) }
    func change(_ change: LedgerChange, key: String, permit: CallPermit) async throws -> XeroReply {
        XeroReply(.neverSent("nothing is changed here"))
    }
    func lockedThrough() async throws -> Lookup<CalendarDate?> { .found(nil) }
    func contact(number: String) async throws -> Lookup<LedgerContact?> { .found(nil) }
    func create(_ contact: NewContact, key: String) async throws -> Lookup<ElementResult> {
        .failed(.refused(status: 400, "this ledger knows every contact already"))
    }
}

/// A key and the bytes that are sent under it.
struct StoredSending: Hashable {
    let key: String
    let bytes: [UInt8]
}

/// Documents in memory, each with as many payments as it is asked for.
actor MemoryDocuments: WritingStore, ContactStore, LeaseStore, SuspectStore {
    private var open: [DocumentID: Claim] = [:]
    private(set) var paid: Set<PaymentKey> = []
    private(set) var settled: [DocumentID] = []
    private var crashCounts: [String: Crashes] = [:]
    private var aloneNow: Set<String> = []

    /// - Parameter padding: so many bytes more its body has.
    func add(_ id: Int64, payments: Int, padding: Int = 0) {
        let document = DocumentID(id)
        let claimed = ClaimedDocument(
            id: document, before: .ready, kind: .invoice, number: "N-\(id)", contactNumber: "WALKIN", contact: nil,
            task: nil, company: CompanyKey("harbour"), venue: "Bistro", sourceID: "\(id)", date: "2026-11-20",
            total: "10.00", body: Array(
                "{\"InvoiceNumber\":\"N-\(id)\",\"Reference\":\"\(String(repeating: "x", count: padding))\"}".utf8))
        open[document] = Claim(
            document: claimed, fencing: 0, isHeld: false, xeroID: nil,
            payments: (0..<Int64(payments)).map { ordinal in
                ClaimedPayment(
                    id: PaymentKey(document: document, ordinal: ordinal), account: "23\(ordinal)", amount: "5.00",
                    date: CalendarDate(year: 2026, month: 11, day: 20), reference: "Cash", state: "ready",
                    xeroID: nil, allocates: nil)
            })
    }

    /// Everything is done of it.
    func finish(_ id: Int64) {
        open[DocumentID(id)] = nil
        finished.insert(DocumentID(id))
    }
    private var finished: Set<DocumentID> = []
    func take(_ documents: [DocumentID], lease: Duration) async throws -> [ClaimResult] {
        documents.map {
            let other: ClaimResult.Outcome = finished.contains($0) ? .finished(.written) : .absent
            return ClaimResult(id: $0, outcome: open[$0].map { .claimed($0) } ?? other)
        }
    }
    /// In the order in which they were stored.
    private(set) var sendings: [StoredSending] = []
    func recordSending(_ claims: [Claim], _ attempt: SendingAttempt) async throws -> [Claim] {
        sendings.append(StoredSending(key: attempt.key, bytes: attempt.bytes))
        return claims.map {
            var claim = $0
            claim.isHeld = true
            return claim
        }
    }
    func release(_ claims: [Claim]) async throws {}
    private(set) var waits: [DocumentID: Duration] = [:]
    private(set) var givenUp: Set<DocumentID> = []
    func putOff(_ claims: [Claim], for wait: Duration) async throws { for claim in claims { waits[claim.id] = wait } }
    func giveUp(_ documents: [DocumentID], because cause: String) async throws -> [DocumentID] {
        let given = documents.filter { open[$0] != nil }
        givenUp.formUnion(given)
        return given
    }
    private(set) var notTaken: Set<DocumentID> = []
    func recordNotTaken(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws {
        notTaken.formUnion(claims.map(\.id))
    }
    func recordUncertain(_ claims: [Claim], of call: AnsweredCall, cause: String) async throws {}
    func recordInvoices(
        _ results: [InvoiceResult], of call: AnsweredCall?, payments: [(attempt: PaymentAttempt, claims: [Claim])]
    ) async throws {
        sendings += payments.map { StoredSending(key: $0.attempt.key, bytes: $0.attempt.bytes) }
    }
    func sentBodies(of document: DocumentID) async throws -> [[UInt8]] { [] }
    func standingPayments(of documents: [DocumentID]) async throws -> Set<String> { [] }
    func recordSending(_ payments: PaymentAttempt, of claims: [Claim], insteadOf key: String?) async throws {
        sendings.append(StoredSending(key: payments.key, bytes: payments.bytes))
    }
    func unanswered(_ documents: [DocumentID], ageMax: Duration) async throws -> [UnansweredAttempt] { [] }
    func recordPayments(
        _ results: [PaymentResult], of claims: [Claim], settled: [Claim], answering call: AnsweredCall?
    ) async throws {
        for result in results where result.state == .written { paid.insert(result.id) }
        self.settled += settled.map(\.id)
    }
    private var areLeasesLost = false
    func loseLeases() { areLeasesLost = true }
    func extend(_ claims: [Claim], lease: Duration) async throws {
        if areLeasesLost { throw LeaseLost(count: claims.count) }
    }
    func change(of claim: Claim) async throws -> [UInt8]? { nil }
    func recordChange(_ claim: Claim, _ attempt: PaymentAttempt) async throws {}
    func recordRemoved(
        _ claim: Claim, leaving payments: [String], settledBy allocations: [StandingAllocation]
    ) async throws {}
    func isOnItsWay(_ number: String, in organisation: OrganisationKey) async throws -> Bool { false }
    func recordAnswer(_ call: AnsweredCall, _ outcome: String) async throws {}
    func recordTask(_ claim: Claim, _ outcome: TaskOutcome, of call: AnsweredCall?) async throws {}
    func recordLock(_ organisation: OrganisationKey, through day: CalendarDate?) async throws {}

    func contactID(_ number: String, in organisation: OrganisationKey) async throws -> String? { "contact" }
    func link(_ number: String, to id: String, in organisation: OrganisationKey) async throws {}

    func acquire(_ name: String, for duration: Duration) async throws -> Lease? { Lease(name: name, fence: 1) }
    func renew(_ lease: Lease, for duration: Duration) async throws -> Bool { true }
    func giveBack(_ lease: Lease) async throws {}

    func crashes(of messages: [String], in queue: String) async throws -> [String: Crashes] {
        crashCounts.filter { messages.contains($0.key) }
    }
    func beginTrial(of messages: [String], in queue: String, isAlone: Bool) async throws {
        for message in messages {
            crashCounts[message, default: Crashes(all: 0, alone: 0)].all += 1
            if isAlone {
                crashCounts[message]?.alone += 1
                aloneNow.insert(message)
            }
        }
    }
    func endTrial(of messages: [String], in queue: String) async throws {
        for message in messages { crashCounts[message] = nil }
    }
    func abandonTrial(of messages: [String], in queue: String) async throws {
        for message in messages {
            crashCounts[message]?.all -= 1
            if aloneNow.remove(message) != nil { crashCounts[message]?.alone -= 1 }
        }
    }
}

/// Hands out the batches it was given, then says that no more come.
actor ScriptedBroker: PausingInbox, Outbox {
    private var batches: [[IncomingMessage]]
    /// How many documents were paid in full when messages were acknowledged, and how many messages that were.
    private(set) var acknowledged: [Int] = []
    private(set) var published: [OutgoingMessage] = []

    init(_ batches: [[IncomingMessage]]) { self.batches = batches }

    /// How long each batch would have waited for company.
    private(set) var lingers: [Duration] = []

    func nextBatch(max: Int, linger: @Sendable () -> Duration) async throws -> [IncomingMessage] {
        if isPaused || batches.isEmpty { return [] }
        lingers.append(linger())
        return batches.removeFirst()
    }
    func acknowledge(_ messages: [IncomingMessage]) async { acknowledged.append(messages.count) }
    func stop() async {}
    /// In the order in which it happened: `pause`, `resume`, and how many messages were handed out.
    private(set) var story: [String] = []
    private var isPaused = false
    func pause() async {
        isPaused = true
        story.append("pause")
    }
    func resume() async {
        isPaused = false
        story.append("resume")
        batches = [published.filter { $0.queue == .map }.map(IncomingMessage.init(again:))] + batches
    }
    func publish(_ messages: [OutgoingMessage]) async throws {
        published += messages
        story += messages.filter { $0.queue == .map }.map { "back to \($0.returnTo ?? "?")" }
    }
}

extension IncomingMessage {
    /// What a worker sent to a queue, as the next one sees it.
    convenience init(again message: OutgoingMessage) {
        self.init(
            body: message.body, envelope: .success(message.envelope), queue: message.returnTo ?? "",
            messageID: message.messageID)
    }
}

func message(_ id: Int64, redelivered: Bool = false) -> IncomingMessage {
    IncomingMessage(
        body: Array("{\"document\":\(id)}".utf8), envelope: .success(Envelope(firstSeen: Instant(secondsSince1970: 0))),
        queue: "write.harbour", messageID: "document/\(id)", isRedelivered: redelivered)
}
