import Domain
import Mapping
import Money
import OrderRecipes
import Testing

/// Sales and refunds that were set against each other, and can no more be changed: the period is locked.
@Suite struct SettledReversalTests {
    private let locked = PostingDecision(locks: LedgerLocks(lockedThrough: CalendarDate("2026-11-30")))
    private let mapping = OrderMapping(books: .example)

    private func sale(_ total: String) -> Order {
        var order = Order.example(total: total, lines: [.example("Pie", "1", total)], payments: [])
        order.customer = Customer(id: "3842", firstName: "Lucy", lastName: "Lavender")
        return order
    }

    private func refund(_ total: String) -> Order {
        var order = sale(total)
        order.id = OrderID("5000000009")
        order.isRefund = true
        order.refundedOrder = OrderID("5000000001")
        return order
    }

    private func standing(_ order: Order, credited: Int64 = 0) throws -> StandingDocument {
        guard case .documents(let documents) = mapping.version(of: order) else { throw Unbookable() }
        return StandingDocument(.written, try #require(documents.first), credited: Money(cents: credited))
    }

    private func created(_ order: Order, over standing: StandingDocument) -> [LedgerDocument] {
        locked.steps(
            for: mapping.version(of: order), standing: [standing],
            original: order.isRefund ? try? self.standing(sale("20.00"), credited: 500) : nil
        ).compactMap { if case .create(let document) = $0.action { document } else { nil } }
    }

    private func settled(_ document: LedgerDocument) -> [String] {
        document.allocations.map { "\($0.invoice) \($0.amount) \($0.date)" }
    }

    private struct Unbookable: Error {}

    @Test("a deleted sale is taken back whole; what a refund had settled stays the customer's credit", arguments: [
        (0, ["HBR-5000000001 20.00 2026-12-01"], 0), (500, ["HBR-5000000001 15.00 2026-12-01"], 500), (2000, [], 2000),
    ])
    func deleted(_ credited: Int64, _ allocations: [String], _ credit: Int64) throws {
        let standing = try standing(sale("20.00"), credited: credited)
        var order = sale("20.00")
        order.isDeleted = true
        let note = try #require(created(order, over: standing).first)
        #expect(note.kind == .creditNote && note.number.text == "HBR-5000000001-x" && note.total.cents == 2000)
        #expect(settled(note) == allocations)
        #expect(note.due.cents == credit)
        #expect(note.reasons[0].contains("stays the customer's credit") == (credit > 0))
        #expect(note.reasons[0].contains("locked"))
        let open = PostingDecision().steps(for: .deleted, standing: [standing])
        let freed = credited > 0 ? ["unallocate HBR-5000000001"] : []
        #expect(open.map(\.description) == freed + ["void HBR-5000000001"])
    }

    @Test("an edited sale is settled again by what its refund had settled, up to what it comes to", arguments: [
        ("21.00", ["HBR-5000000001 15.00 2026-12-01", "HBR-5000000001-r1 5.00 2026-12-01"], 0),
        ("3.00", ["HBR-5000000001 15.00 2026-12-01", "HBR-5000000001-r1 3.00 2026-12-01"], 200),
    ])
    func edited(_ total: String, _ allocations: [String], _ credit: Int64) throws {
        let made = created(sale(total), over: try standing(sale("20.00"), credited: 500))
        #expect(made.map(\.number.text) == ["HBR-5000000001-x", "HBR-5000000001-r1"])
        #expect(settled(made[0]) == allocations)
        #expect(made[0].due.cents == credit)
        #expect("\(made[1].total)" == total)
    }

    @Test("a deleted refund is owed again, as an invoice of its own")
    func deletedRefund() throws {
        var order = refund("5.00")
        order.isDeleted = true
        let made = created(order, over: try standing(refund("5.00")))
        let owed = try #require(made.first)
        #expect(made.count == 1 && owed.kind == .invoice && owed.number.text == "HBR-5000000009-x")
        #expect(owed.total.cents == 500 && owed.due.cents == 500)
        #expect(owed.reasons[0].contains("It had settled 5.00, which is owed again"))
    }

    @Test("an edited refund settles first what is owed again, then its sale; and is no change when it comes again")
    func editedRefund() throws {
        let made = created(refund("7.00"), over: try standing(refund("5.00")))
        #expect(made.map(\.number.text) == ["HBR-5000000009-x", "HBR-5000000009-r1"])
        #expect(settled(made[1]) == ["HBR-5000000009-x 5.00 2026-12-01", "HBR-5000000001 2.00 2026-12-01"])
        #expect(made[1].due == .zero)
        let again = locked.steps(
            for: mapping.version(of: refund("7.00")),
            standing: [
                StandingDocument(.gone, made[0]), try gone(refund("5.00")),
                StandingDocument(.written, made[1], revision: 1),
            ], original: try standing(sale("20.00"), credited: 700))
        #expect(again.map(\.description) == ["nothing"])
        let less = created(refund("2.00"), over: try standing(refund("5.00")))
        #expect(settled(less[1]) == ["HBR-5000000009-x 2.00 2026-12-01"])
    }

    private func gone(_ order: Order) throws -> StandingDocument {
        var document = try standing(order)
        document.standing = .gone
        return document
    }
}
