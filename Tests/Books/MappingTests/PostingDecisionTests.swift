import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// What stands in the ledger for order 5000000001 when an event comes.
private enum Before {
    static let mapping = OrderMapping(books: .example)

    static func order(_ total: String = "20.00", payments: [Tender]? = nil) -> Order {
        var order = Order.example(total: total, lines: [.example("Pie", "1", total)], payments: payments)
        order.saleNumber = "A-17"
        order.customer = Customer(id: "3842", firstName: "Lucy", lastName: "Lavender")
        return order
    }

    static func document(_ order: Order = order(), revision: Int = 0) -> LedgerDocument {
        guard case .documents(let documents) = mapping.version(of: order), var document = documents.first
        else { preconditionFailure("the example is bookable") }
        if revision > 0 { document.number = DocumentNumber("\(document.number)-r\(revision)") }
        return document
    }

    static func standing(
        _ standing: StandingDocument.Standing = .written, _ order: Order = order(), revision: Int = 0,
        isReconciled: Bool = false
    ) -> StandingDocument {
        StandingDocument(
            standing, document(order, revision: revision), revision: revision, isReconciled: isReconciled)
    }

    static let onAccount = order(payments: [])
    static var renamed: Order {
        var order = order()
        order.saleNumber = "B-18"
        return order
    }
    static var deleted: Order {
        var order = order()
        order.isDeleted = true
        return order
    }
    static var reopened: Order {
        var order = order()
        order.status = "PENDING"
        return order
    }
    static let otherTender = order(payments: [tender("Cash", "20.00")])
    static let paidLater = order(payments: [tender("Card", "20.00", at: "2026-12-01T10:00:00Z")])
    static let paidBack = order(payments: [tender("Card", "20.00"), tender("Card", "-5.00")])
    static let bad = order("20.001")
}

/// One line an event, one line the steps that follow from it.
@Suite struct PostingDecisionTests {
    @Test("over a document whose outcome is not known nothing is decided, whoever holds it", arguments: [
        (DocumentState.ready, StandingDocument.Standing.waiting), (.claimed, .inHand), (.sent, .inHand),
        (.uncertain, .inHand), (.written, .written), (.refused, .refused), (.withdrawn, .gone), (.voided, .gone),
    ])
    func standing(_ state: DocumentState, _ standing: StandingDocument.Standing) {
        #expect(StandingDocument.Standing(state) == standing)
    }

    struct Case: CustomTestStringConvertible {
        let event: String
        let order: Order
        let standing: [StandingDocument]
        var lockedThrough: String?
        let steps: [String]
        var testDescription: String { event }

        init(
            _ event: String, _ order: Order, _ standing: [StandingDocument], locked: String? = nil, _ steps: [String]
        ) {
            (self.event, self.order, self.standing, lockedThrough, self.steps) = (event, order, standing, locked, steps)
        }
    }

    static let firsts: [Case] = [
        Case("completed for the first time", Before.order(), [], ["create HBR-5000000001"]),
        Case("completed in a locked period", Before.order(), [], locked: "2026-11-30", ["create HBR-5000000001"]),
        Case("completed and partly paid back", Before.paidBack, [],
            ["create HBR-5000000001", "create credit HBR-5000000001-c1"]),
        Case("deleted before it was booked", Before.deleted, [], ["nothing"]),
        Case("not complete yet", Before.reopened, [], ["nothing"]),
        Case("figures that are wrong", Before.bad, [], ["park"]),
        Case("the same again", Before.order(), [Before.standing()], ["nothing"]),
        Case("the same again while on its way", Before.order(), [Before.standing(.inHand)], ["nothing"]),
        Case("the same again after a refusal", Before.order(), [Before.standing(.refused)], ["replace HBR-5000000001"]),
    ]

    static let unsent: [Case] = [
        Case("edited before it was sent", Before.order("21.00"), [Before.standing(.waiting)],
            ["replace HBR-5000000001"]),
        Case("edited after a refusal", Before.order("21.00"), [Before.standing(.refused)], ["replace HBR-5000000001"]),
        Case("edited while on its way", Before.order("21.00"), [Before.standing(.inHand)], ["hold"]),
        Case("deleted before it was sent", Before.deleted, [Before.standing(.waiting)], ["withdraw HBR-5000000001"]),
        Case("deleted while on its way", Before.deleted, [Before.standing(.inHand)], ["hold"]),
        Case("a waiting revision is replaced under its own number", Before.order("21.00"),
            [Before.standing(.gone), Before.standing(.waiting, revision: 1)], ["replace HBR-5000000001-r1"]),
    ]

    static let edits: [Case] = [
        Case("other words on a paid invoice", Before.renamed, [Before.standing()], ["update HBR-5000000001"]),
        Case("other words in a locked period", Before.renamed, [Before.standing()], locked: "2026-11-30", ["nothing"]),
        Case("another total, unpaid", Before.order("21.00", payments: []),
            [Before.standing(.written, Before.onAccount)], ["update HBR-5000000001"]),
        Case("another total and paid at once, unpaid before", Before.order("21.00"),
            [Before.standing(.written, Before.onAccount)], ["update HBR-5000000001", "pay HBR-5000000001 21.00"]),
        Case("another total, paid", Before.order("21.00"), [Before.standing()],
            ["unpay HBR-5000000001", "void HBR-5000000001", "create HBR-5000000001-r1"]),
        Case("another total a second time", Before.order("22.00"),
            [Before.standing(.gone), Before.standing(.written, Before.order("21.00"), revision: 1)],
            ["unpay HBR-5000000001-r1", "void HBR-5000000001-r1", "create HBR-5000000001-r2"]),
        Case("another tender", Before.otherTender, [Before.standing()],
            ["unpay HBR-5000000001", "void HBR-5000000001", "create HBR-5000000001-r1"]),
        Case("another total, reconciled", Before.order("21.00"), [Before.standing(isReconciled: true)],
            ["create credit HBR-5000000001-x", "create HBR-5000000001-r1"]),
        Case("another total, period locked", Before.order("21.00"), [Before.standing()], locked: "2026-11-30",
            ["create credit HBR-5000000001-x", "create HBR-5000000001-r1"]),
        Case("an account sale is paid later", Before.paidLater, [Before.standing(.written, Before.onAccount)],
            ["pay HBR-5000000001 20.00"]),
        Case("opened again", Before.reopened, [Before.standing()], ["hold"]),
        Case("edited into figures that are wrong", Before.bad, [Before.standing()], ["park"]),
        Case("partly paid back after posting", Before.paidBack, [Before.standing()],
            ["create credit HBR-5000000001-c1"]),
        Case("turned from a sale into a refund", Before.order("-20.00"), [Before.standing()],
            ["unpay HBR-5000000001", "void HBR-5000000001", "create credit HBR-5000000001-r1"]),
    ]

    static let deletions: [Case] = [
        Case("deleted, paid", Before.deleted, [Before.standing()], ["unpay HBR-5000000001", "void HBR-5000000001"]),
        Case("deleted, unpaid", Before.deleted, [Before.standing(.written, Before.onAccount)],
            ["void HBR-5000000001"]),
        Case("deleted, reconciled", Before.deleted, [Before.standing(isReconciled: true)],
            ["create credit HBR-5000000001-x"]),
        Case("deleted, period locked", Before.deleted, [Before.standing()], locked: "2026-11-30",
            ["create credit HBR-5000000001-x"]),
        Case("deleted twice", Before.deleted, [Before.standing(.gone)], ["nothing"]),
        Case("restored after it was void", Before.order(), [Before.standing(.gone)], ["create HBR-5000000001-r1"]),
    ]

    @Test(
        "an event has exactly the steps of the table, each with its reason",
        arguments: firsts + unsent + edits + deletions)
    func table(_ event: Case) {
        let lockedThrough = event.lockedThrough.flatMap { CalendarDate($0) }
        let decision = PostingDecision(locks: LedgerLocks(lockedThrough: lockedThrough))
        let steps = decision.steps(for: Before.mapping.version(of: event.order), standing: event.standing)
        #expect(steps.map(\.description) == event.steps)
        #expect(steps.allSatisfy { $0.reason.count > 10 })
    }

    private let locked = PostingDecision(locks: LedgerLocks(lockedThrough: CalendarDate("2026-11-30")))

    @Test("what belongs to a locked day is dated on the first open one, says so, and is not a change afterwards")
    func lockedDay() throws {
        let steps = locked.steps(for: Before.mapping.version(of: Before.order()), standing: [])
        guard case .create(let document) = try #require(steps.first).action else {
            Issue.record("no document")
            return
        }
        #expect(document.date.description == "2026-12-01" && document.day.description == "2026-11-23")
        #expect(document.payments.map(\.date.description) == ["2026-12-01"])
        #expect(document.reasons.contains { $0.contains("locked") && $0.contains("2026-11-23") })
        for later in [locked, PostingDecision(), PostingDecision(locks: LedgerLocks(lockedThrough: document.date))] {
            let again = later.steps(
                for: Before.mapping.version(of: Before.order()), standing: [StandingDocument(.written, document)])
            #expect(again.map(\.description) == ["nothing"])
        }
    }

    @Test("what takes a paid invoice back pays back through the same accounts; an unpaid one is settled by allocation")
    func takingBack() throws {
        for (order, paid, allocated) in [(Before.order(), [2000], []), (Before.onAccount, [], [2000])] {
            let steps = locked.steps(for: .deleted, standing: [Before.standing(.written, order)])
            guard case .create(let note) = try #require(steps.first).action else {
                Issue.record("no document")
                return
            }
            #expect(note.kind == .creditNote && note.due == .zero)
            #expect(note.payments.map(\.amount.cents) == paid.map(Int64.init))
            #expect(note.allocations.map(\.amount.cents) == allocated.map(Int64.init))
            #expect(note.payments.map(\.account) == Before.document(order).payments.map(\.account))
            #expect(note.tax == Before.document(order).tax)
            #expect(note.reasons.first?.contains("deleted") == true)
        }
    }

    private func refusedReversal(_ order: Order = Before.order()) -> StandingDocument {
        var document = Before.document(order)
        (document.kind, document.slot) = (.creditNote, .reversal(0))
        document.number = DocumentNumber("\(document.number)-x")
        return StandingDocument(.refused, document)
    }

    @Test("what takes a document back and was refused is tried again, never withdrawn; no sale is left standing twice")
    func refusedReversal() {
        let reversal = "create credit HBR-5000000001-x"
        let standing = [Before.standing(), refusedReversal()]
        #expect(locked.steps(for: .deleted, standing: standing).map(\.description) == [reversal])
        // Edited: the next revision was booked when the reversal of the first was refused.
        let edited = Before.order("21.00")
        let both = standing + [Before.standing(.written, edited, revision: 1)]
        #expect(locked.steps(for: Before.mapping.version(of: edited), standing: both).map(\.description) == [reversal])
        // Nothing is to be taken back any longer.
        #expect(
            locked.steps(for: Before.mapping.version(of: Before.order()), standing: standing).map(\.description)
                == ["nothing"])
        #expect(
            PostingDecision().steps(for: .deleted, standing: [refusedReversal()]).map(\.description) == ["nothing"])
    }

    private func refund(_ total: String, paid: String) -> OrderVersion {
        var order = Before.order(total, payments: paid == "0" ? [] : [tender("Cash", paid)])
        order.id = OrderID("5000000009")
        order.isRefund = true
        order.refundedOrder = OrderID("5000000001")
        return Before.mapping.version(of: order)
    }

    @Test("a refund larger than what is left of its order is parked, not posted")
    func largerThanItsOrder() {
        var original = Before.standing()
        let decision = PostingDecision()
        func steps(_ total: String) -> [PostingStep] {
            decision.steps(for: refund(total, paid: total), standing: [], original: original)
        }
        #expect(steps("20.00").map(\.description) == ["create credit HBR-5000000009"])
        #expect(steps("20.01").map(\.description) == ["park"])
        original.givenBack = Money(cents: 500)
        #expect(steps("15.00").map(\.description) == ["create credit HBR-5000000009"])
        #expect(steps("15.01").map(\.description) == ["park"])
        #expect(steps("15.01")[0].reason.contains("15.01") && steps("15.01")[0].reason.contains("15.00"))
    }

    @Test("an edited refund is held against its sale like a new one: nothing is taken back or paid out before that")
    func edited() throws {
        guard case .documents(let documents) = refund("5.00", paid: "5.00") else {
            Issue.record("no refund")
            return
        }
        let original = Before.standing()
        let sale = SummarisedSale(number: original.number, sold: Money(cents: 2000), givenBack: .zero)
        for state in [StandingDocument.Standing.waiting, .written] {
            let standing = [StandingDocument(state, try #require(documents.first))]
            for decision in [PostingDecision(), locked] {
                func steps(_ total: String) -> [[String]] {
                    let version = refund(total, paid: total)
                    return [
                        decision.steps(for: version, standing: standing, original: original),
                        decision.steps(for: version, standing: standing, summarised: sale),
                    ].map { $0.map(\.description) }
                }
                #expect(steps("20.01") == [["park"], ["park"]])
                #expect(steps("20.00").allSatisfy { $0.last?.hasPrefix("park") == false })
                #expect(steps("4.00").allSatisfy { $0.last?.hasPrefix("park") == false })
            }
        }
    }

    @Test("of a sale inside of a summary no more is given back than is left of it")
    func beyondSummarised() {
        let sale = SummarisedSale(
            number: DocumentNumber("HBR-5000000001"), sold: Money(cents: 2000), givenBack: Money(cents: 1500))
        for (total, step) in [("5.00", "create credit HBR-5000000009"), ("5.01", "park")] {
            let steps = PostingDecision().steps(for: refund(total, paid: total), standing: [], summarised: sale)
            #expect(steps.map(\.description) == [step], "\(total)")
        }
    }

    @Test("a refund that settles an open sale waits for it, and goes to its present revision")
    func settling() throws {
        let decision = PostingDecision()
        let refund = refund("5.00", paid: "0")
        #expect(decision.steps(for: refund, standing: []).map(\.description) == ["hold"])
        let waiting = Before.standing(.waiting, Before.onAccount)
        #expect(decision.steps(for: refund, standing: [], original: waiting).map(\.description) == ["hold"])
        let revised = Before.standing(.written, Before.onAccount, revision: 2)
        let steps = decision.steps(for: refund, standing: [], original: revised)
        guard case .create(let note) = try #require(steps.first).action else {
            Issue.record("no document")
            return
        }
        #expect(note.allocations.map(\.invoice.text) == ["HBR-5000000001-r2"])
        // Money that was paid back needs no sale to settle: it may lie before the first booked day.
        #expect(
            decision.steps(for: self.refund("5.00", paid: "5.00"), standing: []).map(\.description)
                == ["create credit HBR-5000000009"])
    }

    @Test("no number is ever used twice, whatever happens to an order in whatever order")
    func numbers() {
        var generator = Seeded(seed: 7)
        for round in 0..<2_000 {
            var standing: [StandingDocument] = []
            var used: Set<DocumentNumber> = []
            for _ in 0..<8 {
                let versions = [
                    Before.order(), Before.order("21.00"), Before.deleted, Before.onAccount, Before.paidBack,
                    Before.otherTender, Before.renamed, Before.order("-20.00"),
                ]
                let order = versions[Int.random(in: 0..<versions.count, using: &generator)]
                let isLocked = Int.random(in: 0..<4, using: &generator) == 0
                let decision = isLocked ? locked : PostingDecision()
                let steps = decision.steps(for: Before.mapping.version(of: order), standing: standing)
                for step in steps { apply(step, to: &standing, used: &used, round) }
                // What stands comes to what the order is now, or somebody was asked.
                guard !steps.contains(where: { if case .park = $0.action { true } else { false } }) else { break }
                let net = standing.filter { $0.standing == .written }.map(\.document.signedTotal).sum()
                var expected = Money.zero
                if case .documents(let documents) = Before.mapping.version(of: order) {
                    expected = documents.map(\.signedTotal).sum()
                }
                #expect(net == expected, "round \(round): \(steps)")
            }
        }
    }

    /// A ledger that does what it is told, and takes a reversal as the end of what it reverses.
    private func apply(
        _ step: PostingStep, to standing: inout [StandingDocument], used: inout Set<DocumentNumber>, _ round: Int
    ) {
        func index(_ number: DocumentNumber) -> Int? { standing.firstIndex { $0.number == number } }
        switch step.action {
        case .create(let document):
            #expect(used.insert(document.number).inserted, "round \(round): \(document.number) twice")
            let revision = document.number.text.split(separator: "-").last.flatMap { part in
                part.hasPrefix("r") ? Int(part.dropFirst()) : nil
            } ?? 0
            if case .reversal = document.slot {
                if let taken = index(DocumentNumber(String(document.number.text.dropLast(2)))) {
                    standing[taken].standing = .gone
                }
                // The two together are nothing, so neither counts.
                standing.append(StandingDocument(.gone, document, revision: revision))
            } else {
                standing.append(StandingDocument(.written, document, revision: revision))
            }
        case .update(let document):
            if let found = index(document.number) {
                // An update does not touch what is paid.
                var document = document
                document.payments = standing[found].document.payments
                standing[found].document = document
            }
        case .pay(let number, let payments):
            if let found = index(number) { standing[found].document.payments += payments }
        case .removePayments(let number):
            if let found = index(number) { standing[found].document.payments = [] }
        case .void(let number):
            if let found = index(number) {
                #expect(standing[found].document.payments.isEmpty, "round \(round): \(number) is paid")
                standing[found].standing = .gone
            }
        default: break
        }
    }
}
