import Foundation
import JSON
import Testing

@testable import FleetHarness

/// The proof's own judgement, on books written by hand: two orders of one venue, each with its paid invoice.
struct ProofTests {
    private static let till = """
        {"orders":[{"id":901,"company":162,"site":923,"status":"COMPLETE","total":12.50,"paid":12.50},\
        {"id":902,"company":162,"site":923,"status":"COMPLETE","total":7.00,"paid":7.00}]}
        """

    private static func invoice(_ number: String, total: String, due: String = "0.00") -> String {
        #"{"InvoiceNumber":"\#(number)","Status":"PAID","Total":\#(total),"AmountDue":\#(due)}"#
    }

    private static let first = invoice("HBR-901", total: "12.50")
    private static let second = invoice("HBR-902", total: "7.00")

    private static func proof(_ invoices: [String], dead: Int = 0, queued: Int = 0) throws -> Proof {
        let configuration = RunningFleet.root.appendingPathComponent("config/example.yaml").path
        let plan = try FleetPlan(configuration: configuration)
        let tenant = try #require(plan.organisations.first?.tenant)
        let ledger = #"{"organisations":[{"tenantId":"\#(tenant)","invoices":[\#(invoices.joined(separator: ","))]}]}"#
        return try Proof(
            plan: plan, till: JSON(parsing: Array(till.utf8)), ledger: JSON(parsing: Array(ledger.utf8)), dead: dead,
            queued: queued)
    }

    @Test("books that agree hold, and the last line says so")
    func agreeing() throws {
        let proof = try Self.proof([Self.first, Self.second])
        #expect(proof.holds)
        #expect(
            proof.lines.last == "proof: 2 orders, 2 invoices, till 19.50, ledger 19.50, difference 0.00, missing 0, "
                + "doubled 0, dead 0")
    }

    @Test("one order that is missing, doubled or a cent out, and one invoice too many: none of it holds")
    func documents() throws {
        let missing = try Self.proof([Self.first])
        #expect(!missing.holds && missing.missing == ["harbour/HBR-902"])
        let doubled = try Self.proof([Self.first, Self.second, Self.second])
        #expect(!doubled.holds && doubled.doubled == ["harbour/HBR-902"])
        #expect(doubled.lines.last?.contains("difference -7.00, missing 0, doubled 1, dead 0") == true)
        let different = try Self.proof([Self.first, Self.invoice("HBR-902", total: "7.01")])
        #expect(!different.holds && different.different.count == 1)
        // The same sum, on other orders.
        let swapped = try Self.proof([
            Self.invoice("HBR-901", total: "12.49"), Self.invoice("HBR-902", total: "7.01"),
        ])
        #expect(!swapped.holds && swapped.till == swapped.ledger && swapped.different.count == 2)
        // Nothing in it, and still nobody knows where it comes from.
        let stranger = try Self.proof([Self.first, Self.second, Self.invoice("HBR-903", total: "0.00")])
        #expect(!stranger.holds && stranger.strangers == ["harbour/HBR-903"])
        // Nor is one that stands twice where its second has no amount.
        let empty = try Self.proof([Self.first, Self.second, Self.invoice("HBR-902", total: "0.00")])
        #expect(!empty.holds && empty.doubled.count == 1)
    }

    @Test("a cent that is still due, a dead letter, a message left in a queue, and books without orders do not hold")
    func loose() throws {
        let due = try Self.proof([Self.first, Self.invoice("HBR-902", total: "7.00", due: "0.01")])
        #expect(!due.holds && due.unpaid.text == "0.01" && due.missing.isEmpty && due.different.isEmpty)
        let dead = try Self.proof([Self.first, Self.second], dead: 1)
        #expect(!dead.holds && dead.lines.last?.hasSuffix("dead 1") == true)
        let queued = try Self.proof([Self.first, Self.second], queued: 1)
        #expect(!queued.holds && queued.lines.contains("1 messages are left in the queues"))
        let plan = try FleetPlan(configuration: RunningFleet.root.appendingPathComponent("config/example.yaml").path)
        let nothing = try JSON(parsing: Array(#"{"orders":[],"organisations":[]}"#.utf8))
        #expect(try !Proof(plan: plan, till: nothing, ledger: nothing, dead: 0, queued: 0).holds)
    }
}

struct ProgressTests {
    @Test("the live line tells what the poller has seen, not what the till has, and all that follows from it")
    func line() {
        var progress = Progress()
        (progress.orders, progress.seen, progress.mapped, progress.written) = (400, 350, 340, 300)
        (progress.dead, progress.xeroCalls, progress.refusedCalls, progress.queued) = (1, 21, 2, 49)
        #expect(
            progress.line(after: .seconds(10)) == "10 s: orders seen 350 of 400, mapped 340, written 300, dead 1, "
                + "30 orders/s, Xero calls 21 (refused 2), queued 49")
        progress.days = DayProgress(orders: 320, posted: 12, waiting: 3)
        #expect(
            progress.line(after: .zero) == "1 s: orders seen 350 of 400, orders in their days 320, days posted 12, "
                + "waiting 3, mapped 340, written 300, dead 1, Xero calls 21 (refused 2), queued 49")
    }
}
